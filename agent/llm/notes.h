// What is noted of a request and of an answer while their documents are scanned.
//
// A dialect is mostly a table of JSON paths, each with the slot that its value goes to; the slots
// are the same for all dialects. Strings are cut at the record's limits; no text of prompts or
// answers is kept, only whether there was any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "json/json_scanner.h"
#include "text_digest.h"
#include "usage_merge.h"
#include "vector_digest.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

enum class RequestSlot : uint8_t {
  kModel,
  kStream,
  kIncludeUsage,
  kUser,
  kSafetyIdentifier,
  kMetadataUserId,
  kSession,
  kConversation,  // stands for a prompt, and where it is a text names the session
  kPrompt,        // what the dialect calls its prompt: present in any form
  kTurnRole,      // role of one message
  kServerTool,    // `type` of a tool: does the server run it?
  kServerSide,    // presence means that the server may call tools by itself
  kRpcVersion,    // of JSON-RPC
  kRpcMethod,
  kRpcTool,
  kBackground,     // true: the answer is fetched later
  kContextEdit,    // how the server may rewrite the context: compaction reads input again
  kPartType,       // `type` of a part of the prompt: is it text?
  kNotText,        // presence means that the body's bytes do not tell how much is read
  kElsewhere,      // likewise, because the prompt is (in part) kept by the server
  kTokenIds,       // an element of the prompt: likewise, if it is a number or a list of them
  kChoices,        // how many answers are asked for to each prompt
  kFetchedId,      // names the background call that is asked for
  kModelResource,  // a resource name that ends in the model's: projects/…/models/gemini-…
  kOther,          // presence means that the request is of DialectSpec::other_by_request
  // Of a message on a WebSocket alone (SocketMessage):
  kEventType,
  kEventId,
  kStreamId,
};

struct RequestPath {
  std::string_view pattern;
  RequestSlot slot;
};

struct RequestNotes {
  Text<256> model;
  Text<256> user;
  Text<256> safety_identifier;
  Text<256> metadata_user_id;
  Text<128> session;
  bool stream = false;
  bool include_usage = false;
  bool has_prompt = false;
  bool has_turns = false;    // a message with a role
  bool server_side = false;  // input may still grow after the first statement of usage
  bool has_form = false;     // multipart/form-data
  bool not_text = false;     // its bytes do not tell how much it reads
  bool background = false;   // the answer is fetched later
  bool of_other = false;     // dialect, of the same path
  uint64_t choices = 1;
  bool json_rpc = false;
  Text<32> rpc_method;
  Text<64> tool;  // that the request calls
  Text<256> fetched_id;
  bool text_cut = false;

  void note(const RequestPath& path, const JsonEvent& event);
};

