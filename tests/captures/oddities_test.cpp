// Heads and framing that clients and servers read differently (RFC 9112 sections 2.2, 3, 5.1, 5.2,
// 6 and 7; RFC 9110 section 8.6), before and behind known LLM calls: what is said of a call is
// right or unknown, never wrong, and the next call on the connection is intact or unknown, never
// shifted.
//
// Each odd message ends in a decoy: a whole request (or answer) of another caller, model and usage,
// which shows up as a record as soon as the odd message is read shorter than its length says, or
// than its receiver reads it. The conversation is what a server makes of it that reads all of it as
// one message.
#include <gtest/gtest.h>

#include <algorithm>

#include "binary.h"
#include "calls.h"

namespace wiretally::test {
namespace {

const Call kOdd{.number = 1};
const Call kNext{.number = 2};
const Call kBefore{.number = 3};
const Call kDecoy{.number = 666};

std::string body_of(const std::string& message) {
  return message.substr(message.find("\r\n\r\n") + 4);
}
std::string head_of(const std::string& message) {  // without its Content-Length and empty line
  const size_t length = message.find("Content-Length");
  return message.substr(0, length);
}
std::string length(size_t bytes) { return "Content-Length: " + std::to_string(bytes) + "\r\n"; }
std::string hex(size_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "%zx", number);
  return text;
}

// The odd call's two messages, piece by piece.
struct Parts {
  std::string head;   // start line and fields, without framing
  std::string body;   // JSON
  std::string decoy;  // a whole message of the same direction

