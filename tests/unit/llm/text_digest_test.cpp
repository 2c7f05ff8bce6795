// The digest of the visible text is the same whatever frames and dialect the text came in.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "body_reader.h"
#include "dialect_table.h"

namespace wiretally::llm {
namespace {

Digest digest_of(const DialectSpec& spec, BodyForm form, std::string_view body, size_t cut = 0) {
  AnswerReader reader(spec);
  reader.reset(form);
  const size_t step = cut == 0 ? body.size() : cut;
  for (size_t i = 0; i < body.size(); i += step) {
    reader.feed(as_bytes(body.substr(i, step)), {.ns = static_cast<int64_t>(i + 1)});
  }
  reader.finish(false);
  return reader.notes().text.value(reader.notes().tools);
}

std::string escaped(std::string_view text) {
  std::string json;
  for (const char c : text) {
    if (c == '\n') {
      json += "\\n";
    } else if (c == '"') {
      json += "\\\"";
    } else {
      json += c;
    }
  }
  return json;
}

std::string embeddings_json(std::string_view vectors) {
  return R"({"object":"list","data":[)" + std::string(vectors) +
         R"(],"model":"m","usage":{"prompt_tokens":1,"total_tokens":1}})";
}

Digest vectors_of(std::string_view vectors, size_t cut = 0) {
  AnswerReader reader(openai_embeddings());
  reader.reset(BodyForm::kJson);
  const std::string body = embeddings_json(vectors);
  const size_t step = cut == 0 ? body.size() : cut;
  for (size_t i = 0; i < body.size(); i += step) {
    reader.feed(as_bytes(std::string_view(body).substr(i, step)),
                {.ns = static_cast<int64_t>(i + 1)});
  }
  reader.finish(false);
  EXPECT_EQ(reader.notes().usage.get(UsageField::kInput), 1u) << vectors;
  return reader.notes().vectors.value();
}

TEST(VectorDigest, IsOfTheNumbersNotOfHowTheyAreWritten) {
  const auto list = [](std::string_view numbers) {
    return R"({"embedding":[)" + std::string(numbers) + "]}";
  };
  const std::string full = list(
      "0.0024999999441206455,-0.004100000020116568,9.999999747378752e-06,0.125,-0."
      "031199999153614044,0.0007699999841861427,0.5,-1.0,0.25,0.75");
  const Digest digest = vectors_of(full);
  ASSERT_TRUE(digest.known());
  EXPECT_EQ(digest.high, 32u);
  for (const size_t cut : {1, 2, 3, 7, 50}) EXPECT_EQ(vectors_of(full, cut), digest) << cut;
  EXPECT_EQ(vectors_of(list("2.5e-3, -4.1e-3, 0.00001, 1.25E-1, -0.0312, 0.00077, 0.5, -1")),
            digest)
      << "behind the first eight nothing counts";
  const std::string base64 =
      R"({"embedding":"CtcjO0tZhrusxSc3AAAAPiSX/7zT2Uk6AAAAPwAAgL8AAIA+AABAPw=="})";
  EXPECT_EQ(vectors_of(base64), digest);
  for (const size_t cut : {1, 5, 40}) EXPECT_EQ(vectors_of(base64, cut), digest) << cut;
  EXPECT_NE(vectors_of(full + "," + full), digest) << "two are not one";
  EXPECT_EQ(vectors_of(full + "," + full), vectors_of(base64 + "," + base64));
  EXPECT_EQ(vectors_of(full + "," + list("9,[1],\"x\"")), vectors_of(full + "," + full))
      << "of the second and further ones only that they are there";
  EXPECT_NE(vectors_of(list("0.0025,-0.0041,1e-05,0.125,-0.0312,0.00077,0.5,1")), digest);
}

TEST(VectorDigest, OfFewNumbersIsShortAndOfNoneUnknown) {
  EXPECT_EQ(vectors_of(R"({"embedding":[0.5,-0.0]})").high, 8u);
  EXPECT_EQ(vectors_of(R"({"embedding":[0.5,-0.0]})"), vectors_of(R"({"embedding":[5e-1,0]})"));
  EXPECT_EQ(vectors_of(R"({"embedding":"AAAAPwAAAAA="})"), vectors_of(R"({"embedding":[0.5,0]})"));
  for (const std::string_view vector :
       {R"({"embedding":[]})", R"({"embedding":""})", R"({"embedding":null})", "",
        R"({"embedding":[NaN,1]})", R"({"embedding":[1e99,1]})", R"({"embedding":[[1,2]]})",
        R"({"embedding":["a"]})", R"({"embedding":"not base64!"})",
        R"({"embedding":"AADAfw=="})"}) {
    EXPECT_FALSE(vectors_of(vector).known()) << vector;
  }
}

std::string chat_json(std::string_view text) {
  return R"({"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":")" +
         escaped(text) + R"("},"finish_reason":"stop"}]})";
}