enum class AnswerSlot : uint8_t {
  kResponseId,
  kRunId,  // the same, of a run of Assistants alone
  kModel,
  kServiceTier,
  kFingerprint,
  kObject,  // OpenAI's name for the kind of the document
  kType,    // the kind of the document or event
  kRole,
  kStatus,  // Responses: how the answer stands
  kFinishReason,
  // Stands for it where it is not told; of words that are known alone.
  kSpareFinishReason,
  kGuardrailAction,   // "INTERVENED": the answer is the guardrail's, whatever the model would say
  kDelta,             // text whose being there is content only in some kinds of event
  kContent,           // text whose being there is content
  kContentData,       // likewise, but no text: base64
  kText,              // text that is told in no event of its own
  kChoices,           // the list of choices
  kChoice,            // one of them
  kBody,              // a part that only an answer of this dialect has
  kBodyText,          // such a part that is content too
  kVector,            // such a part: an embedding, as a list or in base64
  kVectorNumber,      // an element of its list
  kUsage,             // the usage object
  kUsageNumber,       // a member of it
  kSpareUsageNumber,  // a copy in another place; counts only without the usage object
  kGroq,              // an object that only Groq's answers have
  kCost,              // what the call cost, by the answer; its unit is the field's
  kQuotedCost,        // the same as a text
  kUpstreamCost,      // the part of it that the account pays to somebody else
  kOwnKey,            // true: that part is not in the cost
  kGeography,         // where it was served, if that has a price
  kSpeed,             // how fast, if that has a price
  kBilledSeconds,     // of sound: what is charged, where that is not tokens
  kUsageAddend,       // adds to that member: one number an input
  kDetail,            // one part of a count, with its name: {modality, tokenCount}, {ttl, …}
  kDetailName,
  kDetailCount,
  kServerToolNumber,  // billable requests, outside the usage object
  kSearchQuery,       // what the server searched for, by itself or in an item of that kind
  kIterations,        // a list of iterations begins
  kIteration,         // one of them
  kIterationType,
  kIterationModel,
  kIterationNumber,
  kApartNumber,  // billed apart, outside the usage object
  kToolItem,     // object that holds one tool call, or a fragment of it
  kStreamItem,   // the same in an event that may say its place (kItemIndex) before or behind it
  kItemIndex,
  kToolAction,       // what a call of a server's tool did: `search`, `open_page`
  kToolEnvironment,  // where a call is run, for those that either side may run
  kToolChoice,
  kToolIndex,
  kToolId,
  kToolType,
  kToolName,
  kContentItem,   // an object or list whose being there is content
  kBackground,    // true: the answer to a background call
  kDone,          // true: the last document of the answer
  kBlocked,       // why the prompt was refused
  kInterrupted,   // true: the speaker cut the answer off
  kLoneToolName,  // the name of a tool call without an object of its own
  kError,         // an error object or text
  kErrorCode,
  kErrorType,
  kErrorStatus,
  kErrorNumber,  // a number that names the error
  kResultCode,   // a number that names an error, unless it is 0 or HTTP's 200
  kQuota,        // the name of a limit that was met
  kFailed,       // true: an error
  // Of a message on a WebSocket alone (SocketMessage):
  kStreamId,
  kErrorEventId,  // of the client's message that the error is about
  kSessionModel,
  kTranscriber,  // the model that transcribes the session's audio input
  kItemId,
  kCancelReason,
};

struct AnswerPath {
  std::string_view pattern;
  AnswerSlot slot;
  UsageField field = UsageField::kCount;
  CostStatement cost = CostStatement::kNone;  // of kCost
  bool visible = false;                       // text that a reader of the answer sees
  // Of an enumeration of protobuf: its values' words, by number (FieldSet).
  std::span<const std::string_view> words = {};
};

constexpr AnswerPath visible_text(std::string_view pattern, AnswerSlot slot) {
  return {pattern, slot, UsageField::kCount, CostStatement::kNone, true};
}

// Made when it is first written to, because few answers have any use for it; until then it reads as
// new.
template <typename T>
class Rare {
 public:
  Rare() = default;
  Rare(Rare&&) noexcept = default;
  Rare& operator=(Rare&&) noexcept = default;
  Rare& operator=(const Rare& other) {
    other.value_ != nullptr ? void(make() = *other.value_) : clear();
    return *this;
  }

  const T& get() const {
    static const T kNone{};
    return value_ != nullptr ? *value_ : kNone;
  }
  T& make() {
    if (value_ == nullptr) value_ = std::make_unique<T>();
    return *value_;
  }
  // As new, but keeps its memory.
  void clear() {
    if (value_ != nullptr) *value_ = {};
  }

 private:
  std::unique_ptr<T> value_;
};

// What is billed beside an answer's own usage.
struct BilledApart {
  UsageSheet usage;
  Text<256> model;  // "": the answer's own
  bool several_models = false;
};

// Anthropic's list of iterations, as far as it was read.
struct Iterations {
  BilledApart apart;
  UsageSheet usage;  // of the one that is read
  Text<256> model;
  bool is_apart = false;
};

