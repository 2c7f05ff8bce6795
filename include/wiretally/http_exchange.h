// The third door: HTTP exchanges (a request and its answer), from `http` to `llm`. RFC 9110, RFC
// 9112.
//
// Order of calls for one exchange: on_request and on_response once at most each, each before its
// own body; exactly one on_exchange_end, last. Everything else may interleave: an answer may begin,
// or end, before its request has ended; an exchange may lack its request (joined in the middle) or
// its answer (never answered). Exchanges of one flow interleave under HTTP/2. Interim (1xx) answers
// are not delivered.
//
// A WebSocket (RFC 6455, or RFC 8441 over HTTP/2) is one exchange too. Its handshake comes as
// on_request, on_response and two on_message_end; then, if the answer was kWanted, messages of both
// parties follow until on_exchange_end: on_websocket_message, its parts, on_websocket_message_end.
// Messages of one party come one after the other, those of the two parties interleave.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "wiretally/stream_event.h"

namespace wiretally {

// Unique in its lane, never reused, ascending in order of birth.
enum class ExchangeId : uint64_t {};

enum class Message : uint8_t { kRequest, kResponse };

enum class HttpVersion : uint8_t { kHttp10, kHttp11, kHttp2 };

struct HeaderField {
  std::string_view name;   // as on the wire; compare without case
  std::string_view value;  // surrounding white space removed
};

// The fields of one head, in wire order. Borrowed.
struct Headers {
  std::span<const HeaderField> fields;
  // Some fields exceeded a limit or are unknown. HTTP/2: so may have the method and the target.
  bool incomplete = false;
  // HTTP/2: some fields, or all, cannot be known, because earlier header blocks were not seen (RFC
  // 7541). Those that are here are right; an empty method or target and a status of 0 are unknown.
  bool unknown = false;

  // The first field of this name (given in lower case), or nothing.
  std::optional<std::string_view> find(std::string_view lower_case_name) const;
};

struct RequestHead {
  const FlowInfo* flow = nullptr;
  FlowId flow_id{};                        // of the flow, as its stream events name it
  Direction direction = Direction::kAToB;  // the way requests travel on this flow
  EventTime time;                          // first byte of the request
  HttpVersion version = HttpVersion::kHttp11;
  std::string_view method;  // empty: unknown (Headers::unknown)
  std::string_view target;  // origin-form or absolute-form, as on the wire, with its query
  Headers headers;
  bool first_on_flow = false;  // no request that was delivered came before it, but for CONNECT
  bool websocket = false;      // asks for a WebSocket: GET with Upgrade, or an extended CONNECT
};

struct ResponseHead {
  const FlowInfo* flow = nullptr;
  FlowId flow_id{};                        // of the flow, as its stream events name it
  Direction direction = Direction::kBToA;  // the way answers travel on this flow
  EventTime time;                          // first byte of the (final) answer
  HttpVersion version = HttpVersion::kHttp11;
  uint16_t status = 0;  // 0: unknown (Headers::unknown)
  Headers headers;
  bool websocket = false;  // the handshake is done: messages follow, and no body
};

// The beginning of a TLS connection that nobody decrypts: its ClientHello, RFC 8446 section 4.1.2.
struct TlsHello {
  const FlowInfo* flow = nullptr;
  FlowId flow_id{};
  Direction direction = Direction::kAToB;  // from the client
  EventTime time;                          // when the hello could be read
  std::string_view server_name;            // as on the wire; empty if it has none
  uint64_t random = 0;                     // of the client's random: the same hello has the same
};

// What `llm` wants of a message's body. Travels back as a return value.
enum class BodyInterest : uint8_t {
  kWanted,
  kUnwanted,  // an LLM call, but nothing more of this body is needed
  kNotLlm,    // no LLM call: the body is skipped by its length
};

enum class BodyLoss : uint8_t {
  kGap,           // bytes lost on the wire; decoding of a coded body ends here
  kDecodeFailed,  // unknown content coding, or a limit of the decoders: what was delivered is right
  kCorrupt,       // broken content coding: what was delivered of this body may be wrong
};

// How a message ended.
enum class MessageEnd : uint8_t {
  kComplete,  // by its framing, or by an orderly close where the framing says so
  kCut,       // the connection ended, or was given up, before
};

// How an exchange ended.
enum class ExchangeOutcome : uint8_t {
  kComplete,      // both messages complete
  kClientClosed,  // the client's end closed first; of a WebSocket, with a Close frame or without
  kServerClosed,  // the server's end closed first; likewise
  kUnknown,       // evidence was lost, or nobody can tell who closed
  kEndOfInput,    // still open when the input ended
};

// What a WebSocket message says it is, RFC 6455 section 5.6.
enum class WebSocketContent : uint8_t { kText, kBinary };

struct ExchangeEnd {
  EventTime time;       // when this was known
  EventTime last_byte;  // last byte of either message that was seen
  ExchangeOutcome outcome = ExchangeOutcome::kComplete;
  uint64_t lost_bytes = 0;  // wire bytes of this exchange that were not seen, both directions
  bool pairing_uncertain =
      false;  // request and answer may not belong together: they are not attributed to one another
  bool overlap_conflict = false;  // the wire carried two versions of some byte
};

class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;

