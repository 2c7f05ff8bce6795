// The fourth door: one call to an LLM API, from `llm` to the ledger. Flat, bounded, without
// pointers: it crosses threads (and, later, processes) as plain memory. The written form is
// contracts' usage record, version 1 (docs/usage-record.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "wiretally/bytes.h"
#include "wiretally/clock.h"
#include "wiretally/http_exchange.h"
#include "wiretally/identity.h"

namespace wiretally {

// The wire format that was read. Names as written: dialect_name().
enum class Dialect : uint8_t {
  kUnknown,
  kOpenaiChat,
  kOpenaiCompletions,
  kOpenaiResponses,
  kOpenaiEmbeddings,
  kAnthropicMessages,
  kOpenaiRealtime,
  kOpenaiImages,
  kOpenaiAudio,
  kGeminiGenerate,
  kGeminiEmbeddings,
  kGeminiInteractions,
  kBedrockConverse,
  kBedrockInvoke,
  kCohereV1,
  kCohereV2,
  kOllama,
  kTgi,
  kLlamacpp,
  kMcp,
  kA2a,
  kTriton,
  kLmstudio,
  kGeminiLive,
  kXaiGrpc,
  kSglang,
  kDashscope,
};
std::string_view dialect_name(Dialect dialect);

enum class Operation : uint8_t {
  kChat,
  kTextCompletion,
  kEmbeddings,
  kTranscription,
  kSpeech,
  kImageGeneration,
  kRerank,
  kToolCall,
};
std::string_view operation_name(Operation operation);
// What calls of a kind cannot have is not unknown: a rerank is counted in searches, a tool call in
// nothing, an embedding generates no tokens.
constexpr bool operation_has_tokens(Operation operation) {
  return operation != Operation::kRerank && operation != Operation::kToolCall;
}
constexpr bool operation_has_output(Operation operation) {
  return operation_has_tokens(operation) && operation != Operation::kEmbeddings;
}

// How sure a number is, weakest first.
enum class UsageSource : uint8_t { kNone, kEstimated, kPartial, kReported };
std::string_view usage_source_name(UsageSource source);

// Why an answered call's usage is unknown: llm_usage_missing_total{reason}.
enum class UsageMissing : uint8_t {
  kNot,           // it is known, or the call was not answered
  kNotRequested,  // a stream that was not asked to report
  kAborted,
  kGap,
  kCoding,  // the body could not be decoded
  kHeadersUnknown,
  kMidstream,
  kNotInAnswer,
  kMalformed,
};
std::string_view usage_missing_name(UsageMissing reason);  // "" for kNot

// Tokens, normalised: input includes what was read from and written to the cache, output includes
// reasoning. Each is unknown (nothing) or a number that the provider stated; unknown is not zero.
struct TokenCounts {
  std::optional<uint64_t> input;
  std::optional<uint64_t> cache_read;  // part of input
  // Part of input; a write of no stated lifetime counts here.
  std::optional<uint64_t> cache_write_5m;
  std::optional<uint64_t> cache_write_1h;  // part of input
  std::optional<uint64_t> output;
  std::optional<uint64_t> reasoning;  // part of output
  std::optional<uint64_t> input_audio;
  std::optional<uint64_t> input_image;
  std::optional<uint64_t> output_audio;
  std::optional<uint64_t> output_image;
  std::optional<uint64_t> cache_read_audio;  // part of cache_read and of input_audio
  // What is charged, where the provider states it beside what the model processed (Cohere).
  std::optional<uint64_t> billed_input;
  std::optional<uint64_t> billed_output;
  UsageSource input_source = UsageSource::kNone;
  UsageSource output_source = UsageSource::kNone;
};

// Tokens within a call's counts that were billed as a request of their own (Anthropic's compaction
// and advisor iterations), perhaps another model's. All 0: none.
struct UsageApart {
  Text<256> model;              // "": the call's own
  bool several_models = false;  // more than one: they cannot be told apart
  uint64_t input = 0;           // cache included
  uint64_t cache_read = 0;
  uint64_t cache_write_5m = 0;
  uint64_t output = 0;

