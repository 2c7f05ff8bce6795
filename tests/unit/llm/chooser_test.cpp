// Which dialect a path is taken for, whatever stands around it, and that web APIs with the same
// paths leave no record: every path tail of the dialect table, in every variant.
#include <set>

#include "dialect_table.h"
#include "dialogue.h"
#include "target.h"

namespace wiretally::llm {
namespace {

// One path of each tail, with a request and an answer that prove the dialect without its host.
struct Sample {
  const char* path;
  const char* dialect;
  const char* request;
  const char* answer;
};

constexpr const char* kChatRequest =
    R"({"model":"m-1","messages":[{"role":"user","content":"hi"}]})";
constexpr const char* kChatAnswer =
    R"({"id":"chatcmpl-1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})";
constexpr const char* kMessageAnswer =
    R"({"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}})";
constexpr const char* kGeminiRequest = R"({"contents":[{"parts":[{"text":"hi"}]}]})";
constexpr const char* kGeminiAnswer =
    R"({"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},"modelVersion":"m-1"})";
constexpr const char* kConverseAnswer =
    R"({"output":{"message":{"role":"assistant","content":[{"text":"x"}]}},"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}})";
constexpr const char* kMediaAnswer =
    R"({"created":1,"data":[{"b64_json":"aa"}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}})";
constexpr const char* kTranscript =
    R"({"text":"x","usage":{"type":"tokens","input_tokens":3,"output_tokens":2,"total_tokens":5}})";

