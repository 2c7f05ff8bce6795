// One request and its answer, as far as they were seen, while at least one of them is open.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "wiretally/http_exchange.h"

namespace wiretally::http {

// Where and when a message began.
struct MessageStart {
  uint64_t offset = 0;  // of its first byte in its direction
  EventTime time;
  std::optional<uint64_t> peer_offset;  // of the event with the first byte
};

struct Exchange {
  enum class Side : uint8_t { kAbsent, kOpen, kComplete, kCut };

  ExchangeId id{};
  Exchange* next = nullptr;  // of the same connection, in order of birth

  Side request = Side::kAbsent;
  Side answer = Side::kAbsent;
  bool request_may_come = false;  // the answer was captured before its request
  bool began_idle = false;        // nothing was under way on the connection when the request began
  bool is_head = false;           // the method is HEAD: the answer has no body
  bool is_connect = false;        // the method is CONNECT: a tunnel follows a 2xx answer
  bool wanted = false;            // some body of it is, or was, wanted
  bool is_websocket = false;      // its messages follow: it lives on behind both heads
  bool pairing_uncertain = false;
  bool overlap_conflict = false;
  bool evidence_lost = false;  // bytes or framing of it were lost

  MessageStart request_start;
  std::optional<uint64_t> request_end;   // offset behind the request
  std::optional<uint64_t> answer_proof;  // request bytes its answer's sender had received
  uint64_t lost_bytes = 0;
  EventTime last_byte;

  bool waits_for_answer() const { return request != Side::kAbsent && answer == Side::kAbsent; }
  bool waits_for_request() const { return request == Side::kAbsent && request_may_come; }
  static bool is_over(Side side) { return side == Side::kComplete || side == Side::kCut; }
};

// Numbers exchanges and reuses their memory.
class ExchangePool {
 public:
  Exchange* create() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Exchange>());
      free_.reserve(all_.size());
      free_.push_back(all_.back().get());
    }
    Exchange* exchange = free_.back();
    free_.pop_back();
    *exchange = Exchange{};
    exchange->id = ExchangeId{++last_id_};
    return exchange;
  }
  void destroy(Exchange* exchange) { free_.push_back(exchange); }

 private:
  uint64_t last_id_ = 0;
  std::vector<std::unique_ptr<Exchange>> all_;
  std::vector<Exchange*> free_;
};

}  // namespace wiretally::http
