// The room: which exchanges become calls, what it takes from heads, times, digests, bounds.
#include "llm_room.h"

#include "dialogue.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kChat =
    R"({"model":"gpt-5.5","messages":[{"role":"user","content":"hi"}],"stream":true})";

EventTime at_ms(int64_t ms) { return {.ns = ms * 1'000'000, .clock = Clock::kBoot}; }

class LlmRoomTest : public ::testing::Test {
 protected:
  BodyInterest request(uint64_t id, std::string_view target, std::vector<HeaderField> fields = {},
                       std::string_view method = "POST") {
    RequestHead head;
    head.flow = &flow_;
    head.flow_id = FlowId{7};
    head.direction = direction_;
    head.time = at_ms(0);
    head.method = method;
    head.target = target;
    head.headers.fields = fields;
    return room_.on_request(ExchangeId{id}, head);
  }
  BodyInterest answer(uint64_t id, std::vector<HeaderField> fields, uint16_t status = 200) {
    ResponseHead head;
    head.flow = &flow_;
    head.flow_id = FlowId{7};
    head.direction = opposite(direction_);
    head.time = at_ms(10);
    head.status = status;
    head.headers.fields = fields;
    return room_.on_response(ExchangeId{id}, head);
  }
  BodyInterest body(uint64_t id, Message message, std::string_view text, int64_t ms = 20) {
    return room_.on_body(ExchangeId{id}, message, as_bytes(text), at_ms(ms));
  }
  void end_message(uint64_t id, Message message, MessageEnd end = MessageEnd::kComplete) {
    room_.on_message_end(ExchangeId{id}, message, end, at_ms(90));
  }
  void end(uint64_t id, ExchangeOutcome outcome = ExchangeOutcome::kComplete) {
    ExchangeEnd exchange_end;
    exchange_end.time = at_ms(100);
    exchange_end.last_byte = at_ms(95);
    exchange_end.outcome = outcome;
    room_.on_exchange_end(ExchangeId{id}, exchange_end);
  }
  // A whole call with the given answer.
  const UsageRecord& call(uint64_t id, std::string_view events) {
    request(id, "/v1/chat/completions");
    body(id, Message::kRequest, kChat);
    end_message(id, Message::kRequest);
    answer(id, {{"content-type", "text/event-stream"}});
    body(id, Message::kResponse, events);
    end_message(id, Message::kResponse);
    end(id);
    return sink_.records.back();
  }

  FlowInfo flow_;
  Direction direction_ = Direction::kAToB;
  Limits limits_{.open_calls_max = 3, .undecided_answers_max = 8, .answers_read_twice_max = 1};
  NoCredentials credentials_;
  KeepingSink sink_;
  LlmRoom room_{limits_, 4, credentials_, sink_};
};

const std::string kEvent =
    frame(R"({"object":"chat.completion.chunk","choices":[{"delta":{"content":"a"}}]})");

TEST_F(LlmRoomTest, OrdinaryRequestsAreNotReadAtAll) {
  EXPECT_EQ(request(1, "/healthz"), BodyInterest::kNotLlm);
  EXPECT_EQ(answer(1, {{"content-type", "application/json"}}), BodyInterest::kNotLlm);
  EXPECT_EQ(body(1, Message::kResponse, R"({"object":"chat.completion"})"), BodyInterest::kNotLlm);
  end(1);
  EXPECT_EQ(request(2, "/v1/chat/completions", {}, "GET"), BodyInterest::kNotLlm);
  EXPECT_EQ(request(3, "/v1/chat/completions", {}, "HEAD"), BodyInterest::kNotLlm);
  end(2);
  end(3);
  EXPECT_EQ(request(4, "/v1/moderations"), BodyInterest::kNotLlm);
  EXPECT_EQ(request(5, "/v1/models"), BodyInterest::kNotLlm);
  end(4);
  end(5);
  EXPECT_TRUE(sink_.records.empty());
  EXPECT_TRUE(sink_.suspects.empty());
  EXPECT_EQ(sink_.opened, 0);
  EXPECT_EQ(room_.open(), 0u);
}

