#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>
#include <tuple>

#include "csv/csv_sink.h"
#include "ndjson/ndjson_sink.h"
#include "table/table_sink.h"
#include "unit/sinks/fixtures.h"

namespace wiretally::sinks {
namespace {

// The contract's list, in its order.
const std::vector<std::string> kFields = {"schema",
                                          "record_id",
                                          "start_time",
                                          "duration_s",
                                          "ttfb_s",
                                          "ttft_s",
                                          "provider",
                                          "dialect",
                                          "operation",
                                          "method",
                                          "path",
                                          "request_model",
                                          "response_model",
                                          "response_id",
                                          "request_id",
                                          "stream",
                                          "http_version",
                                          "status_code",
                                          "outcome",
                                          "error_type",
                                          "finish_reason",
                                          "input_tokens",
                                          "cache_read_tokens",
                                          "cache_write_5m_tokens",
                                          "cache_write_1h_tokens",
                                          "output_tokens",
                                          "reasoning_tokens",
                                          "input_audio_tokens",
                                          "input_image_tokens",
                                          "output_audio_tokens",
                                          "output_image_tokens",
                                          "total_tokens",
                                          "input_source",
                                          "output_source",
                                          "usage_source",
                                          "served_from_cache",
                                          "gateway",
                                          "cache_status",
                                          "batch_id",
                                          "batch_custom_id",
                                          "cost_usd",
                                          "input_cost_usd",
                                          "cache_cost_usd",
                                          "output_cost_usd",
                                          "tool_cost_usd",
                                          "price_source",
                                          "price_id",
                                          "service_tier",
                                          "tool_calls",
                                          "server_tool_requests",
                                          "subject",
                                          "issuer",
                                          "application",
                                          "tenant",
                                          "audience",
                                          "subject_verified",
                                          "key_id",
                                          "credential_kind",
                                          "end_user",
                                          "session",
                                          "team",
                                          "organization",
                                          "pid",
                                          "process",
                                          "executable",
                                          "container_id",
                                          "pod",
                                          "namespace",
                                          "workload",
                                          "workload_kind",
                                          "node",
                                          "server_address",
                                          "server_port",
                                          "client_address",
                                          "client_port",
                                          "side",
                                          "leg",
                                          "legs",
                                          "legs_tokens_delta",
                                          "duplicate_of",
                                          "source",
                                          "rate_limit_remaining_requests",
                                          "rate_limit_remaining_tokens",
                                          "service",
                                          "retry_of",
                                          "request_bytes",
                                          "response_bytes",
                                          "lost_bytes",
                                          "flags"};

struct Recorder final : FieldVisitor {
  std::vector<std::string> names;
  void null(std::string_view name) override { names.emplace_back(name); }
  void text(std::string_view name, std::string_view) override { names.emplace_back(name); }
  void number(std::string_view name, std::string_view) override { names.emplace_back(name); }
  void list(std::string_view name, std::span<const std::string_view>) override {
    names.emplace_back(name);
  }
};

std::string ndjson(const LedgerEntry& entry) {
  std::string line;
  write_usage_record(entry, line);
  return line;
}

std::string temporary(std::string_view name) {
  return (std::filesystem::temp_directory_path() /
          (std::string(name) + "." + std::to_string(::getpid())))
      .string();
}

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Record, HasTheContractsFieldsInItsOrderWhateverIsKnown) {
  for (const LedgerEntry& entry : {LedgerEntry{}, plain_entry(), rich_entry()}) {
    Recorder recorder;
    visit_fields(entry, recorder);
    EXPECT_EQ(recorder.names, kFields);
  }
}

TEST(Record, Golden) {
  EXPECT_EQ(
      ndjson(rich_entry()),
      R"({"schema":1,"record_id":"01K7DM2Z80ABCDEFGHJKMNPQRS","start_time":"2025-10-09T08:53:20.000000001Z",)"
      R"("duration_s":2,"ttfb_s":0.25,"ttft_s":0.3,"provider":"openai","dialect":"openai_chat",)"
      R"("operation":"chat","method":"POST","path":"/v1/chat/completions","request_model":"gpt-4o",)"
      R"("response_model":"gpt-4o-2024-08-06","response_id":"chatcmpl-AbCdEfGhIjKlMnOp",)"
      R"("request_id":"req_1","stream":true,"http_version":"1.1","status_code":200,"outcome":"ok",)"
      R"("error_type":null,"finish_reason":"tool_calls","input_tokens":1000,"cache_read_tokens":600,)"
      R"("cache_write_5m_tokens":100,"cache_write_1h_tokens":null,"output_tokens":50,)"
      R"("reasoning_tokens":20,"input_audio_tokens":null,"input_image_tokens":null,)"
      R"("output_audio_tokens":null,"output_image_tokens":null,"total_tokens":1050,)"
      R"("input_source":"reported","output_source":"reported","usage_source":"reported",)"
      R"("served_from_cache":false,"gateway":null,"cache_status":null,"batch_id":null,)"
      R"("batch_custom_id":null,"cost_usd":"0.0106920","input_cost_usd":"0.0100000",)"
      R"("cache_cost_usd":"0.0005920","output_cost_usd":"0.0001000","tool_cost_usd":null,)"
      R"("price_source":"catalog","price_id":"gpt-4o","service_tier":"default",)"
      R"("tool_calls":["get_weather","say \"hi\""],"server_tool_requests":null,"subject":"alice",)"
      R"("issuer":"https://issuer.example","application":null,"tenant":null,"audience":null,)"
      R"("subject_verified":null,"key_id":"0123456789abcdef","credential_kind":"jwt",)"
      R"("end_user":null,"session":null,"team":null,"organization":null,"pid":4242,)"
      R"("process":"python3","executable":"/usr/bin/python3.11","container_id":null,"pod":null,)"
      R"("namespace":null,"workload":null,"workload_kind":null,"node":"node-1",)"
      R"("server_address":"api.openai.com","server_port":443,"client_address":"10.0.0.7",)"
      R"("client_port":40000,"side":"client","leg":"provider","legs":2,"legs_tokens_delta":null,)"
      R"("duplicate_of":null,"source":"tls","rate_limit_remaining_requests":99,)"
      R"("rate_limit_remaining_tokens":null,"service":null,"retry_of":null,"request_bytes":812,)"
      R"("response_bytes":4096,"lost_bytes":0,"flags":["gap_in_body","text_cut"]})"
      "\n");
}