// One JSON document of an answer: a whole body, or the data of one event. Forgotten if it turns out
// to be broken.
struct Document {
  Text<64> type;
  Text<32> status;
  UsageSheet usage;
  UsageSheet spare_usage;
  Rare<Iterations> iterations;
  Text<16> detail_name;
  std::optional<uint64_t> detail_count;
  std::optional<uint32_t> item_index;  // of the item that the event is about
  uint32_t searches = 0;               // of the web, among its items
  bool has_item = false;
  bool last = false;   // says that it is
  bool loads = false;  // its finish reason: a model was loaded or unloaded, nothing else
  bool usage_closed = false;
  bool has_iterations = false;
  bool content = false;
  bool delta = false;
  bool has_choices = false;
  bool has_choice = false;
  bool finished = false;  // carries a finish reason
  bool error = false;
  uint64_t text_bytes = 0;  // of what may be content
  Text<128> error_name;     // code, or else type, or else status
  uint8_t error_rank = 0;

  void note_error(std::string_view name, uint8_t rank);
  // Kept small, because it runs once an event.
  void clear();
};

// The names of called tools, in order. Streams repeat a call's index in every fragment, and some
// servers its name too.
class ToolNames {
 public:
  static constexpr size_t kNamesMax = std::tuple_size_v<decltype(UsageRecord::tool_calls)>;

  // `position` of the item in its list; its index, if it does not state one.
  void begin_item(uint32_t position = 0);
  void note(AnswerSlot slot, const JsonEvent& event);
  void end_item(bool is_call);
  // The open item's place, where it is stated apart from it.
  void set_index(uint32_t index) { index_ = index; }
  // What stood at this place was no call in the end.
  void drop(uint32_t index);
  void add(std::string_view name);
  void clear();

  void set_choice(uint32_t choice) { choice_ = choice; }
  std::string_view item_type() const { return type_.view(); }
  std::string_view item_name() const { return name_.view(); }
  std::string_view item_action() const { return action_.view(); }
  std::string_view item_environment() const { return environment_.view(); }
  uint32_t item_index() const { return index_; }
  std::string_view name(size_t i) const { return list_->names[i].view(); }
  uint8_t count() const { return count_; }
  bool cut() const { return cut_; }
  static size_t list_bytes();

 private:
  struct Seen {
    uint64_t place = 0;  // choice and index
    uint64_t id = 0;     // hash of the call's id, 0 = none
  };
  struct List {
    std::array<Text<64>, kNamesMax> names;
    std::array<Seen, kNamesMax> seen;
  };

  std::unique_ptr<List> list_;  // made for the first name, because most answers have none
  uint8_t count_ = 0;
  uint8_t seen_count_ = 0;
  bool cut_ = false;
  uint32_t choice_ = 0;
  // of the item that is open
  Text<64> name_;
  Text<32> type_;
  Text<16> action_;
  Text<16> environment_;
  uint64_t id_ = 0;
  uint32_t index_ = 0;
};

// The different texts that the server searched for. Streams repeat the list, and an item may tell
// its kind behind them.
class SearchQueries {
 public:
  static constexpr size_t kQueriesMax = 64;

  // Of the item that is open.
  void note(const JsonEvent& event);
  void end_item(bool searched);
  void clear();

  uint8_t count() const { return count_; }
  bool cut() const { return cut_; }
  static size_t list_bytes();

 private:
  using List = std::array<uint64_t, kQueriesMax>;  // hashes

  std::unique_ptr<List> list_;  // made for the first one, because most answers have none
  uint8_t count_ = 0;
  uint8_t open_ = 0;  // behind these, those of the open item
  bool cut_ = false;
};

// What an answer says it cost, in 1e-15 USD. The last statement counts: costs in streams are
// running totals.
struct StatedCost {
  std::optional<int64_t> amount;
  CostStatement by = CostStatement::kNone;
  std::optional<int64_t> upstream;
  bool own_key = false;

  void note(CostStatement statement, std::string_view number);
  // With what a key of one's own pays upstream beside it.
  std::optional<int64_t> total() const;
};

