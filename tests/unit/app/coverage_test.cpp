// Connections to known providers through the whole pipeline, from bytes to /metrics.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "../../support/client_hello.h"
#include "ledger.h"
#include "pipeline.h"
#include "prometheus/prometheus_sink.h"

namespace wiretally {
namespace {

using test::client_hello;

constexpr int64_t kMs = 1'000'000;

class NoCredentials final : public CredentialReader {
 public:
  Caller read(const Headers&, std::string_view) const override { return {}; }
};

Endpoint endpoint(uint8_t host, uint16_t port) {
  Endpoint endpoint;
  endpoint.address = {.bytes = {10, 0, 0, host}, .version = 4};
  endpoint.port = port;
  return endpoint;
}

class CoverageTest : public ::testing::Test {
 protected:
  // One TCP connection: handshake, and `first` in two segments.
  void connect(uint16_t port, const std::string& first, int64_t ms, uint8_t client = 1) {
    segment(client, port, 999, TcpFlags::kSyn, "", ms);
    segment(client, port, 1000, TcpFlags::kAck, first.substr(0, 70), ms);
    segment(client, port, 1070, TcpFlags::kAck, first.substr(70), ms + 1);
  }
  void segment(uint8_t client, uint16_t port, uint32_t sequence, uint8_t flags,
               const std::string& bytes, int64_t ms) {
    Segment segment;
    segment.time = {.ns = ms * kMs, .clock = Clock::kCapture};
    segment.source = endpoint(client, port);
    segment.destination = endpoint(99, 443);
    segment.sequence = sequence;
    segment.flags.bits = flags;
    segment.window = 65'535;
    segment.payload = as_bytes(bytes);
    segment.payload_wire_bytes = static_cast<uint32_t>(bytes.size());
    segment.packet_number = ++packets_;
    lane_.capture().on_segment(segment);
  }
  // Plaintext that a process writes (or, at the server's end, reads).
  void probed(uint64_t handle, const std::string& bytes, int64_t ms,
              Transfer transfer = Transfer::kWritten) {
    Chunk chunk;
    chunk.time = {.ns = ms * kMs, .clock = Clock::kBoot};
    chunk.connection = {.pid = 5, .process_start_ns = 5, .handle = handle, .generation = 1};
    chunk.transfer = transfer;
    chunk.offset = offset_;
    chunk.bytes = as_bytes(bytes);
    offset_ += bytes.size();
    lane_.capture().on_chunk(chunk);
  }
  std::string connections() {
    lane_.capture().on_end({.ns = 1000 * kMs, .clock = Clock::kCapture});
    ledger_.drain();
    std::string found;
    const std::string text = metrics_.text();
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      if (line.starts_with("llm_connections_total") || line.starts_with("wiretally_coverage")) {
        found += line + "\n";
      }
      at = end + 1;
    }
    return found;
  }

  const Limits limits_;
  std::unique_ptr<Counters> counters_ = std::make_unique<Counters>();
  NoCredentials credentials_;
  sinks::PrometheusSink metrics_{limits_};
  ledger::Ledger ledger_{limits_, {}, {&metrics_}};
  Lane lane_{limits_, 0, *counters_, credentials_, ledger_};
  uint64_t packets_ = 0;
  uint64_t offset_ = 0;
};

const std::string kRequest = "GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";
const std::string kPlainLine =
    "llm_connections_total{server=\"api.openai.com\",visibility=\"plain\",reason=\"\"} 1\n";
const std::string kOpaqueLine =
    "llm_connections_total{server=\"api.openai.com\",visibility=\"opaque\",reason=\"other\"} 1\n";

TEST_F(CoverageTest, AnOpaqueConnection) {
  connect(40'000, client_hello("api.openai.com", 'r', 1216), 0);
  EXPECT_EQ(connections(), kOpaqueLine + "wiretally_coverage_ratio 0\n");
}

TEST_F(CoverageTest, OneThatIsDecodedInItsProcess) {
  connect(40'000, client_hello("api.openai.com"), 0);
  probed(1, kRequest, 20);
  probed(1, kRequest, 30);
  EXPECT_EQ(connections(), kPlainLine + "wiretally_coverage_ratio 1\n");
}

TEST_F(CoverageTest, OneOfTwo) {
  connect(40'000, client_hello("api.openai.com", 'x'), 0);
  connect(40'001, client_hello("api.openai.com", 'y'), 1);
  probed(1, kRequest, 20);
  EXPECT_EQ(connections(), kOpaqueLine + kPlainLine + "wiretally_coverage_ratio 0.5\n");
}

TEST_F(CoverageTest, OneConnectionUnderTwoAddresses) {
  connect(40'000, client_hello("api.openai.com"), 0, 1);
  connect(50'000, client_hello("api.openai.com"), 0, 2);
  EXPECT_EQ(connections(), kOpaqueLine + "wiretally_coverage_ratio 0\n");
}

TEST_F(CoverageTest, OtherServersAndTheServersEndDoNotCount) {
  connect(40'000, client_hello("example.com"), 0);
  probed(1, kRequest, 20, Transfer::kRead);
  EXPECT_EQ(connections(), "");
}

}  // namespace
}  // namespace wiretally
