// HTTP/2 as real peers and bad ones speak it: answers without bodies, odd frames between good ones,
// streams that end in every way beside calls that must stay exact.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/http2_writer.h"
#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

using test::Http2Writer;
using ::testing::HasSubstr;
using ::testing::Not;

// Joins in order: the operands of + are evaluated in any, and a deflater minds.
std::string all(std::initializer_list<std::string> parts) {
  std::string bytes;
  for (const std::string& part : parts) bytes += part;
  return bytes;
}

struct Ends {
  Http2Writer client;
  Http2Writer server;

  std::string ask(uint32_t id, std::string_view body, std::string_view path = "/v1") {
    return client.headers(id, Http2Writer::request(path)) + Http2Writer::data(id, body, true);
  }
  std::string tell(uint32_t id, std::string_view body) {
    return server.headers(id, Http2Writer::answer(200)) + Http2Writer::data(id, body, true);
  }
};

// A conversation in which `odd` comes from the client, and then from the server, between the frames
// of two calls: they read as ever.
void expect_calls_exact(const std::string& odd, const std::string& what) {
  const auto log_of = [](const std::string& frames) {
    Ends ends;
    Scenario s;
    s.a(all({Http2Writer::client_begins(), ends.ask(1, "one"), frames,
             ends.client.headers(3, Http2Writer::request("/v1")), frames,
             Http2Writer::data(3, "t", false), frames, Http2Writer::data(3, "wo", true), frames}));
    s.b(all({Http2Writer::server_begins(), frames, ends.server.headers(3, Http2Writer::answer(200)),
             frames, Http2Writer::data(3, "2", false), ends.tell(1, "1"), frames,
             Http2Writer::data(3, "nd", true), frames}));
    const Replay replay = s.run();
    EXPECT_EQ(replay.given, replay.accounted);
    EXPECT_EQ(s.run(Scenario::Cut::kEveryByte).log, replay.log);
    return replay.log;
  };
  EXPECT_EQ(log_of(odd), log_of("")) << what;
}

std::string times(size_t count, const std::string& frame) {
  std::string frames;
  for (size_t i = 0; i < count; ++i) frames += frame;
  return frames;
}

TEST(Http2Oddities, FramesThatSayNothingOfTheCalls) {
  const std::string eight(8, 'p');
  expect_calls_exact(times(2'000, Http2Writer::frame(6, 0, 0, eight)), "PING flood");
  expect_calls_exact(times(100, Http2Writer::frame(6, 1, 0, eight)), "PING acks nobody asked for");
  expect_calls_exact(times(2'000, Http2Writer::window(0)), "WINDOW_UPDATE flood");
  expect_calls_exact(times(100, Http2Writer::window(99)), "WINDOW_UPDATE of an idle stream");
  const std::string priority("\x80\x00\x00\x01\xff", 5);
  expect_calls_exact(times(100, Http2Writer::frame(2, 0, 99, priority)), "PRIORITY");
  expect_calls_exact(Http2Writer::frame(2, 0, 99, "one"), "PRIORITY of a wrong length");
  expect_calls_exact(times(10, Http2Writer::frame(4, 1, 0, "")),
                     "SETTINGS acks, late and too many");
  expect_calls_exact(Http2Writer::frame(4, 0, 0, times(2'500, std::string("\0\x77\0\0\0\1", 6))),
                     "SETTINGS of 15 000 bytes");
  expect_calls_exact(times(200, Http2Writer::frame(4, 0, 0, "")), "SETTINGS flood");
  expect_calls_exact(Http2Writer::frame(0xfa, 0xff, 3, std::string(20'000, 'x')), "unknown type");
  expect_calls_exact(Http2Writer::frame(0x10, 0, 0, "u=1, i"), "PRIORITY_UPDATE");
  expect_calls_exact(Http2Writer::frame(0x0c, 0, 0, std::string("\0\0", 2)), "ORIGIN, empty");
  expect_calls_exact(times(100, Http2Writer::reset(99)), "RST_STREAM of streams nobody opened");
}

TEST(Http2Oddities, EmptyAndPaddedData) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.client.headers(1, Http2Writer::request("/v1")),
           times(200, Http2Writer::data(1, "", false)), Http2Writer::data(1, "", false, 255),
           Http2Writer::data(1, "question", false, 255), Http2Writer::data(1, "", true, 0)}))
      .b(all({Http2Writer::server_begins(), ends.tell(1, "reply")}));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1 h2\n1 request body question\n1 request complete\n"
            "1 answer 200\n1 answer body reply\n1 answer complete\n1 end: complete\n");
}

TEST(Http2Oddities, PaddingLongerThanItsFrame) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "question")}));
  s.b(all({Http2Writer::server_begins(), ends.server.headers(1, Http2Writer::answer(200)),
           Http2Writer::frame(0, 8, 1, "\x09too")}));
  s.b(Http2Writer::data(1, "reply", true));
  const Replay replay = s.run();
  EXPECT_EQ(replay.given, replay.accounted);
  EXPECT_GT(replay.dropped(DropReason::kHttpMalformed), 0u);
  EXPECT_THAT(replay.log, Not(HasSubstr("too")));
}

