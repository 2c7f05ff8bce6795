// The same conversations in every form a capture can have, and the captures kept in the tree.
#include <gtest/gtest.h>

#include <filesystem>

#include "binary.h"
#include "calls.h"
#include "goldens.h"

namespace wiretally::test {
namespace {

// Without what an address family changes: the addresses, and the record's id, which is made of them.
std::string without_addresses(const std::string& ndjson) {
  std::string text;
  for (Json record : records_of(ndjson)) {
    record.erase("client_address");
    record.erase("record_id");
    if (record["server_address"] == "10.1.0.20" || record["server_address"] == "fd00::20") {
      record.erase("server_address");
    }
    text += record.dump() + "\n";
  }
  return text;
}

std::string good_replay(const std::string& capture, const std::vector<std::string>& more = {}) {
  const Outcome run = replay_bytes(capture, "ndjson", more);
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_TRUE(run.errors().empty()) << run.err;
  return run.out;
}

class EveryForm : public testing::TestWithParam<const char*> {};

TEST_P(EveryForm, HasTheSameRecords) {
  const Dialogue dialogue = transcript(GetParam());
  Connection::Options v6;
  v6.client = endpoint("fd00::10", 40'000);
  v6.server = endpoint("fd00::20", 8'080);
  const std::string expected = good_replay(make_capture({}, packets_of(dialogue, {})));
  ASSERT_EQ(records_of(expected).size(), dialogue.records.size());
  size_t forms = 0;
  for (const CaptureFormat format :
       {CaptureFormat::kPcapMicro, CaptureFormat::kPcapNano, CaptureFormat::kPcapng}) {
    for (const bool big_endian : {false, true}) {
      for (const Link link : kAllLinks) {
        const CaptureShape shape{.format = format, .link = link, .big_endian = big_endian};
        SCOPED_TRACE(std::string(link_name(link)) + ", format " +
                     std::to_string(static_cast<int>(format)));
        EXPECT_EQ(good_replay(make_capture(shape, packets_of(dialogue, {}))), expected);
        EXPECT_EQ(without_addresses(good_replay(make_capture(shape, packets_of(dialogue, v6)))),
                  without_addresses(expected));
        forms += 2;
      }
    }
  }
  EXPECT_EQ(forms, 3u * 2u * std::size(kAllLinks) * 2u);
}

INSTANTIATE_TEST_SUITE_P(Transcripts, EveryForm,
                         testing::Values("openai_chat_sse_usage_last", "anthropic_sse",
                                         "openai_chat_gzip_json", "jwt_identity"));

TEST(Pcapng, InterfacesOfDifferentLinkTypesCarryOneConversation) {
  const std::vector<TcpPacket> packets = packets_of(transcript("anthropic_sse"), {});
  PcapngWriter writer;
  const Link links[] = {Link::kEthernet, Link::kRaw101, Link::kSll2};
  for (const Link link : links) writer.add_interface(link_type_of(link));
  for (size_t i = 0; i < packets.size(); ++i) {
    const uint32_t interface = i % std::size(links);
    writer.add(interface, static_cast<uint64_t>(packets[i].time_ns),
               frame_bytes(links[interface], packets[i]));
  }
  EXPECT_EQ(good_replay(writer.bytes()), good_replay(make_capture({}, packets)));
}

TEST(Goldens, AreWhatTheGeneratorMakes) {
  for (const Golden& golden : goldens()) {
    EXPECT_LE(golden.bytes.size(), 20'000u) << golden.file;
    EXPECT_TRUE(read_file(tests_folder() + "/captures/" + golden.file) == golden.bytes)
        << golden.file << " differs: run make_captures and look at the difference";
  }
}

TEST(Goldens, GiveTheExpectedRecordsEachTime) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(tests_folder() + "/captures")) {
    const std::filesystem::path path = entry.path();
    if (path.extension() != ".pcap" && path.extension() != ".pcapng") continue;
    ++files;
    SCOPED_TRACE(path.filename().string());
    const std::string expected =
        read_file(std::filesystem::path(path).replace_extension(".expected.ndjson").string());
    const std::vector<std::vector<std::string>> ways = {{}, {}, {"--lanes", "2"}};
    for (const std::vector<std::string>& way : ways) {
      std::vector<std::string> arguments = {"replay", path.string(), "--format", "ndjson"};
      arguments.insert(arguments.end(), way.begin(), way.end());
      const Outcome run = wiretally(arguments);
      EXPECT_EQ(run.exit_status, 0) << run.err;
      EXPECT_EQ(run.out, expected);
    }
  }
  EXPECT_EQ(files, goldens().size());
}

TEST(Determinism, EveryFormatGivesTheSameBytesTwice) {
  std::vector<std::vector<TcpPacket>> connections;
  for (int i = 0; i < 40; ++i) {
    Connection::Options options;
    options.client.port = static_cast<uint16_t>(40'000 + i);
    options.start_ns = kCaptureStartNs + i * 3'000'000;
    Connection connection(options);
    connection.open();
    for (int call = 0; call < 5; ++call) {
      const Call details{.number = i * 100 + call, .stream = call % 2 == 1};
      connection.send(Party::kClient, chat_request(details));
      connection.wait_ms(7 * (i % 5));
      connection.send(Party::kServer, chat_answer(details));
    }
    connections.push_back(connection.packets());
  }
  const std::string capture = make_capture({}, merged(connections));
  for (const char* format : {"ndjson", "csv", "table", "prometheus"}) {
    SCOPED_TRACE(format);
    const Outcome first = replay_bytes(capture, format);
    EXPECT_EQ(first.exit_status, 0) << first.err;
    EXPECT_FALSE(first.out.empty());
    EXPECT_EQ(replay_bytes(capture, format).out, first.out);
    EXPECT_EQ(replay_bytes(capture, format, {"--lanes", "2"}).out, first.out);
  }
}

}  // namespace
}  // namespace wiretally::test
