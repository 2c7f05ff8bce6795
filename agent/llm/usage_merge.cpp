#include "usage_merge.h"

#include <algorithm>

namespace wiretally::llm {

void UsageSheet::note(UsageField field, const JsonEvent& event) {
  if (field == UsageField::kInputAudioByTime) {  // a time, with or without a fraction
    const bool some = event.text.find_first_of("123456789") != event.text.npos;
    if (event.kind == JsonEvent::Kind::kNumber && some) set(field, 1);
    return;
  }
  switch (event.kind) {
    case JsonEvent::Kind::kNumber:
      if (event.integer.has_value()) {
        set(field, *event.integer);
        return;
      }
      break;
    case JsonEvent::Kind::kNull:
    case JsonEvent::Kind::kObjectEnd:
    case JsonEvent::Kind::kArrayEnd:
      return;
    case JsonEvent::Kind::kObjectBegin:
    case JsonEvent::Kind::kArrayBegin:
    case JsonEvent::Kind::kString:
    case JsonEvent::Kind::kBool:
      break;
  }
  known_ &= ~bit(field);
  malformed_ |= bit(field);
}

void UsageSheet::set(UsageField field, uint64_t value) {
  values_[static_cast<size_t>(field)] = value;
  known_ |= bit(field);
  malformed_ &= ~bit(field);
}

void UsageSheet::note_addend(UsageField field, const JsonEvent& event) {
  const std::optional<uint64_t> before = get(field);
  const bool was_malformed = malformed(field);
  note(field, event);
  if (was_malformed) {
    known_ &= ~bit(field);
    malformed_ |= bit(field);
  }
  uint64_t& value = values_[static_cast<size_t>(field)];
  if (get(field).has_value() && event.integer.has_value() && before.has_value() &&
      __builtin_add_overflow(*before, *event.integer, &value)) {
    known_ &= ~bit(field);
    malformed_ |= bit(field);
  }
}

void UsageSheet::forget(UsageField field) {
  known_ &= ~bit(field);
  malformed_ &= ~bit(field);
}

std::optional<uint64_t> UsageSheet::get(UsageField field) const {
  if ((known_ & bit(field)) == 0) return std::nullopt;
  return values_[static_cast<size_t>(field)];
}

bool UsageSheet::all_zero() const {
  for (size_t i = 0; i < kFields; ++i) {
    if ((known_ >> i & 1u) != 0 && values_[i] != 0) return false;
  }
  return true;
}

void UsageSheet::merge(const UsageSheet& frame) {
  if (frame.empty()) return;
  uint32_t taken = frame.known_;
  if (frame.malformed_ == 0 && frame.all_zero() && !all_zero()) taken &= ~known_;
  for (size_t i = 0; i < kFields; ++i) {
    if ((taken >> i & 1u) != 0) values_[i] = frame.values_[i];
  }
  known_ = (known_ & ~frame.malformed_) | taken;
  malformed_ = (malformed_ & ~taken) | frame.malformed_;
}

void UsageSheet::add(const UsageSheet& part) {
  for (size_t i = 0; i < kFields; ++i) {
    if ((part.known_ >> i & 1u) == 0) continue;
    const uint64_t before = (known_ >> i & 1u) != 0 ? values_[i] : 0;
    known_ |= 1u << i;
    if (__builtin_add_overflow(before, part.values_[i], &values_[i])) {
      known_ &= ~(1u << i);
      malformed_ |= 1u << i;
    }
  }
  malformed_ |= part.malformed_;
}

namespace {

// A part cannot be more than its whole; where the whole is unknown so is the part's truth, and it
// stays as stated.
void clamp_part(std::optional<uint64_t>& part, std::optional<uint64_t> whole, RecordFlags& flags) {
  if (!part.has_value() || !whole.has_value() || *part <= *whole) return;
  part = whole;
  flags.set(RecordFlag::kUsageMalformed);
}

void clamp_parts(TokenCounts& tokens, RecordFlags& flags) {
  clamp_part(tokens.cache_read, tokens.input, flags);
  if (tokens.input.has_value()) {
    const uint64_t rest = *tokens.input - tokens.cache_read.value_or(0);
    clamp_part(tokens.cache_write_5m, rest, flags);
    clamp_part(tokens.cache_write_1h, rest - tokens.cache_write_5m.value_or(0), flags);
  }
  clamp_part(tokens.input_audio, tokens.input, flags);
  clamp_part(tokens.cache_read_audio, tokens.input_audio, flags);
  clamp_part(tokens.cache_read_audio, tokens.cache_read, flags);
  clamp_part(tokens.input_image, tokens.input, flags);
  clamp_part(tokens.reasoning, tokens.output, flags);
  clamp_part(tokens.output_audio, tokens.output, flags);
  clamp_part(tokens.output_image, tokens.output, flags);
}

}  // namespace

void normalise_openai(const UsageSheet& sheet, const OpenaiUsageHints& hints, TokenCounts& tokens,
                      RecordFlags& flags) {
  using F = UsageField;
  if (sheet.malformed()) flags.set(RecordFlag::kUsageMalformed);
  tokens.input = sheet.get(F::kInput);
  tokens.output = sheet.get(F::kOutput);
  tokens.cache_read = sheet.get(F::kCacheRead);
  if (!tokens.cache_read.has_value()) tokens.cache_read = sheet.get(F::kCacheReadAtRoot);
  const auto fresh = sheet.get(F::kInputApart), apart = sheet.get(F::kCacheReadApart);
  if (fresh.has_value() && apart.has_value()) {
    tokens.input = *fresh + *apart;
    tokens.cache_read = apart;
  }
  tokens.cache_write_5m = sheet.get(F::kCacheWrite);
  tokens.input_audio = sheet.get(F::kInputAudio);
  tokens.cache_read_audio = sheet.get(F::kCacheReadAudio);
  tokens.input_image = sheet.get(F::kInputImage);
  tokens.output_audio = sheet.get(F::kOutputAudio);
  tokens.output_image = sheet.get(F::kOutputImage);
  tokens.reasoning = sheet.get(F::kReasoning);
  if (!tokens.reasoning.has_value()) tokens.reasoning = sheet.get(F::kReasoningAtRoot);

  const std::optional<uint64_t> total = sheet.get(F::kTotal);
  const bool cache_by_openais_names =
      tokens.cache_read.has_value() || tokens.cache_write_5m.has_value();
  if (tokens.input.has_value() && tokens.output.has_value()) {
    const uint64_t in = *tokens.input;
    const uint64_t out = *tokens.output;
    const uint64_t reasoning = tokens.reasoning.value_or(0);
    const uint64_t audio = tokens.input_audio.value_or(0);
    const uint64_t citations = sheet.get_or_zero(F::kCitation);
    const uint64_t cache_beside =
        sheet.get_or_zero(F::kCacheReadBeside) + sheet.get_or_zero(F::kCacheWriteBeside);
    if (!total.has_value() || *total == in + out || *total == in + out + citations) {
      if (hints.reasoning_outside_total) tokens.output = out + reasoning;
      if (!cache_by_openais_names) {
        // The total does not tell. Databricks and others mean parts of the prompt; what is more
        // than the prompt stands beside it.
        if (cache_beside > in) tokens.input = in + cache_beside;
        tokens.cache_read = sheet.get(F::kCacheReadBeside);
        tokens.cache_write_5m = sheet.get(F::kCacheWriteBeside);
      }
    } else if (*total == in + out + reasoning || *total == in + out + reasoning + citations) {
      tokens.output = out + reasoning;
    } else if (*total == in + out + audio) {
      tokens.input = in + audio;
    } else if (*total == in + out + sheet.get_or_zero(F::kToolUsePrompt)) {
      tokens.input = *total - out;
    } else if (*total == in + out + cache_beside) {
      tokens.input = in + cache_beside;
      tokens.cache_read = sheet.get(F::kCacheReadBeside);
      tokens.cache_write_5m = sheet.get(F::kCacheWriteBeside);
    } else if (sheet.get(F::kInputAudioByTime).has_value() && *total > in + out) {
      // Audio stands outside the prompt, and here nothing but its seconds is stated.
      tokens.input = *total - out;
      tokens.input_audio = *total - out - in;
    } else {
      if (*total > in + out) tokens.output = *total - in;
      flags.set(RecordFlag::kUsageMalformed);
    }
  }
  if (const auto hour = sheet.get(F::kCacheWrite1h); hour && tokens.cache_write_5m) {
    tokens.cache_write_1h = std::min(*hour, *tokens.cache_write_5m);
    tokens.cache_write_5m = *tokens.cache_write_5m - *tokens.cache_write_1h;
  }
  if (const auto deducted = sheet.get(F::kCacheReadDeducted)) {
    if (tokens.input.has_value()) tokens.input = *tokens.input + *deducted;
    tokens.cache_read = deducted;
  }
  if (hints.cache_may_be_outside && tokens.input.has_value() &&
      tokens.cache_read.value_or(0) > *tokens.input) {
    tokens.input = *tokens.input + *tokens.cache_read;
  }
  clamp_parts(tokens, flags);
}

void normalise_gemini(const UsageSheet& sheet, TokenCounts& tokens, RecordFlags& flags, bool live) {
  using F = UsageField;
  if (sheet.malformed()) flags.set(RecordFlag::kUsageMalformed);
  tokens.cache_read = sheet.get(F::kCacheRead);
  tokens.reasoning = sheet.get(F::kReasoning);
  tokens.input_audio = sheet.get(F::kInputAudio);
  tokens.cache_read_audio = sheet.get(F::kCacheReadAudio);
  tokens.input_image = sheet.get(F::kInputImage);
  tokens.output_audio = sheet.get(F::kOutputAudio);
  tokens.output_image = sheet.get(F::kOutputImage);
  const std::optional<uint64_t> prompt = sheet.get(F::kInput);
  if (prompt.has_value() && !sheet.malformed(F::kToolUsePrompt)) {
    tokens.input = *prompt + sheet.get_or_zero(F::kToolUsePrompt);
  }
  const std::optional<uint64_t> total = sheet.get(F::kTotal);
  const std::optional<uint64_t> visible = sheet.get(F::kOutput);
  const uint64_t thoughts = tokens.reasoning.value_or(0);
  if (live && visible.has_value()) {
    tokens.output = *visible + thoughts;
  } else if (total.has_value() && tokens.input.has_value()) {
    if (*total >= *tokens.input) tokens.output = *total - *tokens.input;
    const uint64_t parts = visible.value_or(0) + thoughts;
    const bool explained = tokens.output == parts || tokens.output == visible;
    if (!explained) flags.set(RecordFlag::kUsageMalformed);
    // A total that leaves thoughts out (Live) does not mean that they cost nothing.
    if (tokens.output == visible && thoughts > visible.value_or(0)) tokens.output = parts;
  } else if (visible.has_value()) {
    tokens.output = *visible + thoughts;
  }
  clamp_parts(tokens, flags);
}

void normalise_cohere(const UsageSheet& sheet, TokenCounts& tokens, RecordFlags& flags) {
  using F = UsageField;
  if (sheet.malformed()) flags.set(RecordFlag::kUsageMalformed);
  tokens.billed_input = sheet.get(F::kBilledInput);
  tokens.billed_output = sheet.get(F::kBilledOutput);
  tokens.cache_read = sheet.get(F::kCacheRead);
  tokens.reasoning = sheet.get(F::kReasoning);
  tokens.input_image = sheet.get(F::kInputImage);
  tokens.input = sheet.get(F::kInput);
  // Image tokens stand outside input_tokens.
  if (tokens.input.has_value()) *tokens.input += tokens.input_image.value_or(0);
  tokens.output = sheet.get(F::kOutput);
  // Embeddings state only what is charged, which is all that was read.
  if (!tokens.input.has_value() && !sheet.malformed(F::kInput)) tokens.input = tokens.billed_input;
  // Others' reranks: without output the total is the input.
  if (!tokens.input.has_value() && !tokens.output.has_value()) tokens.input = sheet.get(F::kTotal);
  if (!tokens.output.has_value() && !sheet.malformed(F::kOutput)) {
    tokens.output = tokens.billed_output;
  }
  clamp_parts(tokens, flags);
}

void normalise_anthropic(const UsageSheet& sheet, const UsageSheet& apart, TokenCounts& tokens,
                         RecordFlags& flags) {
  using F = UsageField;
  if (sheet.malformed() || apart.malformed()) flags.set(RecordFlag::kUsageMalformed);
  UsageSheet all = sheet;
  // The split may be older than the total (message_delta states no split): the total rules, and
  // what has no stated lifetime counts as five minutes.
  std::optional<uint64_t> written = all.get(F::kCacheWrite);
  uint64_t written_1h = all.get_or_zero(F::kCacheWrite1h);
  if (!written.has_value() &&
      (all.get(F::kCacheWrite5m).has_value() || all.get(F::kCacheWrite1h).has_value())) {
    written = all.get_or_zero(F::kCacheWrite5m) + written_1h;
  }
  if (written.has_value()) written_1h = std::min(written_1h, *written);

  all.add(apart);
  tokens.cache_read = all.get(F::kCacheRead);
  tokens.output = all.get(F::kOutput);
  if (!sheet.get(F::kOutput).has_value()) tokens.output.reset();
  tokens.reasoning = sheet.get(F::kReasoning);
  const uint64_t written_apart = apart.get_or_zero(F::kCacheWrite);
  if (written.has_value() || apart.get(F::kCacheWrite).has_value()) {
    tokens.cache_write_5m = written.value_or(0) - written_1h + written_apart;
    if (all.get(F::kCacheWrite1h).has_value()) tokens.cache_write_1h = written_1h;
  }
  const bool whole_input_stated = sheet.get(F::kInput).has_value() &&
                                  !all.malformed(F::kCacheRead) && !all.malformed(F::kCacheWrite);
  if (whole_input_stated) {
    tokens.input = all.get_or_zero(F::kInput) + tokens.cache_read.value_or(0) +
                   written.value_or(0) + written_apart;
  }
  clamp_parts(tokens, flags);
}

}  // namespace wiretally::llm
