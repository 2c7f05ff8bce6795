// Streams made from arbitrary bytes, read twice: with repeated events told by comparing, and with
// each event read. The notes must be the same after every part.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "body_reader.h"
#include "dialect_table.h"

namespace wiretally::llm::test {

// Decisions taken from bytes; zero when they are used up.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}
  bool any() const { return next_ < bytes_.size(); }
  size_t below(size_t count) {
    const size_t byte = any() ? static_cast<uint8_t>(bytes_[next_++]) : 0;
    return byte % count;
  }

 private:
  std::string_view bytes_;
  size_t next_ = 0;
};

// Events as servers send them; $ stands for text that varies, # for a number.
inline constexpr std::string_view kEvents[] = {
    R"({"id":"c-$","object":"chat.completion.chunk","created":17,"model":"m","service_tier":"$","choices":[{"index":0,"delta":{"content":"$"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"$"})",
    R"({"id":"c","model":"m","choices":[{"index":#,"delta":{"content":"$"},"finish_reason":null}]})",
    R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":#,"function":{"arguments":"$"}}]}}]})",
    R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":#,"id":"t$","function":{"name":"f$","arguments":""}}]}}]})",
    R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null})",
    R"({"choices":[],"usage":{"prompt_tokens":17,"completion_tokens":#,"total_tokens":29}})",
    R"({"choices":[{"delta":{"content":"$"}}],"usage":{"prompt_tokens":#,"completion_tokens":#}})",
    R"({"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"$"}})",
    R"({"index":#,"delta":{"type":"text_delta","text":"$"}})",
    R"({"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"$","name":"$"}})",
    R"({"type":"message_start","message":{"id":"m$","model":"c","usage":{"input_tokens":#,"output_tokens":1}}})",
    R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":#}})",
    R"({"type":"ping"})",
    R"({"type":"response.output_text.delta","item_id":"$","sequence_number":#,"delta":"$","logprobs":[{"t":"$"}]})",
    R"({"sequence_number":#,"delta":"$"})",
    R"({"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":#,"output_tokens":#}}})",
    R"({"id":"x","object":"text_completion","choices":[{"index":0,"text":"$","finish_reason":null}]})",
    R"({"error":{"message":"$","type":"$","code":null}})",
    R"({"type":"error","error":{"type":"$"}})",
    R"([DONE])",
    R"({"object":"error","choices":[{"delta":{"content":"$"}}]})",
};

inline std::string filler(Choices& choices) {
  static constexpr std::string_view kFillers[] = {
      " tok",     "",     "a",       "\\n",
      "\\\"",     "\\\\", "\\u00e9", "\\ud83d",
      "\xC3\xA9", "\xFF", "\"",      "\\",
      "\n",       "\r",   "\t",      "\",\"usage\":{\"completion_tokens\":9},\"x\":\"",
      "error",    "fn",   "\\x",     "}"};
  const size_t choice = choices.below(std::size(kFillers) + 8);
  if (choice == std::size(kFillers)) return std::string(300, 'l');
  return std::string(choice < std::size(kFillers) ? kFillers[choice] : " tok");
}

inline std::string event_of(Choices& choices, std::string_view form) {
  std::string document;
  for (const char c : form) {
    if (c == '$') {
      document += filler(choices);
    } else if (c == '#') {
      static constexpr std::string_view kNumbers[] = {"0",   "7",    "12",  "007", "-1",
                                                      "1.5", "null", "1e3", "x",   "\"5\""};
      document += kNumbers[choices.below(std::size(kNumbers))];
    } else {
      document += c;
    }
  }
  const size_t damage = choices.below(16);
  if (damage == 0 && !document.empty()) document.erase(choices.below(document.size()), 1);
  if (damage == 1)
    document.insert(choices.below(document.size() + 1), 1, " \"{x\\,:]"[choices.below(8)]);
  if (damage == 2) document += " ";

  static constexpr std::string_view kTypes[] = {"",
                                                "",
                                                "",
                                                "event: content_block_delta\n",
                                                "event: error\n",
                                                "event: response.output_text.delta\n",
                                                ": note\n"};
  static constexpr std::string_view kNames[] = {
      "data: ", "data: ", "data: ", "data:", "data", "data: \ndata: ", "error: "};
  static constexpr std::string_view kEnds[] = {
      "\n\n", "\n\n", "\r\n\r\n", "\r\r", "\n", "\nevent: error\n\n", "\ndata: {}\n\n"};
  const size_t plain = choices.below(2);
  return std::string(plain != 0 ? "" : kTypes[choices.below(std::size(kTypes))]) +
         std::string(plain != 0 ? "data: " : kNames[choices.below(std::size(kNames))]) + document +
         std::string(plain != 0 ? "\n\n" : kEnds[choices.below(std::size(kEnds))]);
}

