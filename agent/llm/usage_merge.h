// Token counts as a provider states them, merged over the frames of one answer and normalised.
//
//   a document  →  UsageSheet  →  merge() into the answer's sheet  →  normalise_*() → TokenCounts
//
// Merging (one answer never adds up): null and missing are ignored; of each field the last number
// wins; an object of nothing but zeros fills what is unknown and overwrites nothing, because some
// servers send zeroed placeholders in every chunk. Zero and unknown stay apart.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "json/json_scanner.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

// The numbers that dialects know, by meaning within a provider's own usage object.
enum class UsageField : uint8_t {
  kInput,
  kOutput,
  kTotal,
  kCacheRead,
  kCacheReadAtRoot,  // Mistral num_cached_tokens, Together cached_tokens, DeepSeek
                     // prompt_cache_hit_tokens
  kCacheReadApart,   // llama.cpp timings.cache_n: beside kInputApart
  kInputApart,  // llama.cpp timings.prompt_n: what was read anew, the input only with the above
  // Anthropic's names in an OpenAI-shaped object: where they stand, the total tells.
  kCacheReadBeside,
  kCacheWriteBeside,
  kCacheReadDeducted,  // GigaChat precached_prompt_tokens: neither in the prompt nor in the total
  kCacheWrite,
  kCacheWrite5m,
  kCacheWrite1h,
  kReasoning,
  kReasoningAtRoot,  // Perplexity
  kCitation,
  kInputAudio,
  kInputAudioByTime,  // Mistral prompt_audio_seconds: not 0 means that audio was read
  kCacheReadAudio,    // part of kCacheRead and of kInputAudio
  kInputImage,
  kOutputAudio,
  kOutputImage,
  kToolUsePrompt,  // Gemini, Mistral: what server-side tools fed back, beside the prompt
  kBilledInput,    // Cohere: what is charged, beside what was processed
  kBilledOutput,
  kServerTools,      // billable requests of server-side tools, not tokens
  kServerToolsRun,   // xAI num_server_side_tools_used: all that the server ran by itself
  kServerToolParts,  // the same by kind of tool, added up: xAI, Perplexity
  kCount,
};

class UsageSheet {
 public:
  // Takes a JSON value: a whole number is known, null is nothing, anything else is malformed.
  void note(UsageField field, const JsonEvent& event);
  void set(UsageField field, uint64_t value);
  // The value adds to what the same document has said: Vertex counts each input of a batch.
  void note_addend(UsageField field, const JsonEvent& event);
  void forget(UsageField field);
  void clear() {
    known_ = 0;
    malformed_ = 0;
  }

  void merge(const UsageSheet& frame);
  // Adds each number of `part`: only for parts that are billed apart.
  void add(const UsageSheet& part);

  std::optional<uint64_t> get(UsageField field) const;
  uint64_t get_or_zero(UsageField field) const { return get(field).value_or(0); }
  // No value was noted, good or bad.
  bool empty() const { return known_ == 0 && malformed_ == 0; }
  bool all_zero() const;
  bool malformed() const { return malformed_ != 0; }
  bool malformed(UsageField field) const { return (malformed_ & bit(field)) != 0; }

 private:
  static constexpr size_t kFields = static_cast<size_t>(UsageField::kCount);
  static constexpr uint32_t bit(UsageField field) { return 1u << static_cast<unsigned>(field); }

  std::array<uint64_t, kFields> values_{};
  uint32_t known_ = 0;
  uint32_t malformed_ = 0;
};

// What the shape of the numbers cannot tell and the provider's name can.
struct OpenaiUsageHints {
  bool reasoning_outside_total =
      false;                          // Perplexity: total leaves reasoning out, the bill does not
  bool cache_may_be_outside = false;  // xAI: more cached than prompt means beside the prompt
};

// Any OpenAI-shaped usage object: chat, completions, embeddings and Responses. Parts never exceed
// their whole: they are cut to it, and kUsageMalformed is set. Leaves the sources alone.
void normalise_openai(const UsageSheet& sheet, const OpenaiUsageHints& hints, TokenCounts& tokens,
                      RecordFlags& flags);

// Gemini and Vertex: what tools fed back stands outside the prompt, thoughts outside the
// candidates, and the total holds all; what is not input is output.
// Live's total leaves thoughts out.
void normalise_gemini(const UsageSheet& sheet, TokenCounts& tokens, RecordFlags& flags,
                      bool live = false);

// Cohere: `tokens` is what the model processed, `billed_units` what is charged.
void normalise_cohere(const UsageSheet& sheet, TokenCounts& tokens, RecordFlags& flags);

// Anthropic: both cache numbers stand outside input_tokens. `apart` holds iterations that the top
// level leaves out (compaction, advisor).
void normalise_anthropic(const UsageSheet& sheet, const UsageSheet& apart, TokenCounts& tokens,
                         RecordFlags& flags);

}  // namespace wiretally::llm
