// Streams without usage beside streams that report, through the real binary: what is estimated, by
// which error, and what never is.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "binary.h"

namespace wiretally::test {
namespace {

// A stream as OpenAI sends it, and what can be counted of it.
struct Stream {
  std::string model;
  std::vector<std::string> texts;  // one a content event
  uint64_t input = 0;
  uint64_t output = 0;
  bool reports = true;
  int cut_after = -1;  // content events, then the client leaves
  std::string host = "api.openai.com";

  std::string body() const {
    return R"({"model":")" + model + R"(","stream":true,"messages":[{"role":"user","content":")" +
           std::string(input * 4, 'p') + R"("}]})";
  }
  std::string request() const {
    return "POST /v1/chat/completions HTTP/1.1\r\nHost: " + host +
           "\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body().size()) + "\r\n\r\n" + body();
  }
  std::string answer() const {
    const std::string head =
        R"({"object":"chat.completion.chunk","model":")" + model + R"(","choices":[)";
    std::string out =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    const auto event = [&](const std::string& data) {
      const std::string text = "data: " + data + "\n\n";
      char size[16];
      std::snprintf(size, sizeof size, "%zx\r\n", text.size());
      out += size + text + "\r\n";
    };
    int said = 0;
    for (const std::string& text : texts) {
      if (said++ == cut_after) return out;
      event(head + R"({"index":0,"delta":{"content":")" + text + R"("}}]})");
    }
    if (cut_after >= 0) return out;
    event(head + R"({"index":0,"delta":{},"finish_reason":"stop"}]})");
    if (reports) {
      event(head + R"(],"usage":{"prompt_tokens":)" + std::to_string(input) +
            R"(,"completion_tokens":)" + std::to_string(output) + R"(,"total_tokens":)" +
            std::to_string(input + output) + "}}");
    }
    event("[DONE]");
    return out + "0\r\n\r\n";
  }
  uint64_t text_bytes() const {
    uint64_t bytes = 0;
    for (const std::string& text : texts) bytes += text.size();
    return bytes;
  }
};

Stream stream_of(std::mt19937& random, const std::string& model) {
  Stream s;
  s.model = model;
  s.input = 5 + random() % 200;
  const size_t events = 3 + random() % 60;
  for (size_t i = 0; i < events; ++i) {
    s.texts.push_back(std::string(1 + random() % 12, 't'));
    s.output += 1 + random() % 3;
  }
  return s;
}

