#include "agent_sessions.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "llm_room.h"
#include "unit/llm/gets.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kStream = "/v1/sessions/sesn_01Owl/events/stream?beta=true";
constexpr std::string_view kPage = "/v1/sessions/sesn_01Owl/events?limit=100";

// One GET, its answer played piece by piece: the n-th byte comes at 1000 + n ns.
struct Get {
  explicit Get(std::string_view target, Limits limits = {}, uint16_t status = 200,
               std::string_view host = "api.anthropic.com")
      : room(limits, 0, credentials, out) {
    const HeaderField fields[] = {{"host", host}, {"x-stainless-retry-count", "1"}};
    RequestHead request;
    request.flow = &flow;
    request.method = "GET";
    request.target = target;
    request.headers.fields = fields;
    request.time = {.ns = 1};
    interest = room.on_request(id, request);
    if (interest == BodyInterest::kNotLlm) return;
    room.on_message_end(id, Message::kRequest, MessageEnd::kComplete, {.ns = 2});
    const HeaderField limit[] = {{"anthropic-ratelimit-requests-remaining", "7"},
                                 {"request-id", "req_011Stream"}};
    ResponseHead response;
    response.flow = &flow;
    response.status = status;
    response.time = {.ns = 3};
    response.headers.fields = limit;
    interest = room.on_response(id, response);
  }

  void feed(std::string_view body, size_t cut = 0) {
    const size_t step = cut == 0 ? std::max<size_t>(1, body.size()) : cut;
    for (size_t i = 0; i < body.size() && interest == BodyInterest::kWanted; i += step) {
      const std::string_view part = body.substr(i, step);
      fed += static_cast<int64_t>(part.size());
      interest = room.on_body(id, Message::kResponse, as_bytes(part), {.ns = 1000 + fed});
    }
  }
  void lose(BodyLoss loss = BodyLoss::kGap) {
    room.on_body_loss(id, Message::kResponse, loss, 10, {.ns = 1000 + fed});
  }
  void end(MessageEnd how = MessageEnd::kComplete) {
    room.on_message_end(id, Message::kResponse, how, {.ns = 1000 + fed});
    room.on_exchange_end(id, {.time = {.ns = 1000 + fed}, .last_byte = {.ns = 1000 + fed}});
    EXPECT_EQ(room.open(), 0u);
  }
  const std::vector<UsageRecord>& records() const { return out.records; }

  const ExchangeId id{1};
  NoCredentials credentials;
  Records out;
  FlowInfo flow;
  LlmRoom room;
  BodyInterest interest;
  int64_t fed = 0;
};

std::string start_of(std::string_view id) {
  return R"({"type":"span.model_request_start","id":")" + std::string(id) +
         R"(","processed_at":"2026-11-20T08:00:00Z"})";
}

std::string end_of(std::string_view id, std::string_view start, std::string_view usage,
                   std::string_view more = "") {
  return R"({"type":"span.model_request_end","id":")" + std::string(id) +
         R"(","model_request_start_id":")" + std::string(start) + R"(","is_error":false,)" +
         std::string(more) + R"("model_usage":{)" + std::string(usage) +
         R"(},"processed_at":"2026-11-20T08:00:04Z"})";
}

constexpr std::string_view kUsage =
    R"("input_tokens":40,"output_tokens":9,"cache_creation_input_tokens":300,"cache_read_input_tokens":5000,"speed":"fast")";
constexpr std::string_view kFewer = R"("input_tokens":41,"output_tokens":2,"speed":null)";

std::string sse(std::string_view event) {
  return "event: message\ndata: " + std::string(event) + "\n\n";
}

const std::string kFirst =
    sse(start_of("sevt_start_0000000001")) +
    sse(R"({"type":"agent.message","id":"sevt_m","content":[{"type":"text","text":"{\"type\":\"span.model_request_end\"}"}]})") +
    sse(end_of("sevt_end_000000000001", "sevt_start_0000000001", kUsage));
