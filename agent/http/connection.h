// One flow: what protocol it speaks, and HTTP/1 (RFC 9112) read through llhttp, in both directions.
//
//   state        at                            on a gap
//   kPreamble    what a proxy put first         as kStart
//   kStart       the border of a message       order in doubt, then kSeek
//   kSeek        bytes of no known message     stays; a start line at the beginning of an event or
//   line
//                                              ends it
//   kHead        a message head                head given up, then kSeek
//   kBody        a message body                inside counted body or chunk: framing survives
//                                              (llhttp's content_length); else kChunkSeek
//   kChunkSeek   a chunked body whose next     a chunk header at the beginning of an event, with
//   proof
//                chunk border was lost         that no other message can be meant, ends it
//   kHello       a TLS ClientHello             given up, then kSeek
//   kAwait       behind a request for a        as kStart
//   WebSocket, which its answer decides
//   kWebSocket   messages of a WebSocket       see websocket_reader.h
//   kHttp2       HTTP/2 (http2/session.h)      the session's own
//   kOpaque      another protocol              stays
//
// Behind bad HTTP stands what may be its body, and that may look like any message: a reader who
// took its length for another than its receiver would read requests nobody made. So a direction
// that is in kSeek for that reason is wary: it looks for a message only at the beginning of an
// event, and only when the peer's bytes show that one must begin there. A request: its sender had
// the last byte of the answers to all requests before. An answer: its sender had received a request
// that began after the bad message.
//
// A parser is set up anew for each message: nothing of a bad message can leak into the next one.
#pragma once

#include <llhttp.h>

#include <memory>

#include "body_delivery.h"
#include "head_scanner.h"
#include "http2/detector.h"
#include "http2/session.h"
#include "lane.h"
#include "pairing.h"
#include "start_line.h"
#include "tls_client_hello.h"
#include "websocket.h"
#include "wiretally/stream_event.h"

namespace wiretally::http {

// What a flow speaks. HTTP/2 begins with the client's preface or the server's first SETTINGS, with
// the upgrade of an HTTP/1 request (h2c), or is found by its frames where a flow was joined in its
// middle; a session of its own takes over then.
enum class Protocol : uint8_t { kUndecided, kHttp1, kHttp2, kOpaque };

class Connection final : private ExchangeOwner {
 public:
  Connection(Lane& lane, FlowId flow, const FlowInfo& info);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  FlowDemand on_event(const StreamEvent& event);

  FlowId flow() const { return flow_; }
  FlowVerdict verdict() const;

 private:
  enum class State : uint8_t {
    kPreamble,
    kStart,
    kSeek,
    kHead,
    kBody,
    kChunkSeek,
    kHello,
    kAwait,
    kWebSocket,
    kHttp2,
    kOpaque
  };
  // What it means if no message begins where one is expected.
  enum class Expect : uint8_t {
    kFresh,  // another protocol
    kNext,   // bad HTTP
    kLost,   // nothing: still searching
  };

  // One direction.
  struct Half {
    Connection* connection = nullptr;
    Direction direction = Direction::kAToB;
    State state = State::kStart;
    Expect expect = Expect::kFresh;
    DropReason trouble = DropReason::kHttpResync;  // why it is searching
    bool line_begins = true;                       // kSeek: the last byte passed over was an LF
    bool wary = false;
    size_t answers_owed = 0;  // wary requests: answers to come before the next request can
    uint64_t wary_until = 0;  // wary: peer offset from which on a message may begin
    bool ended = false;
    bool captured = false;         // some byte of it was
    uint64_t next_offset = 0;      // behind the last byte or gap
    uint64_t peer_offset = 0;      // of the last event before this one
    uint64_t undecided_bytes = 0;  // passed over before the protocol was known
    uint64_t undecided_cost = 0;
    uint64_t undecided_gap_at = 0;  // lost before the protocol was known
    uint64_t undecided_gap_bytes = 0;
    http2::Detector detector;  // while the protocol of a joined flow is not known

    // The message.
    MessageStart start;
    HeadScanner scanner;
    HeadBuffers::Buffer* held = nullptr;
    std::unique_ptr<ClientHelloReader> hello;  // kHello
    bool start_confirmed = false;
    StartKind kind = StartKind::kUndecided;
    llhttp_t parser{};
    bool head_done = false;
    bool message_done = false;
    bool interim = false;       // 1xx
    bool opens_tunnel = false;  // CONNECT, or the 2xx answer to one
    bool switches = false;      // 101
    bool to_websocket = false;  // a request that asks for it, an answer that grants it
    bool to_http2 = false;
    bool in_chunk = false;
    bool chunk_begins = false;    // the next byte is a chunk header's first
    uint8_t chunk_end_bytes = 0;  // of the CRLF behind a chunk, still to come
    Exchange* exchange = nullptr;
    BodyDelivery body;
    uint64_t delivered = 0;  // body bytes delivered in this llhttp_execute
  };

  static const llhttp_settings_t& settings();
  static Half& half_of(llhttp_t* parser) { return *static_cast<Half*>(parser->data); }
  static int on_target(llhttp_t* parser, const char* at, size_t length);
  static int on_field(llhttp_t* parser, const char* at, size_t length);
  static int on_value(llhttp_t* parser, const char* at, size_t length);
  static int on_head_complete(llhttp_t* parser);
  static int on_body_part(llhttp_t* parser, const char* at, size_t length);
  static int on_chunk_header(llhttp_t* parser);
  static int on_chunk_complete(llhttp_t* parser);
  static int on_message_complete(llhttp_t* parser);

