// AWS event streams (application/vnd.amazon.eventstream) in constant memory. Smithy, "Amazon Event
// Stream Specification"; all integers big-endian:
//
//   message = total-length(4) headers-length(4) prelude-crc(4) headers payload message-crc(4)
//   header  = name-length(1) name value-type(1) value
//   value   = by type: 0, 1 nothing (true, false); 2 one byte; 3 two; 4 four; 5, 8 eight; 9
//   sixteen;
//             6, 7 length(2) bytes
//
// Both checksums are CRC-32 (IEEE 802.3): of the first eight bytes, and of all before the last
// four. A message is at most kMessageMax bytes long; its payload is handed on as it comes, and only
// at its end is it known whether it was intact.
//
//   state      where the reader is                         goes on to
//   prelude    inside the first twelve bytes               name_size, payload, trailer, search
//   name_size, name, type, size, value                     inside a header
//   payload    inside the payload                          trailer
//   trailer    inside the last four bytes                  prelude, search
//   search     behind damage: looks for a prelude whose checksum is right
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "wiretally/bytes.h"

namespace wiretally::llm {

class AwsEvents {
 public:
  // The headers that say what a message is, each cut at Text's size; empty where there is none.
  struct Kind {
    Text<16> message;  // :message-type: event, exception, error
    Text<64> name;     // :event-type, :exception-type, or :error-code
  };

  virtual ~AwsEvents() = default;
  virtual void on_aws_begin(const Kind& kind) = 0;
  virtual void on_aws_payload(ByteView part) = 0;
  // `intact`: the checksum is right and the message was whole.
  virtual void on_aws_end(const Kind& kind, bool intact) = 0;
};

class AwsEventStreamReader {
 public:
  static constexpr uint32_t kMessageMax = 24 * 1024 * 1024;

  explicit AwsEventStreamReader(AwsEvents& events) : events_(events) {}

  // The parts that are handed on are views of `bytes`.
  void feed(ByteView bytes);
  // The input has ended: a message that is open is not intact.
  void finish();
  // Bytes were lost: what is open is given up, without on_aws_end.
  void gap();
  void reset();

 private:
  enum class State : uint8_t {
    kPrelude,
    kNameSize,
    kName,
    kType,
    kSize,
    kValue,
    kPayload,
    kTrailer,
    kSearch,
  };
  enum class Header : uint8_t { kOther, kMessageType, kName };

  static constexpr uint32_t kPreludeBytes = 12;
  static constexpr uint32_t kTrailerBytes = 4;

  const uint8_t* prelude(const uint8_t* p, const uint8_t* end);
  const uint8_t* search(const uint8_t* p, const uint8_t* end);
  const uint8_t* header(const uint8_t* p, const uint8_t* end);
  const uint8_t* payload(const uint8_t* p, const uint8_t* end);
  const uint8_t* trailer(const uint8_t* p, const uint8_t* end);
  bool plausible_prelude() const;
  void begin_message();
  void end_headers();
  void name_end();
  void value_begin(uint32_t bytes);
  void value_end();
  void damage();
  void checksum(const uint8_t* p, size_t bytes);

  AwsEvents& events_;
  State state_ = State::kPrelude;
  Header header_ = Header::kOther;
  bool begun_ = false;                         // on_aws_begin was called for the open message
  std::array<uint8_t, kPreludeBytes> head_{};  // the prelude, or the last four bytes
  uint32_t head_size_ = 0;
  uint32_t headers_left_ = 0;
  uint32_t payload_left_ = 0;
  uint32_t left_ = 0;  // of the name, size or value at hand
  uint32_t crc_ = 0;
  uint16_t value_size_ = 0;
  uint8_t type_ = 0;
  uint8_t text_size_ = 0;
  std::array<char, 64> text_{};  // the name or value at hand
  AwsEvents::Kind kind_;
};

}  // namespace wiretally::llm
