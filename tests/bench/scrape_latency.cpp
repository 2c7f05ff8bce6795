// What a scrape of many series does to a lane: how long the lane takes for a chunk, with and
// without somebody who scrapes all the time, in turns.
//
//   scrape_latency CALLERS TURNS
//
// As in the agent, the lane has a thread of its own and its calls go through a channel to the
// ledger's thread, which hands them to the sink that is scraped. Chunks come at a known pace, an
// event of a streamed answer each. Prints one line: series, median of the scrapes in ms, and the
// 99th percentile of a chunk in ns without and with scrapes (medians over the turns).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "credential_reader.h"
#include "ledger.h"
#include "pipeline.h"
#include "prometheus/prometheus_sink.h"
#include "unit/sinks/fixtures.h"
#include "usage_channel.h"

namespace wiretally {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

constexpr int64_t kPaceNs = 10'000;  // a chunk each: 100 000 a second
constexpr auto kTurn = std::chrono::milliseconds(500);
constexpr int kEventsOfACall = 50;
constexpr int kConnections = 64;

int64_t now_ns() {
  return std::chrono::duration_cast<Nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// One probed connection, on which call follows call.
class Connection {
 public:
  Connection(CaptureSink& capture, uint64_t handle) : capture_(capture), handle_(handle) {}

  // The next chunk of its calls: a request, the head of its answer, an event, the end.
  void step() {
    if (at_ == 0) {
      tell(Transfer::kWritten,
           "POST /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\nContent-Type: "
           "application/json\r\nContent-Length: 61\r\n\r\n"
           R"({"model":"gpt-4o","stream":true,"messages":[{"role":"user"}]})");
      tell(Transfer::kRead,
           "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
           "chunked\r\n\r\n");
    } else if (at_ <= kEventsOfACall) {
      tell(Transfer::kRead, event_);
    } else {
      tell(Transfer::kRead, end_);
      at_ = -1;
    }
    ++at_;
  }

 private:
  static std::string chunk(const std::string& text) {
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return size + text + "\r\n";
  }
  void tell(Transfer transfer, std::string_view bytes) {
    const auto side = static_cast<size_t>(transfer);
    capture_.on_chunk(
        {.time = {.ns = now_ns(), .clock = Clock::kBoot},
         .connection = {.pid = 77, .process_start_ns = 1, .handle = handle_, .generation = 1},
         .transfer = transfer,
         .offset = offset_[side],
         .peer_offset = offset_[1 - side],
         .joined = false,
         .bytes = as_bytes(bytes),
         .library = 0});
    offset_[side] += bytes.size();
  }

  CaptureSink& capture_;
  uint64_t handle_;
  int at_ = 0;
  uint64_t offset_[2] = {};
  const std::string head_ =
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1763700000,)"
      R"("model":"gpt-4o-2024-08-06",)";
  const std::string event_ =
      chunk(head_ +
            R"("choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,)"
            R"("finish_reason":null}],"usage":null})" +
            "\n\n");
  const std::string end_ =
      chunk(head_ +
            R"("choices":[],"usage":{"prompt_tokens":7,"completion_tokens":50,)"
            R"("total_tokens":57}})" +
            "\n\ndata: [DONE]\n\n") +
      "0\r\n\r\n";
};

int64_t percentile_99(std::vector<int64_t>& of) {
  const auto at = of.begin() + static_cast<ptrdiff_t>(of.size() * 99 / 100);
  std::nth_element(of.begin(), at, of.end());
  return *at;
}

double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  return of.empty() ? 0 : of[of.size() / 2];
}

// The lane's thread for one turn.
double turn(std::vector<Connection>& connections) {
  std::vector<int64_t> took;
  took.reserve(100'000);
  const int64_t until = now_ns() + Nanoseconds(kTurn).count();
  int64_t due = now_ns();
  for (size_t next = 0; due < until; ++next) {
    int64_t begun = now_ns();
    while (begun < due) begun = now_ns();
    connections[next % connections.size()].step();
    took.push_back(now_ns() - begun);
    // What was late is not caught up with: a chunk is measured, not a queue.
    due = std::max(due + kPaceNs, begun);
  }
  return static_cast<double>(percentile_99(took));
}

int measure(int callers, int turns) {
  Limits limits;
  limits.series_per_family_max = limits.subject_series_max = 1'000'000;
  limits.exposition_bytes_max = size_t{1} << 30;
  sinks::PrometheusSink sink(limits);
  LedgerEntry entry = sinks::rich_entry();
  for (int i = 0; i < callers; ++i) {
    entry.record.caller.subject.assign("user" + std::to_string(i));
    entry.record.caller.key_id.assign("key" + std::to_string(i));
    entry.process->workload.assign("workload" + std::to_string(i));
    sink.on_entry(entry);
  }

  const identity::HeaderCredentialReader credentials(identity::public_replay_key(),
                                                     identity::SubjectPrivacy::kPlain);
  Counters counters;
  UsageChannel channel(limits.usage_channel_bytes);
  Lane lane(limits, 0, counters, credentials, channel);
  ledger::Ledger ledger(limits, {}, {&sink});

  std::atomic<bool> over{false}, scraping{false};
  std::thread ledger_thread([&] {
    while (!over) {
      channel.drain(ledger);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // as the agent does
    }
  });
  std::vector<double> scrapes_ms;
  size_t series = 0;
  std::thread scraper([&] {
    while (!over) {
      if (!scraping) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      const int64_t begun = now_ns();
      sinks::Scrape scrape = sink.scrape(sinks::Reader::kPrometheus);
      scrapes_ms.push_back(static_cast<double>(now_ns() - begun) / 1e6);
      sink.delivered(scrape);
      if (series > 0) continue;
      for (size_t at = 0; at < scrape.text.size(); at = scrape.text.find('\n', at) + 1) {
        series += scrape.text[at] != '#';
      }
    }
  });

  std::vector<Connection> connections;
  for (uint64_t i = 1; i <= kConnections; ++i) connections.emplace_back(lane.capture(), i * 64);
  std::vector<double> alone, scraped;
  turn(connections);  // warm
  for (int i = 0; i < turns; ++i) {
    scraping = false;
    alone.push_back(turn(connections));
    scraping = true;
    scraped.push_back(turn(connections));
  }
  over = true;
  ledger_thread.join();
  scraper.join();
  if (channel.dropped_messages() > 0) return 1;
  std::printf("%zu %.1f %.0f %.0f\n", series, median(scrapes_ms), median(alone), median(scraped));
  return 0;
}

}  // namespace
}  // namespace wiretally

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: scrape_latency CALLERS TURNS\n", stderr);
    return 1;
  }
  return wiretally::measure(std::atoi(argv[1]), std::atoi(argv[2]));
}
