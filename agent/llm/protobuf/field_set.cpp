#include "protobuf/field_set.h"

#include <cassert>
#include <charconv>

namespace wiretally::llm {

void FieldSet::add(std::string_view pattern, std::span<const std::string_view> words, PathId id) {
  uint16_t node = kRoot;
  uint32_t levels = 0;
  Shape shape = Shape::kValue;
  while (!pattern.empty()) {
    if (pattern == "{}" || pattern == "[]") {
      shape = pattern == "{}" ? Shape::kClosedMessage : Shape::kList;
      break;
    }
    if (pattern.front() == '.') pattern.remove_prefix(1);
    uint32_t number = 0;
    const char* const end =
        std::from_chars(pattern.data(), pattern.data() + pattern.size(), number).ptr;
    assert(number > 0);
    pattern.remove_prefix(static_cast<size_t>(end - pattern.data()));
    uint16_t next = field(node, number);
    if (next == kNone) {
      next = static_cast<uint16_t>(nodes_.size());
      nodes_.emplace_back();
      nodes_[next].number = number;
      nodes_[node].shape = Shape::kMessage;
      nodes_[node].fields.push_back(next);
    }
    node = next;
    ++levels;
  }
  assert(levels > 0 && levels <= kLevelsMax);
  (void)levels;
  Node& last = nodes_[node];
  if (shape != Shape::kValue) last.shape = shape;
  if (last.matched) return;
  last.matched = true;
  last.path = id;
  last.words = words;
}

}  // namespace wiretally::llm
