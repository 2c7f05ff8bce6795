#include "goldens.h"

#include "binary.h"
#include "calls.h"
#include "connection.h"

namespace wiretally::test {
namespace {

// Each interface of its own link type, one conversation on each.
std::string three_interfaces() {
  static constexpr const char* kTranscripts[] = {"openai_chat_json", "anthropic_sse",
                                                 "embeddings_float"};
  static constexpr Link kLinks[] = {Link::kEthernet, Link::kSll2, Link::kRaw101};
  PcapngWriter writer;
  for (const Link link : kLinks) writer.add_interface(link_type_of(link));
  for (uint32_t i = 0; i < std::size(kLinks); ++i) {
    Connection::Options options;
    options.client.port = static_cast<uint16_t>(40'000 + i);
    for (const TcpPacket& packet : packets_of(transcript(kTranscripts[i]), options)) {
      writer.add(i, static_cast<uint64_t>(packet.time_ns), frame_bytes(kLinks[i], packet));
    }
  }
  return writer.bytes();
}

// Two calls on one connection; a segment of the first answer's text was never captured.
std::string lost_segment() {
  Connection::Options options;
  options.segment_bytes = 500;
  Connection connection(options);
  connection.open();
  connection.send(Party::kClient, chat_request({.number = 1}));
  connection.wait_ms(300);
  PacketRange answer =
      connection.send(Party::kServer, chat_answer({.number = 1, .text_bytes = 3'000}));
  connection.wait_ms(20);
  connection.send(Party::kClient, chat_request({.number = 2, .stream = true}));
  connection.wait_ms(200);
  connection.send(Party::kServer, chat_answer({.number = 2, .stream = true}));
  connection.close(Party::kClient);
  return make_capture({}, without(connection.packets(), {{answer.first + 3, 1}}));
}

// One call as an `any` capture on a Kubernetes node shows it: to the service's address, to the pod's,
// and the answer's half from the pod.
std::string one_call_three_addresses() {
  Connection::Options options;
  options.client = endpoint("10.244.0.7", 40'000);
  options.server = endpoint("10.96.0.10", 80);
  const std::vector<TcpPacket> service = packets_of(transcript("openai_chat_json"), options);
  const Endpoint pod = endpoint("10.244.1.5", 8080);
  const auto to_pod = seen_as(service, {{options.server, pod}}, 2'000);
  const Endpoint node = endpoint("192.168.1.4", 51'000);
  std::vector<TcpPacket> answers;
  for (const TcpPacket& packet :
       seen_as(service, {{options.server, pod}, {options.client, node}}, 4'000)) {
    if (packet.source == pod) answers.push_back(packet);
  }
  return make_capture({.link = Link::kSll2}, merged({service, to_pod, answers}));
}

std::string of_transcript(const std::string& name, const CaptureShape& shape,
                          const Connection::Options& options = {}) {
  return make_capture(shape, packets_of(transcript(name), options));
}

}  // namespace

std::vector<Golden> goldens() {
  Connection::Options v6;
  v6.client = endpoint("fd00::10", 40'000);
  v6.server = endpoint("fd00::20", 8'080);
  return {
      {"openai_stream_eth.pcap",
       of_transcript("openai_chat_sse_usage_last", {.format = CaptureFormat::kPcapMicro})},
      {"anthropic_stream_vlan_v6.pcap",
       of_transcript("anthropic_sse", {.link = Link::kVlan, .big_endian = true}, v6)},
      {"azure_jwt_sll.pcap", of_transcript("jwt_identity", {.link = Link::kSll})},
      {"gzip_loopback.pcap", of_transcript("openai_chat_gzip_json", {.link = Link::kNull})},
      {"three_interfaces.pcapng", three_interfaces()},
      {"lost_segment.pcap", lost_segment()},
      {"one_call_three_addresses.pcap", one_call_three_addresses()},
  };
}

}  // namespace wiretally::test
