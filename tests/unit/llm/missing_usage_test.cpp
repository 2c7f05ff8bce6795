// Why an answered call's usage is unknown: llm_usage_missing_total{reason}, a test for each reason,
// and what no reason is given for.
#include <gtest/gtest.h>

#include "unit/llm/dialogue.h"

namespace wiretally::llm {
namespace {

constexpr const char* kAsking =
    R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]})";
constexpr const char* kNotAsking =
    R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})";

std::string chunk(std::string_view more = "") {
  return frame(
      R"({"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"a"}}])" +
      std::string(more) + "}");
}
const std::string kUsage = R"(,"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7})";
const std::string kDone = frame("[DONE]");

UsageRecord only_record(const Dialogue& dialogue) {
  KeepingSink sink;
  NoCredentials credentials;
  LlmRoom room(Limits{}, 0, credentials, sink);
  dialogue.play(room, ExchangeId{1}, Dialogue::Cuts::kWhole, 0);
  EXPECT_EQ(sink.records.size(), 1u);
  return sink.records.empty() ? UsageRecord{} : sink.records[0];
}

std::string_view reason(const Dialogue& dialogue) {
  const UsageRecord record = only_record(dialogue);
  EXPECT_EQ(record.flags.has(RecordFlag::kUsageMissing),
            record.usage_missing != UsageMissing::kNot);
  return usage_missing_name(record.usage_missing);
}

Dialogue asking() { return Dialogue("/v1/chat/completions", kAsking); }
Dialogue not_asking() { return Dialogue("/v1/chat/completions", kNotAsking); }

TEST(UsageMissingReason, NotRequested) {
  EXPECT_EQ(reason(not_asking().events(chunk() + kDone)), "not_requested");
  EXPECT_EQ(
      reason(Dialogue("/v1/completions", R"({"model":"m","prompt":"hi","stream":true})")
                 .events(
                     frame(R"({"object":"text_completion","model":"m","choices":[{"text":"a"}]})") +
                     kDone)),
      "not_requested");
  // Some servers report without being asked.
  EXPECT_EQ(reason(not_asking().events(chunk(kUsage) + kDone)), "");
}