  bool any() const { return input > 0 || output > 0; }
};

// How much of a call's words was seen: what estimates are made of where no numbers are stated.
// Counts alone, no text. Nothing where a part of them was not seen, or cannot be measured so.
struct WordCounts {
  std::optional<uint64_t> prompt_bytes;    // of the request's body, which holds nothing but text
  std::optional<uint64_t> content_events;  // of a stream
  std::optional<uint64_t> content_bytes;   // of the text in these, as it is written in their JSON
};

enum class Outcome : uint8_t {
  kOk,
  kHttpError,
  kStreamError,
  kClientAbort,
  kServerAbort,
  kIncomplete
};
std::string_view outcome_name(Outcome outcome);

enum class FinishReason : uint8_t {
  kUnknown,
  kStop,
  kLength,
  kToolCalls,
  kContentFilter,
  kError,
  kOther
};
std::string_view finish_reason_name(FinishReason reason);  // "" for kUnknown

// Which end of the connection was watched.
enum class Side : uint8_t { kUnknown, kClient, kServer };
std::string_view side_name(Side side);

// Flags of a record; written as an array of the names in kRecordFlagNames.
enum class RecordFlag : uint8_t {
  kGapInBody,
  kJoinedMidstream,
  kH2HeadersUnknown,
  kDecodeFailed,
  kUsageMissing,
  kUsageMalformed,
  kOverlapConflict,
  kPairingUncertain,
  kTimeClamped,
  kModelMismatch,
  kTextCut,
  kStatedCostDoubtful,  // tokens that cost 0, and no cache to explain it
  kCount,
};
inline constexpr std::string_view kRecordFlagNames[] = {
    "gap_in_body",   "joined_midstream", "h2_headers_unknown", "decode_failed",
    "usage_missing", "usage_malformed",  "overlap_conflict",   "pairing_uncertain",
    "time_clamped",  "model_mismatch",   "text_cut",           "stated_cost_doubtful"};
static_assert(std::size(kRecordFlagNames) == static_cast<size_t>(RecordFlag::kCount));

class RecordFlags {
 public:
  void set(RecordFlag flag) { bits_ |= 1u << static_cast<unsigned>(flag); }
  bool has(RecordFlag flag) const { return bits_ >> static_cast<unsigned>(flag) & 1u; }
  bool empty() const { return bits_ == 0; }

 private:
  uint32_t bits_ = 0;
};

// 128 bits over bytes; all zero = unknown.
struct Digest {
  uint64_t high = 0;
  uint64_t low = 0;

  bool known() const { return high != 0 || low != 0; }
  friend bool operator==(const Digest&, const Digest&) = default;
};

// How much of a call one exchange shows.
enum class CallPart : uint8_t {
  kWhole,
  kAsked,    // a background call: its result is fetched later, by its response id
  kFetched,  // such a result, or one line of a batch's results
  kStored,   // the result of a call, background or not: it counts with the one that asked for it
  kSum,      // of all lines of a batch together, by the batch object: `batch_file` has them apart
};

// Where an answer says what it cost. Each is USD.
enum class CostStatement : uint8_t {
  kNone,
  kUsageCost,      // usage.cost, a number: OpenRouter; others put other things there
  kUsageTotal,     // usage.cost.total_cost: Perplexity
  kUsageTicks,     // usage.cost_in_usd_ticks, 1e-10 USD each: xAI
  kGatewayHeader,  // x-litellm-response-cost
};

struct UsageRecord {
  ExchangeId exchange{};  // unique in its lane
  FlowId flow{};
  uint32_t index = 0;  // of the record within its exchange
  uint32_t lane = 0;

  // Times of the exchange; nothing where that point was not seen.
  EventTime start;   // first byte of the request, or of the answer if only that was seen
  EventTime finish;  // when the call's end was known: records are ordered by it
  std::optional<EventTime> response_start;
  std::optional<EventTime> first_content;
  std::optional<EventTime> last_content;
  EventTime last_byte;
  int64_t longest_stall_ns = 0;  // longest pause between two content events of a stream