  virtual BodyInterest on_request(ExchangeId id, const RequestHead& head) = 0;
  virtual BodyInterest on_response(ExchangeId id, const ResponseHead& head) = 0;
  // `body` has its transfer and content codings removed. The answer is about the rest of this body.
  virtual BodyInterest on_body(ExchangeId id, Message message, ByteView body, EventTime time) = 0;
  virtual void on_body_loss(ExchangeId id, Message message, BodyLoss loss, uint64_t wire_bytes,
                            EventTime time) = 0;
  // HTTP/2: fields behind a body (grpc-status stands there). Before the message's end.
  virtual void on_trailers(ExchangeId /*id*/, Message /*message*/, const Headers& /*trailers*/,
                           EventTime /*time*/) {}
  virtual void on_message_end(ExchangeId id, Message message, MessageEnd end, EventTime time) = 0;
  virtual void on_exchange_end(ExchangeId id, const ExchangeEnd& end) = 0;

  // One message of a WebSocket, fragments joined, unmasked and decompressed. `sender` is kRequest
  // for the client. The answers are about the rest of this message.
  virtual BodyInterest on_websocket_message(ExchangeId /*id*/, Message /*sender*/,
                                            WebSocketContent /*content*/, EventTime /*time*/) {
    return BodyInterest::kUnwanted;
  }
  virtual BodyInterest on_websocket_part(ExchangeId /*id*/, Message /*sender*/, ByteView /*part*/,
                                         EventTime /*time*/) {
    return BodyInterest::kUnwanted;
  }
  // Of the open message, or, if none is open, of messages nobody can tell apart any more.
  // `wire_bytes` counts what was not seen (kGap); 0 where bytes are there and cannot be read.
  virtual void on_websocket_loss(ExchangeId /*id*/, Message /*sender*/, BodyLoss /*loss*/,
                                 uint64_t /*wire_bytes*/, EventTime /*time*/) {}
  virtual void on_websocket_message_end(ExchangeId /*id*/, Message /*sender*/, MessageEnd /*end*/,
                                        EventTime /*time*/) {}
  // The sender's Close frame, RFC 6455 section 7.1.5; code 0: it states none.
  virtual void on_websocket_close(ExchangeId /*id*/, Message /*sender*/, uint16_t /*code*/,
                                  EventTime /*time*/) {}

  // The flow, or what a tunnel in it carries, is TLS. It yields no exchange from here on.
  virtual void on_tls_connection(const TlsHello& /*hello*/) {}
  virtual void on_time(EventTime now) = 0;
};

}  // namespace wiretally
