#include "batch_results.h"

#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>

#include "body_digest.h"
#include "dialects/anthropic_shape.h"
#include "dialects/gemini_shape.h"
#include "dialects/openai_shape.h"
#include "framing/series_reader.h"
#include "json/json_scanner.h"
#include "notes.h"
#include "packed.h"
#include "record_facts.h"
#include "target.h"

namespace wiretally::llm {
namespace {

enum class Kind : uint8_t {
  kOpenaiFile,
  kAnthropicResults,
  kOpenaiBatch,
  kGeminiFile,
  kGeminiBatch
};

// One JSON document, not one a line.
bool is_document(Kind kind) { return kind == Kind::kOpenaiBatch || kind == Kind::kGeminiBatch; }
bool is_of_gemini(Kind kind) { return kind == Kind::kGeminiFile || kind == Kind::kGeminiBatch; }

struct Place {
  Kind kind;
  std::string_view id;  // of the file, or the batch
};

// The segment between the two, if it is one and has something in it.
std::optional<std::string_view> between(std::string_view path, std::string_view before,
                                        std::string_view behind) {
  if (!path.ends_with(behind)) return std::nullopt;
  path.remove_suffix(behind.size());
  const size_t slash = path.rfind('/');
  if (slash == path.npos || slash + 1 == path.size()) return std::nullopt;
  if (!path.substr(0, slash).ends_with(before)) return std::nullopt;
  return path.substr(slash + 1);
}

std::optional<Place> place_of(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  if (const auto id = between(path, "/files", "/content")) return Place{Kind::kOpenaiFile, *id};
  if (const auto id = between(path, "/messages/batches", "/results")) {
    return Place{Kind::kAnthropicResults, *id};
  }
  for (const std::string_view version : {"/v1beta", "/v1alpha"}) {
    const std::string folder(version);
    if (const auto id = between(path, folder + "/files", ":download")) {
      return Place{Kind::kGeminiFile, *id};
    }
    const auto id = between(path, folder + "/batches", "");
    const bool is_method = id && id->find(':') != id->npos;  // :cancel
    if (id && !is_method) return Place{Kind::kGeminiBatch, *id};
  }
  const auto id = between(path, "/batches", "");
  if (id && id->starts_with("batch_")) return Place{Kind::kOpenaiBatch, *id};
  return std::nullopt;
}

// What stands around an answer.
enum class Own : PathId { kCustomId, kStatus, kRequestId, kResult, kError, kFile, kCount };
constexpr size_t kOwn = static_cast<size_t>(Own::kCount);

// The first rows are Own, in its order; an unused one has a name that no document has.
constexpr AnswerPath kOpenaiLine[] = {
    {"custom_id", AnswerSlot::kText},
    {"response.status_code", AnswerSlot::kText},
    {"response.request_id", AnswerSlot::kText},
    {"response", AnswerSlot::kText},
    {"error", AnswerSlot::kError},
    {"#file", AnswerSlot::kText},
    {"error.code", AnswerSlot::kErrorCode},
    {"response.body.id", AnswerSlot::kResponseId},
    {"response.body.object", AnswerSlot::kObject},
    {"response.body.model", AnswerSlot::kModel},
    {"response.body.status", AnswerSlot::kStatus},
    {"response.body.choices[].finish_reason", AnswerSlot::kFinishReason},
    {"response.body.incomplete_details.reason", AnswerSlot::kFinishReason},
    {"response.body.choices[].message.tool_calls[]", AnswerSlot::kToolItem},
    {"response.body.choices[].message.tool_calls[].id", AnswerSlot::kToolId},
    {"response.body.choices[].message.tool_calls[].function.name", AnswerSlot::kToolName},
    {"response.body.output[]", AnswerSlot::kToolItem},
    {"response.body.output[].action.type", AnswerSlot::kToolAction},
    {"response.body.output[].type", AnswerSlot::kToolType},
    {"response.body.output[].name", AnswerSlot::kToolName},
    {"response.body.output[].id", AnswerSlot::kToolId},
    {"response.body.usage", AnswerSlot::kUsage},
    WIRETALLY_CHAT_USAGE("response.body.usage", AnswerSlot::kUsageNumber),
    WIRETALLY_RESPONSES_USAGE("response.body.usage", AnswerSlot::kUsageNumber),
    {"response.body.error", AnswerSlot::kError},
    {"response.body.error.code", AnswerSlot::kErrorCode},
    {"response.body.error.type", AnswerSlot::kErrorType},
};

constexpr AnswerPath kAnthropicLine[] = {
    {"custom_id", AnswerSlot::kText},
    {"#status", AnswerSlot::kText},
    {"#request", AnswerSlot::kText},
    {"result", AnswerSlot::kText},
    {"result.error", AnswerSlot::kError},
    {"#file", AnswerSlot::kText},
    {"result.type", AnswerSlot::kStatus},
    {"result.error.error.type", AnswerSlot::kErrorCode},
    {"result.error.type", AnswerSlot::kErrorType},
    {"result.message.id", AnswerSlot::kResponseId},
    {"result.message.model", AnswerSlot::kModel},
    {"result.message.stop_reason", AnswerSlot::kFinishReason},
    {"result.message.content[]", AnswerSlot::kToolItem},
    {"result.message.content[].type", AnswerSlot::kToolType},
    {"result.message.content[].name", AnswerSlot::kToolName},
    {"result.message.content[].id", AnswerSlot::kToolId},
    {"result.message.usage", AnswerSlot::kUsage},
    {"result.message.usage.input_tokens", AnswerSlot::kUsageNumber, UsageField::kInput},
    {"result.message.usage.output_tokens", AnswerSlot::kUsageNumber, UsageField::kOutput},
    {"result.message.usage.cache_creation_input_tokens", AnswerSlot::kUsageNumber,
     UsageField::kCacheWrite},
    {"result.message.usage.cache_read_input_tokens", AnswerSlot::kUsageNumber,
     UsageField::kCacheRead},
    {"result.message.usage.cache_creation.ephemeral_5m_input_tokens", AnswerSlot::kUsageNumber,
     UsageField::kCacheWrite5m},
    {"result.message.usage.cache_creation.ephemeral_1h_input_tokens", AnswerSlot::kUsageNumber,
     UsageField::kCacheWrite1h},
    {"result.message.usage.server_tool_use.web_search_requests", AnswerSlot::kUsageNumber,
     UsageField::kServerTools},
    {"result.message.usage.inference_geo", AnswerSlot::kGeography},
};

constexpr AnswerPath kOpenaiObject[] = {
    {"#custom", AnswerSlot::kText},  {"#status", AnswerSlot::kText},
    {"#request", AnswerSlot::kText}, {"#result", AnswerSlot::kText},
    {"#error", AnswerSlot::kText},   {"output_file_id", AnswerSlot::kText},
    {"endpoint", AnswerSlot::kType}, {"object", AnswerSlot::kObject},
    {"status", AnswerSlot::kStatus}, {"model", AnswerSlot::kModel},
    {"usage", AnswerSlot::kUsage},   WIRETALLY_RESPONSES_USAGE("usage", AnswerSlot::kUsageNumber),
};

// Own members of a line stand in front, as in the tables above.
constexpr AnswerPath kGeminiLine[] = {
    {"key", AnswerSlot::kText},
    {"#status", AnswerSlot::kText},
    {"#request", AnswerSlot::kText},
    {"response", AnswerSlot::kText},
    {"error", AnswerSlot::kError},
    {"#file", AnswerSlot::kText},
    {"error.code", AnswerSlot::kErrorNumber},
    {"error.status", AnswerSlot::kErrorStatus},
    {"response.embedding", AnswerSlot::kBody},
    {"response.tokenCount", AnswerSlot::kUsageNumber, UsageField::kInput},
    WIRETALLY_GEMINI_ANSWER("response."),
};

// One of the responses that a list holds.
enum class Item : size_t { kItself, kKey, kResponse, kError };
#define WIRETALLY_GEMINI_ITEM(list)                                                   \
  {list "[]", AnswerSlot::kText}, {list "[].metadata.key", AnswerSlot::kText},        \
      {list "[].response", AnswerSlot::kText}, {list "[].error", AnswerSlot::kError}, \
      {list "[].error.code", AnswerSlot::kErrorNumber},                               \
      {list "[].error.status", AnswerSlot::kErrorStatus},                             \
      {list "[].response.embedding", AnswerSlot::kBody},                              \
      {list "[].response.tokenCount", AnswerSlot::kUsageNumber, UsageField::kInput},  \
      WIRETALLY_GEMINI_ANSWER(list "[].response.")
constexpr AnswerPath kOneItem[] = {WIRETALLY_GEMINI_ITEM("")};
constexpr size_t kItemRows = std::size(kOneItem);

constexpr AnswerPath kGeminiObject[] = {
    {"metadata.model", AnswerSlot::kText},
    {"model", AnswerSlot::kText},
    WIRETALLY_GEMINI_ITEM("response.inlinedResponses.inlinedResponses"),
    WIRETALLY_GEMINI_ITEM("metadata.output.inlinedResponses.inlinedResponses"),
    WIRETALLY_GEMINI_ITEM("output.inlinedResponses.inlinedResponses"),
};
constexpr size_t kModelRows = 2;
static_assert(std::size(kGeminiObject) == kModelRows + 3 * kItemRows);

struct Table {
  std::span<const AnswerPath> slots;
  PathSet paths;
};

const Table& table_of(Kind kind) {
  static const Table openai_file{kOpenaiLine, paths_of(kOpenaiLine)};
  static const Table anthropic{kAnthropicLine, paths_of(kAnthropicLine)};
  static const Table openai_object{kOpenaiObject, paths_of(kOpenaiObject)};
  static const Table gemini_file{kGeminiLine, paths_of(kGeminiLine)};
  static const Table gemini_object{kGeminiObject, paths_of(kGeminiObject)};
  switch (kind) {
    case Kind::kOpenaiFile:
      return openai_file;
    case Kind::kAnthropicResults:
      return anthropic;
    case Kind::kGeminiFile:
      return gemini_file;
    case Kind::kGeminiBatch:
      return gemini_object;
    case Kind::kOpenaiBatch:
      break;
  }
  return openai_object;
}

struct Spoken {
  Dialect dialect;
  Operation operation;
};

Spoken spoken_by_object(std::string_view object) {
  if (object == "response") return {Dialect::kOpenaiResponses, Operation::kChat};
  if (object == "text_completion") {
    return {Dialect::kOpenaiCompletions, Operation::kTextCompletion};
  }
  if (object == "list") return {Dialect::kOpenaiEmbeddings, Operation::kEmbeddings};
  return {Dialect::kOpenaiChat, Operation::kChat};
}

Spoken spoken_at_endpoint(std::string_view endpoint) {
  if (endpoint.ends_with("/responses")) return spoken_by_object("response");
  if (endpoint.ends_with("/embeddings")) return spoken_by_object("list");
  if (endpoint.ends_with("/chat/completions")) return spoken_by_object("");
  return spoken_by_object(endpoint.ends_with("/completions") ? "text_completion" : "");
}

}  // namespace

class BatchResults::Download final : private JsonEvents, private SeriesEvents {
 public:
  Download(BatchResults& all, const Place& place)
      : all_(all),
        kind_(place.kind),
        table_(table_of(place.kind)),
        series_(*this),
        scanner_(table_.paths, *this) {}

