// Content codings through the real binary: damage stays in its own record, and memory in its
// budget.
#include <gtest/gtest.h>

#include <cstdio>

#include "binary.h"
#include "calls.h"
#include "support/encoder.h"

namespace wiretally::test {
namespace {

struct Coded {
  std::string head;
  std::string body;
  std::string whole() const { return head + body; }
};

// The call's answer, coded; SSE is flushed an event.
Coded coded_answer(const Call& call, const std::vector<Coding>& codings) {
  const std::string plain = chat_answer(call);
  const std::string text = plain.substr(plain.find("\r\n\r\n") + 4);
  Pieces pieces;
  for (size_t at = 0; at < text.size();) {
    size_t end = call.stream ? text.find("\n\n", at) : text.npos;
    end = end == text.npos ? text.size() : end + 2;
    pieces.push_back(text.substr(at, end - at));
    at = end;
  }
  std::string body;
  for (const std::string& piece : encode(codings, pieces, {.flush = true, .checksum = true})) {
    body += piece;
  }
  std::string type = call.stream ? "text/event-stream" : "application/json";
  return {"HTTP/1.1 200 OK\r\nContent-Type: " + type + "\r\nContent-Encoding: " +
              field_of(codings) + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n",
          body};
}

// One connection a byte of the body, that byte flipped in the second of three answers.
void flip_every_byte(const std::vector<Coding>& codings, bool stream) {
  SCOPED_TRACE(field_of(codings) + (stream ? ", SSE" : ", JSON"));
  // Every call is another one, so that none is the twin of another; all answers are of a length.
  constexpr int kFirst = 10'000;
  const auto call = [&](size_t connection, int place) {
    return Call{.number = kFirst + static_cast<int>(connection) * 3 + place,
                .text_bytes = 40,
                .stream = place == 1 ? stream : place == 2};
  };
  const size_t flips = coded_answer(call(0, 1), codings).body.size();
  std::vector<std::vector<TcpPacket>> connections;
  for (size_t at = 0; at < flips; ++at) {
    Connection::Options options;
    options.client.port = static_cast<uint16_t>(20'000 + at);
    options.start_ns = kCaptureStartNs + static_cast<int64_t>(at) * 1'000'000'000;
    Connection connection(options);
    connection.open();
    for (int place = 0; place < 3; ++place) {
      connection.send(Party::kClient, chat_request(call(at, place)));
      Coded answer = coded_answer(call(at, place), codings);
      if (place == 1) {
        char& byte = answer.body[at % answer.body.size()];
        byte = static_cast<char>(byte ^ (1 << at % 8));
      }
      connection.send(Party::kServer, answer.whole());
    }
    connection.close(Party::kClient);
    connections.push_back(connection.packets());
  }
  const std::vector<Json> records = records_of(merged(connections));
  ASSERT_EQ(records.size(), 3 * flips);
  // A coding without a checksum may yield another well-formed text: that is then what the client
  // reads as well. All others tell, but for the bits of a head that mean nothing to the text.
  const bool checksum = codings[0] != Coding::kRawDeflate && codings[0] != Coding::kBrotli;
  size_t neighbours = 0;
  size_t marked = 0;
  size_t unharmed = 0;
  for (const Json& record : records) {
    const int number = std::stoi(std::string(record["request_model"]).substr(6));
    const bool exact =
        record["input_tokens"] == 1000 + number && record["output_tokens"] == number + 1;
    // A stream that goes on where it should have ended breaks no rule of its coding: its usage is
    // missing.
    const std::string flags = record["flags"].dump();
    const bool failed = flags.find("decode_failed") != std::string::npos;
    if ((number - kFirst) % 3 != 1) {
      EXPECT_TRUE(exact && flags == "[]") << record.dump();
      ++neighbours;
    } else if (failed || flags.find("usage_missing") != std::string::npos) {
      if (failed || checksum) {
        EXPECT_TRUE(record["input_tokens"].is_null()) << record.dump();
        EXPECT_TRUE(record["output_tokens"].is_null()) << record.dump();
      }
      ++marked;
    } else if (exact) {
      ++unharmed;
    }
  }
  EXPECT_EQ(neighbours, 2 * flips);
  std::printf("    %-11s %-4s %4zu flips: %4zu marked, %3zu unharmed, %3zu other text\n",
              field_of(codings).c_str(), stream ? "SSE" : "JSON", flips, marked, unharmed,
              flips - marked - unharmed);
  if (checksum) {
    EXPECT_EQ(marked + unharmed, flips);
    EXPECT_LT(unharmed, 16u);
  }
  EXPECT_GT(marked, flips / 8);
}

TEST(FlippedByte, MarksItsRecordAndNoOther) {
  for (const bool stream : {false, true}) {
    flip_every_byte({Coding::kGzip}, stream);
    flip_every_byte({Coding::kZlib}, stream);
    flip_every_byte({Coding::kRawDeflate}, stream);
    flip_every_byte({Coding::kBrotli}, stream);
    flip_every_byte({Coding::kZstd}, stream);
    flip_every_byte({Coding::kGzip, Coding::kBrotli}, stream);
  }
}

// The streams of `count` connections, each held open in the middle of its gzip body with a full
// window behind it, and then brought to its end.
std::vector<TcpPacket> open_streams(int count) {
  std::vector<std::vector<TcpPacket>> connections;
  for (int i = 0; i < count; ++i) {
    const Call call{.number = i, .text_bytes = 10'000, .stream = true};
    const Coded answer = coded_answer(call, {Coding::kGzip});
    const std::string whole = answer.whole();
    Connection::Options options;
    options.client =
        endpoint("10.7." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1), 40'000);
    options.start_ns = kCaptureStartNs + i * 10'000;
    Connection connection(options);
    connection.open();
    connection.send(Party::kClient, chat_request(call));
    connection.send(Party::kServer, whole.substr(0, whole.size() / 2));
    connection.at(kCaptureStartNs + 100'000'000'000 + i * 10'000);
    connection.send(Party::kServer, whole.substr(whole.size() / 2));
    connection.close(Party::kClient);
    connections.push_back(connection.packets());
  }
  return merged(connections);
}

TEST(DecoderBudget, FourThousandOpenStreamsStayWithinIt) {
  constexpr int kStreams = 4'000;
  [[maybe_unused]] constexpr uint64_t kBudgetKib = 128 * 1024;
  const std::vector<TcpPacket> packets = open_streams(kStreams);
  const Outcome run = replay_packets(packets, "ndjson");
  EXPECT_EQ(run.exit_status, 0) << run.err;
  const std::vector<Json> records = records_of(run.out);
  ASSERT_EQ(records.size(), size_t{kStreams}) << "every call is counted";
  int known = 0;
  int failed = 0;
  for (const Json& record : records) {
    EXPECT_EQ(record["status_code"], 200);
    const bool marks = record["flags"].dump().find("decode_failed") != std::string::npos;
    const int number = std::stoi(std::string(record["request_model"]).substr(6));
    if (marks) {
      EXPECT_TRUE(record["output_tokens"].is_null());
      ++failed;
    } else {
      EXPECT_EQ(record["input_tokens"], 1000 + number);
      EXPECT_EQ(record["output_tokens"], number + 1);
      ++known;
    }
  }
  std::printf("    %d decoded, %d over the budget, peak %.1f MiB\n", known, failed,
              static_cast<double>(run.peak_kib) / 1024);
  EXPECT_GE(known, 3'200);  // 128 MiB ÷ 40 KiB
  EXPECT_GT(failed, 0);
  const std::string metrics = replay_packets(packets, "prometheus").out;
  EXPECT_GE(metric(metrics, "wiretally_dropped_total", "decoder_budget"),
            static_cast<uint64_t>(failed));
  const Accounts accounts = accounts_of(metrics);
  EXPECT_EQ(accounts.captured, accounts.accounted());
#ifndef WIRETALLY_SANITIZED
  // What the same streams take uncoded comes on top.
  EXPECT_LE(run.peak_kib, kBudgetKib + 64 * 1024);
#endif
}

}  // namespace
}  // namespace wiretally::test