TEST(UsageMissingReason, Aborted) {
  for (const ExchangeOutcome by : {ExchangeOutcome::kClientClosed, ExchangeOutcome::kServerClosed,
                                   ExchangeOutcome::kUnknown, ExchangeOutcome::kEndOfInput}) {
    EXPECT_EQ(reason(asking().events(chunk()).cut(by)), "aborted");
    // That nobody asked is not why, where the end was never reached.
    EXPECT_EQ(reason(not_asking().events(chunk()).cut(by)), "aborted");
    EXPECT_EQ(reason(asking().json(R"({"id":"chatcmpl-1","object":"chat.completion","mo)").cut(by)),
              "aborted");
  }
}

TEST(UsageMissingReason, Gap) {
  EXPECT_EQ(reason(asking().events(chunk()).lose().more(chunk() + kDone)), "gap");
  // Nor does anybody know whether it was aborted for that.
  EXPECT_EQ(reason(asking().events(chunk()).lose().cut(ExchangeOutcome::kUnknown)), "gap");
  // Whether the request asked was lost with it.
  EXPECT_EQ(reason(Dialogue("/v1/chat/completions", R"({"model":"m","messages":[{"role":"user",)")
                       .lose_request()
                       .events(chunk() + kDone)),
            "gap");
}

TEST(UsageMissingReason, Coding) {
  EXPECT_EQ(reason(asking().events(chunk()).lose(BodyLoss::kDecodeFailed)), "coding");
  EXPECT_EQ(reason(asking().events(chunk(kUsage)).lose(BodyLoss::kCorrupt)), "coding");
}

TEST(UsageMissingReason, Malformed) {
  EXPECT_EQ(reason(asking().events(chunk(R"(,"usage":{"prompt_tokens":"three"})") + kDone)),
            "malformed");
  EXPECT_EQ(
      reason(asking().json(
          R"({"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":-4}})")),
      "malformed");
}

TEST(UsageMissingReason, Midstream) {
  EXPECT_EQ(reason(Dialogue::joined().events(chunk() + kDone)), "midstream");
}

TEST(UsageMissingReason, HeadersUnknown) {
  // HTTP/2, joined later: whether the request asked cannot be read; the reason is told first.
  KeepingSink sink;
  NoCredentials credentials;
  LlmRoom room(Limits{}, 0, credentials, sink);
  FlowInfo flow;
  RequestHead request;
  request.flow = &flow;
  request.method = "POST";
  request.headers.unknown = request.headers.incomplete = true;
  request.time = {.ns = 1};
  room.on_request(ExchangeId{1}, request);
  room.on_body(ExchangeId{1}, Message::kRequest, as_bytes(kNotAsking), {.ns = 2});
  room.on_message_end(ExchangeId{1}, Message::kRequest, MessageEnd::kComplete, {.ns = 2});
  ResponseHead response;
  response.flow = &flow;
  response.headers.unknown = response.headers.incomplete = true;
  response.time = {.ns = 3};
  room.on_response(ExchangeId{1}, response);
  room.on_body(ExchangeId{1}, Message::kResponse, as_bytes(chunk() + kDone), {.ns = 4});
  room.on_message_end(ExchangeId{1}, Message::kResponse, MessageEnd::kComplete, {.ns = 5});
  ExchangeEnd end;
  end.time = {.ns = 6};
  end.outcome = ExchangeOutcome::kComplete;
  room.on_exchange_end(ExchangeId{1}, end);
  ASSERT_EQ(sink.records.size(), 1u);
  EXPECT_EQ(usage_missing_name(sink.records[0].usage_missing), "headers_unknown");
}

TEST(UsageMissingReason, NotInAnswer) {
  EXPECT_EQ(reason(asking().events(chunk() + kDone)), "not_in_answer");
  EXPECT_EQ(reason(asking().json(
                R"({"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[]})")),
            "not_in_answer");
}

TEST(UsageMissingReason, NoneIsNeeded) {
  EXPECT_EQ(reason(asking().events(chunk(kUsage) + kDone)), "");
  // A refused call used nothing, an unanswered one is not known to have.
  EXPECT_EQ(reason(asking().answer(429, "application/json", R"({"error":{"type":"requests"}})")),
            "");
  EXPECT_EQ(reason(asking().cut(ExchangeOutcome::kClientClosed)), "");
  // Embeddings have no output to be missing.
  EXPECT_EQ(
      reason(
          Dialogue("/v1/embeddings", R"({"model":"m","input":"hi"})")
              .json(
                  R"({"object":"list","model":"m","data":[],"usage":{"prompt_tokens":3,"total_tokens":3}})")),
      "");
}

// 0, absent, null and a placeholder of zeros are four things.
TEST(StatedNumbers, ZeroAbsentNullAndPlaceholderAreToldApart) {
  const auto answer = [](const std::string& usage) {
    return only_record(asking().json(
        R"({"id":"chatcmpl-1","object":"chat.completion","model":"m","choices":[])" + usage + "}"));
  };
  const UsageRecord zero =
      answer(R"(,"usage":{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3})");
  EXPECT_EQ(zero.tokens.output, 0u);
  EXPECT_EQ(zero.tokens.output_source, UsageSource::kReported);
  for (const char* usage : {"", R"(,"usage":null)", R"(,"usage":{"prompt_tokens":3})",
                            R"(,"usage":{"prompt_tokens":3,"completion_tokens":null})"}) {
    const UsageRecord r = answer(usage);
    EXPECT_FALSE(r.tokens.output.has_value()) << usage;
    EXPECT_EQ(r.tokens.output_source, UsageSource::kNone) << usage;
  }
  const std::string placeholder =
      R"(,"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0})";
  const UsageRecord kept =
      only_record(asking().events(chunk(placeholder) + chunk(kUsage) + chunk(placeholder) + kDone));
  EXPECT_EQ(kept.tokens.input, 3u);
  EXPECT_EQ(kept.tokens.output, 4u);
  // Zeros in each chunk of a stream that was cut are no statement.
  const UsageRecord cut = only_record(
      asking().events(chunk(placeholder) + chunk(placeholder)).cut(ExchangeOutcome::kClientClosed));
  EXPECT_FALSE(cut.tokens.input.has_value());
  EXPECT_FALSE(cut.tokens.output.has_value());
}

// --- what is counted for estimates
// -----------------------------------------------------------------

WordCounts words(const Dialogue& dialogue) {
  // However the bytes arrive: the same counts.
  const WordCounts whole = only_record(dialogue).words;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    KeepingSink sink;
    NoCredentials credentials;
    LlmRoom room(Limits{}, 0, credentials, sink);
    dialogue.play(room, ExchangeId{1}, seed == 0 ? Dialogue::Cuts::kBytes : Dialogue::Cuts::kRandom,
                  seed);
    EXPECT_EQ(sink.records.at(0).words.content_events, whole.content_events);
    EXPECT_EQ(sink.records.at(0).words.content_bytes, whole.content_bytes);
    EXPECT_EQ(sink.records.at(0).words.prompt_bytes, whole.prompt_bytes);
  }
  return whole;
}

std::string text_chunk(std::string_view text) {
  return frame(
      R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":")" +
      std::string(text) + R"("}}]})");
}

TEST(WordCounts, OfAStreamAreItsContentEventsAndTheirText) {
  std::string body = frame(
      R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})");
  size_t bytes = 0;
  for (const char* text :
       {"Hello", " you", "\\n\\\"quoted\\\"", " Z\xC3\xBCrich", " tok", " tok", "\\u00e9", ""}) {
    body += text_chunk(text);
    bytes += std::string_view(text).size();
  }
  const WordCounts counted = words(not_asking().events(body + kDone));
  EXPECT_EQ(counted.content_events, 7u);
  EXPECT_EQ(counted.content_bytes, bytes);
  EXPECT_EQ(counted.prompt_bytes, std::string_view(kNotAsking).size());
}