TEST(Http2Oddities, GrpcTrailersOnly) {
  Ends ends;
  Scenario s;
  s.log_headers = true;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "question")}))
      .b(all(
          {Http2Writer::server_begins(),
           ends.server.headers(
               1, {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "8"}},
               true)}));
  EXPECT_THAT(s.everywhere(),
              HasSubstr("1 answer 200 [:status=200] [content-type=application/grpc] "
                        "[grpc-status=8]\n1 answer complete\n1 end: complete\n"));
}

TEST(Http2Oddities, InterimAnswersAndTrailersOfBoth) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.client.headers(1, Http2Writer::request("/v1")),
           Http2Writer::data(1, "question", false),
           ends.client.headers(1, {{"x-digest", "abc"}}, true)}));
  s.b(all({Http2Writer::server_begins(), ends.server.headers(1, {{":status", "100"}}),
           ends.server.headers(1, {{":status", "103"}, {"link", "</a>"}}),
           ends.server.headers(1, {{":status", "103"}}),
           ends.server.headers(1, Http2Writer::answer(200)), Http2Writer::data(1, "reply", false),
           ends.server.headers(1, {{"server-timing", "total;dur=3"}}, true)}));
  EXPECT_EQ(s.everywhere(),
            "1 request POST /v1 h2\n1 request body question\n1 request trailers [x-digest=abc]\n"
            "1 request complete\n1 answer 200\n1 answer body reply\n"
            "1 answer trailers [server-timing=total;dur=3]\n1 answer complete\n1 end: complete\n");
}

// RFC 9113 section 8.3.1: malformed. The client is told so by a reset.
TEST(Http2Oddities, ABlockWithoutAMethodIsNoRequest) {
  constexpr uint8_t kEndHeaders = 4, kEndStream = 1;
  const auto log_of = [](const std::string& from_client, const std::string& from_server) {
    Ends ends;
    Scenario s;
    s.a(all({Http2Writer::client_begins(), ends.ask(1, "one"), from_client, ends.ask(5, "two")}));
    s.b(all({Http2Writer::server_begins(), ends.tell(1, "1"), from_server, ends.tell(5, "2")}));
    return s.everywhere();
  };
  const std::string good = log_of("", "");
  const std::string refused = Http2Writer::reset(3, 1);
  for (const std::string_view block : {"\x84\x87", "\x87", ""}) {
    const uint8_t flags = kEndHeaders | kEndStream;
    EXPECT_EQ(log_of(Http2Writer::frame(1, flags, 3, block), refused), good);
    const std::string promised = Http2Writer::big_endian(2, 4) + std::string(block);
    EXPECT_EQ(log_of("", Http2Writer::frame(5, kEndHeaders, 1, promised)), good);
  }
}