// What a reader has noted, as text.
inline std::string told(const AnswerReader& reader) {
  const AnswerNotes& notes = reader.notes();
  std::string text;
  const auto add = [&](std::string_view part) { (text += part) += '|'; };
  const auto number = [&](auto value) { add(std::to_string(static_cast<int64_t>(value))); };
  add(notes.response_id.view());
  add(notes.model.view());
  add(notes.service_tier.view());
  add(notes.object.view());
  add(notes.fingerprint.view());
  number(notes.finish_reason);
  for (size_t i = 0; i < notes.tools.count(); ++i) add(notes.tools.name(i));
  for (size_t field = 0; field < static_cast<size_t>(UsageField::kCount); ++field) {
    const auto value = notes.usage.get(static_cast<UsageField>(field));
    number(value.has_value() ? static_cast<int64_t>(*value) : -1);
    const auto apart = notes.apart.get().usage.get(static_cast<UsageField>(field));
    number(apart.has_value() ? static_cast<int64_t>(*apart) : -1);
  }
  for (const bool flag :
       {notes.usage_final, notes.usage_stale, notes.spare_usage, notes.has_choices, notes.has_body,
        notes.has_role, notes.has_usage, notes.type_known, notes.terminal, notes.failed,
        notes.text_cut, notes.usage_malformed, notes.document.content, reader.has_shape()}) {
    number(flag);
  }
  add(notes.error_type.view());
  const Digest digest = notes.text.value(notes.tools);
  number(digest.high);
  number(digest.low);
  number(notes.first_content.has_value() ? notes.first_content->ns : -1);
  number(notes.last_content.has_value() ? notes.last_content->ns : -1);
  number(notes.longest_stall_ns);
  number(notes.content_events);
  number(notes.content_bytes);
  number(reader.events());
  return text;
}

// Empty if both ways of reading agree; else what they say, and behind which bytes.
inline std::string difference(std::string_view bytes) {
  Choices choices(bytes);
  const DialectSpec& spec = *dialects()[choices.below(kJsonDialectCount)];
  AnswerReader comparing(spec, true);
  AnswerReader reading(spec, false);
  comparing.reset(BodyForm::kEvents);
  reading.reset(BodyForm::kEvents);
  std::string all;
  int64_t now = 0;
  size_t form = 0;
  const auto feed = [&](std::string_view part) {
    if (part.empty()) return;
    const EventTime time{.ns = ++now, .clock = Clock::kBoot};
    comparing.feed(as_bytes(part), time);
    reading.feed(as_bytes(part), time);
  };
  for (int event = 0; choices.any() && event < 64; ++event) {
    if (choices.below(3) == 0) form = choices.below(std::size(kEvents));
    const std::string text = event_of(choices, kEvents[form]);
    all += text;
    if (choices.below(8) == 0) {
      const size_t cut = choices.below(text.size() + 1);
      feed(std::string_view(text).substr(0, cut));
      if (choices.below(8) == 0) {
        all += "<gap>";
        comparing.gap();
        reading.gap();
      }
      feed(std::string_view(text).substr(cut));
    } else {
      feed(text);
    }
    if (told(comparing) != told(reading)) {
      return "behind " + all + "\ncomparing " + told(comparing) + "\nreading   " + told(reading);
    }
  }
  comparing.finish(false);
  reading.finish(false);
  if (told(comparing) == told(reading)) return {};
  return "at the end of " + all + "\ncomparing " + told(comparing) + "\nreading   " + told(reading);
}

}  // namespace wiretally::llm::test
