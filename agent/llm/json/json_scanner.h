// An incremental JSON reader (RFC 8259) in constant memory that matches paths, not names.
//
// A PathSet is compiled once from patterns; a scanner walks one document and reports the values at
// those paths, and nothing else. Values elsewhere are skipped at memchr speed. The document may be
// cut anywhere between feeds.
//
//   state     where the scanner is
//   value     before a value            key       inside or before a member name
//   string    inside a string           number    inside a number (or a bare word: true, NaN, …)
//   after     behind a value            done/bad  behind the document / given up
//
// Patterns: member names joined by '.', "[]" for any element of an array:
// "choices[].delta.tool_calls[].function.name". A pattern that ends in an object or array reports
// its begin and end. Names that contain a dot cannot be matched.
//
// Rules: of duplicate members each is reported, so the last wins if the consumer overwrites;
// escapes in names count
// ("us\u0061ge" is usage); invalid UTF-8 in kept text becomes U+FFFD; lone surrogates too; text is
// kept up to JsonEvent::kTextBytes; deeper than `depth_max` a value is skipped (its brackets are
// still counted); NaN, Infinity and raw control characters do not stop it; white space before the
// document is skipped; what stands behind it is ignored.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "wiretally/bytes.h"

namespace wiretally::llm {

// Index of a pattern in the list that its PathSet was made of.
using PathId = uint16_t;

struct JsonEvent {
  static constexpr size_t kTextBytes = 256;

  enum class Kind : uint8_t {
    kObjectBegin,
    kObjectEnd,
    kArrayBegin,
    kArrayEnd,
    kString,
    kNumber,
    kBool,
    kNull
  };

  Kind kind = Kind::kNull;
  std::string_view text;    // kString: the decoded text's beginning, valid UTF-8
  uint64_t text_bytes = 0;  // kString: length of the whole decoded text
  bool text_cut = false;    // kString: text_bytes > text.size()
  std::optional<uint64_t>
      integer;  // kNumber: 12, 12.0 and 1.2e1 alike; nothing for negative, fractional, > 2^53
  bool boolean = false;  // kBool
  uint32_t index = 0;    // of the innermost array element on the path
};

class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  virtual void on_json(PathId path, const JsonEvent& event) = 0;
};

// Compiled patterns; immutable, shared by any number of scanners, outlives them.
class PathSet {
 public:
  explicit PathSet(std::initializer_list<std::string_view> patterns);
  ~PathSet();
  PathSet(PathSet&&) noexcept;

  struct Tree;
  const Tree& tree() const { return *tree_; }

 private:
  std::unique_ptr<Tree> tree_;
};

class JsonScanner {
 public:
  enum class Verdict : uint8_t {
    kMore,      // the document is not complete
    kComplete,  // it is; further bytes are ignored
    kBad,       // not JSON; nothing more is reported until reset
  };

  JsonScanner(const PathSet& paths, JsonEvents& events);
  ~JsonScanner();

  Verdict feed(ByteView bytes);
  // The input has ended: a top-level number ends here. kMore becomes kBad.
  Verdict finish();
  void reset();

  // Bytes behind the end of a complete document in the last feed (NDJSON and arrays of documents go
  // on there).
  size_t unread() const;
  // Brackets that are open: the depth is proved only if the document ends at 0.
  uint32_t depth() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace wiretally::llm
