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
  uint64_t peer_offset_before = 0;      // of the last event before that one
};

struct Exchange;

// Whoever has an exchange open: may be told to end it, to make room.
class ExchangeOwner {
 public:
  virtual void evict(Exchange& exchange) = 0;

 protected:
  ~ExchangeOwner() = default;
};

struct Exchange {
  enum class Side : uint8_t { kAbsent, kOpen, kComplete, kCut };

  ExchangeId id{};
  Exchange* next = nullptr;        // of the same connection, in order of birth
  ExchangeOwner* owner = nullptr;  // without one, it is never evicted
  uint32_t stream = 0;             // HTTP/2: its number on the connection

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
  std::optional<uint64_t> request_end;  // offset behind the request
  // Where bytes behind the request begin that are lost, or could not be read: maybe another one.
  std::optional<uint64_t> unread_behind;
  std::optional<uint64_t> answer_proof;  // request bytes its answer's sender had received
  uint64_t answers_seen = 0;  // offset that the answers' direction had reached at the request
  uint64_t answer_offset = 0;
  // From there up to its answer nothing was lost or unread, and no other answer began.
  uint64_t answer_known_from = 0;
  uint64_t lost_bytes = 0;
  EventTime last_byte;

  bool waits_for_answer() const { return request != Side::kAbsent && answer == Side::kAbsent; }
  bool waits_for_request() const { return request == Side::kAbsent && request_may_come; }
  static bool is_over(Side side) { return side == Side::kComplete || side == Side::kCut; }
};

// Numbers exchanges and reuses their memory. Knows which was active least recently: that one ends
// when there are too many, calls of the LLM room's and others apart.
class ExchangePool {
 public:
  Exchange* create() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Entry>());
      free_.reserve(all_.size());
      free_.push_back(all_.back().get());
    }
    Entry* entry = free_.back();
    free_.pop_back();
    *entry = Entry();
    entry->id = ExchangeId{++last_id_};
    link_newest(*entry);
    return entry;
  }
  void destroy(Exchange* exchange) {
    Entry& entry = entry_of(*exchange);
    unlink(entry);
    free_.push_back(&entry);
  }

  // Marks activity.
  [[gnu::always_inline]] void touch(Exchange& exchange) {
    Entry& entry = entry_of(exchange);
    if (entry.newer == nullptr && entry.is_call == exchange.wanted) return;
    unlink(entry);
    entry.is_call = exchange.wanted;
    link_newest(entry);
  }

  // Ends the least recently active ones until there are no more than so many, `kept` apart.
  void make_room(size_t exchanges_max, size_t calls_max, const Exchange* kept) {
    while (calls_.size > calls_max && evict_oldest(calls_, kept)) continue;
    while (calls_.size + others_.size > exchanges_max &&
           (evict_oldest(others_, kept) || evict_oldest(calls_, kept))) {
      continue;
    }
  }

  size_t open() const { return calls_.size + others_.size; }
  static constexpr size_t bytes_of_one() { return sizeof(Entry) + 4 * sizeof(void*); }

 private:
  struct Entry : Exchange {
    Entry* older = nullptr;
    Entry* newer = nullptr;
    bool is_call = false;
  };
  struct List {
    Entry* oldest = nullptr;
    Entry* newest = nullptr;
    size_t size = 0;
  };

  static Entry& entry_of(Exchange& exchange) { return static_cast<Entry&>(exchange); }
  List& list_of(const Entry& entry) { return entry.is_call ? calls_ : others_; }

  bool evict_oldest(List& list, const Exchange* kept) {
    Entry* victim = list.oldest;
    while (victim != nullptr && (victim->owner == nullptr || victim == kept)) {
      victim = victim->newer;
    }
    if (victim == nullptr) return false;
    victim->owner->evict(*victim);
    return true;
  }

  void link_newest(Entry& entry) {
    List& list = list_of(entry);
    entry.older = list.newest;
    entry.newer = nullptr;
    (list.newest == nullptr ? list.oldest : list.newest->newer) = &entry;
    list.newest = &entry;
    ++list.size;
  }
  void unlink(Entry& entry) {
    List& list = list_of(entry);
    (entry.older == nullptr ? list.oldest : entry.older->newer) = entry.newer;
    (entry.newer == nullptr ? list.newest : entry.newer->older) = entry.older;
    --list.size;
  }

  uint64_t last_id_ = 0;
  std::vector<std::unique_ptr<Entry>> all_;
  std::vector<Entry*> free_;
  List calls_;  // Exchange::wanted
  List others_;
};

}  // namespace wiretally::http