  Text<32> provider;
  Dialect dialect = Dialect::kUnknown;
  Operation operation = Operation::kChat;
  Text<16> method;
  Text<512> path;  // without its query
  Text<256> request_model;
  Text<256> response_model;
  Text<256> response_id;
  Text<128> request_id;
  bool stream = false;
  std::optional<HttpVersion> http_version;
  std::optional<uint16_t> status_code;
  Outcome outcome = Outcome::kIncomplete;
  Text<128> error_type;
  Text<16> rate_limited_by;  // which limit a 429 is about: requests, tokens
  FinishReason finish_reason = FinishReason::kUnknown;
  TokenCounts tokens;
  UsageMissing usage_missing = UsageMissing::kNot;
  UsageApart apart;
  WordCounts words;
  bool served_from_cache = false;
  Text<32> gateway;
  Text<64> cache_status;
  Text<32> service_tier;
  std::array<Text<64>, 16> tool_calls;
  uint8_t tool_call_count = 0;
  std::optional<uint64_t> server_tool_requests;
  // Sound that a transcription is billed by, where it is not billed by tokens.
  std::optional<uint64_t> billed_audio_ms;
  Text<16> inference_geo;  // where it was served, if that has a price: us, global
  Text<16> speed;          // standard, fast
  // What the answer says it cost, exactly: 1e-15 USD.
  std::optional<int64_t> stated_cost_femtodollars;
  CostStatement cost_statement = CostStatement::kNone;
  Caller caller;
  Text<256> end_user;
  Text<128> session;
  Text<128> organization;
  std::array<Text<64>, kMarksMax> marks;  // RequestMarks::marks
  std::optional<uint64_t> rate_limit_remaining_requests;
  std::optional<uint64_t> rate_limit_remaining_tokens;
  // From the answer's head until that limit is whole again; unknown where the answer tells only
  // what remains.
  std::optional<int64_t> rate_limit_requests_reset_ns;
  std::optional<int64_t> rate_limit_tokens_reset_ns;
  Text<256> server_name;  // Host, :authority or SNI, without its port
  std::optional<uint16_t> server_port;
  Endpoint client;
  Endpoint server;
  Side side = Side::kUnknown;
  Source source = Source::kPacket;
  uint32_t pid = 0;
  uint64_t process_start_ns = 0;
  uint64_t request_bytes = 0;
  uint64_t response_bytes = 0;
  uint64_t lost_bytes = 0;
  RecordFlags flags;
  bool saw_request = false;
  bool saw_response = false;

  // Of method, path and decoded request body; of the decoded answer. Unknown where anything of it
  // was lost.
  Digest request_digest;
  Digest response_digest;
  // Of the answer's visible text and the names of called tools, whatever the dialect (`high`: bytes
  // of the text). Unknown where there is neither, or where anything of the answer was lost.
  Digest text_digest;

  CallPart part = CallPart::kWhole;
  Text<64> batch_id;
  Text<128> batch_custom_id;
  Text<64> batch_file;  // that the results stand in, where the batch is told by it (OpenAI)
  // Of the key that all attempts at one call share: Idempotency-Key, amz-sdk-invocation-id.
  Digest attempt_key;
  std::optional<uint32_t> earlier_attempts;  // as the SDK counts them
};
static_assert(std::is_trivially_copyable_v<UsageRecord>,
              "crosses threads and processes as plain memory");

// An LLM call has begun: keeps llm_requests_in_flight and tells the ledger for whom a finished call
// may have to wait.
struct CallOpened {
  ExchangeId exchange{};
  FlowId flow{};
  uint32_t lane = 0;
  EventTime start;
  Text<32> provider;
  Text<256> request_model;  // often not known yet
  uint32_t pid = 0;         // as in the record to come
  uint64_t process_start_ns = 0;
};

enum class Visibility : uint8_t {
  kPlain,   // requests of it were read
  kOpaque,  // a ClientHello was; what it carries may still be seen from within its process
};

// A connection to the host of a known provider, seen for the first time.
struct ConnectionSeen {
  Visibility visibility = Visibility::kPlain;
  FlowId flow{};
  uint32_t lane = 0;
  EventTime time;         // of its first request, or of the hello
  Text<256> server_name;  // in lower case
  Endpoint client;        // unknown for probed connections
  Endpoint server;
  Source source = Source::kPacket;
  uint32_t pid = 0;  // 0 = unknown
  uint64_t process_start_ns = 0;
  uint64_t hello = 0;  // kOpaque: the same hello under other addresses has the same number
};
static_assert(std::is_trivially_copyable_v<ConnectionSeen>,
              "crosses threads and processes as plain memory");

class UsageSink {
 public:
  virtual ~UsageSink() = default;

  virtual void on_call_opened(const CallOpened& call) = 0;
  virtual void on_record(const UsageRecord& record) = 0;
  // The exchange yields no further record (it may have yielded none: not an LLM call after all).
  virtual void on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) = 0;
  // Event time has come this far.
  virtual void on_time(EventTime now) = 0;
  // A path that looked like an LLM's and was not: wiretally_suspects_total{dialect}.
  virtual void on_suspect(Dialect dialect) = 0;
  // Once for each connection to a known provider, as plain or as opaque; one that is watched both
  // on the wire and from within comes as both.
  virtual void on_connection(const ConnectionSeen& /*connection*/) {}
};

}  // namespace wiretally
