// HTTP messages of LLM calls, for tests that need many.
#pragma once

#include <string>
#include <string_view>

namespace wiretally::test {

// RFC 4648 section 5, without padding.
std::string base64url(std::string_view bytes);

// A JWT with this payload and an arbitrary signature.
std::string jwt(std::string_view payload,
                std::string_view header = R"({"alg":"RS256","typ":"JWT"})");

struct Call {
  int number = 0;            // its usage: 1000 + number read, number + 1 written
  std::string subject = {};  // of its JWT; empty: "user-<number>"
  size_t prompt_bytes = 200;
  size_t text_bytes = 200;  // of the answer
  bool stream = false;
  bool gzip = false;        // codes a streamed answer, flushed an event
  std::string prompt = {};  // put in front of the filling
  std::string text = {};    // likewise
};

std::string chat_request(const Call& call);
std::string chat_answer(const Call& call);  // JSON, or SSE when the call streams

// What its record must say.
std::string subject_of(const Call& call);
std::string model_of(const Call& call);
std::string response_id_of(const Call& call);

// A message with its Content-Length.
std::string message(std::string_view head_lines, std::string_view body);

}  // namespace wiretally::test