TEST(Record, UnknownIsNullAndNotZero) {
  LedgerEntry entry = plain_entry();
  entry.record.tokens = {};
  entry.record.saw_request = false;
  entry.record.status_code.reset();
  const std::string line = ndjson(entry);
  EXPECT_NE(line.find(R"("input_tokens":null)"), std::string::npos);
  EXPECT_NE(line.find(R"("total_tokens":null)"), std::string::npos);
  EXPECT_NE(line.find(R"("input_source":"none")"), std::string::npos);
  EXPECT_NE(line.find(R"("status_code":null)"), std::string::npos);
  EXPECT_NE(line.find(R"("ttfb_s":null)"), std::string::npos);
  EXPECT_NE(line.find(R"("credential_kind":null)"), std::string::npos);
  EXPECT_NE(line.find(R"("cost_usd":null)"), std::string::npos);
  EXPECT_NE(line.find(R"("price_source":"none")"), std::string::npos);
}

// A gateway says in the answer's head that it had the answer in its cache.
TEST(Record, WhetherACacheAnsweredIsUnknownWhereTheHeadIs) {
  LedgerEntry entry = plain_entry();
  EXPECT_NE(ndjson(entry).find(R"("served_from_cache":false)"), std::string::npos);
  entry.record.saw_response = false;
  EXPECT_NE(ndjson(entry).find(R"("served_from_cache":null)"), std::string::npos);
  entry.record.saw_response = true;
  entry.record.flags.set(RecordFlag::kH2HeadersUnknown);
  EXPECT_NE(ndjson(entry).find(R"("served_from_cache":null)"), std::string::npos);
  entry.record.served_from_cache = true;
  EXPECT_NE(ndjson(entry).find(R"("served_from_cache":true)"), std::string::npos);
}

