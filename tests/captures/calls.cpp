#include "calls.h"

#include <cstdint>
#include <cstdio>

#include "support/encoder.h"

namespace wiretally::test {
namespace {

std::string digits(int number) {
  char text[16];
  std::snprintf(text, sizeof text, "%08d", number);
  return text;
}

std::string usage(const Call& call) {
  return R"({"prompt_tokens":)" + std::to_string(1000 + call.number) + R"(,"completion_tokens":)" +
         std::to_string(call.number + 1) + R"(,"total_tokens":)" +
         std::to_string(1001 + 2 * call.number) + "}";
}

std::string stream_answer(const Call& call) {
  const std::string start = R"({"id":")" + response_id_of(call) +
                            R"(","object":"chat.completion.chunk","model":")" + model_of(call) +
                            R"(",)";
  Pieces events;
  const auto event = [&events](const std::string& data) {
    events.push_back("data: " + data + "\n\n");
  };
  event(start + R"("choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})");
  constexpr size_t kEventText = 40;
  for (size_t at = 0; at < call.text_bytes; at += kEventText) {
    event(start + R"("choices":[{"index":0,"delta":{"content":")" +
          (at == 0 ? call.text : std::string()) + std::string(kEventText, 't') + R"("}}]})");
  }
  event(start + R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
  event(start + R"("choices":[],"usage":)" + usage(call) + "}");
  event("[DONE]");
  if (call.gzip) events = encode(Coding::kGzip, events, {.flush = true});
  std::string chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" +
                        std::string(call.gzip ? "Content-Encoding: gzip\r\n" : "") +
                        "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& chunk : events) {
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    chunked += size + chunk + "\r\n";
  }
  return chunked + "0\r\n\r\n";
}

}  // namespace

std::string base64url(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char byte : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(byte);
    for (count += 8; count >= 6; count -= 6) text += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += kDigits[bits << (6 - count) & 63];
  return text;
}

std::string jwt(std::string_view payload, std::string_view header) {
  return base64url(header) + "." + base64url(payload) + "." + base64url("signature-0123456789");
}

std::string subject_of(const Call& call) {
  return call.subject.empty() ? "user-" + std::to_string(call.number) : call.subject;
}
std::string model_of(const Call& call) { return "model-" + std::to_string(call.number); }
std::string response_id_of(const Call& call) { return "chatcmpl-Test" + digits(call.number); }

std::string message(std::string_view head_lines, std::string_view body) {
  return std::string(head_lines) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

std::string chat_request(const Call& call) {
  const std::string token =
      jwt(R"({"iss":"https://idp.example","sub":")" + subject_of(call) + R"(","aud":"llm"})");
  return message(
      "POST /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\nAuthorization: Bearer " + token +
          "\r\nContent-Type: application/json\r\n",
      R"({"model":")" + model_of(call) + R"(","stream":)" + (call.stream ? "true" : "false") +
          R"(,"messages":[{"role":"user","content":")" + call.prompt +
          std::string(call.prompt_bytes, 'p') + R"("}]})");
}

std::string chat_answer(const Call& call) {
  if (call.stream) return stream_answer(call);
  return message("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
                 R"({"id":")" + response_id_of(call) + R"(","object":"chat.completion","model":")" +
                     model_of(call) +
                     R"(","choices":[{"index":0,"message":{"role":"assistant","content":")" +
                     call.text + std::string(call.text_bytes, 't') +
                     R"("},"finish_reason":"stop"}],"usage":)" + usage(call) + "}");
}

}  // namespace wiretally::test