const std::string kSecond = sse(start_of("sevt_start_0000000002")) +
                            sse(end_of("sevt_end_000000000002", "sevt_start_0000000002", kFewer));
// Cumulative: what was counted already.
const std::string kIdle = sse(
    R"({"type":"session.status_idle","id":"sevt_i","usage":{"input_tokens":81,"output_tokens":11},"model_usage":{"input_tokens":81,"output_tokens":11}})");

TEST(AgentSessionsTest, EachModelRequestOfAStreamIsACall) {
  const std::string stream = ": connected\n\n" + kFirst + kSecond + kIdle;
  for (const size_t cut : {0, 1, 2, 7, 100}) {
    Get get(kStream);
    get.feed(stream, cut);
    ASSERT_EQ(get.records().size(), 2u) << cut << ": while the stream goes on";
    get.end();
    ASSERT_EQ(get.records().size(), 2u) << cut;
    const UsageRecord& first = get.records()[0];
    EXPECT_EQ(first.part, CallPart::kFetched);
    EXPECT_EQ(first.dialect, Dialect::kAnthropicMessages);
    EXPECT_EQ(first.operation, Operation::kChat);
    EXPECT_EQ(first.provider.view(), "anthropic");
    EXPECT_EQ(first.session.view(), "sesn_01Owl");
    EXPECT_EQ(first.response_id.view(), "sevt_end_000000000001");
    EXPECT_EQ(first.request_id.view(), "req_011Stream");
    EXPECT_TRUE(first.stream);
    EXPECT_EQ(first.outcome, Outcome::kOk);
    EXPECT_EQ(first.tokens.input, 5340u);
    EXPECT_EQ(first.tokens.cache_read, 5000u);
    EXPECT_EQ(first.tokens.cache_write_5m, 300u);
    EXPECT_EQ(first.tokens.output, 9u);
    EXPECT_EQ(first.tokens.input_source, UsageSource::kReported);
    EXPECT_EQ(first.speed.view(), "fast");
    EXPECT_TRUE(first.response_model.empty());
    EXPECT_TRUE(first.flags.empty());
    EXPECT_FALSE(first.rate_limit_remaining_requests) << "what remained when the stream began";
    EXPECT_FALSE(first.earlier_attempts) << "of the GET";
    const UsageRecord& second = get.records()[1];
    EXPECT_EQ(second.index, 1u);
    EXPECT_EQ(second.tokens.input, 41u);
    EXPECT_EQ(second.tokens.output, 2u);
    EXPECT_TRUE(second.speed.empty());
    EXPECT_TRUE(first.request_digest.known());
    EXPECT_NE(first.request_digest, second.request_digest);
    EXPECT_TRUE(first.response_digest.known());
  }
}

TEST(AgentSessionsTest, ARequestBeginsWhereItsStartWasSeen) {
  Get get(kStream);
  get.feed(sse(start_of("sevt_start_0000000001")));
  const int64_t began = 1000 + get.fed;
  get.feed(sse(start_of("sevt_start_0000000002")));
  get.feed(kIdle);
  get.feed(sse(end_of("sevt_end_000000000001", "sevt_start_0000000001", kUsage)));
  const int64_t ended = 1000 + get.fed;
  get.feed(sse(end_of("sevt_end_000000000009", "sevt_start_0000000009", kUsage)));
  get.feed(sse(end_of("sevt_end_000000000010", "", kUsage)));
  get.end();
  ASSERT_EQ(get.records().size(), 3u);
  EXPECT_EQ(get.records()[0].start.ns, began);
  EXPECT_EQ(get.records()[0].last_byte.ns, ended);
  EXPECT_TRUE(get.records()[0].saw_request);
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(get.records()[i].start.ns, get.records()[i].last_byte.ns);
    EXPECT_FALSE(get.records()[i].saw_request) << "so it has no duration";
  }
}