// clang-format off
const Sample kSamples[] = {
    {"/v1/chat/completions", "openai_chat", kChatRequest, kChatAnswer},
    {"/v1/projects/p/locations/l/publishers/mistralai/models/mistral-large:rawPredict", "openai_chat", kChatRequest, kChatAnswer},
    {"/v1/projects/p/locations/l/publishers/mistralai/models/mistral-large:streamRawPredict", "openai_chat", kChatRequest, kChatAnswer},
    {"/openai/deployments/my%20gpt/chat/completions", "openai_chat", R"({"messages":[{"role":"user","content":"hi"}]})", kChatAnswer},
    {"/v1/completions", "openai_completions", R"({"model":"m-1","prompt":"hi"})", R"({"id":"cmpl-1","object":"text_completion","model":"m-1","choices":[{"text":"x","index":0,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"},
    {"/v1/responses", "openai_responses", R"({"model":"m-1","input":"hi"})", R"({"id":"resp_1","object":"response","status":"completed","model":"m-1","output":[],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}})"},
    {"/v1/responses/compact", "openai_responses", R"({"model":"m-1","input":"hi"})", R"({"id":"resp_1","object":"response.compaction","model":"m-1","output":[],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}})"},
    {"/v1/agent", "openai_responses", R"({"model":"m-1","input":"hi"})", R"({"id":"resp_1","object":"response","model":"m-1","output":[],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5}})"},
    {"/v1/embeddings", "openai_embeddings", R"({"model":"m-1","input":"hi"})", R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"m-1","usage":{"prompt_tokens":3,"total_tokens":3}})"},
    {"/v1/messages", "anthropic_messages", kChatRequest, kMessageAnswer},
    {"/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-7@20260416:rawPredict", "anthropic_messages", kChatRequest, kMessageAnswer},
    {"/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-7:streamRawPredict", "anthropic_messages", kChatRequest, kMessageAnswer},
    {"/v1beta/models/gemini-2.5-pro:generateContent", "gemini_generate", kGeminiRequest, kGeminiAnswer},
    {"/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:streamGenerateContent", "gemini_generate", kGeminiRequest, kGeminiAnswer},
    {"/v1beta/models/gemini-embedding-001:embedContent", "gemini_embeddings", R"({"content":{"parts":[{"text":"hi"}]}})", R"({"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":3}})"},
    {"/v1beta/models/gemini-embedding-001:batchEmbedContents", "gemini_embeddings", R"({"requests":[{"content":{"parts":[{"text":"hi"}]}}]})", R"({"embeddings":[{"values":[0.1]}],"usageMetadata":{"promptTokenCount":3}})"},
    {"/v1/projects/p/locations/l/publishers/google/models/text-embedding-005:predict", "gemini_embeddings", R"({"instances":[{"content":"hi"}]})", R"({"predictions":[{"embeddings":{"values":[0.1],"statistics":{"token_count":3}}}]})"},
    {"/v1beta/interactions", "gemini_interactions", R"({"model":"m-1","input":"hi"})", R"({"id":"i1","object":"interaction","model":"m-1","status":"completed","outputs":[],"usage":{"total_input_tokens":3,"total_output_tokens":2,"total_tokens":5}})"},
    {"/model/anthropic.claude-opus-4-7/converse", "bedrock_converse", R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})", kConverseAnswer},
    {"/model/us.amazon.nova-pro-v1%3A0/converse-stream", "bedrock_converse", R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})", kConverseAnswer},
    {"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse", "bedrock_converse", R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})", kConverseAnswer},
    {"/model/arn%3aaws%3abedrock%3aus-east-1%3a1%3aprovisioned-model%2fabc/invoke", "bedrock_invoke", R"({"prompt":"hi"})", R"({"generation":"x","prompt_token_count":3,"generation_token_count":2,"stop_reason":"stop"})"},
    {"/model/meta.llama3-70b-instruct-v1%3A0/invoke", "bedrock_invoke", R"({"prompt":"hi"})", R"({"generation":"x","prompt_token_count":3,"generation_token_count":2,"stop_reason":"stop"})"},
    {"/model/meta.llama3-70b-instruct-v1:0/invoke-with-response-stream", "bedrock_invoke", R"({"prompt":"hi"})", R"({"generation":"x","prompt_token_count":3,"generation_token_count":2,"stop_reason":"stop"})"},
    {"/v2/chat", "cohere_v2", kChatRequest, R"({"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"x"}]},"usage":{"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":3,"output_tokens":2}}})"},
    {"/v1/chat", "cohere_v1", R"({"model":"m-1","message":"hi"})", R"({"generation_id":"g1","text":"x","finish_reason":"COMPLETE","meta":{"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":3,"output_tokens":2}}})"},
    {"/v2/embed", "cohere_v2", R"({"model":"m-1","input_type":"search_query","texts":["hi"]})", R"({"id":"e1","embeddings":{"float":[[0.1]]},"meta":{"billed_units":{"input_tokens":3}}})"},
    {"/v1/embed", "cohere_v1", R"({"model":"m-1","input_type":"search_query","texts":["hi"]})", R"({"id":"e1","embeddings":[[0.1]],"meta":{"billed_units":{"input_tokens":3}}})"},
    {"/v2/rerank", "cohere_v2", R"({"model":"m-1","query":"q","documents":["hi"]})", R"({"id":"r1","results":[{"index":0,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":1}}})"},
    {"/v1/rerank", "cohere_v1", R"({"model":"m-1","query":"q","documents":["hi"]})", R"({"id":"r1","results":[{"index":0,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":1}}})"},
    {"/api/chat", "ollama", kChatRequest, R"({"model":"m-1","created_at":"2026-11-20T10:00:00Z","message":{"role":"assistant","content":"x"},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2})"},
    {"/api/generate", "ollama", R"({"model":"m-1","prompt":"hi"})", R"({"model":"m-1","created_at":"2026-11-20T10:00:00Z","response":"x","done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":2})"},
    {"/api/embed", "ollama", R"({"model":"m-1","input":"hi"})", R"({"model":"m-1","embeddings":[[0.1]],"prompt_eval_count":3})"},
    {"/v1/multimodalembeddings", "openai_embeddings", R"({"model":"m-1","inputs":[{"content":[]}]})", R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"m-1","usage":{"text_tokens":3,"image_pixels":0,"total_tokens":3}})"},
    {"/v1/contextualizedembeddings", "openai_embeddings", R"({"model":"m-1","inputs":[["hi"]]})", R"({"object":"list","data":[{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}]}],"model":"m-1","usage":{"total_tokens":3}})"},
    {"/v1/generate", "cohere_v1", R"({"model":"m-1","prompt":"hi"})", R"({"id":"g1","generations":[{"text":"x","finish_reason":"COMPLETE"}],"meta":{"billed_units":{"input_tokens":3,"output_tokens":2}}})"},
    {"/v1/reranking", "cohere_v1", R"({"model":"m-1","query":"q","input":["hi"]})", R"({"object":"list","data":[{"index":0,"score":0.9}],"model":"m-1","usage":{"total_tokens":3}})"},
    {"/rerank", "cohere_v1", R"({"model":"m-1","query":"q","documents":["hi"]})", R"({"id":"r1","results":[{"index":0,"relevance_score":0.9}],"usage":{"total_tokens":3}})"},
    {"/api/embeddings", "ollama", R"({"model":"m-1","prompt":"hi"})", R"({"embedding":[0.1]})"},
    {"/ml/v1/text/generation", "openai_completions", R"({"model_id":"m-1","input":"hi"})", R"({"model_id":"m-1","results":[{"generated_text":"x","generated_token_count":2,"input_token_count":3,"stop_reason":"eos_token"}]})"},
    {"/ml/v1/text/generation_stream", "openai_completions", R"({"model_id":"m-1","input":"hi"})", R"({"model_id":"m-1","results":[{"generated_text":"x","generated_token_count":2,"input_token_count":3,"stop_reason":"eos_token"}]})"},
    {"/ml/v1/text/chat", "openai_chat", R"({"model_id":"m-1","messages":[{"role":"user","content":"hi"}]})", kChatAnswer},
    {"/ml/v1/text/chat_stream", "openai_chat", R"({"model_id":"m-1","messages":[{"role":"user","content":"hi"}]})", kChatAnswer},
    {"/v1/images/generations", "openai_images", R"({"model":"m-1","prompt":"hi"})", kMediaAnswer},
    {"/v1/images/edits", "openai_images", R"({"model":"m-1","prompt":"hi"})", kMediaAnswer},
    {"/v1/audio/transcriptions", "openai_audio", R"({"model":"m-1","input":"hi"})", kTranscript},
    {"/v1/audio/translations", "openai_audio", R"({"model":"m-1","input":"hi"})", kTranscript},
    {"/v1/audio/speech", "openai_audio", R"({"model":"m-1","input":"hi"})", ""},
    {"/v2/models/llama-3/generate", "triton", R"({"text_input":"hi"})", R"({"model_name":"m-1","model_version":"1","text_output":"x"})"},
    {"/v2/models/llama-3/versions/1/generate_stream", "triton", R"({"text_input":"hi"})", R"({"model_name":"m-1","model_version":"1","text_output":"x"})"},
    {"/api/v1/chat", "lmstudio", R"({"model":"m-1","input":"hi"})", R"({"model_instance_id":"m-1","output":[{"type":"message","content":"x"}],"stats":{"input_tokens":3,"total_output_tokens":2}})"},
    {"/generate", "tgi", R"({"inputs":"hi"})", R"({"generated_text":"x","details":{"finish_reason":"length","generated_tokens":2,"input_length":3}})"},
    {"/generate_stream", "tgi", R"({"inputs":"hi"})", R"({"generated_text":"x","details":{"finish_reason":"length","generated_tokens":2,"input_length":3}})"},
    {"/completion", "llamacpp", R"({"prompt":"hi"})", R"({"content":"x","stop":true,"model":"m-1","tokens_predicted":2,"tokens_evaluated":3})"},
    {"/infill", "llamacpp", R"({"input_prefix":"a","input_suffix":"b"})", R"({"content":"x","stop":true,"model":"m-1","tokens_predicted":2,"tokens_evaluated":3})"},
    {"/mcp", "mcp", R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search"}})", R"({"jsonrpc":"2.0","id":7,"result":{"content":[],"isError":false}})"},
    {"/a2a", "a2a", R"({"jsonrpc":"2.0","id":7,"method":"message/send","params":{}})", R"({"jsonrpc":"2.0","id":7,"result":{}})"},
    {"/client/v4/accounts/a/ai/run/@cf/meta/llama-3.1-8b-instruct", "openai_chat", R"({"prompt":"hi"})", R"({"result":{"response":"x","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}},"success":true})"},
    {"/v1/a/g/workers-ai/@cf/meta/llama-3.1-8b-instruct", "openai_chat", R"({"prompt":"hi"})", R"({"result":{"response":"x","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}},"success":true})"},
    {"/v1/sonar", "openai_chat", R"({"model":"m-1","messages":[{"role":"user","content":"hi"}]})", kChatAnswer},
    {"/v1/text/chatcompletion_v2", "openai_chat", R"({"model":"m-1","messages":[{"role":"user","content":"hi"}]})", kChatAnswer},
    {"/api/v2/cortex/inference:complete", "openai_chat", R"({"model":"m-1","messages":[{"role":"user","content":"hi"}]})", R"({"id":"c1","model":"m-1","choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"},
    {"/serving-endpoints/our-bot/invocations", "openai_chat", R"({"messages":[{"role":"user","content":"hi"}]})", kChatAnswer},
    {"/v1/message:send", "a2a", R"({"message":{"role":"ROLE_USER","parts":[{"text":"hi"}]}})", R"({"task":{"id":"t1"}})"},
    {"/v1/message:stream", "a2a", R"({"message":{"role":"ROLE_USER","parts":[{"text":"hi"}]}})", R"({"task":{"id":"t1"}})"},
    {"/v1/conversations", "openai_chat", R"({"model":"m-1","inputs":"hi"})", R"({"object":"conversation.response","conversation_id":"conv_1","outputs":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"},
    {"/generate", "sglang", R"({"text":"hi","sampling_params":{}})", R"({"text":"x","meta_info":{"id":"s1","prompt_tokens":3,"completion_tokens":2}})"},
    {"/api/v1/services/aigc/text-generation/generation", "dashscope", R"({"model":"m-1","input":{"prompt":"hi"}})", R"({"output":{"text":"x","finish_reason":"stop"},"usage":{"input_tokens":3,"output_tokens":2},"request_id":"q1"})"},
    {"/api/v1/services/aigc/multimodal-generation/generation", "dashscope", R"({"model":"m-1","input":{"messages":[{"role":"user","content":[{"text":"hi"}]}]}})", R"({"output":{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":[{"text":"x"}]}}]},"usage":{"input_tokens":3,"output_tokens":2},"request_id":"q1"})"},
    {"/api/v1/services/embeddings/text-embedding/text-embedding", "dashscope", R"({"model":"m-1","input":{"texts":["hi"]}})", R"({"output":{"embeddings":[{"text_index":0,"embedding":[0.1]}]},"usage":{"total_tokens":3},"request_id":"q1"})"},
    {"/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding", "dashscope", R"({"model":"m-1","input":{"contents":[{"text":"hi"}]}})", R"({"output":{"embeddings":[{"index":0,"embedding":[0.1],"type":"text"}]},"usage":{"input_tokens":3},"request_id":"q1"})"},
    {"/api/v1/services/rerank/text-rerank/text-rerank", "dashscope", R"({"model":"m-1","input":{"query":"q","documents":["hi"]}})", R"({"output":{"results":[{"index":0,"relevance_score":0.9}]},"usage":{"total_tokens":3},"request_id":"q1"})"},
    {"/v1/threads/thread_1/runs", "openai_chat", R"({"assistant_id":"a","model":"m-1"})", R"({"id":"run_1","object":"thread.run","status":"completed","model":"m-1","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"},
    {"/v1/threads/thread_1/runs/run_1/submit_tool_outputs", "openai_chat", R"({"tool_outputs":[]})", R"({"id":"run_1","object":"thread.run","status":"completed","model":"m-1","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"},
};
// clang-format on

std::string dialect_in(const std::string& line) {
  const size_t begin = line.find("dialect=");
  if (begin == line.npos) return line;
  return line.substr(begin + 8, line.find(' ', begin) - begin - 8);
}

TEST(Chooser, EveryTailHasASample) {
  for (const DialectSpec* spec : dialects()) {
    for (std::string_view tail : spec->path_tails) {
      bool sampled = false;
      for (const Sample& sample : kSamples) {
        const std::string_view path = sample.path;
        sampled |= sample.dialect == dialect_name(spec->dialect) &&
                   path.substr(0, path.find("/@cf/")).ends_with(tail);
      }
      EXPECT_TRUE(sampled) << dialect_name(spec->dialect) << " " << tail;
    }
  }
}

// Goes on with a call that was opened before.
bool fetches(std::string_view path) { return path.ends_with("/submit_tool_outputs"); }

TEST(Chooser, RightDialectWhateverStandsAroundThePath) {
  for (const Sample& sample : kSamples) {
    const std::string path = sample.path;
    // Gateways that mount providers, relays of hosts, long queries, absolute form.
    const std::string targets[] = {
        path,
        path + "?beta=true",
        path + "/",
        path + "/?api-version=2024-10-21&beta=true#end",
        "/gateway" + path,
        "/openai" + path,
        "/v1/0a1b/my-gateway/compat" + path,
        "/proxy/api.example.com/a.b/c:d" + path,
        "http://gw.example.org:8080" + path,
        "https://user@gw.example.org" + path + "?key=x",
    };
    for (const std::string& target : targets) {
      Dialogue dialogue(target, sample.request);
      if (fetches(path)) dialogue.fetch();
      const std::string played = dialogue.json(sample.answer).play();
      EXPECT_EQ(dialect_in(played), sample.dialect) << target << "\n" << played;
    }
    // Another provider's host says nothing of the dialect.
    for (const char* host : {"api.openai.com", "api.anthropic.com", "127.0.0.1:8000", ""}) {
      Dialogue dialogue(path, sample.request);
      if (fetches(path)) dialogue.fetch();
      const std::string played = dialogue.host(host).json(sample.answer).play();
      EXPECT_EQ(dialect_in(played), sample.dialect) << host << path << "\n" << played;
    }
  }
}

// Paths that nobody else has.
bool names_its_owner(std::string_view path) {
  return path.find("/openai/deployments/") != path.npos || path.find("/invoke") != path.npos;
}

// A web application's idea of these paths. None of it proves an LLM.
TEST(Chooser, LookAlikesLeaveNoRecord) {
  static constexpr std::pair<const char*, const char*> kExchanges[] = {
      {R"({"text":"hi","to":"bob"})", R"({"ok":true,"id":17})"},
      {R"({"messages":[{"text":"hi","from":"alice"}]})", R"({"status":"sent","messages":[1,2]})"},
      {R"({"message":"hi","room":"r1"})", R"({"type":"message","id":"m1","message":"hi"})"},
      {R"({"prompt":"Pay now?","amount":3})", R"({"text":"yes","results":[{"id":1}]})"},
      {R"({"query":"x","page":2})", R"({"data":[{"id":1}],"usage":"3 of 10","error":null})"},
      {R"([1,2,3])", R"([{"candidates":[{"name":"Ada","votes":7}]}])"},
      {R"({"contents":"of a box","model":7})", R"({"candidates":[{"name":"Ada"}],"done":false})"},
      {R"({"inputs":{"a":1},"stream":true})", R"({"generated_text":null,"token":"csrf-17"})"},
      {"name=alice&text=hi", "<html><body>ok</body></html>"},
      {"", ""},
  };
  for (const Sample& sample : kSamples) {
    if (names_its_owner(sample.path)) continue;
    for (const auto& [request, answer] : kExchanges) {
      for (const uint16_t status : {200, 404, 500}) {
        const std::string played =
            Dialogue(sample.path, request).answer(status, "application/json", answer).play();
        EXPECT_TRUE(played.empty() || played.starts_with("suspect="))
            << sample.path << " " << request << " " << status << "\n"
            << played;
      }
    }
  }
}

// What real web APIs say at these paths.
TEST(Chooser, LookAlikesAsTheyAreInTheWild) {
  struct Exchange {
    const char* host;
    const char* path;
    const char* request;
    uint16_t status;
    const char* answer;
  };
  // clang-format off
  static constexpr Exchange kExchanges[] = {
      // chats and mail
      {"graph.facebook.com", "/v23.0/106540352242922/messages", R"({"messaging_product":"whatsapp","recipient_type":"individual","to":"16505551234","type":"text","text":{"preview_url":false,"body":"Hi"}})", 200, R"({"messaging_product":"whatsapp","contacts":[{"input":"+16505551234","wa_id":"16505551234"}],"messages":[{"id":"wamid.HBg"}]})"},
      {"discord.com", "/api/v10/channels/41771983423143937/messages", R"({"content":"Hi","tts":false,"embeds":[{"title":"x"}]})", 200, R"({"id":"334385199974967042","type":0,"content":"Hi","channel_id":"41771983423143937","author":{"id":"1","username":"bot"},"embeds":[],"tts":false})"},
      {"conversations.twilio.com", "/v1/Conversations/CHxx/messages", "Author=system&Body=Hi", 201, R"({"sid":"IMxx","conversation_sid":"CHxx","body":"Hi","author":"system","participant_sid":null})"},
      {"api.nexmo.com", "/v1/messages", R"({"message_type":"text","text":"Hi","to":"447700900000","from":"Vonage","channel":"sms"})", 202, R"({"message_uuid":"aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab"})"},
      {"chat.zulip.example", "/api/v1/messages", "type=stream&to=general&content=Hi", 200, R"({"id":42,"msg":"","result":"success"})"},
      {"api.intercom.io", "/conversations", R"({"from":{"type":"user","id":"536e564f316c83104c000020"},"body":"Hello"})", 200, R"({"type":"user_message","id":"403918251","created_at":1394917047,"body":"Hello","message_type":"inapp"})"},
      {"graph.microsoft.com", "/v1.0/chats/19:x@thread.v2/messages", R"({"body":{"contentType":"html","content":"Hi"}})", 201, R"({"id":"1616","messageType":"message","from":{"user":{"id":"8"}},"body":{"contentType":"text","content":"Hi"}})"},
      {"mattermost.example", "/api/v4/channels/c1/messages", R"({"channel_id":"c1","message":"Hi","props":{}})", 201, R"({"id":"p1","message":"Hi","type":"","metadata":{}})"},
      {"matrix.example", "/_matrix/client/v3/rooms/r/messages", R"({"msgtype":"m.text","body":"Hi"})", 200, R"({"event_id":"$abc"})"},
      {"slack.com", "/api/chat", R"({"channel":"C123","text":"Hi","blocks":[{"type":"section"}]})", 200, R"({"ok":true,"channel":"C123","ts":"1503435956.000247","message":{"text":"Hi","username":"bot","type":"message"}})"},
      {"support.example", "/api/chat", R"({"messages":[{"role":"user","content":"Where is my order?"}],"conversation":"c1"})", 200, R"({"reply":"On its way.","done":true})"},
      {"support.example", "/v1/chat", R"({"model":"order-bot","message":"Where is my order?"})", 200, R"({"text":"On its way.","finish_reason":null,"tokens":7})"},
      {"fcm.googleapis.com", "/v1/projects/p/messages:send", R"({"message":{"topic":"news","notification":{"body":"x"}}})", 200, R"({"name":"projects/p/messages/1"})"},
      {"push.example", "/v1/message:send", R"({"message":{"to":"bob","text":"Hi","role":"admin"}})", 200, R"({"ok":true})"},
      // searches
      {"es.example:9200", "/products/_search", R"({"query":{"match":{"title":"x"}},"size":10})", 200, R"({"took":5,"timed_out":false,"hits":{"total":{"value":1},"hits":[{"_id":"1","_score":1.2}]}})"},
      {"es.example:9200", "/_inference/rerank/my-reranker", R"({"query":"x","input":["a","b"]})", 200, R"({"rerank":[{"index":0,"relevance_score":0.9}]})"},
      {"search.example", "/v1/rerank", R"({"query":"shoes","items":[1,2,3],"model":"ltr-7"})", 200, R"({"results":[{"id":2,"score":0.4}],"took":3})"},
      {"search.example", "/completions", R"({"prompt":"red sh","model":"autocomplete-2","limit":5})", 200, R"({"suggestions":["red shoes","red shirt"],"took_ms":2})"},
      {"search.example", "/v1/responses", R"({"model":"survey","input":"yes","form":17})", 201, R"({"id":"r17","stored":true})"},
      // vectors that no language model makes
      {"faces.example", "/embeddings", R"({"image_url":"https://a/b.jpg","model":"arcface"})", 200, R"({"vector":[0.1,0.2],"faces":1})"},
      {"vectors.example", "/v1/embeddings", R"({"model":"resnet50","input":"aGVsbG8="})", 200, R"({"vector":[0.1,0.2],"dim":2,"model":"resnet50"})"},
      {"vectors.example", "/v1/embeddings", R"({"model":"resnet50","input":"aGVsbG8="})", 200, R"({"object":"list","data":[],"has_more":false})"},
      {"vectors.example", "/api/embeddings", R"({"model":"resnet50","prompt":"hi"})", 200, R"({"vector":[0.1,0.2]})"},
      {"search.example", "/rerank", R"({"query":"shoes","items":[1,2,3]})", 200, R"({"results":[{"id":2,"score":0.4}],"took":3})"},
      {"search.example", "/text/generation", R"({"model_id":"m","input":"hi"})", 200, R"({"results":[{"text":"x"}]})"},
      {"pics.example", "/images/generations", R"({"model":"thumbnail","prompt":"small","source":"s3://a"})", 202, R"({"job":"j1","state":"queued"})"},
      // webhooks and shops
      {"hooks.example", "/stripe/messages", R"({"id":"evt_1","object":"event","api_version":"2020-08-27","data":{"object":{"id":"pi_1","object":"payment_intent","amount":2000,"status":"succeeded"}},"type":"payment_intent.succeeded"})", 200, R"({"received":true})"},
      {"api.stripe.com", "/v1/chat/completions", "amount=2000&currency=usd", 404, R"({"error":{"type":"invalid_request_error","message":"Unrecognized request URL","code":null}})"},
      {"api.github.com", "/repos/o/r/completions", R"({"ref":"main","inputs":{"model":"x"}})", 404, R"({"message":"Not Found","documentation_url":"https://docs.github.com","status":"404"})"},
      {"ml.example", "/generate", R"({"text":"hi","voice":"ann","sampling_params":{}})", 200, R"({"text":"hi","audio":"aGk=","meta_info":{"id":"7"}})"},
      {"ml.example", "/api/v1/services/aigc/text-generation/generation", R"({"model":"m","input":"hi"})", 200, R"({"output":{"text":"hi"},"id":"7"})"},
      {"ml.example", "/generate", R"({"inputs":{"width":512,"height":512},"seed":7})", 200, R"({"job_id":"9","status":"queued"})"},
      {"ml.example", "/v2/models/resnet/infer", R"({"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]})", 200, R"({"model_name":"resnet","model_version":"1","outputs":[{"name":"y","shape":[1],"data":[0.5]}]})"},
      {"ml.example", "/v2/models/upscaler/generate", R"({"image":"aGk="})", 200, R"({"model_name":"upscaler","model_version":"1","image":"aGk="})"},
      {"rpc.example", "/mcp", R"({"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x0"}]})", 200, R"({"jsonrpc":"2.0","id":1,"result":"0x"})"},
      {"rpc.example", "/a2a", R"({"jsonrpc":"2.0","id":1,"method":"transfer","params":{"message":{"role":"user"}}})", 200, R"({"jsonrpc":"2.0","id":1,"result":{}})"},
      {"api.openai.com", "/v1/conversations", R"({"items":[{"type":"message","role":"user","content":"Hello!"}]})", 200, R"({"id":"conv_123","object":"conversation","created_at":1741900000})"},
      {"api.openai.com", "/v1/conversations/conv_123", R"({"metadata":{"topic":"x"}})", 200, R"({"id":"conv_123","object":"conversation","metadata":{"topic":"x"}})"},
  };
  // clang-format on
  for (const Exchange& e : kExchanges) {
    const std::string played = Dialogue(e.path, e.request)
                                   .host(e.host)
                                   .answer(e.status, "application/json; charset=utf-8", e.answer)
                                   .play();
    EXPECT_TRUE(played.empty() || played.starts_with("suspect=")) << e.host << e.path << "\n"
                                                                  << played;
  }
}

// Of the tails that stand behind an id: somebody else's ids.
TEST(Chooser, LookAlikesOfPathsWithAnId) {
  for (const char* path :
       {"/model/7/invoke", "/model/tesla/invoke", "/invoke", "/model/7/converse", "/converse",
        "/v1/projects/p/models/churn:predict", "/v1/projects/p/endpoints/17:rawPredict",
        "/threads/t1/messages", "/models/count-tokens:rawPredict", "/api/predict"}) {
    for (const char* request :
         {kChatRequest, R"({"prompt":"hi"})", R"({"instances":[{"content":"x"}]})"}) {
      const std::string played = Dialogue(path, request).json(R"({"ok":true})").play();
      EXPECT_TRUE(played.empty() || played.starts_with("suspect=")) << path << "\n" << played;
    }
  }
}

// Of MCP and A2A whatever only arranges is neither a call nor a suspect.
TEST(Chooser, WhatArrangesIsNoSuspect) {
  for (const char* method :
       {"initialize", "notifications/initialized", "ping", "tools/list", "resources/read",
        "prompts/get", "logging/setLevel", "completion/complete", "tasks/get", "GetTask"}) {
    const std::string request =
        R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"(","params":{}})";
    for (const char* path : {"/mcp", "/a2a"}) {
      EXPECT_EQ(Dialogue(path, request).json(R"({"jsonrpc":"2.0","id":1,"result":{}})").play(), "")
          << path << " " << method;
    }
    EXPECT_EQ(Dialogue("/rpc", request)
                  .header("MCP-Protocol-Version", "2025-06-18")
                  .answer(202, "text/plain")
                  .play(),
              "");
  }
  EXPECT_EQ(Dialogue("/mcp", R"({"to":"bob"})").json(R"({"ok":true})").play(), "suspect=mcp");
}

// Only POST performs inference.
TEST(Chooser, OtherMethodsLeaveNothing) {
  for (const Sample& sample : kSamples) {
    for (const char* method : {"GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"}) {
      EXPECT_EQ(Dialogue(sample.path, sample.request).method(method).json(sample.answer).play(), "")
          << method << " " << sample.path;
    }
  }
}

// What stands behind the tail makes it another path.
TEST(Chooser, LongerPathsAreOthers) {
  for (const Sample& sample : kSamples) {
    const std::string path = sample.path;
    if (path.find("/@cf/") != path.npos) continue;  // all of the rest is a model's name
    for (const char* more : {"/17", "/17/cancel", "x", ".html"}) {
      const DialectSpec* spec = suspect_dialect(split_target(path + more).path);
      EXPECT_EQ(spec, nullptr) << path << more << " " << dialect_name(spec->dialect);
    }
  }
}

}  // namespace
}  // namespace wiretally::llm