TEST_F(LlmRoomTest, SuspectWithoutProofIsClosedWithoutRecord) {
  EXPECT_EQ(request(1, "/api/messages"), BodyInterest::kWanted);
  body(1, Message::kRequest, R"({"text":"x"})");
  end_message(1, Message::kRequest);
  EXPECT_EQ(answer(1, {{"content-type", "text/html"}}), BodyInterest::kNotLlm);
  end(1);
  EXPECT_TRUE(sink_.records.empty());
  EXPECT_EQ(sink_.suspects, std::vector<Dialect>{Dialect::kAnthropicMessages});
  EXPECT_EQ(sink_.opened, 1);
  EXPECT_EQ(sink_.closed, 1);
}

TEST_F(LlmRoomTest, ARefusalSaysWhichLimitWasMet) {
  struct Row {
    std::string_view path;
    std::string_view request;
    uint16_t status;
    std::string_view answer;
    std::string_view limit;
  };
  static const std::string kGemini = "/v1beta/models/gemini-2.5-pro:generateContent";
  static constexpr std::string_view kDashscope = "/api/v1/services/aigc/text-generation/generation";
  static constexpr std::string_view kPrompt = R"({"model":"m-1","input":{"prompt":"hi"}})";
  static constexpr std::string_view kContents = R"({"contents":[{"parts":[{"text":"hi"}]}]})";
  const auto quotas = [](std::string_view names) {
    return R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"violations":[)" +
           std::string(names) + "]}]}}";
  };
  const std::string tokens = quotas(R"({"quotaId":"GenerateContentInputTokensPerModelPerMinute"})");
  const std::string requests = quotas(R"({"quotaId":"GenerateRequestsPerDayPerProjectPerModel"})");
  const std::string both = quotas(
      R"({"quotaId":"GenerateRequestsPerDay"},{"quotaId":"GenerateContentInputTokensPerMinute"})");
  const Row rows[] = {
      {"/v1/chat/completions", kChat, 429,
       R"({"error":{"type":"tokens","code":"rate_limit_exceeded"}})", "tokens"},
      {"/v1/chat/completions", kChat, 429,
       R"({"error":{"type":"requests","code":"rate_limit_exceeded"}})", "requests"},
      {"/v1/chat/completions", kChat, 429,
       R"({"error":{"type":"insufficient_quota","code":"insufficient_quota"}})", ""},
      {"/v1/chat/completions", kChat, 400, R"({"error":{"type":"tokens","code":"x"}})", ""},
      {kDashscope, kPrompt, 429, R"({"code":"Throttling.RateQuota","request_id":"1"})", "requests"},
      {kDashscope, kPrompt, 429, R"({"code":"Throttling.AllocationQuota"})", "tokens"},
      {kDashscope, kPrompt, 429, R"({"code":"Throttling"})", ""},
      {kGemini, kContents, 429, tokens, "tokens"},
      {kGemini, kContents, 429, requests, "requests"},
      {kGemini, kContents, 429, both, ""}};
  uint64_t id = 0;
  for (const Row& row : rows) {
    ++id;
    request(id, row.path);
    body(id, Message::kRequest, row.request);
    end_message(id, Message::kRequest);
    answer(id, {{"content-type", "application/json"}}, row.status);
    body(id, Message::kResponse, row.answer);
    end_message(id, Message::kResponse);
    end(id);
    ASSERT_EQ(sink_.records.size(), id) << row.answer;
    EXPECT_EQ(sink_.records.back().rate_limited_by.view(), row.limit) << row.answer;
  }
}