// Each on a connection of its own, one after the other.
std::vector<TcpPacket> packets_of(const std::vector<Stream>& streams) {
  std::vector<TcpPacket> packets;
  for (size_t i = 0; i < streams.size(); ++i) {
    Connection::Options options;
    options.client = endpoint("10.1.0.10", static_cast<uint16_t>(20'000 + i));
    options.start_ns = kCaptureStartNs + static_cast<int64_t>(i) * 1'000'000'000;
    Connection connection(options);
    connection.open();
    connection.send(Party::kClient, streams[i].request());
    connection.wait_ms(20);
    connection.send(Party::kServer, streams[i].answer());
    connection.wait_ms(20);
    if (streams[i].cut_after >= 0) {
      connection.reset(Party::kClient);
    } else {
      connection.close(Party::kClient);
    }
    packets.insert(packets.end(), connection.packets().begin(), connection.packets().end());
  }
  return packets;
}

// By the definition in docs/metrics.md, of streams in their order.
struct Learnt {
  double units = 0, tokens = 0, off_by = 0, checked = 0;
  double estimate(double of) const { return std::floor(of * tokens / units + 0.5); }
  void learn(double of, double reported) {
    if (units > 0) {
      off_by += std::abs(estimate(of) - reported);
      checked += reported;
    }
    units += of;
    tokens += reported;
  }
};

double published(const std::string& metrics, const std::string& model, const std::string& type) {
  const std::string name =
      R"(wiretally_estimator_error_ratio{provider="openai",dialect="openai_chat",model=")" + model +
      R"(",type=")" + type + "\"} ";
  const size_t at = metrics.find(name);
  return at == metrics.npos ? -1 : std::stod(metrics.substr(at + name.size()));
}

TEST(Estimates, TheErrorOf200StreamsIsTheOneRecomputedAndOnlyTheirLikesAreEstimated) {
  std::mt19937 random(11);
  std::vector<Stream> streams;
  for (int i = 0; i < 200; ++i) streams.push_back(stream_of(random, "gpt-4o"));
  Stream silent = stream_of(random, "gpt-4o");
  silent.reports = false;
  Stream other_model = stream_of(random, "gpt-5.5");
  other_model.reports = false;
  Stream other_provider = silent;
  other_provider.host = "api.x.ai";
  streams.insert(streams.end(), {silent, other_model, other_provider});

  Learnt input, by_events, by_text;
  for (int i = 0; i < 200; ++i) {
    const Stream& s = streams[static_cast<size_t>(i)];
    input.learn(static_cast<double>(s.body().size()), static_cast<double>(s.input));
    by_events.learn(static_cast<double>(s.texts.size()), static_cast<double>(s.output));
    by_text.learn(static_cast<double>(s.text_bytes()), static_cast<double>(s.output));
  }
  const bool events = by_events.off_by <= by_text.off_by;
  const Learnt& output = events ? by_events : by_text;

  const std::vector<TcpPacket> packets = packets_of(streams);
  const Outcome ndjson = replay_packets(packets, "ndjson");
  ASSERT_EQ(ndjson.exit_status, 0) << ndjson.err;
  for (const char* lanes : {"2", "4"}) {
    EXPECT_EQ(replay_packets(packets, "ndjson", {"--lanes", lanes}).out, ndjson.out) << lanes;
  }
  const std::string metrics = replay_packets(packets, "prometheus").out;
  EXPECT_NEAR(published(metrics, "gpt-4o", "output"), output.off_by / output.checked, 1e-6);
  EXPECT_NEAR(published(metrics, "gpt-4o", "input"), input.off_by / input.checked, 1e-6);
  EXPECT_EQ(published(metrics, "gpt-5.5", "output"), -1);

  const std::vector<Json> records = records_of(ndjson.out);
  ASSERT_EQ(records.size(), streams.size());
  const Json& estimated = records[200];
  EXPECT_EQ(estimated["usage_source"], "estimated");
  EXPECT_EQ(estimated["input_tokens"], input.estimate(static_cast<double>(silent.body().size())));
  EXPECT_EQ(
      estimated["output_tokens"],
      output.estimate(static_cast<double>(events ? silent.texts.size() : silent.text_bytes())));
  EXPECT_TRUE(estimated["cost_usd"].is_null());
  for (const size_t i : {201u, 202u}) {
    EXPECT_EQ(records[i]["usage_source"], "none");
    EXPECT_TRUE(records[i]["input_tokens"].is_null());
    EXPECT_TRUE(records[i]["output_tokens"].is_null());
  }

  // Not in the reported series, and in no cost unless that is asked for.
  const uint64_t reported = metric(metrics, "llm_tokens_total", "source=\"reported\"");
  EXPECT_EQ(reported, static_cast<uint64_t>(input.tokens + output.tokens));
  EXPECT_EQ(metric(metrics, "llm_tokens_total", "source=\"estimated\""),
            estimated["input_tokens"].get<uint64_t>() + estimated["output_tokens"].get<uint64_t>());
  EXPECT_EQ(metric(metrics, "llm_workload_tokens_total"), reported);
  EXPECT_EQ(metric(metrics, "llm_usage_missing_total", "reason=\"not_requested\""), 3u);
  const std::vector<Json> priced =
      records_of(replay_packets(packets, "ndjson", {"--price-estimates"}).out);
  EXPECT_TRUE(priced[200]["cost_usd"].is_string());
  EXPECT_EQ(priced[200]["usage_source"], "estimated");
  EXPECT_TRUE(priced[201]["cost_usd"].is_null());
  EXPECT_EQ(priced[0], records[0]);
}

// A stream cut after every event: exact where stated, else estimated; never a placeholder, and it
// costs nothing.
TEST(Estimates, AStreamCutAfterEveryEvent) {
  std::mt19937 random(5);
  std::vector<Stream> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(stream_of(random, "gpt-4o"));
  Stream cut = stream_of(random, "gpt-4o");
  for (size_t events = 0; events <= cut.texts.size(); ++events) {
    streams.push_back(cut);
    streams.back().cut_after = static_cast<int>(events);
  }
  const std::vector<Json> records = records_of(packets_of(streams));
  ASSERT_EQ(records.size(), streams.size());
  uint64_t last = 0;
  for (size_t i = 20; i < records.size(); ++i) {
    const Json& r = records[i];
    SCOPED_TRACE(r.dump());
    EXPECT_EQ(r["outcome"], "client_abort");
    EXPECT_TRUE(r["cost_usd"].is_null());
    // Before the first event nobody knows which model it will be: the name that was asked for is
    // the one learnt here.
    EXPECT_EQ(r["input_source"], "estimated");
    EXPECT_NEAR(r["input_tokens"].get<double>(), static_cast<double>(cut.input),
                static_cast<double>(cut.input) * 0.5);
    if (i == 20) {
      EXPECT_TRUE(r["output_tokens"].is_null());
      continue;
    }
    EXPECT_EQ(r["output_source"], "estimated");
    EXPECT_GE(r["output_tokens"].get<uint64_t>(), last);
    last = r["output_tokens"].get<uint64_t>();
  }
  EXPECT_GT(last, 0u);
}

// Anthropic states its input at the beginning, and a placeholder for its output.
TEST(Estimates, AnthropicsInputStaysExactAndItsPlaceholderIsNoOutput) {
  const auto answer = [](size_t events, bool ends) {
    std::string out =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    const auto event = [&](const std::string& type, const std::string& data) {
      const std::string text = "event: " + type + "\ndata: " + data + "\n\n";
      char size[16];
      std::snprintf(size, sizeof size, "%zx\r\n", text.size());
      out += size + text + "\r\n";
    };
    event(
        "message_start",
        R"({"type":"message_start","message":{"id":"msg_Estimate)" + std::to_string(events) +
            R"(","type":"message","role":"assistant","model":"claude-opus-4-7","content":[],"usage":{"input_tokens":9,"cache_read_input_tokens":100,"cache_creation_input_tokens":0,"output_tokens":4}}})");
    for (size_t i = 0; i < events; ++i) {
      event(
          "content_block_delta",
          R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"four"}})");
    }
    if (!ends) return out;
    event(
        "message_delta",
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":)" +
            std::to_string(events * 3) + "}}");
    event("message_stop", R"({"type":"message_stop"})");
    return out + "0\r\n\r\n";
  };
  const std::string body =
      R"({"model":"claude-opus-4-7","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})";
  const std::string request =
      "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nanthropic-version: 2023-06-01\r\n"
      "Content-Type: application/json\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  std::vector<TcpPacket> packets;
  for (int i = 0; i < 16; ++i) {
    Connection::Options options;
    options.client = endpoint("10.1.0.10", static_cast<uint16_t>(30'000 + i));
    options.start_ns = kCaptureStartNs + int64_t{i} * 1'000'000'000;
    Connection connection(options);
    connection.open();
    connection.send(Party::kClient, request);
    connection.wait_ms(20);
    // Ten that end; then one cut at its beginning, and each time an event later.
    connection.send(Party::kServer, i < 10 ? answer(10 + static_cast<size_t>(i), true)
                                           : answer(static_cast<size_t>(i - 10), false));
    connection.wait_ms(20);
    if (i < 10) {
      connection.close(Party::kClient);
    } else {
      connection.reset(Party::kClient);
    }
    packets.insert(packets.end(), connection.packets().begin(), connection.packets().end());
  }
  const std::vector<Json> records = records_of(packets);
  ASSERT_EQ(records.size(), 16u);
  for (size_t i = 10; i < 16; ++i) {
    const Json& r = records[i];
    SCOPED_TRACE(r.dump());
    EXPECT_EQ(r["input_tokens"], 109);
    EXPECT_EQ(r["cache_read_tokens"], 100);
    EXPECT_EQ(r["input_source"], "reported");
    EXPECT_TRUE(r["cost_usd"].is_null());
    if (i == 10) {
      EXPECT_TRUE(r["output_tokens"].is_null());
    } else {
      EXPECT_EQ(r["output_tokens"], 3 * (i - 10));
      EXPECT_EQ(r["output_source"], "estimated");
    }
  }
}

}  // namespace
}  // namespace wiretally::test
