#include "busy_hour.h"

#include <random>
#include <utility>

#include "calls.h"

namespace wiretally::test {

std::vector<TcpPacket> busy_hour(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<TcpPacket>> connections;
  for (int i = 0; i < 60; ++i) {
    Connection::Options options;
    options.client =
        endpoint("10.1.0." + std::to_string(1 + i % 7), static_cast<uint16_t>(40'000 + i));
    options.server = endpoint("10.96.0." + std::to_string(1 + i % 3), 80);
    options.start_ns = kCaptureStartNs + i * 7'000'000;
    options.segment_bytes = i % 4 == 0 ? 90 : 1'400;
    Connection connection(options);
    connection.open();
    for (int call = 0; call < 4; ++call) {
      const Call details{
          .number = (i / 2) * 10 + call, .stream = call % 2 == 1, .gzip = i % 3 == 0};
      connection.send(Party::kClient, chat_request(details));
      connection.wait_ms(static_cast<int64_t>(random() % 4'000));
      connection.send(Party::kServer, chat_answer(details));
    }
    if (i % 5 == 0) connection.reset(Party::kServer);
    if (i % 5 == 1) connection.close(Party::kClient);
    connections.push_back(connection.packets());
    if (i % 6 == 0) {
      const AddressChange to_pod{options.server, endpoint("10.244.1.5", 8'080)};
      connections.push_back(seen_as(connection.packets(), {to_pod}, 4'000));
    }
  }
  return merged(connections);
}

std::vector<TcpPacket> damaged(std::vector<TcpPacket> packets, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TcpPacket> out;
  for (const TcpPacket& packet : packets) {
    const uint32_t dice = random() % 100;
    if (dice < 3) continue;
    out.push_back(packet);
    if (dice < 6) out.push_back(packet);
    // A copy that contradicts the first.
    if (dice < 4 && !out.back().payload.empty()) out.back().payload[0] ^= 1;
    if (dice >= 94 && out.size() > 1) std::swap(out.back(), out[out.size() - 2]);
  }
  return out;
}

}  // namespace wiretally::test