TEST_F(LlmRoomTest, ATranscriptionMayBeBilledByItsSound) {
  auto sound_of = [&, id = uint64_t{0}](std::string_view seconds) mutable {
    ++id;
    request(id, "/v1/audio/transcriptions", {{"Host", "api.openai.com"}});
    end_message(id, Message::kRequest);
    answer(id, {{"content-type", "application/json"}});
    body(id, Message::kResponse,
         R"({"text":"x","usage":{"type":"duration","seconds":)" + std::string(seconds) + "}}");
    end_message(id, Message::kResponse);
    end(id);
    EXPECT_EQ(sink_.records.size(), id);
    return sink_.records.back().billed_audio_ms;
  };
  EXPECT_EQ(sound_of("9"), 9'000u);
  EXPECT_EQ(sound_of("61.5"), 61'500u);
  EXPECT_EQ(sound_of("0"), 0u);
  EXPECT_EQ(sound_of("\"9\""), std::nullopt);
  EXPECT_EQ(sound_of("-1"), std::nullopt);
  EXPECT_EQ(sound_of("null"), std::nullopt);
}

// LM Studio's path is Cohere's under /api.
TEST_F(LlmRoomTest, ACohereMountedUnderApiIsNoLmStudio) {
  auto dialect_of = [&, id = uint64_t{0}](std::string_view host, std::string_view asked,
                                          std::string_view answered) mutable {
    ++id;
    request(id, "/api/v1/chat", {{"Host", host}});
    body(id, Message::kRequest, asked);
    end_message(id, Message::kRequest);
    answer(id, {{"content-type", "application/json"}});
    body(id, Message::kResponse, answered);
    end_message(id, Message::kResponse);
    end(id);
    EXPECT_EQ(sink_.records.size(), id) << host << asked;
    return sink_.records.back().dialect;
  };
  constexpr std::string_view kCohere =
      R"({"text":"Hi","generation_id":"g","meta":{"billed_units":{"input_tokens":8,"output_tokens":2}}})";
  constexpr std::string_view kLmStudio =
      R"({"model_instance_id":"m","output":[],"stats":{"input_tokens":3,"total_output_tokens":2}})";
  EXPECT_EQ(dialect_of("gw", R"({"model":"m","message":"hi"})", kCohere), Dialect::kCohereV1);
  EXPECT_EQ(dialect_of("api.cohere.com", R"({"model":"m"})", kCohere), Dialect::kCohereV1);
  EXPECT_EQ(dialect_of("gw", R"({"model":"m","input":"hi"})", kLmStudio), Dialect::kLmstudio);
}

// A lost segment may hold a request back until its answer has come and gone.
TEST_F(LlmRoomTest, AnAnswerThatComesBeforeItsRequestIsOneCallWithIt) {
  const std::string_view answers[] = {
      R"({"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}})",
      R"({"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}})",
      "<html>"};
  const std::string_view types[] = {"application/json", "application/json", "text/html"};
  const uint16_t statuses[] = {200, 429, 502};
  for (size_t i = 0; i < std::size(answers); ++i) {
    const uint64_t id = i + 1;
    answer(id, {{"content-type", types[i]}}, statuses[i]);
    body(id, Message::kResponse, answers[i]);
    end_message(id, Message::kResponse);
    EXPECT_EQ(request(id, "/v1/chat/completions", {{"Host", "api.openai.com"}}),
              BodyInterest::kWanted);
    body(id, Message::kRequest, kChat);
    end_message(id, Message::kRequest);
    end(id);
    ASSERT_EQ(sink_.records.size(), i + 1);
    const UsageRecord& record = sink_.records.back();
    EXPECT_EQ(record.status_code, statuses[i]);
    EXPECT_EQ(record.request_model.view(), "gpt-5.5");
    EXPECT_EQ(record.provider.view(), "openai");
    EXPECT_TRUE(record.saw_request);
    EXPECT_TRUE(record.saw_response);
    EXPECT_EQ(record.start, at_ms(0));
    EXPECT_EQ(record.response_start, at_ms(10));
    EXPECT_FALSE(record.flags.has(RecordFlag::kJoinedMidstream));
    EXPECT_TRUE(record.request_digest.known());
  }
  EXPECT_EQ(sink_.records[0].tokens.input, 7u);
  EXPECT_EQ(sink_.records[0].outcome, Outcome::kOk);
  EXPECT_EQ(sink_.records[1].error_type.view(), "rate_limit_exceeded");
  EXPECT_EQ(sink_.records[1].outcome, Outcome::kHttpError);
  EXPECT_EQ(sink_.records[2].outcome, Outcome::kHttpError);
  EXPECT_EQ(sink_.opened, 3);
  EXPECT_EQ(sink_.closed, 3);
  EXPECT_EQ(room_.open(), 0u);
}

TEST_F(LlmRoomTest, AnAnswerOfACallsShapeIsNoneIfItsRequestSaysSo) {
  answer(1, {{"content-type", "text/event-stream"}});
  body(1, Message::kResponse, kEvent);
  end_message(1, Message::kResponse);
  EXPECT_EQ(request(1, "/healthz", {}, "GET"), BodyInterest::kNotLlm);
  end(1);
  EXPECT_TRUE(sink_.records.empty());
  EXPECT_EQ(sink_.opened, sink_.closed);
  EXPECT_EQ(room_.open(), 0u);
}

