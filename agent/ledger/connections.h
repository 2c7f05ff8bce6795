// Counts connections to known providers, each once: plain if requests of it were decoded, else
// opaque.
//
// A TLS connection shows on the wire by its ClientHello, and from within its process by its first
// decoded request. The two are paired one to one: same server name, the request at most
// `connection_wait_ns` behind the hello (and `connection_skew_ns` before it, for the clocks), and
// no other process. Of several hellos the one that is known to be of the request's process is
// taken, else the oldest.
//
//   plain seen                       counts as plain at once
//   hello, paired                    is that plain connection
//   hello, not paired in the wait    counts as opaque, with the reason its owner gives
//   hello seen before                (same random: another interface, another address pair) nothing
//
// Clear-text connections seen as packets have no hello and are not paired. A connection whose first
// request comes later than the wait is opaque and plain.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "wiretally/identity.h"
#include "wiretally/ledger_entry.h"
#include "wiretally/limits.h"
#include "wiretally/usage_record.h"

namespace wiretally::ledger {

class Connections {
 public:
  // The sinks outlive this.
  Connections(const Limits& limits, WallClock wall, std::vector<EntrySink*> sinks)
      : limits_(limits), wall_(wall), sinks_(std::move(sinks)) {}

  void plain(const ConnectionSeen& seen);
  void hello(const ConnectionSeen& seen, const ConnectionOwner& owner);
  // Event time has come this far.
  void advance(int64_t now_ns);
  // Nothing more will come: hellos wait no longer.
  void drain();

  // See Ledger::on_clock_step.
  void on_clock_step(WallClock wall);

  size_t waiting() const { return hellos_.size(); }
  static uint64_t worst_case_bytes(const Limits& limits) {
    constexpr uint64_t kNode = 64;  // a tree's or table's, with its allocation
    return limits.held_connections_max * (sizeof(Hello) + sizeof(Plain) + 4 * kNode);
  }

 private:
  struct Hello {
    Text<256> server_name;
    uint64_t random = 0;
    ConnectionOwner owner;
    bool paired = false;  // stays, so that its copies are known
  };
  // A decoded connection whose hello has not come by.
  struct Plain {
    Text<256> server_name;
    uint32_t pid = 0;
  };
  using Hellos = std::multimap<int64_t, Hello>;  // by time
  using Plains = std::multimap<int64_t, Plain>;

  Hellos::iterator hello_of(const Plain& plain, int64_t time_ns);
  Plains::iterator plain_of(const Hello& hello, int64_t time_ns);
  void end_wait(Hellos::iterator position);
  void count(std::string_view server_name, bool plain, OpaqueReason reason);

  const Limits limits_;
  WallClock wall_;
  const std::vector<EntrySink*> sinks_;
  Hellos hellos_;
  Plains plains_;
  std::unordered_set<uint64_t> randoms_;  // of hellos_
};

}  // namespace wiretally::ledger