std::string chat_events(const std::vector<std::string>& parts) {
  std::string body;
  for (const std::string& part : parts) {
    body +=
        R"(data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":")" +
        escaped(part) + "\"},\"finish_reason\":null}]}\n\n";
  }
  return body + "data: [DONE]\n\n";
}

std::string messages_events(const std::vector<std::string>& parts) {
  std::string body =
      "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":1}}}"
      "\n\n";
  for (const std::string& part : parts) {
    body +=
        R"(data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":")" +
        escaped(part) + "\"}}\n\n";
  }
  return body + "data: {\"type\":\"message_stop\"}\n\n";
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += part;
  return text;
}

const std::vector<std::string> kParts = {"The",  " answer", " is\n\"42\"",         " — é",
                                         " tok", " tok",    std::string(300, 'x'), "!"};

TEST(TextDigest, IsTheSameInEveryFrameAndDialect) {
  const std::string text = joined(kParts);
  const Digest json = digest_of(openai_chat(), BodyForm::kJson, chat_json(text));
  EXPECT_TRUE(json.known());
  EXPECT_EQ(json.high, text.size());
  for (const size_t cut : {0, 1, 7, 64}) {
    EXPECT_EQ(digest_of(openai_chat(), BodyForm::kJson, chat_json(text), cut), json) << cut;
    EXPECT_EQ(digest_of(openai_chat(), BodyForm::kEvents, chat_events(kParts), cut), json) << cut;
    EXPECT_EQ(digest_of(anthropic_messages(), BodyForm::kEvents, messages_events(kParts), cut),
              json)
        << cut;
  }
  const std::string responses =
      R"({"id":"r","object":"response","status":"completed","output":[{"type":"reasoning","summary":[{"text":"no"}]},{"type":"message","content":[{"type":"output_text","text":")" +
      escaped(text) + R"("}]}],"usage":{"input_tokens":1,"output_tokens":2}})";
  EXPECT_EQ(digest_of(openai_responses(), BodyForm::kJson, responses), json);
  EXPECT_EQ(digest_of(openai_responses(), BodyForm::kEvents,
                      "data: {\"type\":\"response.output_text.delta\",\"delta\":\"other\"}\n\n"
                      "data: {\"type\":\"response.completed\",\"response\":" +
                          responses + "}\n\n"),
            json);
  const std::string gemini =
      R"({"candidates":[{"content":{"role":"model","parts":[{"text":")" + escaped(text) +
      R"("}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1}})";
  EXPECT_EQ(digest_of(gemini_generate(), BodyForm::kJson, gemini), json);
  const std::string ollama =
      R"({"model":"m","created_at":"t","message":{"role":"assistant","content":")" + escaped(text) +
      "\"},\"done\":true}\n";
  EXPECT_EQ(digest_of(ollama_chat(), BodyForm::kSeries, ollama), json);
  const std::string messages =
      R"({"id":"m","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":")" +
      escaped(text) + R"("}],"usage":{"input_tokens":1,"output_tokens":2}})";
  EXPECT_EQ(digest_of(anthropic_messages(), BodyForm::kJson, messages), json);
}

TEST(TextDigest, AnotherTextIsAnother) {
  const Digest one = digest_of(openai_chat(), BodyForm::kEvents, chat_events(kParts));
  for (size_t i = 0; i < kParts.size(); ++i) {
    std::vector<std::string> other = kParts;
    other[i] += "?";
    EXPECT_NE(digest_of(openai_chat(), BodyForm::kEvents, chat_events(other)), one) << i;
  }
}

TEST(TextDigest, EqualEventsCountEachTime) {
  // Told by comparing, or read: text with escapes is not learned as what may differ.
  for (const std::string part : {" tok", "é", "\n", "a\"b"}) {
    const std::vector<std::string> parts(5, part);
    EXPECT_EQ(digest_of(openai_chat(), BodyForm::kEvents, chat_events(parts)),
              digest_of(openai_chat(), BodyForm::kJson, chat_json(joined(parts))));
  }
}

TEST(TextDigest, ToolsAloneTellAnswersApart) {
  const auto calls = [](std::string_view name) {
    return digest_of(
        openai_chat(), BodyForm::kJson,
        R"({"object":"chat.completion","choices":[{"message":{"content":null,"tool_calls":[{"id":"t","function":{"name":")" +
            std::string(name) + R"(","arguments":"{}"}}]}}]})");
  };
  EXPECT_TRUE(calls("search").known());
  EXPECT_EQ(calls("search").high, 0u);
  EXPECT_EQ(calls("search"), calls("search"));
  EXPECT_NE(calls("search"), calls("fetch"));
}

TEST(TextDigest, NothingSaidIsUnknown) {
  EXPECT_FALSE(digest_of(openai_chat(), BodyForm::kJson, chat_json("")).known());
}

}  // namespace
}  // namespace wiretally::llm