TEST_F(LlmRoomTest, HostOrSdkProvesACallWithoutBody) {
  request(1, "/v1/chat/completions", {{"Host", "api.openai.com"}});
  end(1, ExchangeOutcome::kClientClosed);
  request(2, "/v1/messages", {{"Host", "x"}, {"Anthropic-Version", "2023-06-01"}});
  end(2, ExchangeOutcome::kClientClosed);
  request(3, "/v1/messages", {{"Host", "api.openai.com"}});
  end(3, ExchangeOutcome::kClientClosed);
  ASSERT_EQ(sink_.records.size(), 2u);
  EXPECT_EQ(sink_.records[1].provider.view(), "unknown");
  EXPECT_EQ(sink_.suspects.size(), 1u);
}

TEST_F(LlmRoomTest, TimesComeFromContentEvents) {
  request(1, "/v1/chat/completions");
  body(1, Message::kRequest, kChat);
  end_message(1, Message::kRequest);
  answer(1, {{"content-type", "text/event-stream"}});
  body(
      1, Message::kResponse,
      frame(
          R"({"object":"chat.completion.chunk","choices":[{"delta":{"role":"assistant","content":""}}]})"),
      20);
  body(1, Message::kResponse, kEvent.substr(0, 12), 30);
  body(1, Message::kResponse, kEvent.substr(12), 40);
  body(1, Message::kResponse, ": keep-alive\n\n", 50);
  body(1, Message::kResponse, kEvent, 70);
  body(1, Message::kResponse, kEvent, 75);
  body(1, Message::kResponse, "data: [DONE]\n\n", 80);
  end(1, ExchangeOutcome::kClientClosed);
  ASSERT_EQ(sink_.records.size(), 1u);
  const UsageRecord& record = sink_.records[0];
  EXPECT_EQ(record.start, at_ms(0));
  EXPECT_EQ(record.response_start, at_ms(10));
  EXPECT_EQ(record.first_content, at_ms(40));
  EXPECT_EQ(record.last_content, at_ms(75));
  EXPECT_EQ(record.longest_stall_ns, 30'000'000);
  EXPECT_EQ(record.last_byte, at_ms(95));
  EXPECT_EQ(record.finish, at_ms(100));
  EXPECT_EQ(record.outcome, Outcome::kOk);
}

