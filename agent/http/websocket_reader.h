// One direction of a WebSocket: frames (RFC 6455 section 5.2) in, messages out; permessage-deflate
// (RFC 7692) removed. Fed with plain bytes, whatever carries them: HTTP/1.1 behind a 101, or the
// DATA frames of one HTTP/2 stream (RFC 8441).
//
//   state      at                                        on a gap (gap(); lose() always loses
//   framing) kHeader    a frame's header, 2 to 14 bytes           framing lost kPayload   payload
//   of a data frame                   inside it framing survives kControl   payload of a control
//   frame                inside it framing survives kSeek      bytes between frames nobody can tell
//   stays kProving   a chain of frames that may be one         framing lost kClosed    behind the
//   Close frame                    stays kFailed    behind bytes that are no frame            stays
//
// Framing that was lost is found again only on proof: kProofFrames headers in a row, each where the
// one before says, the first at the beginning of an event; or a chain that ends with its direction.
// What stands before the first of them is dropped (resync). The chain is held until it is proved,
// up to kHeldMax bytes; of a longer one, what stands before the last header is dropped too.
//
// A compressed message with a gap is given up. If its sender keeps the window, everything that it
// compresses afterwards is unreadable too (decode_failed), and plain messages still are read.
#pragma once

#include <array>
#include <memory>

#include "head_buffers.h"
#include "message_inflater.h"
#include "websocket_terms.h"
#include "wiretally/http_exchange.h"

namespace wiretally::http {

struct Lane;

class WebSocketReader {
 public:
  // `framed`: the next byte begins a frame.
  void begin(Source source, ExchangeId exchange, Message sender, const WebSocketTerms& terms,
             bool framed);
  // Takes all bytes; a call is an event.
  void feed(Lane& lane, ByteView bytes, EventTime time);
  // So many bytes were lost here.
  void gap(Lane& lane, uint64_t bytes, EventTime time);
  // Up to so many bytes were lost, nobody knows where from here on.
  void lose(Lane& lane, uint64_t bytes, EventTime time);
  // No more will come.
  void finish(Lane& lane, EventTime time);

  // The Close frame was seen.
  bool closed() const { return state_ == State::kClosed; }

 private:
  enum class State : uint8_t {
    kHeader,
    kPayload,
    kControl,
    kSeek,
    kProving,
    kClosed,
    kFailed,
  };
  // What becomes of the open message's payload.
  enum class Mode : uint8_t {
    kNone,     // no message is open
    kPlain,    // handed on
    kInflate,  // decompressed and handed on
    kWindow,   // decompressed for the window's sake alone
    kSkip,     // not wanted
    kDrop,     // given up, for drop_reason_
  };
  static constexpr size_t kHeaderMax = 14;
  static constexpr unsigned kProofFrames = 3;
  static constexpr size_t kControlMax = 125;  // payload of a control frame
  static constexpr size_t kHeldMax = 64 * 1024;

  size_t take(Lane& lane, ByteView rest, bool event_begins, EventTime time);
  size_t take_header(Lane& lane, ByteView rest, EventTime time);
  size_t take_proof(Lane& lane, ByteView rest, EventTime time);
  void proved(Lane& lane, EventTime time);
  void hold(Lane& lane, ByteView bytes);
  void drop_held(Lane& lane);
  size_t take_payload(Lane& lane, ByteView rest, EventTime time);
  size_t take_control(Lane& lane, ByteView rest, EventTime time);

  // Adds bytes to the header; `used` of `rest`. What is there of it so far:
  enum class HeaderIs : uint8_t { kOpen, kComplete, kBad };
  HeaderIs read_header(ByteView rest, size_t& used);
  void read_length();
  bool byte_fits(uint8_t byte) const;
  bool first_byte_fits(uint8_t byte) const;
  bool is_shortest_form() const;
  size_t header_bytes() const;
  void header_done(Lane& lane, EventTime time);
  void begin_message(Lane& lane, EventTime time);
  void frame_done(Lane& lane, EventTime time);
  void end_message(Lane& lane, MessageEnd end, EventTime time);
  void control_done(Lane& lane, EventTime time);
  void lose_framing(Lane& lane, uint64_t lost_bytes, EventTime time);
  void malformed(Lane& lane, uint64_t bytes, EventTime time);

  void deliver(Lane& lane, ByteView part, EventTime time);
  // `on_wire`: the bytes are to be accounted for.
  void inflate(Lane& lane, ByteView coded, bool on_wire, EventTime time);
  void apply(BodyInterest interest);
  bool prepare_inflater(Lane& lane);
  void give_up(Lane& lane, DropReason reason, BodyLoss loss, uint64_t lost_bytes, EventTime time);
  void release_inflater();
  void drop(Lane& lane, DropReason reason, uint64_t bytes) const;

  uint8_t opcode() const { return header_[0] & 0x0f; }
  bool is_final() const { return (header_[0] & 0x80) != 0; }
  bool is_control() const { return (header_[0] & 0x08) != 0; }
  bool is_masked() const { return sender_ == Message::kRequest; }
  bool keeps_window() const { return terms_.keeps_window[static_cast<size_t>(sender_)]; }

  Source source_ = Source::kPacket;
  ExchangeId id_{};
  Message sender_ = Message::kRequest;
  WebSocketTerms terms_;

  State state_ = State::kHeader;
  Mode mode_ = Mode::kNone;
  DropReason drop_reason_ = DropReason::kHttpResync;
  bool framing_was_lost_ = false;
  bool order_unknown_ = false;  // since then no data frame was seen: a message may be open
  bool message_known_ = false;  // its beginning was seen and told
  bool window_lost_ = false;    // the inflater's window is not the sender's any more
  DropReason window_reason_ = DropReason::kHttpDecodeFailed;
  uint8_t header_size_ = 0;
  std::array<uint8_t, kHeaderMax> header_{};
  uint64_t left_ = 0;   // of the frame's payload
  uint64_t taken_ = 0;  // of it
  unsigned proof_frames_ = 0;
  bool holding_ = false;  // the whole chain is in held_
  HeadBuffers::Buffer* held_ = nullptr;
  std::array<uint8_t, 4> mask_{};
  std::array<uint8_t, 2> close_code_{};
  std::unique_ptr<MessageInflater> inflater_;
  uint64_t coded_bytes_ = 0;  // of the open message
  uint64_t decoded_bytes_ = 0;
};

// RFC 6455 section 5.3: `from` with the mask applied, whose first byte is number `offset` of its
// frame's payload. Eight bytes at a time; `to` has room for all of it.
void unmask(ByteView from, const std::array<uint8_t, 4>& mask, uint64_t offset, uint8_t* to);

}  // namespace wiretally::http
