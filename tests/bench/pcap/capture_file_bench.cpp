// Reading and decoding a capture file, against a bare pcap_next_ex loop over the same file.
#include <benchmark/benchmark.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "capture_file.h"
#include "ignoring_sink.h"
#include "packet_decoder.h"
#include "support/pcap_writer.h"

namespace wiretally::pcap {
namespace {

constexpr uint32_t kPackets = 200'000;
constexpr size_t kPayloadBytes = 246;  // frames of 300 bytes

// One file for all benchmarks, removed at exit.
const std::string& capture_path() {
  static const std::string path = [] {
    static char name[] = "/tmp/wiretally_bench_XXXXXX";
    const int fd = mkstemp(name);
    if (fd < 0) std::abort();
    close(fd);
    std::atexit([] { unlink(name); });
    const test::TcpPacket packet{.source = test::endpoint("10.0.0.1", 40'000),
                                 .destination = test::endpoint("10.0.0.2", 80),
                                 .payload = std::string(kPayloadBytes, 'x')};
    const std::string frame = test::frame_bytes(test::Link::kEthernet, packet);
    test::PcapWriter writer({});
    for (uint32_t i = 0; i < kPackets; ++i) writer.add(i * 1000, frame);
    if (!test::save_file(name, writer.bytes())) std::abort();
    return std::string(name);
  }();
  return path;
}

class CountingSink final : public IgnoringSink {
 public:
  FlowDemand on_segment(const Segment& segment) override {
    bytes += segment.payload.size();
    return FlowDemand::kMore;
  }

  uint64_t bytes = 0;
};

void PcapNextEx(benchmark::State& state) {
  const std::string& path = capture_path();
  for (auto _ : state) {
    char reason[PCAP_ERRBUF_SIZE];
    pcap_t* const handle = pcap_open_offline(path.c_str(), reason);
    struct pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    uint64_t sum = 0;
    while (pcap_next_ex(handle, &header, &bytes) == 1) sum += header->caplen;
    benchmark::DoNotOptimize(sum);
    pcap_close(handle);
  }
  state.SetItemsProcessed(state.iterations() * kPackets);
}
BENCHMARK(PcapNextEx)->Unit(benchmark::kMillisecond);

void ReadAlone(benchmark::State& state) {
  const std::string& path = capture_path();
  for (auto _ : state) {
    auto file = CaptureFile::open(path);
    RawPacket packet;
    uint64_t sum = 0;
    while (file->next(packet) == CaptureFile::Step::kPacket) sum += packet.bytes.size();
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * kPackets);
}
BENCHMARK(ReadAlone)->Unit(benchmark::kMillisecond);

void ReadAndDecode(benchmark::State& state, const char* path) {
  const Limits limits;
  const auto counters = std::make_unique<Counters>();
  CountingSink sink;
  PacketDecoder decoder(limits, *counters, sink);
  for (auto _ : state) {
    if (*path == '-' && std::freopen(capture_path().c_str(), "r", stdin) == nullptr) std::abort();
    auto file = CaptureFile::open(*path == '-' ? path : capture_path());
    RawPacket packet;
    while (file->next(packet) == CaptureFile::Step::kPacket) decoder.decode(packet);
  }
  if (sink.bytes != state.iterations() * kPackets * kPayloadBytes)
    state.SkipWithError("bytes lost");
  state.SetItemsProcessed(state.iterations() * kPackets);
}
BENCHMARK_CAPTURE(ReadAndDecode, mapped, "")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(ReadAndDecode, stream, "-")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace wiretally::pcap
