#include "connections.h"

namespace wiretally::ledger {
namespace {

// Nothing speaks against it: where a hello's owner was not found, any process may be it.
bool may_be_of(uint32_t owner_pid, uint32_t plain_pid) {
  return owner_pid == 0 || owner_pid == plain_pid;
}

}  // namespace

void Connections::plain(const ConnectionSeen& seen) {
  count(seen.server_name.view(), true, OpaqueReason::kOther);
  if (seen.source != Source::kTls) return;
  const int64_t time_ns = wall_.epoch_ns(seen.time);
  const Plain plain{.server_name = seen.server_name, .pid = seen.pid};
  if (const auto hello = hello_of(plain, time_ns); hello != hellos_.end()) {
    hello->second.paired = true;
    return;
  }
  plains_.emplace(time_ns, plain);
  if (plains_.size() > limits_.held_connections_max) plains_.erase(plains_.begin());
}

void Connections::hello(const ConnectionSeen& seen, const ConnectionOwner& owner) {
  const int64_t time_ns = wall_.epoch_ns(seen.time);
  if (!randoms_.insert(seen.hello).second) return;
  Hello hello{.server_name = seen.server_name, .random = seen.hello, .owner = owner};
  if (const auto plain = plain_of(hello, time_ns); plain != plains_.end()) {
    hello.paired = true;
    plains_.erase(plain);
  }
  hellos_.emplace(time_ns, hello);
  if (hellos_.size() > limits_.held_connections_max) end_wait(hellos_.begin());
}

void Connections::advance(int64_t now_ns) {
  const int64_t due_ns = now_ns - limits_.connection_wait_ns;
  while (!hellos_.empty() && hellos_.begin()->first < due_ns) end_wait(hellos_.begin());
  // No hello can come any more that is a second older than event time; a probe's clock may lead.
  while (!plains_.empty() && plains_.begin()->first < due_ns) plains_.erase(plains_.begin());
}

void Connections::drain() {
  while (!hellos_.empty()) end_wait(hellos_.begin());
  plains_.clear();
}

void Connections::on_clock_step(WallClock wall) {
  drain();
  wall_ = wall;
}

Connections::Hellos::iterator Connections::hello_of(const Plain& plain, int64_t time_ns) {
  const auto end = hellos_.upper_bound(time_ns + limits_.connection_skew_ns);
  auto found = hellos_.end();
  for (auto it = hellos_.lower_bound(time_ns - limits_.connection_wait_ns); it != end; ++it) {
    const Hello& hello = it->second;
    if (hello.paired || hello.server_name.view() != plain.server_name.view()) continue;
    if (!may_be_of(hello.owner.pid, plain.pid)) continue;
    if (hello.owner.pid != 0) return it;
    if (found == hellos_.end()) found = it;
  }
  return found;
}

Connections::Plains::iterator Connections::plain_of(const Hello& hello, int64_t time_ns) {
  const auto end = plains_.upper_bound(time_ns + limits_.connection_wait_ns);
  for (auto it = plains_.lower_bound(time_ns - limits_.connection_skew_ns); it != end; ++it) {
    const Plain& plain = it->second;
    if (plain.server_name.view() == hello.server_name.view() &&
        may_be_of(hello.owner.pid, plain.pid)) {
      return it;
    }
  }
  return plains_.end();
}

void Connections::end_wait(Hellos::iterator position) {
  const Hello& hello = position->second;
  if (!hello.paired) count(hello.server_name.view(), false, hello.owner.reason);
  randoms_.erase(hello.random);
  hellos_.erase(position);
}

void Connections::count(std::string_view server_name, bool plain, OpaqueReason reason) {
  for (EntrySink* sink : sinks_) {
    sink->on_connection(server_name, plain, plain ? "" : opaque_reason_name(reason));
  }
}

}  // namespace wiretally::ledger
