// `wiretally replay` as a user types it: exit statuses, messages, formats.
#include <gtest/gtest.h>

#include <cstdlib>

#include "binary.h"
#include "calls.h"
#include "support/encoder.h"

namespace wiretally::test {
namespace {

// Version 1 of the usage record, in its order.
constexpr const char* kFields =
    "schema,record_id,start_time,duration_s,ttfb_s,ttft_s,provider,dialect,operation,method,path,"
    "request_model,response_model,response_id,request_id,stream,http_version,status_code,outcome,"
    "error_type,finish_reason,input_tokens,cache_read_tokens,cache_write_5m_tokens,"
    "cache_write_1h_tokens,output_tokens,reasoning_tokens,input_audio_tokens,input_image_tokens,"
    "output_audio_tokens,output_image_tokens,total_tokens,input_source,output_source,usage_source,"
    "served_from_cache,gateway,cache_status,batch_id,batch_custom_id,cost_usd,input_cost_usd,"
    "cache_cost_usd,output_cost_usd,tool_cost_usd,price_source,price_id,service_tier,tool_calls,"
    "server_tool_requests,subject,issuer,application,tenant,audience,subject_verified,key_id,"
    "credential_kind,end_user,session,team,organization,pid,process,executable,container_id,pod,"
    "namespace,workload,workload_kind,node,server_address,server_port,client_address,client_port,"
    "side,leg,legs,legs_tokens_delta,duplicate_of,source,rate_limit_remaining_requests,"
    "rate_limit_remaining_tokens,service,retry_of,request_bytes,response_bytes,lost_bytes,flags";

std::vector<TcpPacket> calls(int count, uint16_t port = 40'000, uint16_t server_port = 8'080) {
  Connection::Options options;
  options.client.port = port;
  options.server.port = server_port;
  Connection connection(options);
  connection.open();
  for (int i = 0; i < count; ++i) {
    const Call call{.number = port + i, .stream = i % 2 == 1};
    connection.send(Party::kClient, chat_request(call));
    connection.wait_ms(20);
    connection.send(Party::kServer, chat_answer(call));
    connection.wait_ms(20);
  }
  connection.close(Party::kClient);
  return connection.packets();
}

std::string shell(const std::string& command, int expected_status = 0) {
  std::string out;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  for (size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, got);
  const int status = pclose(pipe);
  EXPECT_EQ(WEXITSTATUS(status), expected_status) << command << "\n" << out;
  return out;
}

void expect_one_error(const Outcome& run, int status, std::string_view word) {
  EXPECT_EQ(run.exit_status, status) << run.err;
  ASSERT_EQ(run.errors().size(), 1u) << run.err;
  EXPECT_NE(run.errors()[0].find(word), std::string::npos) << run.err;
  EXPECT_TRUE(run.errors()[0].starts_with("wiretally: ")) << run.err;
}

// --- help and usage ------------------------------------------------------------------------------

TEST(Help, IsThereForEachVerb) {
  for (const char* verb : {"run", "replay", "doctor", "prices"}) {
    SCOPED_TRACE(verb);
    const Outcome run = wiretally({verb, "--help"});
    EXPECT_EQ(run.exit_status, 0);
    EXPECT_TRUE(run.err.empty()) << run.err;
    EXPECT_NE(run.out.find(std::string("usage: wiretally ") + verb), std::string::npos);
    EXPECT_EQ(wiretally({verb, "-h"}).out, run.out);
  }
  const Outcome all = wiretally({"--help"});
  EXPECT_EQ(all.exit_status, 0);
  for (const char* verb : {"run", "replay", "doctor", "prices", "version"}) {
    EXPECT_NE(all.out.find(verb), std::string::npos);
  }
}

TEST(Help, NamesEachOptionOfReplay) {
  const std::string help = wiretally({"replay", "--help"}).out;
  for (const char* flag :
       {"--format", "--port", "--lanes", "--prices", "--all-legs", "--key-secret"}) {
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
  }
}

TEST(Version, IsOneLine) {
  const Outcome run = wiretally({"version"});
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_EQ(lines_of(run.out).size(), 1u);
  EXPECT_TRUE(run.out.starts_with("wiretally "));
}

TEST(Usage, NothingGivenShowsTheVerbs) {
  const Outcome run = wiretally({});
  EXPECT_EQ(run.exit_status, 1);
  EXPECT_TRUE(run.out.empty());
  EXPECT_NE(run.err.find("replay"), std::string::npos);
}

TEST(Usage, ErrorsAreOneLineWithTheNearestName) {
  expect_one_error(wiretally({"reply"}), 1, "'replay'");
  expect_one_error(wiretally({"replay"}), 1, "no file");
  expect_one_error(wiretally({"replay", "x.pcap", "--fromat", "csv"}), 1, "--format");
  expect_one_error(wiretally({"replay", "x.pcap", "--format", "xml"}), 1, "ndjson");
  expect_one_error(wiretally({"replay", "x.pcap", "--format"}), 1, "--format");
  expect_one_error(wiretally({"replay", "x.pcap", "--port", "70000"}), 1, "70000");
  expect_one_error(wiretally({"replay", "x.pcap", "--port", "http"}), 1, "http");
  expect_one_error(wiretally({"replay", "x.pcap", "--lanes", "0"}), 1, "--lanes");
  expect_one_error(wiretally({"replay", "x.pcap", "--listen", "x"}), 1, "--listen");
  expect_one_error(wiretally({"replay", "x.pcap", "--privacy-subjects", "some"}), 1, "hash");
}

// --- input ---------------------------------------------------------------------------------------

TEST(Input, OfSeveralFilesIsReadInTheirOrder) {
  const TemporaryFolder folder;
  const std::string first = folder.save("first.pcap", make_capture({}, calls(2, 40'000)));
  const std::string second = folder.save(
      "second.pcapng",
      make_capture({.format = CaptureFormat::kPcapng, .link = Link::kSll}, calls(3, 40'100)));
  const Outcome run = wiretally({"replay", first, "--format", "ndjson", second});
  EXPECT_EQ(run.exit_status, 0) << run.err;
  EXPECT_EQ(records_of(run.out).size(), 5u);
}

TEST(Input, OfStdinIsTheSameAsOfTheFile) {
  const TemporaryFolder folder;
  const std::string capture = make_capture({}, calls(4));
  const std::string file = folder.save("calls.pcap", capture);
  const Outcome from_file = wiretally({"replay", file, "--format", "ndjson"});
  EXPECT_EQ(from_file.exit_status, 0);
  EXPECT_EQ(replay_bytes(capture, "ndjson").out, from_file.out);
}

TEST(Input, EmptyCaptureIsNoError) {
  for (const char* format : {"table", "ndjson", "csv", "prometheus"}) {
    for (const CaptureFormat shape :
         {CaptureFormat::kPcapMicro, CaptureFormat::kPcapNano, CaptureFormat::kPcapng}) {
      SCOPED_TRACE(format);
      const Outcome run = replay_bytes(make_capture({.format = shape}, {}), format);
      EXPECT_EQ(run.exit_status, 0) << run.err;
      EXPECT_TRUE(run.errors().empty()) << run.err;
    }
  }
  EXPECT_EQ(replay_bytes(make_capture({}, {}), "ndjson").out, "");
  EXPECT_EQ(replay_bytes(make_capture({}, {}), "csv").out, std::string(kFields) + "\r\n");
}

TEST(Input, ThatIsNoCaptureIsOneErrorThatNamesIt) {
  const TemporaryFolder folder;
  const std::string text = folder.save("notes.txt", "These are no packets, however long it is.\n");
  expect_one_error(wiretally({"replay", text}), 2, text);
  expect_one_error(wiretally({"replay", folder.save("empty", "")}), 2, "empty");
  expect_one_error(wiretally({"replay", folder.path("missing.pcap")}), 2, "missing.pcap");
  expect_one_error(wiretally({"replay", folder.path("")}), 2, folder.path(""));
}

TEST(Input, AnErrorInOneFileCostsNothingOfTheOthers) {
  const TemporaryFolder folder;
  const std::string good = folder.save("good.pcap", make_capture({}, calls(2)));
  const std::string more = folder.save("more.pcap", make_capture({}, calls(2, 41'000)));
  const Outcome run =
      wiretally({"replay", good, folder.path("missing.pcap"), more, "--format", "ndjson"});
  expect_one_error(run, 2, "missing.pcap");
  EXPECT_EQ(records_of(run.out).size(), 4u);
}

TEST(Input, CutAnywhereGivesEveryCompleteCallAndOneLineWithTheOffset) {
  std::vector<TcpPacket> packets = calls(5);
  for (const CaptureFormat format : {CaptureFormat::kPcapMicro, CaptureFormat::kPcapng}) {
    const std::string whole = make_capture({.format = format}, packets);
    // The last packets are FINs and an ACK: all calls are complete before the cut.
    for (size_t cut = 1; cut < 60; ++cut) {
      SCOPED_TRACE(cut);
      const Outcome run = replay_bytes(whole.substr(0, whole.size() - cut), "ndjson");
      expect_one_error(run, 2, "byte");
      EXPECT_NE(run.err.find("packet"), std::string::npos) << run.err;
      EXPECT_EQ(records_of(run.out).size(), 5u);
    }
  }
}

TEST(Input, HeadMinusSevenBytes) {
  const TemporaryFolder folder;
  const std::string file = folder.save("calls.pcap", make_capture({}, calls(3)));
  const std::string script = "head -c -7 " + file +
                             " | " WIRETALLY_BINARY " replay - --format ndjson >" +
                             folder.path("records") + " 2>" + folder.path("errors") + "; echo $?";
  EXPECT_EQ(shell(script), "2\n");
  EXPECT_EQ(lines_of(read_file(folder.path("records"))).size(), 3u);
}

TEST(Input, OfAnUnknownLinkTypeIsNamedAndCostsNothingElse) {
  PcapngWriter writer;
  writer.add_interface(147);  // DLT_USER0
  writer.add_interface(1);
  for (const TcpPacket& packet : calls(2)) {
    writer.add(0, static_cast<uint64_t>(packet.time_ns), "whatever a user puts here");
    writer.add(1, static_cast<uint64_t>(packet.time_ns), frame_bytes(Link::kEthernet, packet));
  }
  const Outcome run = replay_bytes(writer.bytes(), "ndjson");
  expect_one_error(run, 2, "147");
  EXPECT_EQ(records_of(run.out).size(), 2u);

  const Outcome metrics = replay_bytes(writer.bytes(), "prometheus");
  EXPECT_GT(metric(metrics.out, "wiretally_dropped_total", "reason=\"link_type\""), 0u);
}

TEST(Input, PortNarrows) {
  const std::string capture = make_capture(
      {}, merged({calls(1, 40'000, 8'080), calls(2, 40'100, 80), calls(3, 40'200, 90)}));
  EXPECT_EQ(records_of(replay_bytes(capture, "ndjson").out).size(), 6u);
  EXPECT_EQ(records_of(replay_bytes(capture, "ndjson", {"--port", "80"}).out).size(), 2u);
  EXPECT_EQ(records_of(replay_bytes(capture, "ndjson", {"--port", "80,90"}).out).size(), 5u);
  EXPECT_EQ(
      records_of(replay_bytes(capture, "ndjson", {"--port", "8080", "--port", "90"}).out).size(),
      4u);
  EXPECT_EQ(replay_bytes(capture, "ndjson", {"--port", "1"}).out, "");
}

TEST(Input, AKeySecretChangesTheHashesAndSilencesTheNotice) {
  const TemporaryFolder folder;
  Connection connection;
  connection.open();
  connection.send(Party::kClient,
                  message("POST /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\n"
                          "Authorization: Bearer sk-test-0123456789abcdef\r\n",
                          R"({"model":"m","messages":[]})"));
  connection.send(Party::kServer, chat_answer({.number = 1}));
  const std::string capture = make_capture({}, connection.packets());
  const Outcome open = replay_bytes(capture, "ndjson");
  EXPECT_EQ(lines_of(open.err).size(), 1u);
  EXPECT_NE(open.err.find("public replay key"), std::string::npos);
  const Outcome own = replay_bytes(capture, "ndjson", {"--key-secret", folder.path("key")});
  EXPECT_EQ(own.exit_status, 0);
  EXPECT_EQ(own.err, "");
  const auto key_id = [](const Outcome& run) { return records_of(run.out).at(0)["key_id"]; };
  ASSERT_TRUE(key_id(open).is_string());
  EXPECT_NE(key_id(own), key_id(open));
  EXPECT_EQ(key_id(replay_bytes(capture, "ndjson", {"--key-secret", folder.path("key")})),
            key_id(own));
}

TEST(Input, ABadKeySecretOrPriceFileIsOneError) {
  const TemporaryFolder folder;
  const std::string capture = make_capture({}, calls(1));
  expect_one_error(
      replay_bytes(capture, "ndjson", {"--key-secret", folder.path("no/such/folder/key")}), 2,
      "no/such/folder");
  expect_one_error(replay_bytes(capture, "ndjson", {"--prices", folder.path("no-prices.json")}), 2,
                   "no-prices.json");
  const std::string bad = folder.save("prices.json", "{ this is no JSON");
  expect_one_error(replay_bytes(capture, "ndjson", {"--prices", bad}), 2, "prices.json");
}

// --- whose call it is ----------------------------------------------------------------------------

TEST(Rules, GiveTeamAndServiceAndHeadersTheEndUser) {
  const TemporaryFolder folder;
  Connection connection;
  connection.open();
  connection.send(Party::kClient,
                  message("POST /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\n"
                          "X-Team: search\r\nX-On-Behalf-Of: ann\r\nX-Thread: t-17\r\n",
                          R"({"model":"m","messages":[],"user":"bob"})"));
  connection.send(Party::kServer, chat_answer({.number = 1}));
  const std::string capture = make_capture({}, connection.packets());
  const auto replayed = [&](const std::vector<std::string>& arguments) {
    const Outcome run = replay_bytes(capture, "ndjson", arguments);
    EXPECT_EQ(run.exit_status, 0) << run.err;
    return records_of(run.out).at(0);
  };
  const auto plain = replayed({});
  EXPECT_TRUE(plain["team"].is_null());
  EXPECT_TRUE(plain["service"].is_null());
  EXPECT_EQ(plain["end_user"], "bob");

  const std::string rules = folder.save("rules.yaml",
                                        "rules:\n"
                                        "  - match: {header: {x-team: shop}}\n    team: shop\n"
                                        "  - match: {header: {X-Team: sea*}, server: llm.example}\n"
                                        "    team: search\n    service: ranker\n");
  const auto ruled = replayed({"--rules", rules, "--end-user-header", "x-none,X-On-Behalf-Of",
                               "--session-header", "x-thread"});
  EXPECT_EQ(ruled["team"], "search");
  EXPECT_EQ(ruled["service"], "ranker");
  EXPECT_EQ(ruled["end_user"], "ann");
  EXPECT_EQ(ruled["session"], "t-17");

  const std::string bad = folder.save("bad.yaml", "rules:\n  - match: {teem: x}\n    team: t\n");
  expect_one_error(replay_bytes(capture, "ndjson", {"--rules", bad}), 2, "bad.yaml:2");
  expect_one_error(replay_bytes(capture, "ndjson", {"--end-user-header", "authorization"}), 1,
                   "credential");
}

// --- formats -------------------------------------------------------------------------------------

TEST(Ndjson, HasTheContractsFieldsInItsOrder) {
  const TemporaryFolder folder;
  std::string all;
  for (const char* name : {"openai_chat_json", "anthropic_sse", "never_answered",
                           "embeddings_base64", "jwt_identity", "openai_chat_429"}) {
    all += replay_packets(packets_of(transcript(name), {}), "ndjson").out;
  }
  const std::string file = folder.save("records.ndjson", all);
  EXPECT_EQ(shell("jq -r 'keys_unsorted|join(\",\")' " + file + " | sort -u"),
            std::string(kFields) + "\n");
}

TEST(Csv, HasTheSameColumns) {
  const Outcome run = replay_packets(calls(3), "csv");
  EXPECT_EQ(run.exit_status, 0);
  const std::vector<std::string> lines = lines_of(run.out);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], std::string(kFields) + "\r");  // RFC 4180
}

TEST(Prometheus, PassesPromtool) {
  const TemporaryFolder folder;
  Connection lossy;
  lossy.open();
  const PacketRange lost = lossy.send(Party::kClient, chat_request({.number = 1}));
  lossy.send(Party::kServer, chat_answer({.number = 1}));
  lossy.close(Party::kServer);
  const std::vector<std::vector<TcpPacket>> captures = {
      {},
      calls(4),
      packets_of(transcript("openai_chat_429"), {}),
      without(lossy.packets(), {lost})};
  for (const std::vector<TcpPacket>& packets : captures) {
    const Outcome run = replay_packets(packets, "prometheus");
    EXPECT_EQ(run.exit_status, 0);
    const std::string file = folder.save("metrics", run.out);
    EXPECT_EQ(shell("promtool check metrics <" + file + " 2>&1"), "");
  }
}

TEST(Prometheus, ShowsTrueValuesAtOnce) {
  const Outcome run = replay_packets(calls(4), "prometheus");
  EXPECT_EQ(metric(run.out, "llm_requests_total"), 4u);
  uint64_t tokens = 0;
  for (int i = 0; i < 4; ++i) tokens += 1'000 + 40'000 + i + 40'001 + i;
  EXPECT_EQ(metric(run.out, "llm_tokens_total"), tokens);
  EXPECT_EQ(metric(run.out, "wiretally_calls_total", "full"), 4u);
}

TEST(Table, HasALineForEachCallAndNoControlCharacters) {
  Connection connection;
  connection.open();
  const std::string nasty = R"(bad\u001b[31mmodel\u0007\u009b1m\n\r\t\u2028\ud800 x)";
  connection.send(Party::kClient,
                  message("POST /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\n",
                          R"({"model":")" + nasty + R"(","messages":[]})"));
  connection.send(
      Party::kServer,
      message(
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
          R"({"id":"x\u001b]0;t\u0007","object":"chat.completion","model":")" + nasty +
              R"(","choices":[{"index":0,"message":{"role":"assistant","content":"x"},)"
              R"("finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}})"));
  const Outcome run = replay_packets(connection.packets(), "table");
  EXPECT_EQ(run.exit_status, 0);
  EXPECT_NE(run.out.find("model"), std::string::npos);
  for (size_t i = 0; i < run.out.size(); ++i) {
    const auto byte = static_cast<uint8_t>(run.out[i]);
    EXPECT_TRUE(byte == '\n' || byte >= 0x20) << "byte " << int{byte} << " at " << i;
    EXPECT_NE(byte, 0x7f);
    // C1 controls are C2 80 … C2 9F in UTF-8.
    if (byte == 0xc2 && i + 1 < run.out.size()) {
      EXPECT_GE(static_cast<uint8_t>(run.out[i + 1]), 0xa0);
    }
  }
  const Outcome many = replay_packets(calls(6), "table");
  EXPECT_GE(lines_of(many.out).size(), 7u);
}

TEST(Output, ToAClosedPipeEndsWithoutACrash) {
  const TemporaryFolder folder;
  const std::string file = folder.save("calls.pcap", make_capture({}, calls(500)));
  for (const char* format : {"ndjson", "csv", "table", "prometheus"}) {
    shell(std::string(WIRETALLY_BINARY) + " replay " + file + " --format " + format +
          " 2>/dev/null | head -c 1 >/dev/null");
  }
}

TEST(Output, ToAFullDiskIsAnError) {
  const TemporaryFolder folder;
  const std::string file = folder.save("calls.pcap", make_capture({}, calls(50)));
  for (const char* format : {"ndjson", "csv", "table", "prometheus"}) {
    SCOPED_TRACE(format);
    const std::string errors = folder.path("errors");
    shell(std::string(WIRETALLY_BINARY) + " replay " + file + " --format " + format +
              " >/dev/full 2>" + errors,
          2);
  }
}

// --- compressed files ----------------------------------------------------------------------------

TEST(Compressed, FilesAndPipesReplayAsWhatTheyHold) {
  const std::string capture = make_capture({}, calls(4));
  const std::string expected = replay_bytes(capture, "ndjson").out;
  ASSERT_EQ(records_of(expected).size(), 4u);
  TemporaryFolder folder;
  for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
    const std::string packed = encode(coding, capture);
    EXPECT_EQ(replay_bytes(packed, "ndjson").out, expected);
    // By its first bytes, not by its name.
    const std::string path = folder.save("capture.bin", packed);
    EXPECT_EQ(wiretally({"replay", path, "--format", "ndjson"}).out, expected);
  }
}

TEST(Compressed, CutOffGivesAllCompleteCallsAndOneError) {
  const std::string capture = make_capture({}, calls(4));
  const std::string expected = replay_bytes(capture, "ndjson").out;
  for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
    // A flush behind the last call, as a capture that is still being written has it.
    const Pieces pieces = encode(
        coding, Pieces{capture.substr(0, capture.size() - 30), capture.substr(capture.size() - 30)},
        {.flush = true});
    const Outcome run = replay_bytes(pieces[0], "ndjson");
    expect_one_error(run, 2, "its compressed data is cut off");
    EXPECT_EQ(run.out, expected);
  }
}

// 256 MB of a block that nobody reads, in a few kilobytes.
TEST(Compressed, BombsTakeTimeAndNoMemory) {
  const auto little_endian = [](uint32_t number) {
    return std::string(reinterpret_cast<const char*>(&number), sizeof number);
  };
  const uint32_t block_bytes = 1 << 28;
  std::string start = make_capture({.format = CaptureFormat::kPcapng}, {});
  start += little_endian(0xbad) + little_endian(block_bytes);
  for (const Coding coding : {Coding::kGzip, Coding::kZstd}) {
    Pieces pieces = {start};
    for (int i = 0; i < 15; ++i) pieces.emplace_back(size_t{16} << 20, '\0');
    pieces.emplace_back((size_t{16} << 20) - 12, '\0');
    pieces.push_back(little_endian(block_bytes));
    std::string packed;
    for (const std::string& piece : encode(coding, pieces)) packed += piece;
    ASSERT_LT(packed.size(), 2u << 20);
    const Outcome run = replay_bytes(packed, "ndjson");
    EXPECT_EQ(run.exit_status, 0) << run.err;
#ifndef WIRETALLY_SANITIZED
    EXPECT_LT(run.peak_kib,
              replay_bytes(start.substr(0, start.size() - 8), "ndjson").peak_kib + 16 * 1024);
#endif
  }
}

}  // namespace
}  // namespace wiretally::test
