// The room `llm`: HTTP exchanges in, usage records out.
//
//   request head  → a path that could be an LLM's?  no → kNotLlm, nothing more is read
//                                                   yes → a call is opened (on_call_opened)
//   bodies        → read by the dialect's tables, never held
//   first request of a connection, or a TLS hello, to the host of a known provider → on_connection
//   GET of what a background call has become → a record once it has ended; of a batch's results → a
//                   record a line: batch_results.h; of the events of an agent that the server
//                   runs → a record for each of its model requests: agent_sessions.h
//   WebSocket     → a record for each of its turns: socket_calls.h
//   exchange end  → proof seen (shape of request or answer, host, or headers)? a record, else a
//                   suspect; on_call_closed in any case
//
// Over gRPC (Rpc) the path and the content type prove the dialect, and only they: an answer without
// them is tried with the other dialects alone. How such a call ended says `grpc-status`, behind the
// answer or, where there is none, in its head; the HTTP status is 200 whatever happened.
//
// An answer without its request (joined in the middle of a connection) is tried with every dialect
// until its body shows one, or kJoinedBytesMax have shown none. So is an exchange of HTTP/2 whose
// path is unknown (Headers::unknown): the answer's shape chooses, and a request that was seen whole
// must agree.
//
// One thread. Calls that have not ended are bounded by Limits::open_calls_max: `http` ends those
// that were active least recently, after the call that is one too many. Answers without request are
// bounded by Limits::undecided_answers_max; those beyond are refused (counted) and answered with
// kNotLlm. Other open exchanges are remembered, a few bytes each. Memory of ended calls is used
// again.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <unordered_map>
#include <vector>

#include "agent_sessions.h"
#include "batch_results.h"
#include "body_reader.h"
#include "dialect_table.h"
#include "packed.h"
#include "socket_calls.h"
#include "target.h"
#include "wiretally/http_exchange.h"
#include "wiretally/identity.h"
#include "wiretally/limits.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

class LlmRoom final : public ExchangeSink {
 public:
  LlmRoom(const Limits& limits, uint32_t lane, const CredentialReader& credentials,
          UsageSink& next);
  ~LlmRoom() override;

  BodyInterest on_request(ExchangeId id, const RequestHead& head) override;
  BodyInterest on_response(ExchangeId id, const ResponseHead& head) override;
  BodyInterest on_body(ExchangeId id, Message message, ByteView body, EventTime time) override;
  void on_body_loss(ExchangeId id, Message message, BodyLoss loss, uint64_t wire_bytes,
                    EventTime time) override;
  void on_trailers(ExchangeId id, Message message, const Headers& trailers,
                   EventTime time) override;
  void on_message_end(ExchangeId id, Message message, MessageEnd end, EventTime time) override;
  void on_exchange_end(ExchangeId id, const ExchangeEnd& end) override;
  BodyInterest on_websocket_message(ExchangeId id, Message sender, WebSocketContent content,
                                    EventTime time) override;
  BodyInterest on_websocket_part(ExchangeId id, Message sender, ByteView part,
                                 EventTime time) override;
  void on_websocket_loss(ExchangeId id, Message sender, BodyLoss loss, uint64_t wire_bytes,
                         EventTime time) override;
  void on_websocket_message_end(ExchangeId id, Message sender, MessageEnd end,
                                EventTime time) override;
  void on_websocket_close(ExchangeId id, Message sender, uint16_t code, EventTime time) override;
  void on_tls_connection(const TlsHello& hello) override;
  void on_time(EventTime now) override;

  // Exchanges that were not looked at because of the limits.
  uint64_t refused() const {
    return refused_ + sockets_.refused() + batches_.refused() + agents_.refused();
  }
  size_t open() const {
    return exchanges_.size() + sockets_.open() + batches_.open() + agents_.open();
  }

  // The most that a room with these limits takes.
  static uint64_t worst_case_bytes(const Limits& limits);

 private:
  // An answer without request has this long to show its dialect.
  static constexpr uint64_t kJoinedBytesMax = 64 * 1024;
  static constexpr uint64_t kJoinedEventsMax = 16;
  static constexpr uint64_t kJoinedStepBytes = 1024;

  struct Call;
  class AwakeRecord;
  using CallPtr = std::unique_ptr<Call>;
  struct Recent {
    uint64_t id = 0;
    CallPtr* entry = nullptr;
  };

  Recent& recent_of(uint64_t key) { return recent_[key % recent_.size()]; }
  // Nullptr for an exchange that is known to be no call.
  CallPtr* find(ExchangeId id);
  // A new call, or nullptr where there are too many. `undecided`: an answer without request.
  CallPtr* insert(ExchangeId id, bool undecided);
  void ignore(ExchangeId id);
  void erase(ExchangeId id);

  CallPtr take_call();
  std::unique_ptr<RequestReader> take_request_reader(const DialectSpec& spec);
  std::unique_ptr<AnswerReader> take_answer_reader(const DialectSpec& spec, BodyForm expected);
  void give_back(std::unique_ptr<RequestReader> reader);
  void give_back(std::unique_ptr<AnswerReader> reader);
  void give_back(CallPtr call);

  void note_connection(const RequestHead& head);
  BodyInterest join(ExchangeId id, const ResponseHead& head);
  void read_request_head(Call& call, const RequestHead& head, const Target& target,
                         UsageRecord& record);
  void settle_dialect(Call& call, const DialectSpec& spec);
  void give_back_candidates(Call& call, size_t from);
  void dismiss(CallPtr& entry, ExchangeId id, EventTime time);
  BodyInterest request_without_path(ExchangeId id, const RequestHead& head);
  BodyInterest try_all(Call& call, const ResponseHead& head);
  bool request_may_be(const Call& call, size_t row) const;
  BodyInterest choose_dialect(Call& call);
  BodyInterest feed_candidates(Call& call, ByteView body, EventTime time);
  void open_call(Call& call, UsageRecord& record);
  void end_request(Call& call, bool complete);
  void note_request(Call& call);
  void switch_dialect(Call& call);
  void end_answer(Call& call, bool complete);
  void let_answer_decide(Call& call, UsageRecord& record);
  void end_rpc(Call& call, UsageRecord& record);
  void close_call(Call& call, const ExchangeEnd& end);

  const Limits limits_;
  const uint32_t lane_;
  const CredentialReader& credentials_;
  UsageSink& next_;
  JsonTails tails_;
  RpcInflaters inflaters_;
  SocketCalls sockets_;
  BatchResults batches_;
  AgentSessions agents_;
  std::pmr::unsynchronized_pool_resource memory_;
  std::pmr::unordered_map<uint64_t, CallPtr> exchanges_;
  // Entries that were looked up last.
  std::array<Recent, 256> recent_{};
  std::atomic<uint64_t> refused_ = 0;  // read by other threads
  size_t calls_ = 0;                   // entries that are calls, or may be
  size_t undecided_ = 0;               // of these, answers without request and dialect
  size_t read_as_both_ = 0;            // of these, answers that are read as both
  uint64_t forgotten_up_to_ = 0;       // up to this id, no entry does not mean no request

  std::vector<CallPtr> spare_calls_;
  std::array<std::vector<std::unique_ptr<RequestReader>>, kDialectCount> spare_request_readers_;
  std::array<std::vector<std::unique_ptr<AnswerReader>>, kDialectCount> spare_answer_readers_;
};

}  // namespace wiretally::llm