// All that is there of a request may be its trailers.
TEST(Http2Loss, OfARequestThatLeftItsTrailers) {
  Ends ends;
  Scenario s;
  s.log_headers = true;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "one")}));
  s.lose_a(ends.client.headers(3, Http2Writer::request("/v1")));
  s.a(Http2Writer::frame(1, 5, 3, std::string("\0\1x\1y", 5)));
  s.b(all({Http2Writer::server_begins(), ends.tell(1, "1"), ends.tell(3, "2")}));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("2 request trailers [x=y]\n2 request complete\n"));
  EXPECT_THAT(log, HasSubstr("2 answer body 2\n"));
  EXPECT_THAT(log, Not(HasSubstr("2 request   h2")));
}

TEST(Http2Oddities, AnswersWithoutABody) {
  Ends ends;
  Scenario s;
  auto counted = Http2Writer::answer(200);
  counted.push_back({"content-length", "5000"});
  auto unchanged = Http2Writer::answer(304);
  unchanged.push_back({"content-length", "5000"});
  s.a(all({Http2Writer::client_begins(),
           ends.client.headers(1, Http2Writer::request("/v1", "HEAD"), true),
           ends.client.headers(3, Http2Writer::request("/v1", "GET"), true),
           ends.client.headers(5, Http2Writer::request("/v1", "DELETE"), true)}));
  s.b(all({Http2Writer::server_begins(), ends.server.headers(1, counted, true),
           ends.server.headers(3, unchanged, true),
           ends.server.headers(5, {{":status", "204"}}, true)}));
  EXPECT_EQ(s.everywhere(),
            "1 request HEAD /v1 h2\n1 request complete\n2 request GET /v1 h2\n2 request complete\n"
            "3 request DELETE /v1 h2\n3 request complete\n"
            "1 answer 200\n1 answer complete\n1 end: complete\n"
            "2 answer 304\n2 answer complete\n2 end: complete\n"
            "3 answer 204\n3 answer complete\n3 end: complete\n");
}

// RFC 9113 section 8.1.1 calls it malformed; what was sent is what is billed.
TEST(Http2Oddities, ContentLengthThatIsNotKept) {
  for (const char* length : {"3", "4000", "-1", "5, 5", "99999999999999999999999"}) {
    Ends ends;
    Scenario s;
    auto counted = Http2Writer::answer(200);
    counted.push_back({"content-length", length});
    s.a(all({Http2Writer::client_begins(), ends.ask(1, "question")}))
        .b(all({Http2Writer::server_begins(), ends.server.headers(1, counted),
                Http2Writer::data(1, "re", false), Http2Writer::data(1, "ply", true)}));
    EXPECT_THAT(s.everywhere(),
                HasSubstr("1 answer body reply\n1 answer complete\n1 end: complete"))
        << length;
  }
}

TEST(Http2Oddities, FieldsAreHandedOnAsTheyAre) {
  Ends ends;
  Scenario s;
  s.log_headers = true;
  auto fields = Http2Writer::request("/v1");
  fields.push_back({"cookie", "a=1"});
  fields.push_back({"X-Upper", "CASE"});
  fields.push_back({"cookie", "b=2"});
  fields.push_back({"empty", ""});
  fields.push_back({"binary", std::string("\0\xff", 2)});
  s.a(all({Http2Writer::client_begins(), ends.client.headers(1, fields, true)}));
  s.b(all({Http2Writer::server_begins(), ends.tell(1, "reply")}));
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("[cookie=a=1]"));
  EXPECT_THAT(log, HasSubstr("[cookie=b=2] [empty=]"));
  EXPECT_THAT(log, HasSubstr("[X-Upper=CASE]"));
  EXPECT_THAT(log, HasSubstr("[binary=" + std::string("\0\xff", 2) + "]"));
  EXPECT_THAT(log, HasSubstr("1 answer body reply\n1 answer complete\n1 end: complete\n"));
}

