// What can be known of a JSON document (RFC 8259) behind a gap: members of its outermost object.
//
// Behind a gap neither the depth is known nor whether the next byte stands inside a string. So
// every possibility is read at once, and the end of the document decides:
//
//   reading         the byte behind the gap stands
//   outside         outside of strings, anywhere: inside a number or word too
//   quoted          inside a string
//   escaped         inside a string, behind a backslash
//
// One of the three is true. A reading that breaks the grammar is not, and neither is one that does
// not end with the bracket that closes the document. At most one is left: readings that differ take
// each other's texts for structure, so one of them ends inside a string.
//
// Brackets that close more than was opened behind the gap close what was open before it, and the
// last of them is the outermost. Between it and the one before stand members of the outermost
// object, and of what they hold nothing is missing: they are told. What looks like a member inside
// a text or deeper in the document never passes for one, because in the true reading it is neither.
//
// That holds for a whole document whose end is certain (by the length or the chunks of its message;
// not by the end of a connection).
//
// Bounded: the last kKeptBytes are kept, and 64 brackets deep is read; beyond that nothing is told.
// Linear in the bytes fed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "wiretally/bytes.h"

namespace wiretally::llm {

class JsonTail {
 public:
  static constexpr size_t kKeptBytes = 2048;

  // Bytes of the document in front of what is fed next were lost.
  void gap();
  void feed(ByteView bytes);

  // Up to and with the closing bracket of the outermost object, without the opening one; in two
  // parts. They die with the next call.
  struct Members {
    ByteView first;
    ByteView second;
  };
  // The document has ended here. Nothing: no member is certain.
  std::optional<Members> finish() const;

  // No text is kept longer than its call.
  void forget() { kept_.fill(0); }

 private:
  enum class State : uint8_t {
    kAnywhere,  // outside of strings, nobody knows where
    kItem,      // behind the comma of a container of unknown kind
    kMember,    // in an object, before a name or its end
    kElement,   // in an array, before a value or its end
    kValue,     // behind a colon
    kString,
    kToken,
    kBehindAnything,  // behind a string that was a name or a value
    kBehindItem,      // behind a string that was a name, or an array's element
    kColon,           // behind a name
    kAfter,           // behind a value
    kWrong,           // this reading is not true, or cannot be followed
  };
  enum class Kind : uint8_t { kUnknown, kObject, kArray };

  // One of the possibilities.
  struct Reading {
    static constexpr uint64_t kNowhere = UINT64_MAX;
    static constexpr uint32_t kDepthMax = 64;  // brackets open behind the gap

    State state = State::kAnywhere;
    State behind = State::kBehindAnything;  // kString: what follows it
    bool escaped = false;                   // kString
    Kind outer = Kind::kUnknown;            // of the container that was open at the gap
    bool closed_array = false;              // by the last bracket at `end`
    uint8_t word_size = 0;                  // kToken: 0 where its beginning was lost, or a number
    std::array<char, 10> word{};
    uint32_t opened = 0;        // behind the gap, and still open
    uint64_t arrays = 0;        // a bit for each of them: set for '['
    uint64_t comma = kNowhere;  // behind the first comma of the container that was open at the gap
    uint64_t begin = kNowhere;  // the same of the container that `end` closed
    uint64_t end = kNowhere;    // behind the last bracket, if nothing but space follows

    friend bool operator==(const Reading&, const Reading&) = default;

    void feed(ByteView bytes, uint64_t offset);
    const uint8_t* string(const uint8_t* p, const uint8_t* end_of_bytes);
    const uint8_t* token(const uint8_t* p, const uint8_t* end_of_bytes);
    void structure(uint8_t c, uint64_t offset);
    void begin_string(State next);
    void begin_value(uint8_t c);
    void open(bool array);
    void close(bool array, uint64_t offset);
    void comma_at(uint64_t offset);
    void colon();
    void end_word();
    bool holds(Kind kind);
  };

  void keep(ByteView bytes);

  std::array<Reading, 3> readings_;
  uint64_t fed_ = 0;
  std::array<uint8_t, kKeptBytes> kept_;  // a ring: byte n of what was fed stands at n % kKeptBytes
};

// A bounded number of tails, for those few answers that lost bytes; their memory is used again.
class JsonTails {
 public:
  explicit JsonTails(size_t most) : most_(most) { spare_.reserve(most); }

  // Nullptr where all are taken.
  std::unique_ptr<JsonTail> take();
  void give_back(std::unique_ptr<JsonTail> tail);

 private:
  const size_t most_;
  size_t taken_ = 0;
  std::vector<std::unique_ptr<JsonTail>> spare_;
};

}  // namespace wiretally::llm