TEST_F(LlmRoomTest, ContentIsTextReasoningOrArguments) {
  const auto has_content = [&](uint64_t id, std::string_view delta) {
    return call(id, frame(std::string(R"({"object":"chat.completion.chunk","choices":[{"delta":)")
                              .append(delta)
                              .append("}]}")))
        .first_content.has_value();
  };
  EXPECT_TRUE(has_content(1, R"({"content":"a"})"));
  EXPECT_TRUE(has_content(2, R"({"reasoning_content":"a"})"));
  EXPECT_TRUE(has_content(3, R"({"tool_calls":[{"function":{"arguments":"{"}}]})"));
  EXPECT_TRUE(has_content(4, R"({"content":[{"type":"text","text":"a"}]})"));
  EXPECT_FALSE(has_content(5, R"({"role":"assistant","content":""})"));
  EXPECT_FALSE(has_content(6, R"({"tool_calls":[{"function":{"name":"f","arguments":""}}]})"));
  EXPECT_FALSE(has_content(7, R"({"content":null})"));
}

TEST_F(LlmRoomTest, EndpointsAndSideFollowTheRequest) {
  flow_.source = Source::kTls;
  flow_.a.port = 1000;
  flow_.b.port = 443;
  flow_.pid = 12;
  EXPECT_EQ(call(1, kEvent).side, Side::kClient);
  EXPECT_EQ(sink_.records.back().client.port, 1000);
  direction_ = Direction::kBToA;
  EXPECT_EQ(call(2, kEvent).side, Side::kServer);
  EXPECT_EQ(sink_.records.back().client.port, 443);
  EXPECT_EQ(sink_.records.back().pid, 12u);
  EXPECT_EQ(sink_.records.back().flow, FlowId{7});
  EXPECT_EQ(sink_.records.back().lane, 4u);
  flow_.source = Source::kPacket;
  EXPECT_EQ(call(3, kEvent).side, Side::kUnknown);
}

TEST_F(LlmRoomTest, HeadsGiveIdsLimitsAndAuthority) {
  request(1, "http://gw.example:8080/openai/v1/chat/completions?key=secret#x",
          {{"Host", "other"}, {"OpenAI-Organization", "org-1"}, {"x-session-id", "s1"}});
  body(1, Message::kRequest, kChat);
  answer(1,
         {{"X-Request-Id", "req_1"},
          {"x-ratelimit-remaining-requests", "99"},
          {"x-ratelimit-remaining-tokens", "many"},
          {"x-litellm-call-id", "c"},
          {"x-litellm-cache-key", "k"}},
         503);
  end(1);
  ASSERT_EQ(sink_.records.size(), 1u);
  const UsageRecord& record = sink_.records[0];
  EXPECT_EQ(record.server_name.view(), "gw.example");
  EXPECT_EQ(record.server_port, 8080);
  EXPECT_EQ(record.path.view(), "/openai/v1/chat/completions");
  EXPECT_EQ(record.organization.view(), "org-1");
  EXPECT_EQ(record.session.view(), "s1");
  EXPECT_EQ(record.request_id.view(), "req_1");
  EXPECT_EQ(record.rate_limit_remaining_requests, 99u);
  EXPECT_EQ(record.rate_limit_remaining_tokens, std::nullopt);
  EXPECT_EQ(record.gateway.view(), "litellm");
  EXPECT_TRUE(record.served_from_cache);
  EXPECT_EQ(record.outcome, Outcome::kHttpError);
  EXPECT_EQ(record.usage_missing, UsageMissing::kNot);
}

TEST_F(LlmRoomTest, DigestsAreOfWholeMessagesHoweverTheyAreCut) {
  const UsageRecord first = call(1, kEvent);
  const UsageRecord second = call(2, kEvent);
  const UsageRecord other = call(3, kEvent + kEvent);
  EXPECT_TRUE(first.request_digest.known());
  EXPECT_EQ(first.request_digest, second.request_digest);
  EXPECT_EQ(first.response_digest, second.response_digest);
  EXPECT_FALSE(first.response_digest == other.response_digest);

  request(4, "/v1/chat/completions");
  for (char c : kChat) body(4, Message::kRequest, {&c, 1});
  end_message(4, Message::kRequest);
  answer(4, {{"content-type", "text/event-stream"}});
  body(4, Message::kResponse, kEvent);
  room_.on_body_loss(ExchangeId{4}, Message::kResponse, BodyLoss::kGap, 5, at_ms(30));
  end_message(4, Message::kResponse);
  end(4);
  EXPECT_EQ(sink_.records.back().request_digest, first.request_digest);
  EXPECT_FALSE(sink_.records.back().response_digest.known());
  EXPECT_EQ(sink_.records.back().request_bytes, kChat.size());
  EXPECT_EQ(sink_.records.back().response_bytes, kEvent.size());
}

TEST_F(LlmRoomTest, NamesOfToolsBeyondTheLimitAreLeftOut) {
  const auto calls = [](size_t count) {
    std::string list;
    for (size_t i = 0; i < count; ++i) {
      list += (i == 0 ? "" : ",") + std::string(R"({"id":"call_)") + std::to_string(i) +
              R"(","type":"function","function":{"name":"tool)" + std::to_string(i) +
              R"(","arguments":"{}"}})";
    }
    return R"({"object":"chat.completion","choices":[{"message":{"tool_calls":[)" + list + "]}}]}";
  };
  for (const size_t count : {Limits::tool_calls_max, Limits::tool_calls_max + 1}) {
    request(count, "/v1/chat/completions");
    body(count, Message::kRequest, kChat);
    end_message(count, Message::kRequest);
    answer(count, {{"content-type", "application/json"}});
    body(count, Message::kResponse, calls(count));
    end_message(count, Message::kResponse);
    end(count);
    const UsageRecord& record = sink_.records.back();
    EXPECT_EQ(record.tool_call_count, Limits::tool_calls_max);
    EXPECT_EQ(record.tool_calls[Limits::tool_calls_max - 1].view(), "tool15");
    EXPECT_EQ(record.flags.has(RecordFlag::kTextCut), count > Limits::tool_calls_max);
  }
}

