// An incremental reader of one protobuf message (the wire format of "Protocol Buffers: Encoding")
// in constant memory: reports the fields of a FieldSet as values of JSON are reported, and nothing
// else. The message may be cut anywhere between feeds.
//
//   message = *( tag value )            tag    = varint: number(29) type(3)
//   value   = varint                    type 0
//           / 8 bytes                   type 1
//           / length(varint) bytes      type 2: a text, a message, or a list of numbers
//           / 4 bytes                   type 5
//   varint  = 7 bits a byte, the lowest first; the highest bit of a byte says that more follow
//
//   state    where the reader is               goes on to
//   tag      inside a tag                      number, length, skip
//   number   inside a varint                   tag, done
//   length   inside a length                   text, list, skip, tag, done
//   text     inside a text that is read        tag, done
//   list     inside a list that is read        tag, done
//   skip     inside what nobody reads          tag, done
//   done, bad   behind the message; given up
//
// Limits: messages are looked into as deep as patterns reach (FieldSet::kLevelsMax); what nobody
// reads is skipped by its length, however deep it is. A text is kept up to JsonEvent::kTextBytes.
//
// Rules
// - Begin and end of a message, and its place in a run of fields with its number (`index`), are
//   reported as those of an object in an array.
// - A number is an integer if it is at most 2^53 and not negative (int32 and int64 alike); a value
//   of another type where a number or text is read has no integer.
// - Text is reported as valid UTF-8: it is cut in front of the first byte that is none.
// - Bad: field number 0, types 3, 4 (groups, which version 3 of the language has not), 6 and 7, a
//   varint longer than 10 bytes, whatever reaches beyond the end of its message.
#pragma once

#include <cstdint>

#include "json/json_scanner.h"
#include "protobuf/field_set.h"
#include "wiretally/bytes.h"

namespace wiretally::llm {

class ProtoReader {
 public:
  enum class Verdict : uint8_t {
    kMore,      // the message is not complete
    kComplete,  // it is; further bytes are ignored
    kBad,       // no message of protobuf; nothing more is reported until begin
  };

  // `fields` outlives the reader.
  ProtoReader(const FieldSet& fields, JsonEvents& events) : fields_(fields), events_(events) {}
  ProtoReader(const FieldSet&& fields, JsonEvents& events) = delete;
  ProtoReader(const ProtoReader&) = delete;
  ProtoReader& operator=(const ProtoReader&) = delete;

  // Where finish() tells where the message ends.
  static constexpr uint64_t kSizeUnknown = UINT64_MAX;

  // A message of so many bytes follows. `number`: patterns that begin with it are this message's.
  Verdict begin(uint32_t number, uint64_t bytes);
  Verdict feed(ByteView bytes);
  // The input has ended: a message of unknown size ends here, another one that is not complete is
  // bad.
  Verdict finish();
  Verdict verdict() const {
    return state_ == State::kDone  ? Verdict::kComplete
           : state_ == State::kBad ? Verdict::kBad
                                   : Verdict::kMore;
  }

 private:
  enum class State : uint8_t { kTag, kNumber, kLength, kText, kList, kSkip, kDone, kBad };
  // A message that is open.
  struct Level {
    uint16_t node;
    uint64_t end;  // its last byte stands in front of this place
    uint32_t number;
    uint32_t index;  // of the field at hand in a run of this number
  };

  static constexpr uint32_t kVarintBytesMax = 10;

  // Takes bytes of a varint; true: `value_` is whole.
  bool take_varint(const uint8_t*& p, const uint8_t* end);
  void tag_end();
  void number_end();
  void length_end();
  void field_end();
  void open(uint16_t node, uint64_t bytes);
  void skip(uint64_t bytes);
  void report(JsonEvent& event);
  void report_number(std::optional<uint64_t> integer);
  void report_text();

  const FieldSet& fields_;
  JsonEvents& events_;

  State state_ = State::kDone;
  uint8_t varint_bytes_ = 0;  // read so far
  uint8_t type_ = 0;          // of the field at hand
  uint8_t levels_size_ = 0;
  uint16_t node_ = 0;  // of the field at hand
  uint16_t kept_size_ = 0;
  uint64_t value_ = 0;     // the varint at hand
  uint64_t position_ = 0;  // in the message
  uint64_t left_ = 0;      // kText, kList, kSkip: bytes of it
  uint64_t size_ = 0;      // kText: of all of it; kList: numbers so far
  Level levels_[FieldSet::kLevelsMax + 1];
  char kept_[JsonEvent::kTextBytes];
};

}  // namespace wiretally::llm