TEST(WordCounts, ToolArgumentsAndThoughtsAreText) {
  const WordCounts counted = words(not_asking().events(
      frame(
          R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"delta":{"reasoning_content":"hmm"}}]})") +
      frame(
          R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]})") +
      kDone));
  EXPECT_EQ(counted.content_events, 2u);
  EXPECT_EQ(counted.content_bytes, 5u);
}

TEST(WordCounts, AudioIsContentAndNoText) {
  std::string body;
  for (int i = 0; i < 4; ++i) {
    body += frame(
        R"({"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"delta":{"audio":{"data":"UklGRgAA)" +
        std::string(static_cast<size_t>(i), 'A') + R"("}}}]})");
  }
  const WordCounts counted = words(not_asking().events(body + kDone));
  EXPECT_EQ(counted.content_events, 4u);
  EXPECT_EQ(counted.content_bytes, 0u);
}

TEST(WordCounts, NothingIsCountedOfWhatWasNotSeenWhole) {
  EXPECT_FALSE(words(not_asking().events(text_chunk("a")).lose().more(text_chunk("b") + kDone))
                   .content_events.has_value());
  EXPECT_FALSE(words(not_asking().events(text_chunk("a")).lose(BodyLoss::kDecodeFailed))
                   .content_events.has_value());
  EXPECT_FALSE(
      words(not_asking().lose_request().events(text_chunk("a") + kDone)).prompt_bytes.has_value());
  EXPECT_FALSE(words(Dialogue::joined().events(text_chunk("a") + kDone)).prompt_bytes.has_value());
  // Of a stream that was cut: what came, without an event that was cut itself.
  const std::string body = text_chunk("abc") + text_chunk("defg");
  const WordCounts cut = words(
      not_asking().events(body.substr(0, body.size() - 5)).cut(ExchangeOutcome::kClientClosed));
  EXPECT_EQ(cut.content_events, 1u);
  EXPECT_EQ(cut.content_bytes, 3u);
  // Answers in one piece are no streams.
  EXPECT_FALSE(
      words(
          asking().json(
              R"({"id":"c","object":"chat.completion","model":"m","choices":[{"message":{"content":"hi"}}]})"))
          .content_events.has_value());
}

// How much is read shows in the request's length only where all of it is text that stands there.
TEST(WordCounts, PromptsThatAreNotAllTextAreNotMeasured) {
  struct Row {
    const char* target;
    const char* body;
    bool measured;
  };
  const Row kRows[] = {
      {"/v1/chat/completions",
       R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})",
       true},
      {"/v1/chat/completions",
       R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"data:"}}]}]})",
       false},
      {"/v1/chat/completions",
       R"({"model":"m","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]})",
       false},
      {"/v1/completions", R"({"model":"m","prompt":["a","b"]})", true},
      {"/v1/completions", R"({"model":"m","prompt":[1,2]})", false},
      {"/v1/completions", R"({"model":"m","prompt":[[1,2]]})", false},
      {"/v1/responses",
       R"({"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}]})",
       true},
      {"/v1/responses",
       R"({"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]})",
       false},
      {"/v1/responses", R"({"model":"m","input":"hi","previous_response_id":"resp_1"})", false},
      {"/v1/responses", R"({"model":"m","input":"hi","conversation":"conv_1"})", false},
      {"/v1/responses", R"({"model":"m","prompt":{"id":"pmpt_1"}})", false},
      {"/v1/responses", R"({"model":"m","input":[{"type":"item_reference","id":"x"}]})", false},
      {"/v1/responses", R"({"model":"m","input":"hi","previous_response_id":null})", true},
      {"/v1/messages",
       R"({"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"text","text":"x"}]}]}]})",
       true},
      {"/v1/messages",
       R"({"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{}}]}]})",
       false},
      {"/v1/messages",
       R"({"model":"m","messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"image","source":{}}]}]}]})",
       false},
      {"/v1beta/models/m:generateContent", R"({"contents":[{"parts":[{"text":"hi"}]}]})", true},
      {"/v1beta/models/m:generateContent",
       R"({"contents":[{"parts":[{"inlineData":{"data":"x"}}]}]})", false},
      {"/v1beta/models/m:generateContent",
       R"({"contents":[{"parts":[{"text":"hi"}]}],"cachedContent":"cachedContents/1"})", false},
      {"/model/a.m/converse", R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})", true},
      {"/model/a.m/converse",
       R"({"messages":[{"role":"user","content":[{"image":{"format":"png"}}]}]})", false},
      {"/v1/embeddings", R"({"model":"m","input":"hi"})", false},
  };
  for (const Row& row : kRows) {
    Dialogue dialogue(row.target, row.body);
    dialogue.answer(500, "application/json", "{}");
    const UsageRecord record = only_record(dialogue);
    EXPECT_EQ(record.words.prompt_bytes.has_value(), row.measured) << row.body;
    if (!row.measured) continue;
    EXPECT_EQ(record.words.prompt_bytes, std::string_view(row.body).size());
  }
}

}  // namespace
}  // namespace wiretally::llm
