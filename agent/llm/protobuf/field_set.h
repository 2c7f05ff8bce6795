// The protobuf fields that somebody reads, by their numbers: what a PathSet is for JSON.
//
// Patterns: field numbers joined by '.': "9.2" is field 2 of the message in field 9. What stands
// in front of other patterns is a message, and reports its begin and end if it is a pattern itself;
// the others are values. "13{}" is a message whose fields nobody reads, "9.9[]" a list of numbers
// that is reported by how many there are. A pattern may have words for the values of an
// enumeration, by their numbers: its values are reported as text, those without a word as their
// digits. A pattern given twice is reported under its first id.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "json/json_scanner.h"

namespace wiretally::llm {

class FieldSet {
 public:
  static constexpr uint32_t kLevelsMax = 8;  // how deep a pattern may reach
  static constexpr uint16_t kRoot = 0;
  static constexpr uint16_t kNone = UINT16_MAX;

  enum class Shape : uint8_t {
    kValue,
    kMessage,
    kClosedMessage,  // "{}"
    kList,           // "[]"
  };
  struct Node {
    uint32_t number = 0;  // of the field
    Shape shape = Shape::kValue;
    bool matched = false;
    PathId path = 0;
    std::span<const std::string_view> words;
    std::vector<uint16_t> fields;  // of a message
  };

  // Compiles the patterns of `table`; PathIds are its indices.
  template <typename Path>
  explicit FieldSet(std::span<const Path> table) : FieldSet() {
    PathId id = 0;
    for (const Path& path : table) {
      if constexpr (requires { path.words; }) {
        add(path.pattern, path.words, id++);
      } else {
        add(path.pattern, {}, id++);
      }
    }
  }

  const Node& node(uint16_t index) const { return nodes_[index]; }
  // The node of the field of that number in a message; kNone if nobody reads it.
  uint16_t field(uint16_t message, uint32_t number) const {
    for (const uint16_t field : nodes_[message].fields) {
      if (nodes_[field].number == number) return field;
    }
    return kNone;
  }

 private:
  FieldSet() : nodes_(1) {}
  void add(std::string_view pattern, std::span<const std::string_view> words, PathId id);

  std::vector<Node> nodes_;
};

}  // namespace wiretally::llm
