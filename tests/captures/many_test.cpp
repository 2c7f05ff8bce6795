// A hundred thousand connections made to hurt, of several kinds and open at the same time, and good
// calls between them: the calls are exact, the books balance, and memory stays below what the
// limits say.
#include <gtest/gtest.h>
#include <zlib.h>

#include <functional>

#include "binary.h"
#include "calls.h"
#include "support/http2_writer.h"
#include "worst_case.h"

namespace wiretally::test {
namespace {

#ifdef WIRETALLY_SANITIZED
constexpr uint32_t kConnections = 5'000;
#else
constexpr uint32_t kConnections = 100'000;
#endif
constexpr uint32_t kConnectionsAGoodCall = 250;

// Where a client's first frame behind its SETTINGS begins.
const auto kHttp2Begins = static_cast<uint32_t>(Http2Writer::client_begins().size());

// A segment of one connection. Offsets are of its party's bytes, so that holes can be left.
struct Piece {
  Party party = Party::kClient;
  uint32_t offset = 0;
  std::string bytes;
};

// What connection number n sends, piece by piece; it never ends.
struct Kind {
  const char* name;
  std::function<std::vector<Piece>(uint32_t n)> pieces;
};

std::string gzip_beginning(size_t zeros) {
  std::string out(64 + zeros / 100, '\0');
  const std::string text(zeros, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_SYNC_FLUSH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A request, then an answer in pieces.
std::vector<Piece> asked(uint32_t n, const std::vector<std::string>& answer) {
  const std::string request =
      chat_request({.number = static_cast<int>(n % 100), .prompt_bytes = 20});
  std::vector<Piece> pieces = {{Party::kClient, 0, request}};
  uint32_t offset = 0;
  for (const std::string& part : answer) {
    pieces.push_back({Party::kServer, offset, part});
    offset += static_cast<uint32_t>(part.size());
  }
  return pieces;
}

// To add a kind: one row.
const std::vector<Kind>& kinds() {
  static const std::string kBomb = gzip_beginning(100'000);
  static const std::string kChunked =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  static const std::vector<Kind> kKinds = {
      {"heads that never end",
       [](uint32_t) {
         const std::string filler(900, 'x');
         return std::vector<Piece>{
             {Party::kClient, 0, "POST /v1/chat/completions HTTP/1.1\r\nX: " + filler},
             {Party::kClient, 939, filler},
             {Party::kClient, 1'839, filler}};
       }},
      {"chunk extensions that never end",
       [](uint32_t n) {
         return asked(n, {kChunked + "5;" + std::string(400, 'e'), std::string(700, 'e'),
                          std::string(700, 'e')});
       }},
      {"segments of one byte with holes",
       [](uint32_t) {
         std::vector<Piece> pieces;
         for (uint32_t i = 0; i < 20; ++i) pieces.push_back({Party::kClient, 1 + 2 * i, "x"});
         return pieces;
       }},
      {"gzip bombs",
       [](uint32_t n) {
         return asked(n, {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                          "Content-Encoding: gzip\r\n\r\n" +
                              kBomb.substr(0, 30),
                          kBomb.substr(30)});
       }},
      {"HPACK bombs in header blocks that never end",
       [](uint32_t) {
         // A field of 4 000 bytes, and references to it of one byte each.
         const std::string bomb = std::string("\x40\x01") + "a" + "\x7f\xa1\x1e" +
                                  std::string(4'000, 'b') + std::string(60, '\xbe');
         return std::vector<Piece>{
             {Party::kClient, 0, Http2Writer::client_begins()},
             {Party::kClient, kHttp2Begins, Http2Writer::frame(1, 1, 1, bomb).substr(0, 1'400)},
             {Party::kClient, kHttp2Begins + 1'400,
              Http2Writer::frame(1, 1, 1, bomb).substr(1'400, 1'400)},
             {Party::kClient, kHttp2Begins + 2'800,
              Http2Writer::frame(1, 1, 1, bomb).substr(2'800)}};
       }},
      {"HPACK tables of many small fields",
       [](uint32_t) {
         std::string block = "\x3f\xe1\xff\x03";  // a table of 65 536 bytes
         for (int i = 0; i < 330; ++i)
           block += std::string(
               "\x40\x01"
               "a\x00",
               4);
         return std::vector<Piece>{
             {Party::kClient, 0, Http2Writer::client_begins()},
             {Party::kClient, kHttp2Begins, Http2Writer::frame(1, 5, 1, block)},
             {Party::kClient, kHttp2Begins + 1'333, Http2Writer::frame(1, 5, 3, block)}};
       }},
      {"CONTINUATION frames that never end",
       [](uint32_t) {
         const std::string field = std::string("\x10\x01") + "a" + "\x64" + std::string(100, 'v');
         std::string flood;
         for (int i = 0; i < 10; ++i) flood += Http2Writer::frame(9, 0, 1, field);
         const auto bytes = static_cast<uint32_t>(flood.size());
         return std::vector<Piece>{{Party::kClient, 0, Http2Writer::client_begins()},
                                   {Party::kClient, kHttp2Begins, Http2Writer::frame(1, 1, 1, "")},
                                   {Party::kClient, kHttp2Begins + 9, flood},
                                   {Party::kClient, kHttp2Begins + 9 + bytes, flood}};
       }},
      {"streams of HTTP/2 that stay open",
       [](uint32_t) {
         std::string streams;
         for (uint32_t id = 1; id < 100; id += 2) {  // POST /, from the static table
           streams += Http2Writer::frame(1, 4, id, "\x83\x84\x87");
         }
         return std::vector<Piece>{{Party::kClient, 0, Http2Writer::client_begins()},
                                   {Party::kClient, kHttp2Begins, streams}};
       }},
      {"streams that stay open",
       [](uint32_t n) {
         const std::string event =
             "data: {\"id\":\"chatcmpl-Open\",\"object\":\"chat.completion.chunk\",\"model\":\"" +
             std::string(300, 'm') + "\",\"choices\":[]}\n\n";
         return asked(n, {kChunked, "1000\r\n" + event, event});
       }},
  };
  return kKinds;
}

class Capture {
 public:
  void add(const TcpPacket& packet) {
    payload_ += packet.payload.size();
    writer_.add(packet.time_ns, frame_bytes(Link::kEthernet, packet));
  }
  int64_t next_time() { return now_ns_ += 1'000; }
  uint64_t payload() const { return payload_; }
  const std::string& bytes() const { return writer_.bytes(); }

 private:
  PcapWriter writer_{{.nanoseconds = true}};
  int64_t now_ns_ = kCaptureStartNs;
  uint64_t payload_ = 0;
};

TEST(Many, HostileConnectionsStayWithinTheWorstCaseAndCostNoCall) {
  constexpr uint32_t kIsn = 1'000;
  const Endpoint server = endpoint("10.200.0.1", 80);
  const auto client = [](uint32_t n) {
    return endpoint("10." + std::to_string(n >> 16) + "." + std::to_string(n >> 8 & 255) + "." +
                        std::to_string(n & 255),
                    2'000);
  };
  Capture capture;
  int good = 0;
  const auto good_call = [&] {
    Connection::Options options;
    options.client =
        endpoint("10.201." + std::to_string(good >> 8) + "." + std::to_string(good & 255), 40'000);
    options.server = endpoint("10.202.0.1", 8'080);
    options.start_ns = capture.next_time();
    Connection connection(options);
    const Call call{
        .number = good, .subject = "good-" + std::to_string(good), .stream = good % 2 == 0};
    connection.open();
    connection.send(Party::kClient, chat_request(call));
    connection.send(Party::kServer, chat_answer(call));
    connection.close(Party::kClient);
    for (TcpPacket& packet : connection.packets()) {
      packet.time_ns = capture.next_time();
      capture.add(packet);
    }
    ++good;
  };
  // Round by round, so that all of them are open at once.
  bool more = true;
  for (size_t round = 0; more; ++round) {
    more = false;
    for (uint32_t n = 0; n < kConnections; ++n) {
      if (n % kConnectionsAGoodCall == 0 && round < 4) good_call();
      const std::vector<Piece> pieces = kinds()[n % kinds().size()].pieces(n);
      if (round == 0) {
        capture.add({.source = client(n),
                     .destination = server,
                     .sequence = kIsn - 1,
                     .flags = TcpFlags::kSyn,
                     .time_ns = capture.next_time()});
        capture.add({.source = server,
                     .destination = client(n),
                     .sequence = kIsn - 1,
                     .acknowledgment = kIsn,
                     .flags = TcpFlags::kSyn | TcpFlags::kAck,
                     .time_ns = capture.next_time()});
      }
      if (round >= pieces.size()) continue;
      more = true;
      const Piece& piece = pieces[round];
      const bool asks = piece.party == Party::kClient;
      const auto request_bytes = static_cast<uint32_t>(asks ? 0 : pieces[0].bytes.size());
      capture.add({.source = asks ? client(n) : server,
                   .destination = asks ? server : client(n),
                   .sequence = kIsn + piece.offset,
                   .acknowledgment = kIsn + request_bytes,
                   .payload = piece.bytes,
                   .time_ns = capture.next_time()});
    }
  }

  const TemporaryFolder folder;
  const std::string file = folder.save("many.pcap", capture.bytes());
  const Outcome metrics = wiretally({"replay", file, "--format", "prometheus"});
  ASSERT_EQ(metrics.exit_status, 0) << metrics.err;
  const Accounts accounts = accounts_of(metrics.out);
  EXPECT_EQ(accounts.captured, capture.payload());
  EXPECT_EQ(accounts.captured, accounts.accounted());

  const Outcome run = wiretally({"replay", file, "--format", "ndjson"});
  ASSERT_EQ(run.exit_status, 0) << run.err;
  int exact = 0;
  for (const std::string& line : lines_of(run.out)) {
    if (line.find("\"subject\":\"good-") == std::string::npos) continue;
    const Json record = Json::parse(line);
    const int number = std::stoi(record["subject"].get<std::string>().substr(5));
    const Call call{.number = number};
    EXPECT_EQ(record["request_model"], model_of(call));
    EXPECT_EQ(record["response_model"], model_of(call));
    EXPECT_EQ(record["response_id"], response_id_of(call));
    EXPECT_EQ(record["input_tokens"], 1000 + number);
    EXPECT_EQ(record["output_tokens"], number + 1);
    EXPECT_EQ(record["outcome"], "ok");
    EXPECT_EQ(record["lost_bytes"], 0);
    ++exact;
  }
  EXPECT_EQ(exact, good);
#ifndef WIRETALLY_SANITIZED
  const uint64_t bound_kib =
      worst_case_bytes({}, {.serves_metrics = false, .writes_lines = false}) / 1024;
  std::printf("    %u connections, %d good calls: peak %.0f MiB, worst case %.0f MiB\n",
              kConnections, good, static_cast<double>(run.peak_kib) / 1024,
              static_cast<double>(bound_kib) / 1024);
  EXPECT_LE(run.peak_kib, bound_kib);
#endif
}

}  // namespace
}  // namespace wiretally::test
