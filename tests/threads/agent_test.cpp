// The running agent's threads over the same objects as in `run`: a lane that reads packets and
// plaintext, the ledger's thread behind the channel, a writer of lines behind its queue, a control
// thread that publishes, and scrapes of all of it over HTTP meanwhile.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "catalog.h"
#include "credential_reader.h"
#include "ledger.h"
#include "ndjson/ndjson_sink.h"
#include "pipeline.h"
#include "proc_directory.h"
#include "prometheus/agent_metrics.h"
#include "prometheus/metrics_server.h"
#include "prometheus/prometheus_sink.h"
#include "usage_channel.h"

namespace wiretally {
namespace {

constexpr uint64_t kCalls = 400;

std::string http_get(uint16_t port, const std::string& path, bool as_prometheus) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string text;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: x\r\n" +
        (as_prometheus ? "X-Prometheus-Scrape-Timeout-Seconds: 5\r\n" : "") + "\r\n";
    ::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[16 * 1024];
    for (ssize_t got = 0; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      text.append(buffer, static_cast<size_t>(got));
    }
  }
  ::close(fd);
  return text;
}

std::string message(const std::string& head, const std::string& body) {
  return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// One call of a probed process, from the first byte to the last.
class Conversation {
 public:
  Conversation(CaptureSink& capture, int64_t& now_ns) : capture_(capture), now_ns_(now_ns) {}

  void call(uint64_t number) {
    const std::string model = "model-" + std::to_string(number % 7);
    write(
        message("POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
                "Authorization: Bearer sk-test-" +
                    std::to_string(number % 5) + "\r\n",
                R"({"model":")" + model + R"(","messages":[{"role":"user","content":"x"}]})"));
    read(message("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
                 R"({"id":"chatcmpl-)" + std::to_string(number) +
                     R"(-0123456789","object":"chat.completion","model":")" + model +
                     R"(","choices":[{"index":0,"message":{"role":"assistant","content":"y"}}],)" +
                     R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"));
  }

 private:
  void write(const std::string& bytes) { chunk(Transfer::kWritten, bytes); }
  void read(const std::string& bytes) { chunk(Transfer::kRead, bytes); }
  void chunk(Transfer transfer, const std::string& bytes) {
    const auto side = static_cast<size_t>(transfer);
    Chunk chunk;
    chunk.time = {.ns = now_ns_ += 1'000'000, .clock = Clock::kBoot};
    chunk.connection = {.pid = static_cast<uint32_t>(::getpid()),
                        .process_start_ns = 1,
                        .handle = 1,
                        .generation = 1};
    chunk.transfer = transfer;
    chunk.offset = offset_[side];
    chunk.peer_offset = offset_[1 - side];
    chunk.bytes = as_bytes(bytes);
    offset_[side] += bytes.size();
    capture_.on_chunk(chunk);
  }

  CaptureSink& capture_;
  int64_t& now_ns_;
  uint64_t offset_[2] = {};
};

TEST(Agent, ScrapesLinesAndCallsAtOnce) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("wiretally_threads_" + std::to_string(::getpid()));
  const Limits limits;
  const pricing::Catalog prices = pricing::Catalog::built_in();
  const identity::HeaderCredentialReader credentials(identity::public_replay_key(),
                                                     identity::SubjectPrivacy::kHash);
  identity::ProcDirectory processes;
  Counters counters;
  sinks::PrometheusOptions options;
  options.prices = &prices;
  sinks::PrometheusSink calls(limits, options);
  sinks::AgentMetrics metrics({"test", "test", "test"});
  metrics.watch(counters);
  auto opened = sinks::LineFile::open(file.string(), sinks::LineFile::Mode::kBehind);
  ASSERT_TRUE(opened);
  sinks::NdjsonSink lines(*std::move(opened));
  ledger::LedgerOptions ledger_options;
  ledger_options.prices = &prices;
  ledger_options.processes = &processes;
  ledger::Ledger ledger(limits, ledger_options, {&calls, &lines});
  UsageChannel channel(limits.usage_channel_bytes);
  Lane lane(limits, 0, counters, credentials, channel);
  auto server = sinks::MetricsServer::start({.listen = "127.0.0.1:0"}, calls, &metrics);
  ASSERT_TRUE(server);
  const uint16_t port = (*server)->port();

  std::atomic<bool> lane_done{false};
  std::atomic<bool> all_done{false};
  std::thread lane_thread([&] {
    int64_t now_ns = 1'000'000'000;
    Conversation conversation(lane.capture(), now_ns);
    for (uint64_t number = 1; number <= kCalls; ++number) {
      conversation.call(number);
      if (number % 20 == 0) {
        lane.capture().on_time({.ns = now_ns, .clock = Clock::kBoot});
        metrics.set_given_up(sinks::AgentMetrics::GivenUp::kUndecidedAnswer, lane.refused());
        metrics.add_kernel_drops("lo", 1);
      }
    }
    lane.capture().on_end({.ns = now_ns, .clock = Clock::kBoot});
    lane_done = true;
  });
  std::thread ledger_thread([&] {
    while (!lane_done) {
      if (channel.drain(ledger) == 0) std::this_thread::yield();
    }
    channel.drain(ledger);
    ledger.drain();
    all_done = true;
  });
  std::thread control_thread([&] {
    while (!all_done) {
      metrics.set_given_up(sinks::AgentMetrics::GivenUp::kMessage, channel.dropped_messages());
      metrics.set_given_up(sinks::AgentMetrics::GivenUp::kLine, lines.dropped_records());
      metrics.set_probed_libraries("openssl", 1);
      metrics.set_unprobed_processes("tls", "go", 2);
      metrics.add_late_attach("agent_start", 1);
      processes.observe(static_cast<uint32_t>(::getpid()));
      lines.reopen();
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> scrapers;
  for (int i = 0; i < 2; ++i) {
    scrapers.emplace_back([&, i] {
      while (!all_done) {
        const std::string text = http_get(port, "/metrics", i == 0);
        EXPECT_NE(text.find("wiretally_build_info"), std::string::npos);
        http_get(port, "/readyz", false);
      }
    });
  }
  lane_thread.join();
  ledger_thread.join();
  control_thread.join();
  for (std::thread& scraper : scrapers) scraper.join();

  EXPECT_EQ(channel.dropped_messages(), 0u);
  const std::string text = http_get(port, "/metrics", false);
  uint64_t counted = 0;
  const std::string name = "\nllm_requests_total{";
  for (size_t at = 0; (at = text.find(name, at)) != text.npos;) {
    const size_t end = text.find('\n', at + 1);
    const std::string line = text.substr(at + 1, end - at - 1);
    counted += std::stoull(line.substr(line.rfind(' ') + 1));
    at = end;
  }
  EXPECT_EQ(counted, kCalls);
  server->reset();
  lines.on_finish();
  std::ifstream written(file);
  uint64_t line_count = 0;
  for (std::string line; std::getline(written, line);) ++line_count;
  EXPECT_EQ(line_count + lines.dropped_records(), kCalls);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace wiretally