constexpr std::string_view kBeforeGap =
    R"({"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{"content":"a)";
constexpr std::string_view kBehindGap =
    R"(z"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4}})";

TEST_F(LlmRoomTest, UsageBehindAGapCountsWhereTheEndProvesItsDepth) {
  struct Case {
    std::string_view what;
    std::vector<HeaderField> framing;
    std::string_view behind;
    MessageEnd end;
    bool known;
  };
  const Case cases[] = {
      {"a length", {{"content-length", "300"}}, kBehindGap, MessageEnd::kComplete, true},
      {"chunks", {{"transfer-encoding", "gzip, Chunked"}}, kBehindGap, MessageEnd::kComplete, true},
      {"the connection's end", {}, kBehindGap, MessageEnd::kComplete, false},
      {"cut off", {{"content-length", "300"}}, kBehindGap, MessageEnd::kCut, false},
      {"one level deeper",
       {{"content-length", "300"}},
       R"(z"},"x":{},"usage":{"prompt_tokens":9,"completion_tokens":4}}]})",
       MessageEnd::kComplete,
       false},
      {"within a text",
       {{"content-length", "300"}},
       R"(z\"}}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":4}}"}}],"x":1})",
       MessageEnd::kComplete,
       false},
      {"not JSON",
       {{"content-length", "300"}},
       R"("}}],"usage":{"prompt_tokens":9,"completion_tokens":4},"x":07a b})",
       MessageEnd::kComplete,
       false},
  };
  uint64_t id = 0;
  for (const Case& one : cases) {
    request(++id, "/v1/chat/completions");
    body(id, Message::kRequest, kChat);
    end_message(id, Message::kRequest);
    std::vector<HeaderField> fields = one.framing;
    fields.push_back({"content-type", "application/json"});
    answer(id, fields);
    body(id, Message::kResponse, kBeforeGap);
    room_.on_body_loss(ExchangeId{id}, Message::kResponse, BodyLoss::kGap, 50, at_ms(30));
    body(id, Message::kResponse, one.behind);
    end_message(id, Message::kResponse, one.end);
    end(id);
    const UsageRecord& record = sink_.records.back();
    EXPECT_EQ(record.tokens.input, one.known ? std::optional<uint64_t>(9) : std::nullopt)
        << one.what;
    EXPECT_EQ(record.tokens.output, one.known ? std::optional<uint64_t>(4) : std::nullopt)
        << one.what;
    EXPECT_EQ(record.tokens.output_source, one.known ? UsageSource::kReported : UsageSource::kNone)
        << one.what;
    EXPECT_TRUE(record.flags.has(RecordFlag::kGapInBody)) << one.what;
    EXPECT_EQ(record.response_id.view(), "chatcmpl-1") << one.what;
  }
}

TEST_F(LlmRoomTest, GapsBeyondTheLimitLeaveUsageUnknown) {
  Limits limits;
  limits.json_tails_max = 1;
  LlmRoom room(limits, 4, credentials_, sink_);
  ResponseHead head;
  head.flow = &flow_;
  head.status = 200;
  const HeaderField fields[] = {{"content-type", "application/json"}, {"content-length", "300"}};
  head.headers.fields = fields;
  const auto call_with_gap = [&](uint64_t number) {
    RequestHead asked;
    asked.flow = &flow_;
    asked.method = "POST";
    asked.target = "/v1/chat/completions";
    const ExchangeId id{number};
    room.on_request(id, asked);
    room.on_body(id, Message::kRequest, as_bytes(kChat), at_ms(5));
    room.on_message_end(id, Message::kRequest, MessageEnd::kComplete, at_ms(5));
    room.on_response(id, head);
    room.on_body(id, Message::kResponse, as_bytes(kBeforeGap), at_ms(20));
    room.on_body_loss(id, Message::kResponse, BodyLoss::kGap, 50, at_ms(30));
  };
  const auto end_call = [&](uint64_t number) {
    const ExchangeId id{number};
    room.on_body(id, Message::kResponse, as_bytes(kBehindGap), at_ms(40));
    room.on_message_end(id, Message::kResponse, MessageEnd::kComplete, at_ms(50));
    room.on_exchange_end(id, {.time = at_ms(60), .last_byte = at_ms(50)});
    return sink_.records.back().tokens.input;
  };
  call_with_gap(1);
  call_with_gap(2);  // one too many
  EXPECT_EQ(end_call(2), std::nullopt);
  EXPECT_EQ(end_call(1), 9U);
  call_with_gap(3);
  EXPECT_EQ(end_call(3), 9U);
}