TEST(AgentSessionsTest, StartsThatAreRememberedAreBounded) {
  Get get(kStream);
  for (int i = 0; i < 1'000; ++i) get.feed(sse(start_of("sevt_start_" + std::to_string(i))));
  get.feed(sse(end_of("sevt_end_a", "sevt_start_0", kUsage)));
  get.feed(sse(end_of("sevt_end_b", "sevt_start_999", kUsage)));
  ASSERT_EQ(get.records().size(), 2u);
  EXPECT_FALSE(get.records()[0].saw_request);
  EXPECT_TRUE(get.records()[1].saw_request);
}

TEST(AgentSessionsTest, APageOfEvents) {
  const std::string page = R"({"data":[)" + start_of("sevt_start_0000000001") + "," +
                           end_of("sevt_end_000000000001", "sevt_start_0000000001", kUsage) +
                           R"(,{"type":"user.message"},7,null,)" +
                           end_of("sevt_end_000000000002", "sevt_start_0000000002", kFewer) +
                           R"(],"has_more":false,"usage":{"input_tokens":81}})";
  for (const size_t cut : {0, 1, 50}) {
    Get get(kPage);
    get.feed(page, cut);
    get.end();
    ASSERT_EQ(get.records().size(), 2u) << cut;
    const UsageRecord& first = get.records()[0];
    EXPECT_EQ(first.response_id.view(), "sevt_end_000000000001");
    EXPECT_EQ(first.session.view(), "sesn_01Owl");
    EXPECT_EQ(first.tokens.input, 5340u);
    EXPECT_FALSE(first.stream);
    EXPECT_FALSE(first.saw_request) << "its time is that of the fetch";
    EXPECT_TRUE(first.flags.empty());
    EXPECT_EQ(get.records()[1].tokens.output, 2u);
    EXPECT_EQ(get.records()[1].index, 1u);
  }
}

TEST(AgentSessionsTest, SubagentsHaveEventsOfTheirOwn) {
  Get stream("/v1/sessions/sesn_01Owl/threads/sthr_1/stream?beta=true");
  stream.feed(kFirst);
  ASSERT_EQ(stream.records().size(), 1u);
  EXPECT_EQ(stream.records()[0].session.view(), "sesn_01Owl");
  Get page("/proxy/v1/sessions/sesn_01Owl/threads/sthr_1/events");
  page.feed(R"({"data":[)" + end_of("sevt_end_000000000001", "", kUsage) + "]}");
  EXPECT_EQ(page.records().size(), 1u);
}

TEST(AgentSessionsTest, AModelThatIsStated) {
  Get get(kStream);
  get.feed(kFirst);
  get.feed(sse(R"({"type":"session.thread_created","id":"t","model":"claude-haiku-4-5"})"));
  get.feed(sse(R"({"type":"user.message","id":"t","model":"gpt-5"})"));
  get.feed(kFirst);
  get.feed(
      sse(R"({"type":"session.updated","id":"u","agent":{"model":{"id":"claude-opus-4-7"}}})"));
  get.feed(kFirst);
  get.feed(sse(end_of("sevt_end_000000000003", "", kUsage, R"("model":"claude-sonnet-4-6",)")));
  get.feed(kSecond);
  ASSERT_EQ(get.records().size(), 5u);
  EXPECT_EQ(get.records()[1].response_model.view(), "");
  EXPECT_EQ(get.records()[2].response_model.view(), "claude-opus-4-7");
  EXPECT_EQ(get.records()[3].response_model.view(), "claude-sonnet-4-6");
  EXPECT_EQ(get.records()[4].response_model.view(), "claude-opus-4-7");
}

TEST(AgentSessionsTest, ARequestThatFailed) {
  std::string failed =
      end_of("sevt_end_000000000001", "", R"("input_tokens":12,"output_tokens":0)");
  failed.replace(failed.find("false"), 5, "true");
  std::string untold = failed;
  untold.replace(untold.find(R"("model_usage":{)"), 15, R"("other":{)");
  Get get(kStream);
  get.feed(sse(failed) + sse(untold));
  ASSERT_EQ(get.records().size(), 2u);
  EXPECT_EQ(get.records()[0].outcome, Outcome::kStreamError);
  EXPECT_EQ(get.records()[0].tokens.input, 12u);
  EXPECT_EQ(get.records()[0].tokens.output, 0u);
  EXPECT_EQ(get.records()[1].outcome, Outcome::kStreamError);
  EXPECT_EQ(get.records()[1].usage_missing, UsageMissing::kNot);
}

TEST(AgentSessionsTest, NumbersThatAreMissingOrBroken) {
  Get get(kStream);
  get.feed(sse(end_of("sevt_end_000000000001", "", R"("output_tokens":5)")));
  get.feed(sse(end_of("sevt_end_000000000002", "", R"("input_tokens":-3,"output_tokens":5)")));
  get.feed(sse(end_of("sevt_end_000000000003", "",
                      R"("input_tokens":99999999999999999999999999,"output_tokens":5)")));
  ASSERT_EQ(get.records().size(), 3u);
  EXPECT_EQ(get.records()[0].usage_missing, UsageMissing::kNotInAnswer);
  EXPECT_FALSE(get.records()[0].flags.has(RecordFlag::kUsageMalformed));
  for (const size_t i : {1, 2}) {
    EXPECT_EQ(get.records()[i].usage_missing, UsageMissing::kMalformed);
    EXPECT_TRUE(get.records()[i].flags.has(RecordFlag::kUsageMalformed));
    EXPECT_FALSE(get.records()[i].tokens.input);
  }
}

// At every byte: what the loss did not touch is counted, what it did is not made up, and the next
// record says that something is missing.
TEST(AgentSessionsTest, AHoleCostsTheEventThatItTouches) {
  const std::string stream = kFirst + kSecond + kIdle;
  const size_t border = kFirst.size();
  for (size_t at = 0; at < stream.size(); ++at) {
    Get get(kStream);
    get.feed(std::string_view(stream).substr(0, at));
    const size_t before = get.records().size();
    EXPECT_EQ(before, (at >= border ? 1 : 0) + (at >= border + kSecond.size() ? 1 : 0)) << at;
    get.lose();
    get.feed(sse(R"({"type":"agent.thinking","id":"x"})") + kSecond);
    get.end();
    ASSERT_EQ(get.records().size(), before + 1) << at;
    EXPECT_EQ(get.records().back().tokens.input, 41u);
    EXPECT_TRUE(get.records().back().flags.has(RecordFlag::kGapInBody));
    EXPECT_EQ(get.records().back().lost_bytes, 10u);
    EXPECT_TRUE(get.records().back().saw_request);
    if (before > 0) {
      EXPECT_TRUE(get.records()[0].flags.empty());
    }
  }
}

TEST(AgentSessionsTest, WhatStandsOnBothSidesOfAHoleIsNoEvent) {
  const std::string event = end_of("sevt_end_000000000001", "", R"("input_tokens":1,"other":2)");
  Get digits(kStream);
  const size_t inside = event.find(R"(1,"other")") + 1;
  digits.feed("data: " + event.substr(0, inside));
  digits.lose();
  digits.feed("0" + event.substr(inside) + "\n\n");
  digits.end();
  EXPECT_TRUE(digits.records().empty()) << "nobody knows what stood between the digits";
  Get nested(kStream);
  nested.feed(R"(data: {"type":"agent.tool_use","input":)");
  nested.lose();
  nested.feed(event + "}\n\n");
  nested.end();
  EXPECT_TRUE(nested.records().empty()) << "what a tool was given looks like an event";
}

TEST(AgentSessionsTest, HolesMarkOneRecord) {
  Get get(kStream);
  get.lose();
  get.lose();
  get.feed(kIdle + kFirst + kSecond);
  ASSERT_EQ(get.records().size(), 2u);
  EXPECT_TRUE(get.records()[0].flags.has(RecordFlag::kGapInBody));
  EXPECT_EQ(get.records()[0].lost_bytes, 20u);
  EXPECT_TRUE(get.records()[1].flags.empty());
  EXPECT_EQ(get.records()[1].lost_bytes, 0u);
}

TEST(AgentSessionsTest, AStreamThatBreaksOff) {
  for (const MessageEnd how : {MessageEnd::kComplete, MessageEnd::kCut}) {
    Get open(kStream);
    open.feed(kFirst + sse(start_of("sevt_start_0000000002")));
    open.end(how);
    EXPECT_EQ(open.records().size(), 1u) << "its usage comes with the event that was not seen";

    const std::string stream = kFirst + kSecond;
    for (size_t cut = 1; cut < 20; ++cut) {
      Get get(kStream);
      get.feed(std::string_view(stream).substr(0, stream.size() - cut));
      get.end(how);
      // Without its blank line the last event is whole all the same.
      EXPECT_EQ(get.records().size(), cut <= 2 ? 2u : 1u) << cut;
    }
  }
}

TEST(AgentSessionsTest, WhatCannotBeDecodedIsReadNoMore) {
  for (const BodyLoss loss : {BodyLoss::kDecodeFailed, BodyLoss::kCorrupt}) {
    Get get(kStream);
    get.feed(kFirst);
    get.lose(loss);
    get.feed(kSecond);
    get.end();
    EXPECT_EQ(get.records().size(), 1u);
  }
  Get page(kPage);
  page.feed(R"({"data":[)" + end_of("sevt_end_000000000001", "", kUsage));
  page.lose();
  page.feed("," + end_of("sevt_end_000000000002", "", kUsage) + "]}");
  page.end();
  EXPECT_EQ(page.records().size(), 1u) << "behind a hole nothing tells where a page goes on";
}

TEST(AgentSessionsTest, BrokenEventsCostNoOthers) {
  for (const std::string& broken :
       {std::string("data: {\"type\":\"span.model_request_end\",\"id\":\"sevt_x\"\n\n"),
        std::string("data: {\"type\":\"span.model_request_end\",\"id\":\"sevt_x\",]}\n\n"),
        std::string("data: [{\"type\":\"span.model_request_end\",\"id\":\"sevt_x\"}]\n\n"),
        std::string("data: \"span.model_request_end\"\n\n"), std::string("data:\n\n"),
        std::string("event: message\n\n"), std::string("error: {\"id\":\"sevt_x\"}\n\n"),
        "data: " + std::string(100'000, '{') + "\n\n",
        "data: " + std::string(100'000, '[') + "\n\n", sse(end_of("", "", kUsage)),
        std::string(100'000, ':') + "\n\n",
        std::string("data: {\"type\":{\"type\":\"span.model_request_end\"},\"id\":\"sevt_x\"}\n\n"),
        std::string("\0\xFF\n\n", 4)}) {
    for (const size_t cut : {0, 1, 4096}) {
      Get get(kStream);
      get.feed(kFirst + broken + kSecond, cut);
      get.end();
      ASSERT_EQ(get.records().size(), 2u) << broken.substr(0, 80);
      EXPECT_EQ(get.records()[1].tokens.input, 41u);
    }
  }
}

// Bytes that are changed, left out or doubled anywhere: whatever is made of that, pieces make it
// too, and no number that nobody stated.
TEST(AgentSessionsTest, HowAnAnswerIsCutDoesNotMatter) {
  const std::string page = R"({"data":[)" + start_of("sevt_start_0000000001") + "," +
                           end_of("sevt_end_000000000001", "sevt_start_0000000001", kUsage) + "," +
                           end_of("sevt_end_000000000002", "", kFewer) + "]}";
  std::mt19937 random(20'260'528);
  const auto below = [&](size_t bound) { return random() % bound; };
  constexpr std::string_view kBytes = "\"{}[],:\\\n\r d0";
  size_t found = 0;
  for (int round = 0; round < 400; ++round) {
    const bool is_page = round % 4 == 0;
    std::string body = is_page ? page : kFirst + kSecond + kIdle;
    for (size_t changes = below(4); changes > 0; --changes) {
      const size_t at = below(body.size());
      switch (below(3)) {
        case 0:
          body[at] = kBytes[below(kBytes.size())];
          break;
        case 1:
          body.erase(at, 1 + below(40));
          break;
        case 2:
          body.insert(at, body.substr(at, 1 + below(40)));
          break;
      }
    }
    const auto played = [&](size_t cut) {
      Get get(is_page ? kPage : kStream);
      get.feed(body, cut);
      get.end();
      std::vector<std::tuple<std::string, std::optional<uint64_t>, std::optional<uint64_t>, Outcome,
                             bool, uint64_t>>
          said;
      for (const UsageRecord& record : get.records()) {
        said.emplace_back(record.response_id.view(), record.tokens.input, record.tokens.output,
                          record.outcome, record.flags.empty(), record.response_digest.low);
      }
      return said;
    };
    const auto whole = played(0);
    EXPECT_EQ(whole, played(1)) << body;
    EXPECT_EQ(whole, played(1 + below(100))) << body;
    EXPECT_LE(whole.size(), 4u);
    found += whole.size();
  }
  EXPECT_GT(found, 400u);
}

TEST(AgentSessionsTest, TextsOfAnyLength) {
  const std::string id = "sevt_" + std::string(100'000, 'x');
  Get get(kStream);
  get.feed(sse(end_of(id, id, kUsage)), 1000);
  ASSERT_EQ(get.records().size(), 1u);
  EXPECT_TRUE(get.records()[0].flags.has(RecordFlag::kTextCut));
}

TEST(AgentSessionsTest, APageThatIsNoneIsReadNoFurther) {
  for (const std::string_view body : {"<html>", "{\"data\":[}", "event: message\n", "[]", "7 "}) {
    Get get(kPage);
    get.feed(
        std::string(body) + R"({"data":[)" + end_of("sevt_end_000000000001", "", kUsage) + "]}", 4);
    EXPECT_EQ(get.interest, BodyInterest::kNotLlm) << body;
    get.end();
    EXPECT_TRUE(get.records().empty()) << body;
  }
}

TEST(AgentSessionsTest, PathsOfOthersAndRefusals) {
  for (const std::string_view target :
       {"/v1/sessions", "/v1/sessions/sesn_1", "/v1/sessions//events",
        "/v1/sessions//events/stream", "/v1/sessions/sesn_1/stream",
        "/v1/sessions/sesn_1/events/sevt_1", "/v1/sessions/sesn_1/threads",
        "/v1/sessions/sesn_1/threads//stream", "/v1/sessions/sesn_1/threads/sthr_1",
        "/v1/sessions/sesn_1/threads/a/b/stream", "/v1/sessions/sesn_1/events/stream/",
        "/v1/events", "/sessions/"}) {
    Get get(target);
    EXPECT_EQ(get.interest, BodyInterest::kNotLlm) << target;
    EXPECT_TRUE(get.records().empty());
  }
  Get elsewhere(kStream, {}, 200, "chat.example.com");
  EXPECT_EQ(elsewhere.interest, BodyInterest::kNotLlm) << "others have sessions with events, too";
  Get refused(kStream, {}, 429);
  EXPECT_EQ(refused.interest, BodyInterest::kNotLlm);
  refused.end();
}

TEST(AgentSessionsTest, OpenReadingsAreBounded) {
  Limits limits;
  limits.open_calls_max = 2;
  Get get(kStream, limits);
  const HeaderField host[] = {{"host", "gateway"}, {"anthropic-version", "2023-06-01"}};
  RequestHead request;
  request.flow = &get.flow;
  request.method = "GET";
  request.target = kPage;
  request.headers.fields = host;
  for (uint64_t id = 2; id <= 5; ++id) get.room.on_request(ExchangeId{id}, request);
  EXPECT_EQ(get.room.refused(), 2u) << "one too many has its place until `http` has ended another";
}

}  // namespace
}  // namespace wiretally::llm
