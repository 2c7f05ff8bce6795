// An incremental JSON reader (RFC 8259) in constant memory that matches paths, not names.
//
// A PathSet is compiled once from patterns; a scanner walks one document and reports the values at
// those paths, and nothing else. Values elsewhere are skipped at memchr speed. The document may be
// cut anywhere between feeds.
//
//   state       where the scanner is           goes on to
//   start       before the document            value (behind a byte order mark, if there is one)
//   value       before a value                 string, token, member, skip, after
//   member      before a name or '}'           name, after
//   name        inside a member name           colon
//   colon       before ':'                     value
//   string      inside a matched string        after
//   quoted      inside a skipped string        after, skip
//   token       a number or bare word          after
//   skip        inside a skipped container     quoted, after
//   after       behind a value                 value, member, after, done
//   done, bad   behind the document; given up
//
// Patterns: member names joined by '.', "[]" for any element of an array:
// "choices[].delta.tool_calls[].function.name"; "[].usage" where the document is an array, "" for
// the document itself. A pattern that ends in an object or array reports its begin and end. Names
// that contain '.' or '[', and empty names, cannot be matched. A pattern given twice is reported
// under its first id.
//
// Rules
// - Of duplicate members each is reported, so the last wins if the consumer overwrites.
// - Escapes in names count ("us\u0061ge" is usage).
// - Text is reported as valid UTF-8: invalid UTF-8, lone surrogates and unknown escapes become
//   U+FFFD. It is kept up to JsonEvent::kTextBytes, and never cut inside a character.
// - -0 is 0. A number longer than kTokenBytes, or one that RFC 8259 does not allow (007, .5, 1e),
//   is a kNumber without integer; so are NaN, Infinity and -Infinity.
// - Raw control characters do not stop it: inside strings they are text, elsewhere white space.
// - In what is skipped only strings and brackets are looked at. Brackets must match in kind as deep
//   as kDepthMax; below that they are counted. Patterns reach no deeper than kLevelsMax.
// - Like white space before the document, a byte order mark is skipped; what stands behind the
//   document is not read.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "json/repetition.h"
#include "json/string_decoder.h"
#include "wiretally/bytes.h"
#include "wiretally/limits.h"

namespace wiretally::llm {

// Index of a pattern in the list that its PathSet was made of.
using PathId = uint16_t;

struct JsonEvent {
  static constexpr size_t kTextBytes = StringDecoder::kTextBytes;

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
  // kString: the decoded text's beginning, valid UTF-8. kNumber: as it is written, if it is on a
  // path. Dies when the call returns.
  std::string_view text;
  uint64_t text_bytes = 0;  // length of the whole decoded text
  uint64_t raw_bytes = 0;   // kString: of what stands between the quotes, escapes as written
  bool text_cut = false;    // kString: text_bytes > text.size()
  bool in_place = false;    // kString: `text` is a view of the fed bytes, and so is the rest of it
  // kNumber: 12, 12.0 and 1.2e1 alike; nothing for negative, fractional, > 2^53.
  std::optional<uint64_t> integer;
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
  explicit PathSet(std::span<const std::string_view> patterns);
  ~PathSet();
  PathSet(PathSet&&) noexcept;

  struct Tree;
  const Tree& tree() const { return *tree_; }

 private:
  std::unique_ptr<Tree> tree_;
};

class JsonScanner {
 public:
  static constexpr uint32_t kDepthMax = Limits::json_depth_max;  // how deep brackets are told apart
  static constexpr uint32_t kLevelsMax = 16;                     // how deep a pattern may reach
  static constexpr size_t kTokenBytes = 64;

  enum class Verdict : uint8_t {
    kMore,      // the document is not complete
    kComplete,  // it is; further bytes are ignored
    kBad,       // not JSON; nothing more is reported until reset
  };