  void on_request(ExchangeId id, const RequestHead& head, std::string_view place_id);
  BodyInterest on_response(const ResponseHead& head);
  BodyInterest feed(ByteView body, EventTime time);
  void lose(BodyLoss loss);
  void finish(EventTime time);

 private:
  void on_json(PathId path, const JsonEvent& event) override;
  void on_series_begin() override;
  Read on_series_part(ByteView part) override;
  void on_series_end(bool intact) override;

  void begin_document();
  void end_line();
  void end_object();
  void on_gemini_object(PathId path, const JsonEvent& event);
  void end_gemini_answer();
  UsageRecord record_of(const Spoken& spoken) const;
  void give_out(UsageRecord& record);
  void give_up() { given_up_ = true; }

  BatchResults& all_;
  const Kind kind_;
  const Table& table_;
  SeriesReader series_;
  JsonScanner scanner_;
  Packed<UsageRecord> base_;  // what all its records have in common
  AnswerNotes notes_;
  BodyDigest digest_;  // of the line
  uint64_t line_bytes_ = 0;
  uint32_t lines_ = 0;
  EventTime now_;
  Text<128> custom_id_;
  Text<128> request_id_;
  Text<64> file_;
  std::optional<uint16_t> status_;
  // of Gemini's object
  Text<256> model_;
  std::optional<size_t> list_;  // that is read: the first that came
  uint32_t position_ = 0;       // in it
  bool has_result_ = false;
  bool given_up_ = false;
  bool proven_ = false;  // a line was one of results
};

void BatchResults::Download::on_request(ExchangeId id, const RequestHead& head,
                                        std::string_view place_id) {
  UsageRecord record;
  record.exchange = id;
  record.lane = all_.lane_;
  record.flow = head.flow_id;
  note_flow(*head.flow, head.direction, record);
  note_request_head(head, record);
  if (head.headers.unknown) record.flags.set(RecordFlag::kH2HeadersUnknown);
  record.caller = all_.credentials_.read(head.headers, head.target);
  const bool is_file = kind_ == Kind::kOpenaiFile || kind_ == Kind::kGeminiFile;
  if (is_file) {
    record.batch_file.assign(place_id);
  } else {
    record.batch_id.assign(place_id);
  }
  base_.pack(record);
}

BodyInterest BatchResults::Download::on_response(const ResponseHead& head) {
  UsageRecord record = base_.unpack();
  note_answer_head(head, record);
  if (record.provider.empty()) {
    record.provider.assign(kind_ == Kind::kAnthropicResults ? "anthropic"
                           : is_of_gemini(kind_)            ? "gcp.gemini"
                                                            : "unknown");
  }
  base_.pack(record);
  if (head.status != 200) give_up();
  return given_up_ ? BodyInterest::kNotLlm : BodyInterest::kWanted;
}

BodyInterest BatchResults::Download::feed(ByteView body, EventTime time) {
  if (given_up_) return BodyInterest::kNotLlm;
  now_ = time;
  if (is_document(kind_)) {
    if (scanner_.feed(body) == JsonScanner::Verdict::kBad) give_up();
    digest_.feed(body);
    line_bytes_ += body.size();
  } else {
    const size_t first = as_text(body).find_first_not_of(" \t\r\n");
    if (lines_ == 0 && line_bytes_ == 0 && first != std::string_view::npos && body[first] != '{') {
      give_up();
      return BodyInterest::kNotLlm;
    }
    series_.feed(body);
  }
  return given_up_ ? BodyInterest::kNotLlm : BodyInterest::kWanted;
}

void BatchResults::Download::lose(BodyLoss loss) {
  if (is_document(kind_) || loss != BodyLoss::kGap) return give_up();
  series_.gap();
}

void BatchResults::Download::finish(EventTime time) {
  if (given_up_) return;
  now_ = time;
  if (is_document(kind_)) {
    const bool whole = scanner_.verdict() == JsonScanner::Verdict::kComplete;
    if (kind_ == Kind::kOpenaiBatch && whole) end_object();
  } else {
    series_.finish();
  }
  give_up();
}

void BatchResults::Download::on_json(PathId path, const JsonEvent& event) {
  if (kind_ == Kind::kGeminiBatch) return on_gemini_object(path, event);
  const bool is_text = event.kind == JsonEvent::Kind::kString;
  if (path < kOwn) {
    switch (static_cast<Own>(path)) {
      case Own::kCustomId:
        if (is_text) custom_id_.assign(event.text);
        break;
      case Own::kStatus:
        if (event.integer && *event.integer < 1000) {
          status_ = static_cast<uint16_t>(*event.integer);
        }
        break;
      case Own::kRequestId:
        if (is_text) request_id_.assign(event.text);
        break;
      case Own::kResult:
      case Own::kError:
        if (event.kind == JsonEvent::Kind::kObjectBegin) has_result_ = true;
        break;
      case Own::kFile:
        if (is_text) file_.assign(event.text);
        break;
      case Own::kCount:
        break;
    }
  }
  notes_.note(table_.slots[path], event);
}

void BatchResults::Download::begin_document() {
  scanner_.reset();
  notes_.clear();
  digest_.reset();
  line_bytes_ = 0;
  custom_id_.clear();
  request_id_.clear();
  status_.reset();
  has_result_ = false;
}

void BatchResults::Download::on_series_begin() { begin_document(); }

SeriesEvents::Read BatchResults::Download::on_series_part(ByteView part) {
  if (given_up_) return {Progress::kMore, part.size()};
  const JsonScanner::Verdict verdict = scanner_.feed(part);
  const size_t taken = part.size() - scanner_.unread();
  digest_.feed(part.first(taken));
  line_bytes_ += taken;
  switch (verdict) {
    case JsonScanner::Verdict::kMore:
      break;
    case JsonScanner::Verdict::kComplete:
      return {Progress::kComplete, taken};
    case JsonScanner::Verdict::kBad:
      return {Progress::kBad, taken};
  }
  return {Progress::kMore, part.size()};
}

void BatchResults::Download::on_series_end(bool intact) {
  if (given_up_) return;
  // A key is the client's own affair; without one the line's place tells it apart.
  const bool of_gemini = kind_ == Kind::kGeminiFile && (notes_.has_choices || notes_.has_body);
  const bool is_line = intact && has_result_ && (of_gemini || !custom_id_.empty());
  if (is_line) {
    proven_ = true;
    end_line();
  } else if (!proven_) {
    give_up();
  }
  ++lines_;
}

UsageRecord BatchResults::Download::record_of(const Spoken& spoken) const {
  UsageRecord record = base_.unpack();
  record.dialect = spoken.dialect;
  record.operation = spoken.operation;
  record.index = lines_;
  record.finish = record.last_byte = now_;
  record.response_bytes = line_bytes_;
  record.response_digest = digest_.value();
  // Of the line's own: thousands of lines come of one request.
  BodyDigest request;
  for (const std::string_view part :
       {record.method.view(), record.path.view(), custom_id_.view()}) {
    request.feed_part(part);
  }
  record.request_digest = request.value();
  record.response_id = notes_.response_id;
  record.response_model = notes_.model;
  record.inference_geo = notes_.geography;
  record.finish_reason = notes_.finish_reason;
  record.tool_call_count = notes_.tools.count();
  for (size_t i = 0; i < notes_.tools.count(); ++i) {
    record.tool_calls[i].assign(notes_.tools.name(i));
  }
  record.service_tier.assign("batch");
  record.outcome = Outcome::kOk;
  // What remains now has nothing to do with what the batch used then.
  record.rate_limit_remaining_requests.reset();
  record.rate_limit_remaining_tokens.reset();
  return record;
}

void BatchResults::Download::give_out(UsageRecord& record) {
  if (notes_.usage_malformed) record.flags.set(RecordFlag::kUsageMalformed);
  if (notes_.text_cut) record.flags.set(RecordFlag::kTextCut);
  all_.next_.on_record(record);
}

void BatchResults::Download::on_gemini_object(PathId path, const JsonEvent& event) {
  using Kind = JsonEvent::Kind;
  if (path < kModelRows) {
    constexpr std::string_view kFolder = "models/";
    std::string_view model = event.text;
    if (model.starts_with(kFolder)) model.remove_prefix(kFolder.size());
    if (event.kind == Kind::kString) model_.assign(model);
    return;
  }
  const size_t list = (path - kModelRows) / kItemRows;
  const auto row = static_cast<Item>((path - kModelRows) % kItemRows);
  if (!list_) list_ = list;
  if (list != *list_) return;
  if (row == Item::kItself && event.kind == Kind::kObjectBegin) {
    notes_.clear();
    custom_id_.clear();
    has_result_ = false;
    position_ = event.index;
  }
  if (row == Item::kKey && event.kind == Kind::kString) custom_id_.assign(event.text);
  if ((row == Item::kResponse || row == Item::kError) && event.kind == Kind::kObjectBegin) {
    has_result_ = true;
  }
  notes_.note(table_.slots[path], event);
  if (row == Item::kItself && event.kind == Kind::kObjectEnd && has_result_) end_gemini_answer();
}

// A line of a file, or one of the responses in the object.
void BatchResults::Download::end_gemini_answer() {
  if (custom_id_.empty()) {
    std::array<char, 16> place;
    const auto end = std::to_chars(place.data(), place.data() + place.size(),
                                   kind_ == Kind::kGeminiBatch ? position_ : lines_);
    custom_id_.assign({place.data(), static_cast<size_t>(end.ptr - place.data())});
  }
  const bool embeds = notes_.has_body && !notes_.has_choices;
  note_gemini_answer(notes_);
  UsageRecord record = record_of(embeds ? Spoken{Dialect::kGeminiEmbeddings, Operation::kEmbeddings}
                                        : Spoken{Dialect::kGeminiGenerate, Operation::kChat});
  record.part = CallPart::kFetched;
  record.batch_custom_id = custom_id_;
  if (record.response_model.empty()) record.response_model = model_;
  if (kind_ == Kind::kGeminiBatch) {
    record.response_bytes = 0;  // of the object, not of one of its responses
    record.response_digest = {};
    ++lines_;
  }
  if (notes_.document.error) {
    record.outcome = Outcome::kHttpError;
    record.error_type = notes_.document.error_name;
    record.status_code.reset();
  } else {
    normalise_gemini_answer(notes_, {.provider = record.provider.view(), .settled = true}, record);
    if (!record.tokens.input) {
      record.usage_missing = UsageMissing::kNotInAnswer;
      record.flags.set(RecordFlag::kUsageMissing);
    }
  }
  give_out(record);
}

void BatchResults::Download::end_line() {
  if (kind_ == Kind::kGeminiFile) return end_gemini_answer();
  const bool of_anthropic = kind_ == Kind::kAnthropicResults;
  const std::string_view type = notes_.document.status.view();
  if (of_anthropic && type != "succeeded" && type != "errored") return;
  notes_.take_usage();
  notes_.searches = notes_.document.searches;
  if (!of_anthropic) note_response_status(notes_, type);
  UsageRecord record =
      record_of(of_anthropic ? Spoken{Dialect::kAnthropicMessages, Operation::kChat}
                             : spoken_by_object(notes_.object.view()));
  record.part = CallPart::kFetched;
  record.batch_custom_id = custom_id_;
  if (!request_id_.empty()) record.request_id = request_id_;
  if (!of_anthropic) record.status_code = status_;
  const UsageContext context{.provider = record.provider.view(), .settled = true};
  if (of_anthropic) {
    normalise_anthropic_answer(notes_, context, record);
  } else {
    normalise_openai_answer(notes_, context, record);
  }
  const bool failed = notes_.document.error || notes_.failed || status_.value_or(200) >= 400;
  if (failed) {
    // Never ran: the batch expired or was cancelled before its turn.
    const std::string_view error = notes_.document.error_name.view();
    if (!status_ && (error == "batch_expired" || error == "batch_cancelled")) return;
    record.outcome = Outcome::kHttpError;
    record.error_type = notes_.document.error_name;
    if (of_anthropic) record.status_code.reset();
  } else if (!record.tokens.input) {
    record.usage_missing = UsageMissing::kNotInAnswer;
    record.flags.set(RecordFlag::kUsageMissing);
  }
  give_out(record);
}

void BatchResults::Download::end_object() {
  const bool done = notes_.object.view() == "batch" &&
                    notes_.document.status.view() == "completed" && !file_.empty();
  if (!done) return;
  notes_.take_usage();
  if (!notes_.has_usage || notes_.usage.all_zero()) return;
  UsageRecord record = record_of(spoken_at_endpoint(notes_.document.type.view()));
  record.part = CallPart::kSum;
  record.batch_file = file_;
  normalise_openai_answer(notes_, {.provider = record.provider.view(), .settled = true}, record);
  give_out(record);
}

// --- all of them ---------------------------------------------------------------------------------

BatchResults::BatchResults(const Limits& limits, uint32_t lane, const CredentialReader& credentials,
                           UsageSink& next)
    : limits_(limits), lane_(lane), credentials_(credentials), next_(next) {}

BatchResults::~BatchResults() = default;

BatchResults::Download* BatchResults::find(ExchangeId id) const {
  const auto found = downloads_.find(static_cast<uint64_t>(id));
  return found == downloads_.end() ? nullptr : found->second.get();
}

bool BatchResults::on_request(ExchangeId id, const RequestHead& head) {
  if (head.method != "GET" || head.websocket) return false;
  const Target target = split_target(head.target);
  const auto place = place_of(target.path);
  if (!place) return false;
  if (downloads_.size() >= limits_.batch_downloads_max) {
    ++refused_;
    return false;
  }
  auto& download = downloads_[static_cast<uint64_t>(id)];
  download = std::make_unique<Download>(*this, *place);
  download->on_request(id, head, place->id);
  return true;
}

BodyInterest BatchResults::on_response(ExchangeId id, const ResponseHead& head) {
  Download* const download = find(id);
  return download == nullptr ? BodyInterest::kNotLlm : download->on_response(head);
}

BodyInterest BatchResults::on_body(ExchangeId id, Message message, ByteView body, EventTime time) {
  Download* const download = find(id);
  if (download == nullptr || message == Message::kRequest) return BodyInterest::kNotLlm;
  return download->feed(body, time);
}

void BatchResults::on_loss(ExchangeId id, Message message, BodyLoss loss) {
  Download* const download = find(id);
  if (download != nullptr && message == Message::kResponse) download->lose(loss);
}

void BatchResults::on_message_end(ExchangeId id, Message message, EventTime time) {
  Download* const download = find(id);
  if (download != nullptr && message == Message::kResponse) download->finish(time);
}

bool BatchResults::on_exchange_end(ExchangeId id) {
  return downloads_.erase(static_cast<uint64_t>(id)) > 0;
}

uint64_t BatchResults::worst_case_bytes(const Limits& limits) {
  constexpr uint64_t kNode = 64;  // a table's, with its allocation
  return limits.batch_downloads_max *
         (sizeof(Download) + Packed<UsageRecord>::kBytesMax + AnswerNotes::more_bytes_max() +
          (1 + AnswerNotes::kBlocksMax) * kNode);
}

}  // namespace wiretally::llm