// Streams that end badly in the middle of their answers leave those beside them exact.
TEST(Http2Oddities, ResetsInTheMiddleOfAnswers) {
  for (const bool by_client : {true, false}) {
    Ends ends;
    Scenario s;
    std::string asked = Http2Writer::client_begins();
    std::string begun = Http2Writer::server_begins();
    std::string rest;
    for (uint32_t id = 1; id <= 19; id += 2) {
      asked += ends.ask(id, "q" + std::to_string(id));
      begun += ends.server.headers(id, Http2Writer::answer(200));
      begun += Http2Writer::data(id, "begun ", false);
      if (id % 4 == 1) rest += Http2Writer::data(id, std::to_string(id), true);
    }
    std::string resets;
    for (uint32_t id = 3; id <= 19; id += 4) resets += Http2Writer::reset(id, id % 14);
    s.a(asked).b(begun);
    if (by_client) s.a(resets).b(rest);
    if (!by_client) s.b(resets + rest);
    const std::string log = s.everywhere();
    for (uint32_t id = 1; id <= 19; id += 2) {
      const std::string number = std::to_string((id + 1) / 2);
      if (id % 4 == 1) {
        EXPECT_THAT(log,
                    HasSubstr("\n" + number + " answer body begun " + std::to_string(id) + "\n" +
                              number + " answer complete\n" + number + " end: complete\n"));
      } else {
        EXPECT_THAT(
            log,
            HasSubstr("\n" + number + " answer body begun \n" + number + " answer cut\n" + number +
                      (by_client ? " end: client closed\n" : " end: server closed\n")));
      }
    }
  }
}

// RFC 9113 section 6.8: first with the highest number, so that nothing is refused, then the last.
TEST(Http2Oddities, GoawayInTheMiddleOfAnswers) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "q"), ends.ask(3, "q")}));
  s.b(all({Http2Writer::server_begins(), ends.server.headers(1, Http2Writer::answer(200)),
           Http2Writer::data(1, "be", false), Http2Writer::goaway(0x7fff'ffff)}));
  s.a(ends.ask(5, "q"));
  s.b(all({ends.tell(3, "three"), Http2Writer::goaway(5), Http2Writer::data(1, "gun", true),
           ends.tell(5, "five")}));
  s.close(CloseReason::kFin, Direction::kBToA);
  const std::string log = s.everywhere();
  EXPECT_THAT(log, HasSubstr("1 answer body begun\n1 answer complete\n1 end: complete\n"));
  EXPECT_THAT(log, HasSubstr("2 answer body three\n2 answer complete\n2 end: complete\n"));
  EXPECT_THAT(log, HasSubstr("3 answer body five\n3 answer complete\n3 end: complete\n"));
}

// Clients send one too, when they leave: it refuses pushed streams alone.
TEST(Http2Oddities, GoawayOfTheClient) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "q"), Http2Writer::goaway(0)}));
  s.b(all({Http2Writer::server_begins(), ends.tell(1, "reply")}));
  EXPECT_THAT(s.everywhere(), HasSubstr("1 answer body reply\n1 answer complete\n1 end: complete"));
}

