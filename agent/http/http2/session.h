// One HTTP/2 connection (RFC 9113), both directions: frames in, exchanges out. A stream is an
// exchange; nothing is paired by order.
//
//   state of a half  at                                   on a gap
//   kPreface         the client's connection preface      kSeek
//   kFrames          frames                               inside one frame's payload: framing
//                                                         survives; else kSeek
//   kSeek            bytes of no known frame              stays; ends where frames are found
//                                                         (detector.h)
//
// After a gap that hit a header block or a frame's border, the direction's HPACK table is unknown
// (hpack.h) and its streams are in doubt: they may have lost bytes, and any frame. DATA of a stream
// whose HEADERS were lost is delivered behind a head of which nothing is known
// (Headers::unknown). Without a loss, DATA without HEADERS is malformed.
//
// Who asks is known from the preface, or from the first block with :method or :status. Before that,
// DATA that begins with `{` is taken for a request's and other DATA for an answer's; a block that
// says otherwise ends what was begun so.
//
// A WebSocket's handshake (RFC 8441) is over with its two heads; what its stream's DATA says from
// then on is read by SocketStream.
//
// Limits: h2_streams_max, h2_pushed_streams_max, h2_header_block_bytes_max, http_head_bytes_max and
// http_headers_max for what a block decodes to, hpack_table_bytes_max, hpack_bytes_max;
// http_exchanges_max and open_calls_max: DATA of a stream that had to make room is nobody's.
#pragma once

#include <array>
#include <optional>

#include "http2/detector.h"
#include "http2/frame_reader.h"
#include "http2/hpack.h"
#include "http2/stream.h"
#include "lane.h"
#include "wiretally/stream_event.h"

namespace wiretally::http::http2 {

class Session final : private ExchangeOwner {
 public:
  // How much is known at the beginning.
  enum class Begin : uint8_t {
    kPreface,  // the first byte of the connection, or of what a tunnel or upgrade carries
    kJoined,   // somewhere in the middle
  };

  Session(Lane& lane, FlowId flow, Source source, Begin begin,
          std::optional<Direction> request_direction);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Joined in the middle: this direction stands where the reader does.
  void join(Direction direction, const FrameReader& reader, bool frame_is_new,
            const StreamEvent& event);
  // h2c: the request that was upgraded is stream 1; `exchange` null: nobody knows which it was.
  void adopt(Exchange* exchange);
  void adopted_request_ends(MessageEnd end, EventTime time);
  bool adopted_is_open() const { return adopted_; }
  // Bytes of this direction were seen and are not given: it goes on somewhere in the middle.
  void lose(Direction direction);

  // `bytes`, at `offset`, came with `event` or before it.
  void data(const StreamEvent& event, ByteView bytes, uint64_t offset);
  void gap(const StreamEvent& event);
  // `outcome`: of the streams that can get no more of their answer.
  void direction_end(const StreamEvent& event, ExchangeOutcome outcome);
  void conflict();
  void close(ExchangeOutcome outcome, EventTime time);

  std::optional<Direction> request_direction() const { return request_direction_; }
  bool any_llm() const { return any_llm_; }

 private:
  enum class State : uint8_t { kPreface, kFrames, kSeek };
  enum class Block : uint8_t { kNone, kHeaders, kPromise };

  // One direction.
  struct Half {
    Half(Lane& lane, Source source, Direction direction_in)
        : direction(direction_in),
          hpack(lane.hpack_memory, lane.limits.hpack_table_bytes_max, lane.counters, source) {}

    const Direction direction;
    State state = State::kFrames;
    uint8_t preface_bytes = 0;
    bool doubt = false;       // blocks of this direction may have been missed
    bool skip_frame = false;  // its beginning was not seen
    bool ended = false;
    DropReason trouble = DropReason::kHttpResync;
    uint64_t next_offset = 0;
    FrameReader reader;
    HpackReader hpack;
    MessageStart frame_start;

    // The DATA frame that is open.
    Stream* stream = nullptr;
    DropReason no_stream = DropReason::kHttpH2NoStream;
    bool stream_known = false;  // looked up

    // The header block that is open.
    Block block = Block::kNone;
    uint32_t block_stream = 0;
    uint32_t promised = 0;
    bool ends_stream = false;
    bool unknown = false;  // fields of it are
    bool cut = false;      // by a limit
    bool failed = false;   // the rest cannot be read
    uint64_t block_bytes = 0;
    uint64_t lost_bytes = 0;
    MessageStart block_start;
  };

  struct Pseudo {
    std::string_view method;
    std::string_view path;
    std::string_view authority;
    std::string_view protocol;
    uint16_t status = 0;
    bool any = false;
  };