  std::string padded() const { return body + "\r\n" + decoy; }
  std::string smuggled() const { return "0\r\n\r\n" + decoy; }
  std::string chunk() const { return hex(body.size()) + "\r\n" + body + "\r\n"; }
  // With these framing fields and this body.
  std::string with(const std::string& fields, const std::string& content) const {
    return head + fields + "\r\n" + content;
  }
  // As `with`, the start line changed.
  std::string started(const std::string& line) const {
    return line + "\r\n" + head.substr(head.find("\r\n") + 2) + length(padded().size()) + "\r\n" +
           padded();
  }
};

const Parts kRequest{.head = head_of(chat_request(kOdd)),
                     .body = body_of(chat_request(kOdd)),
                     .decoy = chat_request(kDecoy)};
const Parts kAnswer{.head = head_of(chat_answer(kOdd)),
                    .body = body_of(chat_answer(kOdd)),
                    .decoy = chat_answer(kDecoy)};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// What the records say of a call.
enum class Said { kNothing, kPart, kAll };

struct Oddity {
  std::string name;
  std::string request;  // empty: the plain one
  std::string answer;   // empty: the plain one
  Said odd;             // of the call with the oddity
  Said next;            // of the call behind it
};

void PrintTo(const Oddity& oddity, std::ostream* out) { *out << oddity.name; }

std::vector<Oddity> oddities() {
  using enum Said;
  const Parts& q = kRequest;
  const Parts& a = kAnswer;
  const size_t padded = q.padded().size();
  const size_t smuggled = q.smuggled().size();
  const std::string te = "Transfer-Encoding: chunked\r\n";
  const std::string last = "0\r\n\r\n";
  const std::string post = "POST /v1/chat/completions HTTP/1.1";
  const auto request = [](std::string name, std::string bytes, Said odd, Said next) {
    return Oddity{std::move(name), std::move(bytes), "", odd, next};
  };
  const auto answer = [](std::string name, std::string bytes, Said odd, Said next) {
    return Oddity{std::move(name), "", std::move(bytes), odd, next};
  };
  const std::string huge = "1" + std::string(16, '0') + hex(q.body.size());
  return {
      // --- requests: which length counts
      request("plain", q.with(length(padded), q.padded()), kAll, kAll),
      request("space_before_colon",
              q.with(length(smuggled) + "Transfer-Encoding : chunked\r\n", q.smuggled()), kPart,
              kAll),
      request("xchunked",
              q.with(length(smuggled) + "Transfer-Encoding: xchunked\r\n", q.smuggled()), kPart,
              kAll),
      request("vertical_tab_chunked",
              q.with(length(smuggled) + "Transfer-Encoding: \vchunked\r\n", q.smuggled()), kPart,
              kAll),
      request("short_then_long_length",
              q.with(length(q.body.size() + 2) + length(padded), q.padded()), kPart, kAll),
      request("long_then_short_length",
              q.with(length(padded) + length(q.body.size() + 2), q.padded()), kPart, kAll),
      request("same_length_twice", q.with(length(padded) + length(padded), q.padded()), kPart,
              kAll),
      request("length_list",
              q.with("Content-Length: " + std::to_string(padded) + ", " + std::to_string(padded) +
                         "\r\n",
                     q.padded()),
              kPart, kAll),
      request("different_length_list",
              q.with("Content-Length: 5, " + std::to_string(padded) + "\r\n", q.padded()), kPart,
              kAll),
      request("negative_length", q.with("Content-Length: -5\r\n", q.padded()), kPart, kAll),
      request("plus_length",
              q.with("Content-Length: +" + std::to_string(padded) + "\r\n", q.padded()), kPart,
              kAll),
      request("hex_length", q.with("Content-Length: 0x" + hex(padded) + "\r\n", q.padded()), kPart,
              kAll),
      request("length_over_2_64", q.with("Content-Length: 18446744073709551621\r\n", q.padded()),
              kPart, kAll),
      request("length_with_spaces_inside", q.with("Content-Length: 1 0\r\n", q.padded()), kPart,
              kAll),
      request("empty_length", q.with("Content-Length:\r\n", q.padded()), kPart, kAll),
      request("length_and_chunked", q.with(length(smuggled) + te, q.smuggled()), kPart, kAll),
      request("chunked_and_length", q.with(te + length(smuggled), q.smuggled()), kPart, kAll),
      request("chunked_identity",
              q.with(length(smuggled) + "Transfer-Encoding: chunked, identity\r\n", q.smuggled()),
              kPart, kAll),
      request("chunked_identity_alone",
              q.with("Transfer-Encoding: chunked, identity\r\n", q.chunk() + last), kPart, kAll),
      request("identity_chunked",
              q.with("Transfer-Encoding: identity, chunked\r\n", q.chunk() + last), kAll, kAll),
      request("chunked_twice", q.with(te + te, q.chunk() + last), kPart, kAll),
      request("chunked_upper_case", q.with("TRANSFER-ENCODING: CHUNKED\r\n", q.chunk() + last),
              kAll, kAll),
      request("chunked_on_http_10",
              replaced(q.with(te, q.smuggled()), post, "POST /v1/chat/completions HTTP/1.0"), kPart,
              kAll),
      request("no_length_and_a_body", q.with("", q.padded()), kPart, kPart),
      request("tab_before_colon",
              q.with(length(smuggled) + "Transfer-Encoding\t: chunked\r\n", q.smuggled()), kPart,
              kAll),
      request("length_with_a_letter",
              q.with("Content-Length: " + std::to_string(padded) + "a\r\n", q.padded()), kPart,
              kAll),
      request("length_in_exponents", q.with("Content-Length: 1e1\r\n", q.padded()), kPart, kAll),
      request("length_with_a_fraction",
              q.with("Content-Length: " + std::to_string(padded) + ".0\r\n", q.padded()), kPart,
              kAll),
      request("length_with_leading_zeros",
              q.with("Content-Length: 000" + std::to_string(padded) + "\r\n", q.padded()), kAll,
              kAll),
      request("length_in_quotes",
              q.with("Content-Length: \"" + std::to_string(padded) + "\"\r\n", q.padded()), kPart,
              kAll),
      request("length_and_an_empty_one", q.with("Content-Length:\r\n" + length(padded), q.padded()),
              kPart, kAll),
      request("length_with_an_underscore",
              q.with("Content_Length: 5\r\n" + length(padded), q.padded()), kAll, kAll),
      request("transfer_encoding_with_an_underscore",
              q.with("Transfer_Encoding: chunked\r\n" + length(smuggled), q.smuggled()), kPart,
              kAll),
      request("chunked_with_a_weight", q.with("Transfer-Encoding: chunked;q=1\r\n", q.smuggled()),
              kPart, kAll),
      request("chunked_in_quotes",
              q.with(length(smuggled) + "Transfer-Encoding: \"chunked\"\r\n", q.smuggled()), kPart,
              kAll),
      request("chunked_with_a_comma", q.with("Transfer-Encoding: , chunked\r\n", q.chunk() + last),
              kAll, kAll),
      request("chunked_before_a_comma", q.with("Transfer-Encoding: chunked,\r\n", q.chunk() + last),
              kPart, kAll),
      request("chunked_chunked",
              q.with("Transfer-Encoding: chunked, chunked\r\n", q.chunk() + last), kPart, kAll),
      request("empty_transfer_encoding",
              q.with("Transfer-Encoding:\r\n" + length(padded), q.padded()), kPart, kAll),
      request("chunked_behind_a_form_feed",
              q.with(length(smuggled) + "Transfer-Encoding: \fchunked\r\n", q.smuggled()), kPart,
              kAll),
      request("chunked_behind_a_hard_space",
              q.with(length(smuggled) + "Transfer-Encoding: \xa0"
                                        "chunked\r\n",
                     q.smuggled()),
              kPart, kAll),
      request("upgrade_that_nobody_takes_up",
              q.with("Connection: Upgrade\r\nUpgrade: h2c\r\n" + length(padded), q.padded()), kAll,
              kAll),
      // --- requests: lines
      request("folded_transfer_encoding",
              q.with(length(smuggled) + "Transfer-Encoding:\r\n chunked\r\n", q.smuggled()), kPart,
              kAll),
      request("folded_length",
              q.with("X: a\r\n Content-Length: 5\r\n" + length(padded), q.padded()), kAll, kAll),
      request("nul_in_a_name", q.with(std::string("X\0Y: a\r\n", 8) + length(padded), q.padded()),
              kPart, kAll),
      request("nul_in_a_value", q.with(std::string("X: a\0b\r\n", 8) + length(padded), q.padded()),
              kPart, kAll),
      request("nul_in_the_length",
              q.with(std::string("Content-Length: 5\0") + "\r\n" + length(padded), q.padded()),
              kPart, kAll),
      request("bare_lf_everywhere",
              replaced(q.head + length(padded) + "\r\n", "\r\n", "\n") + q.padded(), kPart, kAll),
      request("one_bare_lf", q.with("X: a\nContent-Length: 5\r\n" + length(padded), q.padded()),
              kPart, kAll),
      request("bare_cr", q.with("X: a\rContent-Length: 5\r\n" + length(padded), q.padded()), kPart,
              kAll),
      request("missing_colon", q.with("Nonsense\r\n" + length(padded), q.padded()), kPart, kAll),
      request("empty_name", q.with(": a\r\n" + length(padded), q.padded()), kAll, kAll),
      request("space_before_first_field",
              replaced(q.with(length(padded), q.padded()), "\r\nHost:", "\r\n X: a\r\nHost:"),
              kPart, kAll),
      request("obs_text", q.with("X: gr\xfc\xdf\xff\r\n" + length(padded), q.padded()), kAll, kAll),
      // --- requests: start lines
      request("http_09", "GET /v1/chat/completions\r\n" + q.decoy, kNothing, kNothing),
      request("absolute_form", q.started("POST http://llm.example/v1/chat/completions HTTP/1.1"),
              kAll, kAll),
      request("version_2_0", q.started("POST /v1/chat/completions HTTP/2.0"), kNothing, kNothing),
      request("version_1_2", q.started("POST /v1/chat/completions HTTP/1.2"), kPart, kAll),
      request("version_1_10", q.started("POST /v1/chat/completions HTTP/1.10"), kNothing, kNothing),
      request("lower_case_method", q.started("post /v1/chat/completions HTTP/1.1"), kNothing,
              kNothing),
      request("two_spaces", q.started("POST  /v1/chat/completions  HTTP/1.1"), kAll, kAll),
      request("tabs", q.started("POST\t/v1/chat/completions\tHTTP/1.1"), kNothing, kNothing),
      request("trailing_space", q.started(post + " "), kNothing, kNothing),
      request("leading_empty_lines", "\r\n\r\n\r\n" + q.with(length(padded), q.padded()), kAll,
              kAll),
      request("leading_space", " " + q.with(length(padded), q.padded()), kNothing, kNothing),
      // --- requests: chunks
      request("chunk_size_with_space",
              q.with(te, hex(q.body.size()) + " \r\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_size_in_0x",
              q.with(te, "0x" + hex(q.body.size()) + "\r\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_size_with_plus",
              q.with(te, "+" + hex(q.body.size()) + "\r\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_size_over_2_64", q.with(te, huge + "\r\n" + q.body + "\r\n" + last), kPart,
              kAll),
      request("chunk_extension",
              q.with(te, hex(q.body.size()) + ";a=b;c\r\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_extension_with_quoted_crlf",
              q.with(te, hex(q.body.size()) + ";a=\"\r\n\"\r\n" + q.body + "\r\n" + last), kPart,
              kAll),
      request("chunk_extension_with_bare_lf",
              q.with(te, hex(q.body.size()) + ";a\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_without_its_end", q.with(te, hex(q.body.size()) + "\r\n" + q.body + last),
              kAll, kAll),
      request("chunk_ends_with_bare_lf", q.with(te, hex(q.body.size()) + "\n" + q.body + "\n0\n\n"),
              kPart, kAll),
      request("last_chunk_without_final_crlf", q.with(te, q.chunk() + "0\r\n"), kAll, kPart),
      request("length_in_a_trailer",
              q.with(te, q.chunk() + "0\r\n" + length(q.decoy.size()) + "\r\n"), kAll, kAll),
      request("chunked_in_a_trailer", q.with(te, q.chunk() + "0\r\n" + te + "\r\n"), kAll, kAll),
      request(
          "chunk_size_with_leading_zeros",
          q.with(te, std::string(20, '0') + hex(q.body.size()) + "\r\n" + q.body + "\r\n" + last),
          kAll, kAll),
      request("chunk_size_with_an_underscore", q.with(te, "1_0\r\n" + q.body + "\r\n" + last),
              kPart, kAll),
      request("chunk_size_negative", q.with(te, "-1\r\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_size_with_tab",
              q.with(te, hex(q.body.size()) + "\t\r\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_size_empty", q.with(te, "\r\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_extension_without_name",
              q.with(te, hex(q.body.size()) + ";\r\n" + q.body + "\r\n" + last), kPart, kAll),
      request("chunk_extension_with_a_bare_cr",
              q.with(te, hex(q.body.size()) + ";a\r5\r\n" + q.body + "\r\n" + last), kAll, kAll),
      request("chunk_longer_than_its_size",
              q.with(te, hex(q.body.size() - 2) + "\r\n" + q.body + "\r\n" + last), kAll, kAll),
      request("last_chunk_of_many_zeros", q.with(te, q.chunk() + "0000\r\n\r\n"), kAll, kAll),
      request("last_chunk_with_extension", q.with(te, q.chunk() + "0;a=b\r\n\r\n"), kAll, kAll),
      request("last_chunk_with_bare_lf", q.with(te, q.chunk() + "0\n\n"), kAll, kAll),
      request("trailer_without_colon", q.with(te, q.chunk() + "0\r\nNonsense\r\n\r\n"), kAll, kAll),
      request("trailer_with_a_request_line", q.with(te, q.chunk() + "0\r\nX: " + post + "\r\n\r\n"),
              kAll, kAll),
      // --- answers
      answer("answer_plain", a.with(length(a.padded().size()), a.padded()), kAll, kAll),
      answer("answer_two_lengths",
             a.with(length(a.body.size() + 2) + length(a.padded().size()), a.padded()), kPart,
             kAll),
      answer("answer_length_and_chunked", a.with(length(a.smuggled().size()) + te, a.smuggled()),
             kPart, kAll),
      answer("answer_chunked_identity",
             a.with(length(a.smuggled().size()) + "Transfer-Encoding: chunked, identity\r\n",
                    a.smuggled()),
             kPart, kAll),
      answer("answer_xchunked",
             a.with(length(a.padded().size()) + "Transfer-Encoding: xchunked\r\n", a.padded()),
             kPart, kAll),
      answer("answer_negative_length", a.with("Content-Length: -5\r\n", a.padded()), kPart, kAll),
      answer("answer_length_over_2_64",
             a.with("Content-Length: 18446744073709551621\r\n", a.padded()), kPart, kAll),
      answer("answer_space_before_colon",
             a.with(length(a.smuggled().size()) + "Transfer-Encoding : chunked\r\n", a.smuggled()),
             kPart, kAll),
      answer("answer_bare_lf",
             replaced(a.head + length(a.padded().size()) + "\r\n", "\r\n", "\n") + a.padded(),
             kPart, kAll),
      answer("answer_without_reason", a.started("HTTP/1.1 200"), kAll, kAll),
      answer("answer_status_of_two_digits", a.started("HTTP/1.1 20 OK"), kPart, kAll),
      answer("answer_status_of_four_digits", a.started("HTTP/1.1 2000 OK"), kPart, kAll),
      answer("answer_icy", a.started("ICY 200 OK"), kPart, kAll),
      answer("answer_http_10_chunked",
             replaced(a.with(te, a.chunk() + last), "HTTP/1.1 200", "HTTP/1.0 200"), kAll, kAll),
      answer("answer_204_with_body", a.started("HTTP/1.1 204 No Content"), kPart, kAll),
      answer("answer_205_with_body", a.started("HTTP/1.1 205 Reset Content"), kAll, kAll),
      answer("answer_304_with_length",
             "HTTP/1.1 304 Not Modified\r\nContent-Type: application/json\r\n" +
                 length(a.padded().size()) + "\r\n",
             kPart, kAll),
      answer("answer_101_without_upgrade", a.started("HTTP/1.1 101 Switching Protocols"), kPart,
             kNothing),
      answer("answer_100_with_length",
             "HTTP/1.1 100 Continue\r\n" + length(5) + "\r\n" +
                 a.with(length(a.padded().size()), a.padded()),
             kAll, kAll),
      answer("answer_without_length", a.with("", a.body), kAll, kPart),
      answer("answer_before_leading_lines",
             "\r\n\r\n" + a.with(length(a.padded().size()), a.padded()), kAll, kAll),
      answer("answer_chunk_with_plus",
             a.with(te, "+" + hex(a.body.size()) + "\r\n" + a.body + "\r\n" + last), kPart, kAll),
      answer("answer_folded_length",
             a.with("Content-Length:\r\n 5\r\n" + length(a.padded().size()), a.padded()), kPart,
             kAll),
      answer("answer_length_list",
             a.with("Content-Length: 5, " + std::to_string(a.padded().size()) + "\r\n", a.padded()),
             kPart, kAll),
      answer("answer_plus_length",
             a.with("Content-Length: +" + std::to_string(a.padded().size()) + "\r\n", a.padded()),
             kPart, kAll),
      answer("answer_chunked_then_gzip",
             a.with("Transfer-Encoding: chunked, gzip\r\n", a.smuggled()), kPart, kPart),
      answer("answer_identity",
             a.with("Transfer-Encoding: identity\r\n" + length(a.padded().size()), a.padded()),
             kPart, kAll),
      answer("answer_http_09", a.body, kPart, kAll),
      answer("answer_two_spaces", a.started("HTTP/1.1  200 OK"), kPart, kAll),
      answer("answer_without_a_space", a.started("HTTP/1.1 200OK"), kPart, kAll),
      answer("answer_lower_case", a.started("http/1.1 200 OK"), kPart, kAll),
      answer("answer_version_01", a.started("HTTP/01.1 200 OK"), kPart, kAll),
      answer("answer_negative_status", a.started("HTTP/1.1 -200 OK"), kPart, kAll),
      answer("answer_status_999", a.started("HTTP/1.1 999 Odd"), kPart, kAll),
      answer("answer_204_chunked",
             replaced(a.with(te, a.smuggled()), "HTTP/1.1 200 OK", "HTTP/1.1 204 No Content"),
             kPart, kAll),
      answer("answer_304_chunked",
             replaced(a.with(te, a.smuggled()), "HTTP/1.1 200 OK", "HTTP/1.1 304 Not Modified"),
             kPart, kAll),
      answer("answer_103_with_length",
             "HTTP/1.1 103 Early Hints\r\n" + length(a.decoy.size()) + "\r\n" +
                 a.with(length(a.padded().size()), a.padded()),
             kAll, kAll),
      answer("answer_102_chunked",
             "HTTP/1.1 102 Processing\r\n" + te + "\r\n" +
                 a.with(length(a.padded().size()), a.padded()),
             kAll, kAll),
      answer("answer_199_and_100",
             "HTTP/1.1 199 Odd\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" +
                 a.with(length(a.padded().size()), a.padded()),
             kAll, kAll),
      answer("answer_chunk_in_0x",
             a.with(te, "0x" + hex(a.body.size()) + "\r\n" + a.body + "\r\n" + last), kPart, kAll),
      answer("answer_chunk_extension_with_quoted_crlf",
             a.with(te, hex(a.body.size()) + ";a=\"\r\n\"\r\n" + a.body + "\r\n" + last), kPart,
             kAll),
      answer("answer_chunk_over_2_64",
             a.with(te, "1" + std::string(16, '0') + hex(a.body.size()) + "\r\n" + a.body + "\r\n" +
                            last),
             kPart, kAll),
      answer("answer_without_last_crlf", a.with(te, a.chunk() + "0\r\n"), kAll, kPart),
      answer("answer_with_a_length_in_its_trailer",
             a.with(te, a.chunk() + "0\r\n" + length(a.decoy.size()) + "\r\n"), kAll, kAll),
      answer("answer_nul_in_a_value",
             a.with(std::string("X: a\0b\r\n", 8) + length(a.padded().size()), a.padded()), kPart,
             kAll),
      answer("answer_twice",
             a.with(length(a.body.size()), a.body) + a.with(length(a.body.size()), a.body), kAll,
             kAll),
      answer("answer_and_a_timeout_that_nobody_asked_for",
             a.with(length(a.body.size()), a.body) +
                 "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
             kAll, kAll),
      // --- a tunnel's beginning has no body either: RFC 9110 section 9.3.6
      {"connect_answered_with_length",
       "CONNECT llm.example:80 HTTP/1.1\r\nHost: llm.example\r\n\r\n",
       "HTTP/1.1 200 OK\r\n" + length(a.decoy.size()) + "\r\n", kNothing, kAll},
      {"connect_refused_with_length",
       "CONNECT llm.example:80 HTTP/1.1\r\nHost: llm.example\r\n\r\n",
       "HTTP/1.1 403 Forbidden\r\n" + length(a.decoy.size()) + "\r\n" + a.decoy, kNothing, kAll},
      // --- HEAD has no body, whatever its answer's fields say
      {"head_answered_with_length",
       "HEAD /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length(a.padded().size()) + "\r\n",
       kNothing, kAll},
      {"head_answered_with_a_body",
       "HEAD /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\n\r\n",
       a.with(length(a.padded().size()), a.padded()), kNothing, kAll},
  };
}

// Says nothing that is not true of this call.
bool agrees(const Json& record, const Call& call) {
  const auto right = [&record](const char* field, const Json& value) {
    return record[field].is_null() || record[field] == value;
  };
  return right("subject", subject_of(call)) && right("request_model", model_of(call)) &&
         right("response_model", model_of(call)) && right("response_id", response_id_of(call)) &&
         right("input_tokens", 1000 + call.number) && right("output_tokens", call.number + 1);
}

bool says_all(const Json& record, const Call& call) {
  return record["subject"] == subject_of(call) && record["request_model"] == model_of(call) &&
         record["response_model"] == model_of(call) &&
         record["response_id"] == response_id_of(call) &&
         record["input_tokens"] == 1000 + call.number &&
         record["output_tokens"] == call.number + 1 && record["outcome"] == "ok";
}

// Whether it says anything that only this call has.
bool is_about(const Json& record, const Call& call) {
  return agrees(record, call) &&
         !(record["subject"].is_null() && record["request_model"].is_null() &&
           record["response_model"].is_null() && record["input_tokens"].is_null());
}

Said said_of(const std::vector<Json>& records, const Call& call) {
  Said said = Said::kNothing;
  for (const Json& record : records) {
    if (says_all(record, call)) return Said::kAll;
    if (is_about(record, call)) said = Said::kPart;
  }
  return said;
}

class Framing : public testing::TestWithParam<Oddity> {};

// `cut`: where the decoy begins a segment of its own, as its sender may well have it. `later`: a
// good call has gone before.
void check(const Oddity& oddity, bool cut, bool later) {
  SCOPED_TRACE(std::string(cut ? "cut" : "whole") + (later ? ", later" : ""));
  Connection::Options options;
  options.segment_bytes = 60'000;
  Connection connection(options);
  connection.open();
  const auto send = [&](Party party, const std::string& bytes, const std::string& decoy) {
    const size_t border = cut && !decoy.empty() ? bytes.find(decoy) : std::string::npos;
    if (border == std::string::npos || border == 0) {
      connection.send(party, bytes);
    } else {
      connection.send(party, bytes.substr(0, border));
      connection.send(party, bytes.substr(border));
    }
    connection.wait_ms(5);
  };
  if (later) {
    send(Party::kClient, chat_request(kBefore), "");
    send(Party::kServer, chat_answer(kBefore), "");
  }
  send(Party::kClient, oddity.request.empty() ? chat_request(kOdd) : oddity.request,
       kRequest.decoy);
  send(Party::kServer, oddity.answer.empty() ? chat_answer(kOdd) : oddity.answer, kAnswer.decoy);
  send(Party::kClient, chat_request(kNext), "");
  send(Party::kServer, chat_answer(kNext), "");
  connection.close(Party::kClient);

  const Outcome metrics = replay_packets(connection.packets(), "prometheus");
  const Accounts accounts = accounts_of(metrics.out);
  EXPECT_EQ(accounts.captured, payload_bytes(connection.packets()));
  EXPECT_EQ(accounts.captured, accounts.accounted());
  const std::vector<Json> records = records_of(connection.packets());
  for (const Json& record : records) {
    EXPECT_TRUE(agrees(record, kOdd) || agrees(record, kNext) || (later && agrees(record, kBefore)))
        << "wrong: " << record.dump();
  }
  if (later) {
    EXPECT_EQ(said_of(records, kBefore), Said::kAll);
    EXPECT_GE(said_of(records, kNext), oddity.next);
  } else {
    EXPECT_EQ(said_of(records, kOdd), oddity.odd);
    EXPECT_EQ(said_of(records, kNext), oddity.next);
  }
}

TEST_P(Framing, IsReadRightOrNotAtAll) {
  for (const bool cut : {false, true}) {
    for (const bool later : {false, true}) check(GetParam(), cut, later);
  }
}

INSTANTIATE_TEST_SUITE_P(Oddities, Framing, testing::ValuesIn(oddities()),
                         [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace wiretally::test