TEST(Http2Oddities, TableSizesOfNothingAndOfAll) {
  for (const size_t size : {size_t{0}, size_t{65'536}}) {
    Ends ends;
    Scenario s;
    s.log_headers = true;
    s.a(Http2Writer::client_begins()).b(Http2Writer::server_begins());
    ends.server.change_table_size(size);
    for (uint32_t id = 1; id < 200; id += 2) {
      s.a(ends.ask(id, "q"));
      auto fields = Http2Writer::answer(200);
      fields.push_back({"request-id", "r" + std::to_string(id % 60)});
      s.b(all({ends.server.headers(id, fields), Http2Writer::data(id, std::to_string(id), true)}));
      if (id == 99) ends.server.change_table_size(4096);
      if (id == 101) ends.server.change_table_size(size);
    }
    const Replay replay = s.run();
    for (uint32_t id = 1; id < 200; id += 2) {
      const std::string number = std::to_string((id + 1) / 2);
      EXPECT_THAT(replay.log, HasSubstr(number +
                                        " answer 200 [:status=200] [content-type=application/json] "
                                        "[request-id=r" +
                                        std::to_string(id % 60) + "]\n" + number + " answer body " +
                                        std::to_string(id) + "\n"));
    }
    EXPECT_EQ(s.run(Scenario::Cut::kEveryByte).log, replay.log);
  }
}

// Beyond what this reader keeps of a table: right or unknown.
TEST(Http2Oddities, ATableLargerThanTheLimit) {
  Http2Writer server(1 << 20);
  Ends ends;
  Scenario s;
  s.log_headers = true;
  s.a(Http2Writer::client_begins()).b(Http2Writer::server_begins());
  server.change_table_size(1 << 20);
  for (uint32_t id = 1; id < 40; id += 2) {
    s.a(ends.ask(id, "q"));
    auto fields = Http2Writer::answer(200);
    fields.push_back({"request-id", "r" + std::to_string(id % 6)});
    s.b(all({server.headers(id, fields), Http2Writer::data(id, std::to_string(id), true)}));
  }
  const Replay replay = s.run();
  EXPECT_EQ(replay.given, replay.accounted);
  for (uint32_t id = 1; id < 40; id += 2) {
    const std::string number = std::to_string((id + 1) / 2);
    EXPECT_THAT(replay.log, HasSubstr(number + " answer body " + std::to_string(id) + "\n"));
    for (uint32_t other = 1; other < 6; other += 2) {
      if (other == id % 6) continue;
      EXPECT_THAT(replay.log,
                  Not(HasSubstr(number +
                                " answer 200 [:status=200] [content-type=application/json]"
                                " [request-id=r" +
                                std::to_string(other) + "]")));
    }
  }
}

// --- how much was lost --------------------------------------------------------------------------

TEST(Http2Loss, OfTheOpenFrameItIsItsStreams) {
  Ends ends;
  Scenario s;
  const std::string frame = Http2Writer::data(1, std::string(100, 'x'), false);
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "q"), ends.ask(3, "q")}));
  s.b(all({Http2Writer::server_begins(), ends.server.headers(1, Http2Writer::answer(200)),
           ends.server.headers(3, Http2Writer::answer(200)), frame.substr(0, 59)}));
  // 50 bytes of the frame, and the header and 11 bytes of another one.
  s.lose_b(std::string(50 + 9 + 11, 'x'));
  s.b(Http2Writer::data(1, "end", true) + Http2Writer::data(3, "end", true));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("1 end: complete, lost 61\n"));
  EXPECT_THAT(log, HasSubstr("2 end: complete, lost 11\n"));
}

TEST(Http2Loss, ABodyThatIsWholeLostNothing) {
  Ends ends;
  Scenario s;
  auto counted = Http2Writer::answer(200);
  counted.push_back({"content-length", "10"});
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "q"), ends.ask(3, "q"), ends.ask(5, "q")}));
  s.b(all({Http2Writer::server_begins(), ends.server.headers(1, counted),
           ends.server.headers(3, counted), ends.server.headers(5, Http2Writer::answer(200)),
           Http2Writer::data(1, "whole", false), Http2Writer::data(3, "abc", false)}));
  s.lose_b(Http2Writer::data(3, "lost", false));
  s.b(all({Http2Writer::data(1, "whole", true), Http2Writer::data(3, "end", true),
           Http2Writer::data(5, "end", true)}));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("1 end: complete\n"));
  EXPECT_THAT(log, HasSubstr("2 end: complete, lost 4\n"));
  EXPECT_THAT(log, HasSubstr("3 end: complete, lost 4\n"));  // nothing says that it lost none
}

TEST(Http2Loss, StreamsThatWereOverAndThoseThatComeLostNothing) {
  Ends ends;
  Scenario s;
  s.a(all({Http2Writer::client_begins(), ends.ask(1, "q"), ends.ask(3, "q")}));
  s.b(all({Http2Writer::server_begins(), ends.tell(1, "over"),
           ends.server.headers(3, Http2Writer::answer(200))}));
  s.lose_b(std::string(29, 'x'));
  s.b(Http2Writer::data(3, "end", true)).a(ends.ask(5, "q")).b(ends.tell(5, "later"));
  const std::string log = s.once();
  EXPECT_THAT(log, HasSubstr("1 end: complete\n"));
  EXPECT_THAT(log, HasSubstr("2 end: complete, lost 20\n"));
  EXPECT_THAT(log, HasSubstr("3 end: complete\n"));
}

}  // namespace
}  // namespace wiretally::http
