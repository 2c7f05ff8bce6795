// What the live tests share: a process to watch, a sink that writes down what it hears, and a
// source that runs.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "probe_source.h"

namespace wiretally::uprobe {

// A child process with pipes on its stdin and stdout.
class Victim {
 public:
  explicit Victim(const std::vector<std::string>& command,
                  const std::vector<std::string>& environment = {}) {
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) return;
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      for (const std::string& setting : environment) ::putenv(const_cast<char*>(setting.c_str()));
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    output_ = out[0];
  }
  ~Victim() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(input_);
    ::close(output_);
  }
  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  uint32_t pid() const { return static_cast<uint32_t>(pid_); }
  // Waits for the victim's "say".
  std::string line() {
    std::string text;
    char c = 0;
    while (::read(output_, &c, 1) == 1 && c != '\n') text.push_back(c);
    return text;
  }
  void go_on() { [[maybe_unused]] ssize_t written = ::write(input_, "\n", 1); }
  void kill() { ::kill(pid_, SIGKILL); }
  // Waits for its end; returns its exit code, or 128 + signal.
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
};

// Byte i of a direction, as tests/victims/tls_pair.c makes it.
inline uint8_t pattern(uint64_t i, int direction) {
  return static_cast<uint8_t>(i * 31 + (i >> 8) * 17 + (i >> 16) +
                              static_cast<uint64_t>(direction) * 7);
}

// Everything heard of one connection.
struct Heard {
  std::string bytes[2];  // by Transfer; gaps left out
  uint64_t seen[2] = {0, 0};
  uint64_t next[2] = {0, 0};
  uint64_t gaps[2] = {0, 0};
  bool joined = false;
  bool disorder = false;  // an offset jumped back
  std::vector<std::pair<uint64_t, std::string>> chunks[2];
  std::vector<ConnectionClose> closes;
  std::vector<ConnectionAudit> audits;
};

class RecordingSink : public CaptureSink {
 public:
  using Key = std::tuple<uint32_t, uint64_t, uint32_t>;  // pid, handle, generation

  FlowDemand on_segment(const Segment&) override { return FlowDemand::kMore; }
  FlowDemand on_chunk(const Chunk& chunk) override {
    Heard& heard = of(chunk.connection);
    const auto way = static_cast<size_t>(chunk.transfer);
    if (chunk.offset < heard.next[way]) heard.disorder = true;
    heard.gaps[way] += chunk.offset - heard.next[way];
    heard.next[way] = chunk.offset + chunk.bytes.size();
    heard.seen[way] += chunk.bytes.size();
    heard.joined = chunk.joined;
    heard.bytes[way].append(as_text(chunk.bytes));
    heard.chunks[way].emplace_back(chunk.offset, as_text(chunk.bytes));
    return demand;
  }
  void on_connection_close(const ConnectionClose& close) override {
    of(close.connection).closes.push_back(close);
  }
  void on_connection_eof(const ConnectionEof&) override {}
  void on_connection_audit(const ConnectionAudit& audit) override {
    of(audit.connection).audits.push_back(audit);
  }
  void on_time(EventTime) override {}
  void on_end(EventTime) override {}

  std::vector<Heard*> of_process(uint32_t pid) {
    std::vector<Heard*> found;
    for (auto& [key, heard] : connections) {
      if (std::get<0>(key) == pid) found.push_back(&heard);
    }
    return found;
  }
  // The client's (0) or the server's (1) ends of tls_pair: who wrote, and who read, direction 0.
  // They are told apart by the first byte.
  std::vector<Heard*> ends(uint32_t pid, int direction) {
    std::vector<Heard*> found;
    for (Heard* heard : of_process(pid)) {
      const std::string& written = heard->bytes[static_cast<size_t>(Transfer::kWritten)];
      const std::string& read = heard->bytes[static_cast<size_t>(Transfer::kRead)];
      const uint8_t first = !written.empty() ? static_cast<uint8_t>(written[0])
                                             : static_cast<uint8_t>(read.empty() ? 0 : read[0]);
      if (first == pattern(0, written.empty() ? !direction : direction)) found.push_back(heard);
    }
    return found;
  }

  FlowDemand demand = FlowDemand::kMore;
  std::map<Key, Heard> connections;

 private:
  Heard& of(const ConnectionKey& key) { return connections[{key.pid, key.handle, key.generation}]; }
};

// A source with its control thread; the test's own thread is the lane.
class LiveSource {
 public:
  explicit LiveSource(const ProbeOptions& options = {}) {
    auto created = ProbeSource::create(options, counters, sink);
    if (!created) {
      error = created.error().message;
      return;
    }
    source = std::move(*created);
    control_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) source->control(50);
    });
  }
  ~LiveSource() { stop(); }

  void stop() {
    if (!control_.joinable()) return;
    source->stop_emitting();
    source->drain();
    control_.request_stop();
    control_.join();
    source->detach();
  }

  // Polls until `done` or the time is up; returns done().
  bool poll_until(const std::function<bool()>& done,
                  std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      source->poll(10);
    }
    return true;
  }

  // Until the file is probed, as seen by its path.
  bool wait_for_library(const std::string& path) {
    return poll_until([&] { return probes(path); });
  }
  bool probes(const std::string& path) const {
    for (const ProbedLibrary& library : source->status().libraries.libraries) {
      if (library.path == path) return true;
    }
    return false;
  }
  // Until the process has ended and all it did has been heard.
  bool wait_for_end(uint32_t pid) {
    return poll_until([&] {
      const auto heard = sink.of_process(pid);
      for (const Heard* connection : heard) {
        if (connection->closes.empty()) return false;
      }
      return !heard.empty();
    });
  }

  Counters counters;
  RecordingSink sink;
  std::unique_ptr<ProbeSource> source;
  std::string error;

 private:
  std::jthread control_;
};

}  // namespace wiretally::uprobe