  // Each takes bytes from the beginning of `rest` and returns how many; 0 only with another state.
  size_t take(Half& half, ByteView rest, bool event_begins);
  size_t take_preamble(Half& half, ByteView rest);
  size_t take_start(Half& half, ByteView rest);
  size_t take_seek(Half& half, ByteView rest, bool event_begins);
  size_t take_head(Half& half, ByteView rest);
  size_t take_body(Half& half, ByteView rest);
  size_t take_whole_chunks(Half& half, ByteView rest);
  size_t take_chunk_seek(Half& half, ByteView rest, bool event_begins);
  size_t take_hello(Half& half, ByteView rest);
  size_t take_await(Half& half, ByteView rest);
  size_t take_websocket(Half& half, ByteView rest);

  void data(Half& half);
  void gap(Half& half);
  void gap_in_body(Half& half);
  void gap_between(Half& half, uint64_t offset, uint64_t bytes);
  void lose(Half& half, uint64_t bytes);
  void direction_end(Half& half);
  void end_open_message(Half& half, bool orderly);
  void close(const StreamEvent& event);
  ExchangeOutcome close_outcome(const StreamEvent& event) const;

  void begin_head(Half& half, uint64_t offset);
  StartKind confirm_start(Half& half, ByteView rest);
  void not_a_start(Half& half);
  void bad_head(Half& half, ByteView rest, size_t used);
  bool hold(Half& half, ByteView bytes);
  size_t release_held(Half& half);
  void set_up_parser(Half& half);
  void parse_head(Half& half, ByteView head, uint64_t end_offset);
  void note_last_byte(Half& half);
  Headers parsed_headers();
  bool begin_request(Half& half);
  bool begin_answer(Half& half);
  uint64_t requests_known();
  bool answer_has_no_body(const Half& half) const;
  void decide(Half& half, Direction request_direction);
  void interested(Exchange* exchange, BodyInterest interest);
  void evict(Exchange& exchange) override;
  void head_was_evicted(Half& half);
  void finish_message(Half& half, MessageEnd end, uint64_t end_offset);
  void after_message(Half& half, Exchange* websocket);
  void poison(Half& half, DropReason reason, uint64_t offset);
  void seek(Half& half, DropReason trouble, bool line_begins);
  void note_unread(Half& half, uint64_t offset, std::optional<uint64_t> peer_offset);
  void note_unread_answers(const Half& half, uint64_t until);
  void be_wary(Half& half, uint64_t peer_offset, bool of_no_exchange);
  bool may_begin(const Half& half, bool event_begins);
  uint64_t peer_offset_of(const Half& half, std::optional<uint64_t> stated) {
    return stated.value_or(other(half).next_offset);
  }
  bool chunk_end_is_bad(Half& half, ByteView behind);
  void resume_chunks(Half& half);
  void begin_websocket(Half& answering, Exchange& exchange);
  void end_websocket(EventTime time);
  void stop_awaiting();
  void take_held(Half& half);
  ExchangeOutcome outcome_or(ExchangeOutcome of_connection) const {
    return websocket_ == nullptr ? of_connection : websocket_->outcome(of_connection);
  }
  void not_http(Half& half);
  bool find_http2(Half& half);
  void begin_http2(Half& half);
  void upgrade_to_http2();
  void hand_over(Half& half);
  void forget_ended_upgrade(Half& half);
  void become_opaque();
  void release_hello(Half& half) { lane_.hellos.give_back(std::move(half.hello)); }
  void pass_over(Half& half, ByteView bytes);
  void settle_undecided(bool is_http);

  bool plausible(const Half& half, ByteView first) const;
  bool may_be_preamble(const Half& half, ByteView first) const;
  static bool body_ends_with_connection(const Half& half);
  Half& other(const Half& half) { return halves_[half.direction == Direction::kAToB ? 1 : 0]; }
  Message message_of(const Half& half) const {
    return half.direction == request_direction_ ? Message::kRequest : Message::kResponse;
  }
  Half& half_of(Message message) {
    const Direction d =
        message == Message::kRequest ? request_direction_ : opposite(request_direction_);
    return halves_[static_cast<size_t>(d)];
  }
  void drop(DropReason reason, uint64_t bytes) {
    if (bytes > 0) lane_.counters.drop(source_, reason, bytes);
  }
  void skip_opaque(uint64_t bytes) {
    if (bytes > 0) lane_.counters.skip(source_, SkipReason::kHttpOpaque, bytes);
  }

  Lane& lane_;
  const FlowId flow_;
  const Source source_;
  Protocol protocol_ = Protocol::kUndecided;
  bool joined_;               // the first bytes may be the middle of a message
  bool any_llm_ = false;      // some body was wanted
  bool any_request_ = false;  // was delivered, CONNECT apart
  bool latest_wanted_ = true;
  Direction request_direction_ = Direction::kAToB;  // valid once protocol_ is kHttp1
  std::optional<Direction> first_end_;
  Half halves_[2];
  Pairing pairing_;
  WebSocketTerms terms_;                     // of the answer that granted a WebSocket
  std::unique_ptr<WebSocket> websocket_;     // while it is open
  ExchangeId awaited_{};                     // kAwait: the exchange whose answer decides
  std::unique_ptr<http2::Session> session_;  // once protocol_ is kHttp2

  // During a call.
  const StreamEvent* event_ = nullptr;
  uint64_t offset_ = 0;  // of the next byte to be taken
  ByteView executed_;    // what llhttp_execute was given
  const uint8_t* chunk_end_ =
      nullptr;  // behind the last chunk whose data ended in it, with its CRLF
  std::string_view target_;
  bool fields_cut_ = false;
  bool head_is_bad_ = false;
};

}  // namespace wiretally::http