  // Each takes bytes from the beginning of `rest` and returns how many; 0 only with another state.
  size_t take_preface(Half& half, ByteView rest);
  size_t take_frame(Half& half, ByteView rest);
  size_t take_seek(Half& half, ByteView rest, bool event_begins);

  void begin_frame(Half& half);
  void frame_part(Half& half, ByteView part);
  void end_frame(Half& half);
  void lose_framing(Half& half, DropReason reason, uint64_t bytes);

  Stream* stream_of_open_frame(Half& half);
  void bound_loss(Stream& stream, Message message);
  void find_data_stream(Half& half, uint8_t first_byte);
  void deliver(Half& half, ByteView part);
  void end_data(Half& half);
  void lose_data(Half& half, uint64_t bytes, uint64_t payload);

  void begin_block(Half& half, Block kind);
  void read_block(Half& half, ByteView part);
  void fail_block(Half& half);
  bool keep_field(Half& half, const HpackReader::Field& field);
  void end_block(Half& half);
  void drop_block(Half& half);
  Pseudo load_fields(const Half& half);
  bool settle_roles(const Half& half, const Pseudo& pseudo);
  void set_roles(Direction request_direction);
  void request_block(Half& half, const Pseudo& pseudo, const Headers& headers);
  void answer_block(Half& half, const Pseudo& pseudo, const Headers& headers);
  void promise_block(Half& half, const Pseudo& pseudo, const Headers& headers);

  Stream* open_stream(uint32_t id, bool pushed, EventTime time);
  Stream* find_or_open(const Half& half, uint32_t id, EventTime time, DropReason& why_not);
  void begin_request(Stream& stream, const MessageStart& start, const Pseudo& pseudo,
                     const Headers& headers);
  void begin_answer(Stream& stream, const MessageStart& start, const Pseudo& pseudo,
                    const Headers& headers);
  void begin_body(Stream& stream, Message message, BodyInterest interest, const Headers& headers);
  void ask_for_socket(Stream& stream, BodyInterest interest);
  void end_handshake(Stream& stream, bool granted, const Headers& answer);
  void begin_coded_body(Stream& stream, Message message, uint8_t first_byte);
  void trailers(Stream& stream, Message message, const Headers& headers);
  void finish_message(Stream& stream, Message message, MessageEnd end);
  void cut_message(Stream& stream, Message message);
  void settle(Stream& stream);
  void reset_stream(Stream& stream, ExchangeOutcome outcome);
  void end_stream(Stream& stream, ExchangeOutcome outcome, EventTime time);
  void evict(Exchange& exchange) override;
  void make_room(Exchange& exchange);
  void no_more_requests(bool for_good);
  void goaway(uint32_t last_stream);
  bool was_closed(uint32_t id) const;

  Half& half_of(Direction direction) { return halves_[static_cast<size_t>(direction)]; }
  Half& half_of(Message message) {
    return half_of(message == Message::kRequest ? *request_direction_
                                                : opposite(*request_direction_));
  }
  Message message_of(const Half& half) const {
    return half.direction == *request_direction_ ? Message::kRequest : Message::kResponse;
  }
  // Whether DATA of the message may come.
  static bool is_open(Stream& stream, Message message) {
    return stream.socket != nullptr ? !stream.socket->has_ended(message)
                                    : side(stream, message) == Exchange::Side::kOpen;
  }
  static Exchange::Side& side(Stream& stream, Message message) {
    return message == Message::kRequest ? stream.exchange->request : stream.exchange->answer;
  }
  void note_byte(Stream& stream);
  void parse(uint64_t bytes) {
    if (bytes > 0) lane_.counters.parse(source_, bytes);
  }
  void drop(DropReason reason, uint64_t bytes) {
    if (bytes > 0) lane_.counters.drop(source_, reason, bytes);
  }

  Lane& lane_;
  const FlowId flow_;
  const Source source_;
  std::optional<Direction> request_direction_;
  bool roles_guessed_ = false;
  bool any_llm_ = false;
  bool any_request_ = false;
  bool adopted_ = false;          // stream 1 is open, and its request came by HTTP/1
  bool conflict_ = false;         // for the next exchange
  uint32_t highest_request_ = 0;  // stream opened by the client
  size_t pushed_ = 0;
  size_t early_answers_ = 0;  // streams whose request is still to come
  std::array<Half, 2> halves_;
  StreamTable streams_;
  // The streams that ended last: frames may still come for them.
  std::array<uint32_t, 64> closed_{};
  size_t closed_count_ = 0;

  // During a call.
  const StreamEvent* event_ = nullptr;
  EventTime now_;
  uint64_t offset_ = 0;  // of the next byte to be taken
};

}  // namespace wiretally::http::http2