TEST(Record, EmbeddingsHaveNoOutputToMiss) {
  LedgerEntry entry = plain_entry();
  entry.record.operation = Operation::kEmbeddings;
  entry.record.tokens.output.reset();
  entry.record.tokens.output_source = UsageSource::kNone;
  const std::string line = ndjson(entry);
  EXPECT_NE(line.find(R"("usage_source":"reported")"), std::string::npos);
  EXPECT_NE(line.find(R"("total_tokens":1000)"), std::string::npos);
  entry.record.operation = Operation::kChat;
  EXPECT_NE(ndjson(entry).find(R"("usage_source":"none")"), std::string::npos);
}

TEST(Record, ServerAddressFallsBackToTheIp) {
  LedgerEntry entry = plain_entry();
  entry.record.server.address.version = 6;
  entry.record.server.address.bytes[15] = 1;
  entry.record.server.port = 8080;
  const std::string line = ndjson(entry);
  EXPECT_NE(line.find(R"("server_address":"::1","server_port":8080)"), std::string::npos);
}

TEST(Record, HostileTextStaysOneLineOfValidJson) {
  std::mt19937 random(1);
  LedgerEntry entry = plain_entry();
  for (int round = 0; round < 500; ++round) {
    std::string hostile;
    for (int i = 0; i < 100; ++i) hostile.push_back(static_cast<char>(random()));
    entry.record.path.assign(hostile);
    const std::string line = ndjson(entry);
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    for (std::string_view rest = line; !rest.empty();) {
      const size_t length = utf8_length(rest);
      ASSERT_GT(length, 0u);
      ASSERT_TRUE(length > 1 || static_cast<uint8_t>(rest[0]) >= 0x20 || rest[0] == '\n');
      rest.remove_prefix(length);
    }
  }
}