TEST_F(LlmRoomTest, AnswerMayEndBeforeItsRequest) {
  request(1, "/v1/chat/completions");
  answer(1, {{"content-type", "text/event-stream"}});
  body(1, Message::kResponse, kEvent + "data: [DONE]\n\n");
  end_message(1, Message::kResponse);
  body(1, Message::kRequest, kChat);
  end_message(1, Message::kRequest);
  end(1);
  ASSERT_EQ(sink_.records.size(), 1u);
  EXPECT_EQ(sink_.records[0].request_model.view(), "gpt-5.5");
}

TEST_F(LlmRoomTest, CallsOfOneFlowInterleave) {
  for (uint64_t id : {1u, 2u}) {
    request(id, "/v1/chat/completions");
    answer(id, {{"content-type", "text/event-stream"}});
  }
  const std::string chunks[] = {
      frame(R"({"id":"first","object":"chat.completion.chunk","choices":[]})"),
      frame(R"({"id":"second","object":"chat.completion.chunk","choices":[]})")};
  for (size_t i = 0; i < chunks[1].size(); ++i) {
    body(1, Message::kResponse, std::string_view(chunks[0]).substr(i, 1));
    body(2, Message::kResponse, std::string_view(chunks[1]).substr(i, 1));
  }
  end(2);
  end(1);
  ASSERT_EQ(sink_.records.size(), 2u);
  EXPECT_EQ(sink_.records[0].response_id.view(), "second");
  EXPECT_EQ(sink_.records[1].response_id.view(), "first");
}

// `http` ends the least recently active call after the one that is too many, so there is room for
// one more than the limit.
TEST_F(LlmRoomTest, ExchangesBeyondTheLimitAreRefused) {
  for (uint64_t id = 1; id <= 4; ++id) {
    EXPECT_EQ(request(id, "/v1/chat/completions"), BodyInterest::kWanted);
  }
  EXPECT_EQ(request(5, "/v1/chat/completions"), BodyInterest::kNotLlm);
  EXPECT_EQ(room_.refused(), 1u);
  end(1);
  // Its answer is not taken for one whose request was never seen.
  EXPECT_EQ(answer(5, {{"content-type", "application/json"}}), BodyInterest::kNotLlm);
  EXPECT_EQ(request(6, "/v1/chat/completions"), BodyInterest::kWanted);
}

// /v1/chat is Cohere's; others answer there as OpenAI does.
TEST_F(LlmRoomTest, AnswersReadTwiceBeyondTheLimitAreThePathsOwn) {
  const auto begin = [&](uint64_t id) {
    request(id, "/v1/chat");
    body(id, Message::kRequest, R"({"model":"m","messages":[{"role":"user","content":"hi"}]})");
    end_message(id, Message::kRequest);
    answer(id, {{"content-type", "application/json"}});
    body(
        id, Message::kResponse,
        R"({"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":)"
        R"("stop","message":{"role":"assistant","content":"a"}}],)"
        R"("usage":{"prompt_tokens":14,"completion_tokens":3,"total_tokens":17}})");
  };
  const auto finish = [&](uint64_t id) {
    end_message(id, Message::kResponse);
    end(id);
  };
  begin(1);
  begin(2);
  finish(2);
  EXPECT_TRUE(sink_.records.empty());
  finish(1);
  ASSERT_EQ(sink_.records.size(), 1u);
  EXPECT_EQ(sink_.records[0].dialect, Dialect::kOpenaiChat);
  EXPECT_EQ(sink_.records[0].tokens.input, 14u);
  // It has made room.
  begin(3);
  finish(3);
  EXPECT_EQ(sink_.records.size(), 2u);
}