  JsonScanner(const PathSet& paths, JsonEvents& events);
  JsonScanner(const PathSet&& paths, JsonEvents& events) = delete;  // the paths must outlive it
  JsonScanner(const JsonScanner&) = delete;
  JsonScanner& operator=(const JsonScanner&) = delete;

  Verdict feed(ByteView bytes);
  // The input has ended: a top-level number ends here. kMore becomes kBad.
  Verdict finish();
  void reset();

  // Where strings and whole numbers that nobody reads stand, as far as each is whole in one feed,
  // is noted here from now on; nullptr: nowhere.
  void log_spans(SpanLog* spans) { spans_ = spans; }

  // For on_json, of an element that is a number or a word, or that has ended: nothing more of its
  // array is reported but its end.
  void skip_rest_of_array();

  // What feed or finish answered last (kMore after reset).
  Verdict verdict() const;
  // Bytes behind the end of a complete document, or from where a bad one is given up, in the last
  // feed (NDJSON and arrays of documents go on there).
  size_t unread() const { return unread_; }
  // Brackets that are open: the depth is proved only if the document ends at 0.
  uint32_t depth() const;

 private:
  enum class State : uint8_t {
    kStart,
    kValue,
    kMember,
    kName,
    kColon,
    kString,
    kQuoted,
    kToken,
    kSkip,
    kAfter,
    kDone,
    kBad
  };
  // A container on the path.
  struct Level {
    uint16_t node;
    uint32_t index;  // of the innermost array element for the values in it
  };

  const uint8_t* start(const uint8_t* p);
  const uint8_t* value(const uint8_t* p, const uint8_t* end);
  const uint8_t* member(const uint8_t* p, const uint8_t* end);
  const uint8_t* name(const uint8_t* p, const uint8_t* end);
  const uint8_t* colon(const uint8_t* p, const uint8_t* end);
  const uint8_t* string_begin(const uint8_t* p, const uint8_t* end);
  const uint8_t* string(const uint8_t* p, const uint8_t* end);
  const uint8_t* quoted(const uint8_t* p, const uint8_t* end);
  const uint8_t* quoted_begin(const uint8_t* p, const uint8_t* end);
  const uint8_t* token(const uint8_t* p, const uint8_t* end);
  const uint8_t* skip(const uint8_t* p, const uint8_t* end);
  const uint8_t* after(const uint8_t* p, const uint8_t* end);

  void name_end(std::string_view name);
  void token_end(std::string_view token);
  void open(bool array);
  void close(bool array);
  void close_skipped(bool array);
  void value_end() { state_ = levels_size_ == 0 ? State::kDone : State::kAfter; }
  void report(uint16_t node, JsonEvent& event);
  void report_text(std::string_view text, uint64_t text_bytes, uint64_t raw_bytes, bool in_place);
  bool in_array(uint64_t depth) const { return (arrays_[depth / 64] >> (depth % 64) & 1) != 0; }
  void note_open(bool array);
  bool closes_kind(bool array) const;

  const PathSet::Tree* tree_;
  JsonEvents& events_;
  SpanLog* spans_ = nullptr;

  State state_ = State::kStart;
  bool escaped_ = false;    // kQuoted: the next byte stands behind a backslash
  bool may_close_ = false;  // kValue, kMember: the container has been opened just now
  bool skipping_ = false;   // nothing in the innermost level can match
  uint8_t mark_bytes_ = 0;  // kStart: bytes of the byte order mark
  uint8_t levels_size_ = 0;
  uint8_t token_size_ = 0;
  uint16_t node_ = 0;  // the tree's node of the value at hand
  size_t unread_ = 0;
  uint64_t depth_ = 0;
  uint64_t raw_bytes_ = 0;                // kString: read so far
  uint64_t arrays_[kDepthMax / 64] = {};  // a bit for each open bracket: set for '['
  Level levels_[kLevelsMax + 1];
  char token_[kTokenBytes + 1];  // the last byte only shows that a token is too long
  StringDecoder decoder_;
};

}  // namespace wiretally::llm