struct AnswerNotes {
  Text<256> response_id;
  Text<256> model;
  Text<32> service_tier;
  Text<16> geography;
  Text<16> speed;
  StatedCost cost;
  Text<32> object;
  Text<32> fingerprint;
  FinishReason finish_reason = FinishReason::kUnknown;
  ToolNames tools;
  // The items of the answer that its client has to run, by their places; the last bit stands for
  // all beyond. Custom tools apart: xAI calls its own so.
  uint64_t client_items = 0;
  uint64_t custom_items = 0;
  uint32_t searches = 0;  // of the web, which the server made
  SearchQueries queries;
  TextDigest text;
  VectorDigest vectors;
  UsageSheet usage;
  Rare<BilledApart> apart;
  bool usage_final = false;  // stated as the total, not as a running count
  bool usage_stale = false;  // bytes were lost since usage was last stated
  bool spare_usage = false;  // `usage` holds the spare copy
  bool of_groq = false;      // has an object that only Groq's answers have
  bool has_choices = false;
  bool has_body = false;
  bool has_role = false;
  bool has_usage = false;
  bool has_done = false;       // says of itself whether it is the last
  bool background = false;     // what a background call was asked for, whoever fetches it
  bool pending = false;        // it has not ended: the rest is fetched later
  bool bills_nothing = false;  // not a call, whatever its shape
  bool type_known = false;     // a kind that only this dialect has
  bool packed = false;         // events were packed into those of AWS
  bool terminal = false;       // the dialect's last event was seen
  bool failed = false;         // an error inside an answer
  bool refused = false;        // in place of an answer, unless there is a part of one
  bool intervened = false;     // a guardrail spoke in the model's place
  bool text_cut = false;
  bool usage_malformed = false;
  Text<128> error_type;
  bool requests_limited = false;  // what the error says was met: the limit of requests, of tokens
  bool tokens_limited = false;
  std::optional<uint64_t> billed_audio_ms;
  std::optional<EventTime> first_content;
  std::optional<EventTime> last_content;
  int64_t longest_stall_ns = 0;
  uint64_t content_events = 0;
  uint64_t content_bytes = 0;  // of their text, as written in JSON
  Document document;

  void note(const AnswerPath& path, const JsonEvent& event);
  // As new, but keeps its memory.
  void clear();
  // The most that it takes besides itself, and in how many blocks.
  static size_t more_bytes_max();
  static constexpr size_t kBlocksMax = 4;

  // An event with generated content, so many bytes of it text, ended at `now`.
  void note_content(EventTime now, uint64_t text_bytes);

  // For the dialects, at the end of a document:
  // An error was told; its name is what the document says.
  void fail();
  // Nothing of the dialect was seen, unless by the names that everybody has.
  bool says_nothing() const {
    return !has_choices && !has_body && !has_usage && !failed && !type_known &&
           tools.count() == 0 && finish_reason == FinishReason::kUnknown;
  }
  // Merges the document's usage, if it has any.
  void take_usage();
  // The open item of a list of tool calls is complete, and `has_place`: what it is counts for more
  // than what stood there before. False if it is no call.
  bool end_tool_item(bool has_place);
  // The answer waits for what the client is to run.
  bool calls_client() const;
  // It was the dialect's last one: what is stated is the total.
  void end_answer() {
    usage_final = has_usage;
    terminal = true;
  }
  // The same, but what earlier documents said is forgotten.
  void replace_usage();
};

// Google's enumerations as numbers: finish reasons and modalities.
FinishReason finish_reason_of(uint64_t google_number);

// The normalised form of any dialect's finish reason; kUnknown for "".
FinishReason finish_reason_of(std::string_view word);

// True if `served` is what a client that asked for `requested` may expect: the same, or one of them
// a dated snapshot of the other.
bool same_model(std::string_view requested, std::string_view served);
// The same where `requested` is an id of Bedrock, which names geography, maker and version around
// the model: us.anthropic.claude-…-v1:0.
bool same_bedrock_model(std::string_view requested, std::string_view served);

}  // namespace wiretally::llm