TEST_F(LlmRoomTest, UndecidedAnswersBeyondTheLimitAreRefused) {
  for (uint64_t id = 1; id <= 8; ++id) {
    EXPECT_EQ(answer(id, {{"content-type", "text/event-stream"}}), BodyInterest::kWanted);
  }
  EXPECT_EQ(answer(9, {{"content-type", "text/event-stream"}}), BodyInterest::kNotLlm);
  EXPECT_EQ(room_.refused(), 1u);
  // They take no call's place, and an ended one makes room.
  EXPECT_EQ(request(10, "/v1/chat/completions"), BodyInterest::kWanted);
  end(1);
  EXPECT_EQ(answer(11, {{"content-type", "text/event-stream"}}), BodyInterest::kWanted);
}

TEST_F(LlmRoomTest, AnswersWithoutRequestAreGivenUpEarly) {
  EXPECT_EQ(answer(1, {{"content-type", "text/html"}}), BodyInterest::kNotLlm);
  EXPECT_EQ(answer(2, {{"content-type", "application/json"}}, 404), BodyInterest::kWanted);
  end(1);
  end(2);
  EXPECT_EQ(answer(3, {{"content-type", "application/json"}}), BodyInterest::kWanted);
  EXPECT_EQ(body(3, Message::kResponse, R"({"status":"up"})" + std::string(1024, ' ')),
            BodyInterest::kNotLlm);
  EXPECT_EQ(answer(4, {{"content-type", "text/event-stream"}}), BodyInterest::kWanted);
  BodyInterest interest = BodyInterest::kWanted;
  int events = 0;
  for (; interest == BodyInterest::kWanted && events < 100; ++events) {
    interest = body(4, Message::kResponse, "data: {\"tick\":1}\n\n");
  }
  EXPECT_LT(events, 70);
  EXPECT_EQ(answer(5, {{"content-type", "application/json"}}), BodyInterest::kWanted);
  body(5, Message::kResponse, "{\"a\":[");
  const std::string filler(1000, '1');
  int parts = 0;
  do {
    interest = body(5, Message::kResponse, filler);
  } while (interest == BodyInterest::kWanted && ++parts < 1000);
  EXPECT_LT(parts, 100);
  for (uint64_t id = 3; id <= 5; ++id) end(id);
  EXPECT_EQ(sink_.opened, 0);
  EXPECT_TRUE(sink_.records.empty());
  EXPECT_EQ(room_.open(), 0u);
}

TEST_F(LlmRoomTest, OtherModelThanAskedForIsFlagged) {
  const auto mismatch = [&](uint64_t id, std::string_view served) {
    return call(id, frame(std::string(R"({"object":"chat.completion.chunk","choices":[],"model":")")
                              .append(served)
                              .append("\"}")))
        .flags.has(RecordFlag::kModelMismatch);
  };
  EXPECT_FALSE(mismatch(1, "gpt-5.5"));
  EXPECT_FALSE(mismatch(2, "gpt-5.5-2026-04-23"));
  EXPECT_FALSE(mismatch(3, "openai/gpt-5.5"));
  EXPECT_TRUE(mismatch(4, "gpt-5.5-mini"));
  EXPECT_TRUE(mismatch(5, "deepseek-v4"));
}

TEST_F(LlmRoomTest, LongIdentifiersAreCutWithAFlag) {
  const std::string id(400, 'x');
  const UsageRecord& record =
      call(1, frame(R"({"object":"chat.completion.chunk","choices":[],"id":")" + id + "\"}"));
  EXPECT_EQ(record.response_id.view(), id.substr(0, 256));
  EXPECT_TRUE(record.flags.has(RecordFlag::kTextCut));
}

TEST_F(LlmRoomTest, LongStreamsKeepNothing) {
  request(1, "/v1/chat/completions");
  body(1, Message::kRequest, kChat);
  answer(1, {{"content-type", "text/event-stream"}});
  std::string part;
  while (part.size() < 64 * 1024) part += kEvent;
  for (int i = 0; i < 160; ++i) body(1, Message::kResponse, part);
  body(1, Message::kResponse,
       frame(R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}})"));
  end_message(1, Message::kResponse);
  end(1);
  EXPECT_EQ(sink_.records.at(0).tokens.output, 2u);
  EXPECT_GT(sink_.records[0].response_bytes, 10u << 20);
}

}  // namespace
}  // namespace wiretally::llm