TEST(Csv, HasTheSameFieldsAndQuotesThem) {
  std::string header;
  write_csv_header(header);
  std::string expected;
  for (const std::string& field : kFields) expected += (expected.empty() ? "" : ",") + field;
  EXPECT_EQ(header, expected + "\r\n");
  std::string line;
  write_csv_record(rich_entry(), line);
  EXPECT_NE(line.find(R"(,"get_weather;say ""hi""",)"), std::string::npos);
  EXPECT_NE(line.find(",gap_in_body;text_cut\r\n"), std::string::npos);
  EXPECT_EQ(line.find("null"), std::string::npos);
}

std::string one_spaced(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' || out.empty() || out.back() != ' ') out.push_back(c);
  }
  return out;
}

TEST(Table, ShowsFewCallsAndTotalsAndNoControlCharacters) {
  TableSink table(stdout);
  LedgerEntry entry = rich_entry();
  entry.record.response_model.assign("evil\x1b[2Jmodel");
  table.on_entry(entry);
  LedgerEntry unknown = plain_entry();
  unknown.record.tokens = {};
  table.on_entry(unknown);
  LedgerEntry twin = plain_entry();
  twin.duplicate_of = entry.record_id;
  table.on_entry(twin);
  const std::string text = table.text();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("evil?[2Jmodel"), std::string::npos);
  EXPECT_NE(one_spaced(text).find("total 2 2 0 1000+ 600 50+ 0.010692+"), std::string::npos)
      << text;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
}

// What a kind of call never has is not unknown, in the rows and in the sums alike.
TEST(Table, ShowsNothingForWhatACallCannotHave) {
  const auto of = [](Operation operation, std::optional<uint64_t> input) {
    LedgerEntry entry = plain_entry();
    entry.record.operation = operation;
    entry.record.tokens = {};
    entry.record.tokens.input = input;
    entry.cost.total = Picodollars{1'000'000};
    if (operation == Operation::kToolCall) entry.cost.total.reset();
    TableSink table(stdout);
    table.on_entry(entry);
    return one_spaced(table.text());
  };
  const std::string model = "gpt-4o-2024-08-06 ";
  const auto row = [&](std::string_view counts) { return model + "- ok " + std::string(counts); };
  const auto sums = [&](std::string_view counts) { return model + "1 1 0 " + std::string(counts); };
  for (const auto& [text, calls, total] :
       {std::tuple{of(Operation::kEmbeddings, 8), "8 - ", "8 - - 0.000001\n"},
        std::tuple{of(Operation::kEmbeddings, {}), "? - ", "? - - 0.000001\n"},
        std::tuple{of(Operation::kRerank, {}), "- - ", "- - - 0.000001\n"},
        std::tuple{of(Operation::kToolCall, {}), "- - ", "- - - -\n"},
        std::tuple{of(Operation::kSpeech, {}), "? ? ", "? - ? 0.000001\n"}}) {
    EXPECT_NE(text.find(row(calls)), std::string::npos) << text;
    EXPECT_NE(text.find(sums(total)), std::string::npos) << text;
  }
}

TEST(Table, ManyCallsAreOnlySummed) {
  TableSink table(stdout);
  for (int i = 0; i < 51; ++i) table.on_entry(rich_entry());
  EXPECT_EQ(table.text().find("TIME (UTC)"), std::string::npos);
  EXPECT_NE(table.text().find("51"), std::string::npos);
}

TEST(Table, SaysThatThereWasNothing) { EXPECT_EQ(TableSink(stdout).text(), "no LLM calls\n"); }

TEST(Files, AtOnceAndBehindWriteTheSame) {
  for (const auto mode : {LineFile::Mode::kAtOnce, LineFile::Mode::kBehind}) {
    const std::string path = temporary("wiretally_lines");
    auto file = LineFile::open(path, mode);
    ASSERT_TRUE(file);
    NdjsonSink sink(std::move(*file));
    sink.on_entry(rich_entry());
    sink.on_entry(plain_entry());
    sink.on_finish();
    EXPECT_EQ(content_of(path), ndjson(rich_entry()) + ndjson(plain_entry()));
    EXPECT_EQ(sink.dropped_records(), 0u);
    std::filesystem::remove(path);
  }
}

TEST(Files, ReopenFollowsARotation) {
  for (const auto mode : {LineFile::Mode::kAtOnce, LineFile::Mode::kBehind}) {
    const std::string path = temporary("wiretally_rotated");
    auto file = LineFile::open(path, mode);
    ASSERT_TRUE(file);
    (*file)->append("one\n");
    std::filesystem::rename(path, path + ".1");
    (*file)->reopen();
    while (!std::filesystem::exists(path)) std::this_thread::yield();
    (*file)->append("two\n");
    (*file)->close();
    EXPECT_EQ(content_of(path + ".1"), "one\n");
    EXPECT_EQ(content_of(path), "two\n");
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".1");
  }
}

TEST(Files, APathThatCannotBeOpenedIsAnErrorWithARemedy) {
  const auto file = LineFile::open("/nonexistent/x", LineFile::Mode::kAtOnce);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().message.find("/nonexistent/x"), std::string::npos);
}

TEST(Files, AReaderThatSleepsCostsCountedLinesAndNoTime) {
  const std::string path = temporary("wiretally_fifo");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  auto file = LineFile::open(path, LineFile::Mode::kBehind, 1 << 20);
  ASSERT_TRUE(file);
  const std::string line = std::string(999, 'x') + "\n";
  constexpr uint64_t kLines = 10'000;
  for (uint64_t i = 0; i < kLines; ++i) (*file)->append(line);
  (*file)->close();
  uint64_t read_bytes = 0;
  char buffer[65536];
  for (ssize_t n = 0; (n = ::read(reader, buffer, sizeof buffer)) > 0;) {
    read_bytes += static_cast<uint64_t>(n);
  }
  EXPECT_GT((*file)->dropped_lines(), 0u);
  EXPECT_EQ((*file)->dropped_lines() + read_bytes / line.size(), kLines);
  ::close(reader);
  std::filesystem::remove(path);
}

TEST(Files, AFullDiskIsCounted) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  auto file = LineFile::open("/dev/full", LineFile::Mode::kAtOnce);
  ASSERT_TRUE(file);
  (*file)->append("line\n");
  EXPECT_EQ((*file)->dropped_lines(), 1u);
}

}  // namespace
}  // namespace wiretally::sinks
