#include "notes.h"

#include <algorithm>
#include <functional>

#include "decimal.h"

namespace wiretally::llm {
namespace {

using Kind = JsonEvent::Kind;

bool is_text(const JsonEvent& event) { return event.kind == Kind::kString && event.text_bytes > 0; }

bool is_begin(const JsonEvent& event) {
  return event.kind == Kind::kObjectBegin || event.kind == Kind::kArrayBegin;
}

// "" means unknown: some servers send empty ids and models in their first frames.
template <size_t N>
void take_text(Text<N>& to, const JsonEvent& event, bool* cut = nullptr) {
  if (!is_text(event)) return;
  to.assign(event.text);
  if (cut != nullptr && (event.text_cut || to.was_cut())) *cut = true;
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool says_success(const JsonEvent& result_code) {
  constexpr uint64_t kHttpOk = 200;
  return result_code.integer == 0u || result_code.integer == kHttpOk;
}

constexpr int kFemtoDigits = 15;  // 1e-15 USD
constexpr int kTickDigits = 5;    // xAI's tick is 1e-10 USD

// Tools that the client runs carry these types, whatever their version.
bool runs_on_client(std::string_view type) {
  static constexpr std::string_view kClientTypes[] = {"custom",    "function", "bash_",
                                                      "computer_", "memory_",  "text_editor_"};
  return std::any_of(std::begin(kClientTypes), std::end(kClientTypes),
                     [&](std::string_view prefix) { return type.starts_with(prefix); });
}

// Parts of a prompt that are read as they are written. Of others (images, audio, files, references)
// the bytes say nothing.
bool is_text_part(std::string_view type) {
  static constexpr std::string_view kTextTypes[] = {"text",
                                                    "input_text",
                                                    "output_text",
                                                    "refusal",
                                                    "message",
                                                    "tool_use",
                                                    "tool_result",
                                                    "server_tool_use",
                                                    "thinking",
                                                    "reasoning",
                                                    "function_call",
                                                    "function_call_output",
                                                    "function_result",
                                                    "custom_tool_call",
                                                    "custom_tool_call_output"};
  return std::find(std::begin(kTextTypes), std::end(kTextTypes), type) != std::end(kTextTypes);
}

}  // namespace

void RequestNotes::note(const RequestPath& path, const JsonEvent& event) {
  switch (path.slot) {
    case RequestSlot::kModel:
      take_text(model, event, &text_cut);
      break;
    case RequestSlot::kStream:
      if (event.kind == Kind::kBool) stream = event.boolean;
      break;
    case RequestSlot::kIncludeUsage:
      if (event.kind == Kind::kBool) include_usage = event.boolean;
      break;
    case RequestSlot::kUser:
      take_text(user, event, &text_cut);
      break;
    case RequestSlot::kSafetyIdentifier:
      take_text(safety_identifier, event, &text_cut);
      break;
    case RequestSlot::kMetadataUserId:
      take_text(metadata_user_id, event, &text_cut);
      break;
    case RequestSlot::kConversation:
      if (is_begin(event) || event.kind == Kind::kString) has_prompt = not_text = true;
      take_text(session, event, &text_cut);
      break;
    case RequestSlot::kSession:
      take_text(session, event, &text_cut);
      break;
    case RequestSlot::kPrompt:
      if (is_begin(event) || event.kind == Kind::kString) has_prompt = true;
      break;
    case RequestSlot::kTurnRole:
      if (is_text(event)) has_turns = true;
      break;
    case RequestSlot::kServerTool:
      if (is_text(event) && !runs_on_client(event.text)) server_side = true;
      break;
    case RequestSlot::kServerSide:
      if (is_begin(event)) server_side = true;
      break;
    case RequestSlot::kRpcVersion:
      json_rpc = event.text == "2.0";
      break;
    case RequestSlot::kRpcMethod:
      take_text(rpc_method, event);
      break;
    case RequestSlot::kRpcTool:
      take_text(tool, event, &text_cut);
      break;
    case RequestSlot::kBackground:
      background = event.boolean;
      break;
    case RequestSlot::kContextEdit:
      if (event.text.starts_with("compact")) server_side = true;
      break;
    case RequestSlot::kPartType:
      if (is_text(event) && !is_text_part(event.text)) not_text = true;
      break;
    case RequestSlot::kNotText:
      if (is_begin(event) || is_text(event) || event.kind == Kind::kNumber) not_text = true;
      break;
    case RequestSlot::kTokenIds:
      if (is_begin(event) || event.kind == Kind::kNumber) not_text = true;
      break;
    case RequestSlot::kElsewhere:
      if (is_begin(event) || event.kind == Kind::kString) has_prompt = not_text = true;
      break;
    case RequestSlot::kOther:
      if (is_begin(event) || event.kind == Kind::kString) of_other = true;
      break;
    case RequestSlot::kModelResource:
      if (is_text(event)) {
        model.assign(event.text.substr(event.text.rfind('/') + 1));
        if (event.text_cut || model.was_cut()) text_cut = true;
      }
      break;
    case RequestSlot::kChoices:
      choices = std::max<uint64_t>(event.integer.value_or(1), 1);
      break;
    case RequestSlot::kFetchedId:
      take_text(fetched_id, event, &text_cut);
      break;
    case RequestSlot::kEventType:
    case RequestSlot::kEventId:
    case RequestSlot::kStreamId:
      break;
  }
}

void Document::clear() {
  type.clear();
  status.clear();
  usage.clear();
  spare_usage.clear();
  if (has_iterations) iterations.clear();
  detail_name.clear();
  detail_count.reset();
  item_index.reset();
  searches = 0;
  has_item = false;
  last = loads = false;
  usage_closed = has_iterations = content = delta = false;
  has_choices = has_choice = finished = error = false;
  error_name.clear();
  error_rank = 0;
  text_bytes = 0;
}

void Document::note_error(std::string_view name, uint8_t rank) {
  // A number is no name, in quotes either (Mistral's "1300"): any other word is better.
  if (name.find_first_not_of("0123456789") == std::string_view::npos) rank = 0;
  if (name.empty() || rank < error_rank) return;
  error_name.assign(name);
  error_rank = rank;
}

void ToolNames::begin_item(uint32_t position) {
  name_.clear();
  type_.clear();
  action_.clear();
  environment_.clear();
  id_ = 0;
  index_ = position;
}

void ToolNames::note(AnswerSlot slot, const JsonEvent& event) {
  switch (slot) {
    case AnswerSlot::kToolIndex:
      if (event.integer.has_value()) index_ = static_cast<uint32_t>(*event.integer);
      break;
    case AnswerSlot::kToolId:
      if (is_text(event)) id_ = std::hash<std::string_view>{}(event.text) | 1;
      break;
    case AnswerSlot::kToolType:
      take_text(type_, event);
      break;
    case AnswerSlot::kToolName:
      take_text(name_, event);
      break;
    case AnswerSlot::kToolAction:
      take_text(action_, event);
      break;
    case AnswerSlot::kToolEnvironment:
      take_text(environment_, event);
      break;
    default:
      break;
  }
}

void ToolNames::end_item(bool is_call) {
  if (!is_call || name_.empty()) return;
  const uint64_t place = uint64_t{choice_} << 32 | index_;
  for (size_t i = 0; i < seen_count_; ++i) {
    const Seen& seen = list_->seen[i];
    if (id_ != 0 && seen.id == id_) return;
    // The same place again is a later fragment, unless it carries another call's id.
    if (seen.place == place && (id_ == 0 || seen.id == 0)) return;
  }
  if (seen_count_ == kNamesMax) {
    cut_ = true;
    return;
  }
  if (list_ == nullptr) list_ = std::make_unique<List>();
  list_->seen[seen_count_++] = {place, id_};
  add(name_.view());
}

void ToolNames::add(std::string_view name) {
  if (name.empty()) return;
  if (count_ == kNamesMax) {
    cut_ = true;
    return;
  }
  if (list_ == nullptr) list_ = std::make_unique<List>();
  list_->names[count_].assign(name);
  if (list_->names[count_].was_cut()) cut_ = true;
  ++count_;
}

void ToolNames::drop(uint32_t index) {
  const uint64_t place = uint64_t{choice_} << 32 | index;
  if (seen_count_ != count_) return;  // some came without a place
  for (uint8_t i = 0; i < count_; ++i) {
    if (list_->seen[i].place != place) continue;
    std::move(list_->seen.begin() + i + 1, list_->seen.begin() + count_, list_->seen.begin() + i);
    std::move(list_->names.begin() + i + 1, list_->names.begin() + count_,
              list_->names.begin() + i);
    seen_count_ = --count_;
    return;
  }
}

size_t ToolNames::list_bytes() { return sizeof(List); }

void SearchQueries::note(const JsonEvent& event) {
  if (!is_text(event)) return;  // an empty one is not billed
  const uint64_t hash = std::hash<std::string_view>{}(event.text) ^ event.text_bytes;
  if (list_ == nullptr) list_ = std::make_unique<List>();
  const auto end = list_->begin() + count_ + open_;
  if (std::find(list_->begin(), end, hash) != end) return;
  if (end == list_->end()) {
    cut_ = true;
    return;
  }
  *end = hash;
  ++open_;
}

void SearchQueries::end_item(bool searched) {
  if (searched) count_ = static_cast<uint8_t>(count_ + open_);
  open_ = 0;
}

void SearchQueries::clear() {
  count_ = open_ = 0;
  cut_ = false;
}

size_t SearchQueries::list_bytes() { return sizeof(List); }

void ToolNames::clear() {
  count_ = 0;
  seen_count_ = 0;
  choice_ = 0;
  cut_ = false;
  begin_item();
}

namespace {

// A part of a count goes to the field of its name, if there is one. Google's numbers for modalities
// are 2 (image) and 4 (audio).
void take_detail(Document& doc, UsageField whole) {
  if (!doc.detail_count.has_value()) return;
  const std::string_view name = doc.detail_name.view();
  const bool image = name == "IMAGE" || name == "image" || name == "2";
  const bool audio = name == "AUDIO" || name == "audio" || name == "4";
  UsageField field = UsageField::kCount;
  if (whole == UsageField::kInput && image) field = UsageField::kInputImage;
  if (whole == UsageField::kInput && audio) field = UsageField::kInputAudio;
  if (whole == UsageField::kOutput && image) field = UsageField::kOutputImage;
  if (whole == UsageField::kOutput && audio) field = UsageField::kOutputAudio;
  if (whole == UsageField::kCacheRead && audio) field = UsageField::kCacheReadAudio;
  if (whole == UsageField::kServerTools && name == "google_search") field = whole;
  if (whole == UsageField::kTotal) {  // Meta's list of metrics; the names may be cut
    if (name.starts_with("num_prompt_")) field = UsageField::kInput;
    if (name.starts_with("num_completion_")) field = UsageField::kOutput;
    if (name.starts_with("num_total_")) field = UsageField::kTotal;
  }
  if (whole == UsageField::kCacheWrite && name == "5m") field = UsageField::kCacheWrite5m;
  if (whole == UsageField::kCacheWrite && name == "1h") field = UsageField::kCacheWrite1h;
  if (field != UsageField::kCount) doc.usage.set(field, *doc.detail_count);
}

}  // namespace

namespace {

std::optional<uint64_t> milliseconds_of(std::string_view seconds) {
  constexpr int kMilliDigits = 3;
  const auto value = parse_decimal(seconds, kMilliDigits);
  return value ? std::optional(static_cast<uint64_t>(*value)) : std::nullopt;
}

}  // namespace

namespace {

// One of them begins or ends.
void note_iteration(Iterations& iterations, const JsonEvent& event) {
  BilledApart& apart = iterations.apart;
  if (event.kind == Kind::kObjectBegin) {
    iterations.usage.clear();
    iterations.model.clear();
    iterations.is_apart = false;
  } else if (event.kind == Kind::kObjectEnd && iterations.is_apart) {
    if (apart.usage.empty()) apart.model = iterations.model;
    if (apart.model.view() != iterations.model.view()) apart.several_models = true;
    apart.usage.add(iterations.usage);
  }
}

}  // namespace

void AnswerNotes::note(const AnswerPath& path, const JsonEvent& event) {
  Document& doc = document;
  if (path.visible && event.kind == Kind::kString) text.note(event.text, event.text_bytes);
  switch (path.slot) {
    case AnswerSlot::kResponseId:
      take_text(response_id, event, &text_cut);
      break;
    case AnswerSlot::kRunId:
      if (event.text.starts_with("run_")) take_text(response_id, event, &text_cut);
      break;
    case AnswerSlot::kModel:
      take_text(model, event, &text_cut);
      break;
    case AnswerSlot::kServiceTier:
      take_text(service_tier, event);
      if (event.kind == Kind::kNumber) service_tier.assign(event.text);
      break;
    case AnswerSlot::kFingerprint:
      take_text(fingerprint, event);
      break;
    case AnswerSlot::kObject:
      take_text(object, event);
      break;
    case AnswerSlot::kType:
      take_text(doc.type, event);
      break;
    case AnswerSlot::kRole:
      if (is_text(event)) has_role = true;
      break;
    case AnswerSlot::kStatus:
      take_text(doc.status, event);
      break;
    case AnswerSlot::kFinishReason:
      if (is_text(event)) {
        finish_reason = finish_reason_of(event.text);
        doc.loads = event.text == "load" || event.text == "unload";
        doc.finished = true;
      } else if (event.kind == Kind::kNumber && event.integer.has_value()) {
        finish_reason = finish_reason_of(*event.integer);
        doc.finished = true;
      }
      break;
    case AnswerSlot::kSpareFinishReason: {
      const bool told = finish_reason != FinishReason::kUnknown || !is_text(event);
      const FinishReason spare = told ? FinishReason::kOther : finish_reason_of(event.text);
      if (spare != FinishReason::kOther) finish_reason = spare;
      break;
    }
    case AnswerSlot::kGuardrailAction:
      if (is_text(event) && event.text == "INTERVENED") intervened = true;
      break;
    case AnswerSlot::kBlocked:
      if (is_text(event) || event.integer.value_or(0) != 0) {
        finish_reason = FinishReason::kContentFilter;
        doc.finished = true;
      }
      break;
    case AnswerSlot::kInterrupted:
      if (event.kind == Kind::kBool && event.boolean) finish_reason = FinishReason::kOther;
      break;
    case AnswerSlot::kContentItem:
      if (is_begin(event)) doc.content = has_body = true;
      break;
    case AnswerSlot::kBackground:
      if (event.kind == Kind::kBool && event.boolean) background = true;
      break;
    case AnswerSlot::kDone:
      if (event.kind != Kind::kBool) break;
      has_done = true;
      doc.last = event.boolean;
      break;
    case AnswerSlot::kDelta:
      if (is_text(event)) doc.delta = true;
      doc.text_bytes += event.raw_bytes;
      break;
    case AnswerSlot::kContent:
      if (is_text(event)) doc.content = true;
      doc.text_bytes += event.raw_bytes;
      break;
    case AnswerSlot::kContentData:
      if (is_text(event)) doc.content = true;
      break;
    case AnswerSlot::kChoices:
      if (event.kind == Kind::kArrayBegin) doc.has_choices = has_choices = true;
      break;
    case AnswerSlot::kChoice:
      if (event.kind == Kind::kObjectBegin) {
        doc.has_choice = true;
        tools.set_choice(0);
      }
      break;
    case AnswerSlot::kBody:
      if (is_begin(event) || event.kind == Kind::kString) has_body = true;
      break;
    case AnswerSlot::kBodyText:
      if (event.kind == Kind::kString) has_body = true;
      if (is_text(event)) doc.content = true;
      doc.text_bytes += event.raw_bytes;
      break;
    case AnswerSlot::kVector:
      if (is_begin(event) || event.kind == Kind::kString) has_body = true;
      vectors.note_vector(event);
      break;
    case AnswerSlot::kVectorNumber:
      vectors.note_number(event);
      break;
    case AnswerSlot::kUsage:
      if (event.kind == Kind::kObjectBegin) doc.usage_closed = false;
      if (event.kind == Kind::kObjectEnd) doc.usage_closed = true;
      break;
    case AnswerSlot::kUsageNumber:
      doc.usage.note(path.field, event);
      break;
    case AnswerSlot::kSpareUsageNumber:
      doc.spare_usage.note(path.field, event);
      break;
    case AnswerSlot::kGroq:
      if (is_begin(event)) of_groq = true;
      break;
    case AnswerSlot::kCost:
      if (event.kind == Kind::kNumber) cost.note(path.cost, event.text);
      break;
    case AnswerSlot::kQuotedCost:
      if (is_text(event) && !event.text_cut) cost.note(path.cost, event.text);
      break;
    case AnswerSlot::kUpstreamCost:
      if (event.kind == Kind::kNumber) cost.upstream = parse_decimal(event.text, kFemtoDigits);
      break;
    case AnswerSlot::kOwnKey:
      if (event.kind == Kind::kBool) cost.own_key = event.boolean;
      break;
    case AnswerSlot::kGeography:
      take_text(geography, event);
      break;
    case AnswerSlot::kSpeed:
      take_text(speed, event);
      break;
    case AnswerSlot::kBilledSeconds:
      if (event.kind == Kind::kNumber) billed_audio_ms = milliseconds_of(event.text);
      break;
    case AnswerSlot::kUsageAddend:
      doc.usage.note_addend(path.field, event);
      break;
    case AnswerSlot::kDetail:
      if (event.kind == Kind::kObjectBegin) {
        doc.detail_name.clear();
        doc.detail_count.reset();
      } else if (event.kind == Kind::kObjectEnd) {
        take_detail(doc, path.field);
      }
      break;
    case AnswerSlot::kDetailName:
      if (event.kind == Kind::kString || event.kind == Kind::kNumber) {
        doc.detail_name.assign(event.text);
      }
      break;
    case AnswerSlot::kDetailCount:
      doc.detail_count = event.integer;
      break;
    case AnswerSlot::kServerToolNumber:
      usage.note(UsageField::kServerTools, event);
      break;
    case AnswerSlot::kSearchQuery:
      queries.note(event);
      break;
    case AnswerSlot::kIterations:
      if (event.kind == Kind::kArrayBegin) {
        doc.iterations.clear();
        doc.has_iterations = true;
      }
      break;
    case AnswerSlot::kIteration:
      note_iteration(doc.iterations.make(), event);
      break;
    case AnswerSlot::kIterationType:
      doc.iterations.make().is_apart =
          event.text == "compaction" || event.text == "advisor_message";
      break;
    case AnswerSlot::kIterationModel:
      take_text(doc.iterations.make().model, event, &text_cut);
      break;
    case AnswerSlot::kIterationNumber:
      doc.iterations.make().usage.note(path.field, event);
      break;
    case AnswerSlot::kApartNumber:
      doc.iterations.make().apart.usage.note(path.field, event);
      doc.has_iterations = true;
      break;
    case AnswerSlot::kToolItem:
      if (event.kind == Kind::kObjectBegin) {
        tools.begin_item(event.index);
        queries.end_item(false);
      }
      if (event.kind == Kind::kObjectEnd) {
        queries.end_item(tools.item_type() == "google_search_call");
        end_tool_item(true);
      }
      break;
    case AnswerSlot::kStreamItem:
      if (event.kind == Kind::kObjectBegin) tools.begin_item();
      if (event.kind == Kind::kObjectEnd) doc.has_item = true;
      break;
    case AnswerSlot::kItemIndex:
      if (event.integer.has_value()) doc.item_index = static_cast<uint32_t>(*event.integer);
      break;
    case AnswerSlot::kToolChoice:
      if (event.integer.has_value()) tools.set_choice(static_cast<uint32_t>(*event.integer));
      break;
    case AnswerSlot::kToolIndex:
    case AnswerSlot::kToolId:
    case AnswerSlot::kToolType:
    case AnswerSlot::kToolName:
    case AnswerSlot::kToolAction:
    case AnswerSlot::kToolEnvironment:
      tools.note(path.slot, event);
      break;
    case AnswerSlot::kLoneToolName:
      if (is_text(event)) tools.add(event.text);
      break;
    case AnswerSlot::kError:
      if (event.kind == Kind::kObjectBegin || is_text(event)) doc.error = true;
      break;
    case AnswerSlot::kErrorCode:
      // A number in quotes says less than a type does: Mistral's own, Azure's status.
      if (is_text(event)) doc.note_error(event.text, all_digits(event.text) ? 0 : 3);
      break;
    case AnswerSlot::kErrorType:
      // AWS may put a namespace in front: com.amazon.…#ThrottlingException
      if (is_text(event)) doc.note_error(event.text.substr(event.text.rfind('#') + 1), 2);
      if (event.text == "requests") requests_limited = true;
      if (event.text == "tokens") tokens_limited = true;
      break;
    case AnswerSlot::kErrorStatus:
      if (is_text(event)) doc.note_error(event.text, 1);
      break;
    case AnswerSlot::kErrorNumber:
      if (event.kind == Kind::kNumber) doc.note_error(event.text, 1);
      break;
    case AnswerSlot::kResultCode:
      if (event.kind == Kind::kNumber && !says_success(event)) {
        doc.error = refused = true;
        doc.note_error(event.text, 1);
      }
      break;
    case AnswerSlot::kQuota:
      // GenerateRequestsPerDayPerProjectPerModel-FreeTier, …InputTokensPerModelPerMinute
      if (event.text.find("Requests") != event.text.npos) requests_limited = true;
      if (event.text.find("Tokens") != event.text.npos) tokens_limited = true;
      break;
    case AnswerSlot::kFailed:
      if (event.kind == Kind::kBool && event.boolean) doc.error = true;
      break;
    case AnswerSlot::kText:
    case AnswerSlot::kStreamId:
    case AnswerSlot::kErrorEventId:
    case AnswerSlot::kSessionModel:
    case AnswerSlot::kTranscriber:
    case AnswerSlot::kItemId:
    case AnswerSlot::kCancelReason:
      break;
  }
}

void StatedCost::note(CostStatement statement, std::string_view number) {
  const bool ticks = statement == CostStatement::kUsageTicks;
  const auto value = parse_decimal(number, ticks ? kTickDigits : kFemtoDigits);
  if (!value) return;
  amount = value;
  by = statement;
}

std::optional<int64_t> StatedCost::total() const {
  if (!amount || !own_key) return amount;
  int64_t sum = 0;
  if (!upstream || __builtin_add_overflow(*amount, *upstream, &sum)) return std::nullopt;
  return sum;
}

void AnswerNotes::clear() {
  ToolNames kept = std::move(tools);
  SearchQueries kept_queries = std::move(queries);
  Rare<BilledApart> kept_apart = std::move(apart);
  Rare<Iterations> kept_iterations = std::move(document.iterations);
  kept.clear();
  kept_queries.clear();
  kept_apart.clear();
  kept_iterations.clear();
  *this = {};
  tools = std::move(kept);
  queries = std::move(kept_queries);
  apart = std::move(kept_apart);
  document.iterations = std::move(kept_iterations);
}

size_t AnswerNotes::more_bytes_max() {
  return ToolNames::list_bytes() + SearchQueries::list_bytes() + sizeof(BilledApart) +
         sizeof(Iterations);
}

void AnswerNotes::note_content(EventTime now, uint64_t text_bytes) {
  ++content_events;
  content_bytes += text_bytes;
  if (!first_content.has_value()) first_content = now;
  if (last_content.has_value()) {
    longest_stall_ns = std::max(longest_stall_ns, elapsed_ns(*last_content, now).value_or(0));
  }
  last_content = now;
}

void AnswerNotes::fail() {
  failed = true;
  if (!document.error_name.empty()) error_type = document.error_name;
}

namespace {

// Whether a call of Responses is the client's to run; the server runs the others itself.
bool is_for_client(const ToolNames& tools) {
  static constexpr std::string_view kTypes[] = {"function_call", "computer_call",
                                                "local_shell_call", "apply_patch_call"};
  const std::string_view type = tools.item_type();
  if (type == "shell_call") return !tools.item_environment().starts_with("container");
  if (type == "tool_search_call") return tools.item_environment() == "client";
  return std::find(std::begin(kTypes), std::end(kTypes), type) != std::end(kTypes);
}

// Whether the server searched the web. Pages that were opened, and words looked for in them, are no
// searches.
bool is_search(const ToolNames& tools) {
  const std::string_view type = tools.item_type(), action = tools.item_action();
  if (type == "web_search_call") return action.empty() || action == "search";
  return type == "server_tool_use" && tools.item_name() == "nova_grounding";
}

bool is_call(std::string_view type) {
  return type.empty() || type.ends_with("_use") || type.ends_with("_call") || type == "function" ||
         type == "function.call" || type == "custom";
}

}  // namespace

bool AnswerNotes::end_tool_item(bool has_place) {
  const std::string_view type = tools.item_type();
  const bool calls = is_call(type);
  tools.end_item(calls);
  constexpr uint32_t kLastBit = 63;
  const uint64_t place = uint64_t{1} << std::min(tools.item_index(), kLastBit);
  if (has_place && tools.item_index() < kLastBit) {
    client_items &= ~place;
    custom_items &= ~place;
  }
  if (is_for_client(tools)) client_items |= place;
  if (type == "custom_tool_call") custom_items |= place;
  if (is_search(tools)) ++document.searches;
  return calls;
}

bool AnswerNotes::calls_client() const {
  const bool ran_by_itself = usage.get_or_zero(UsageField::kServerToolsRun) > 0;
  return client_items != 0 || (custom_items != 0 && !ran_by_itself);
}

void AnswerNotes::take_usage() {
  Document& doc = document;
  if (doc.has_iterations) apart.make() = doc.iterations.get().apart;
  if (!doc.usage.empty()) {
    if (spare_usage) {
      const std::optional<uint64_t> server_tools = usage.get(UsageField::kServerTools);
      usage.clear();
      if (server_tools.has_value()) usage.set(UsageField::kServerTools, *server_tools);
      spare_usage = false;
    }
    usage.merge(doc.usage);
    has_usage = true;
    usage_stale = false;
  } else if (!doc.spare_usage.empty() && (!has_usage || spare_usage)) {
    usage.merge(doc.spare_usage);
    has_usage = spare_usage = true;
    usage_stale = false;
  }
}

void AnswerNotes::replace_usage() {
  if (document.usage.empty()) return;
  usage.clear();
  take_usage();
}

FinishReason finish_reason_of(uint64_t google_number) {
  switch (google_number) {
    case 0:
      return FinishReason::kUnknown;
    case 1:
      return FinishReason::kStop;
    case 2:
      return FinishReason::kLength;
    case 3:   // SAFETY
    case 4:   // RECITATION
    case 6:   // BLOCKLIST
    case 7:   // PROHIBITED_CONTENT
    case 8:   // SPII
    case 11:  // IMAGE_SAFETY
      return FinishReason::kContentFilter;
    default:
      return FinishReason::kOther;
  }
}

FinishReason finish_reason_of(std::string_view word) {
  struct Word {
    std::string_view word;
    FinishReason reason;
  };
  static constexpr Word kWords[] = {
      {"stop", FinishReason::kStop},
      {"end_turn", FinishReason::kStop},
      {"stop_sequence", FinishReason::kStop},
      {"completed", FinishReason::kStop},
      {"eos", FinishReason::kStop},
      {"eos_token", FinishReason::kStop},
      {"endoftext", FinishReason::kStop},
      {"word", FinishReason::kStop},
      {"length", FinishReason::kLength},
      {"max_tokens", FinishReason::kLength},
      {"max_output_tokens", FinishReason::kLength},
      {"model_length", FinishReason::kLength},
      {"model_context_window_exceeded", FinishReason::kLength},
      {"tool_calls", FinishReason::kToolCalls},
      {"tool_use", FinishReason::kToolCalls},
      {"function_call", FinishReason::kToolCalls},
      {"content_filter", FinishReason::kContentFilter},
      {"refusal", FinishReason::kContentFilter},
      {"content_filtered", FinishReason::kContentFilter},
      {"guardrail_intervened", FinishReason::kContentFilter},
      {"max_output_reached", FinishReason::kLength},
      {"sensitive", FinishReason::kContentFilter},
      {"network_error", FinishReason::kError},
      {"limit", FinishReason::kLength},
      {"token_limit", FinishReason::kLength},
      // Of all events but the last: watsonx, DashScope
      {"not_finished", FinishReason::kUnknown},
      {"null", FinishReason::kUnknown},
      {"STOP", FinishReason::kStop},
      {"FINISH", FinishReason::kStop},
      {"COMPLETE", FinishReason::kStop},
      {"STOP_SEQUENCE", FinishReason::kStop},
      {"MAX_TOKENS", FinishReason::kLength},
      {"LENGTH", FinishReason::kLength},
      {"TOOL_CALL", FinishReason::kToolCalls},
      {"SAFETY", FinishReason::kContentFilter},
      {"RECITATION", FinishReason::kContentFilter},
      {"BLOCKLIST", FinishReason::kContentFilter},
      {"PROHIBITED_CONTENT", FinishReason::kContentFilter},
      {"SPII", FinishReason::kContentFilter},
      {"IMAGE_SAFETY", FinishReason::kContentFilter},
      {"IMAGE_PROHIBITED_CONTENT", FinishReason::kContentFilter},
      {"IMAGE_RECITATION", FinishReason::kContentFilter},
      {"MODEL_ARMOR", FinishReason::kContentFilter},
      {"CONTENT_FILTERED", FinishReason::kContentFilter},
      {"ERROR_TOXIC", FinishReason::kContentFilter},
      {"ERROR_LIMIT", FinishReason::kLength},
      {"ERROR", FinishReason::kError},
      {"TIMEOUT", FinishReason::kError},
      {"error", FinishReason::kError},
      {"failed", FinishReason::kError},
      {"insufficient_system_resource", FinishReason::kError},
      {"malformed_model_output", FinishReason::kError},
  };
  if (word.empty()) return FinishReason::kUnknown;
  for (const Word& row : kWords) {
    if (row.word == word) return row.reason;
  }
  return FinishReason::kOther;
}

namespace {

// The name without its snapshot date (-YYYY-MM-DD, -YYYYMMDD, @YYYYMMDD, -MMDD) or "-latest".
std::string_view undated(std::string_view model) {
  const auto dated_by = [&](size_t size, std::string_view form) {
    if (model.size() <= size) return false;
    const std::string_view tail = model.substr(model.size() - size);
    for (size_t i = 0; i < size; ++i) {
      const bool matches = form[i] == 'N' ? all_digits(tail.substr(i, 1)) : tail[i] == form[i];
      if (!matches) return false;
    }
    return true;
  };
  for (std::string_view form : {"-NNNN-NN-NN", "-NNNNNNNN", "@NNNNNNNN", "-NN-NNNN", "-NNNN",
                                "-NNN", "-latest", "@latest", "@default"}) {
    if (dated_by(form.size(), form)) return model.substr(0, model.size() - form.size());
  }
  return model;
}

}  // namespace

namespace {

char same_form(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c == '.' || c == '@' ? '-' : c;
}

// Vertex writes '@' in front of a date where others write '-', and routers write versions with a
// dot or a dash, and names in either case.
bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return same_form(x) == same_form(y); });
}

std::string_view take_word(std::string_view& name) {
  const size_t end = std::min(name.find('-'), name.size());
  const std::string_view word = name.substr(0, end);
  name.remove_prefix(std::min(end + 1, name.size()));
  return word;
}

// Whether `served` is a version of the family behind an alias "…-latest": the family's words in
// their order, and nothing between and behind them but versions and "preview".
bool is_version_of(std::string_view family, std::string_view served) {
  std::string_view wanted = take_word(family);
  while (!served.empty()) {
    const std::string_view word = take_word(served);
    if (!wanted.empty() && same_name(wanted, word)) {
      wanted = take_word(family);
      continue;
    }
    const bool version = word.find_first_of("0123456789") != word.npos;
    if (!version && word != "preview" && word != "exp" && word != "latest") return false;
  }
  return wanted.empty();
}

// The same words in another order: routers say claude-4.5-sonnet for claude-sonnet-4.5.
bool same_words(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto count = [](std::string_view text, std::string_view wanted) {
    size_t found = 0;
    while (!text.empty()) found += same_name(take_word(text), wanted) ? 1 : 0;
    return found;
  };
  for (std::string_view rest = a; !rest.empty();) {
    const std::string_view word = take_word(rest);
    if (count(a, word) != count(b, word)) return false;
  }
  return true;
}

// What routers put behind a name that has its maker in front: ":free", ":online", ":novita".
std::string_view without_route(std::string_view model) {
  const size_t slash = model.rfind('/');
  if (slash == model.npos) return model;
  return model.substr(0, model.find(':', slash));
}

// GigaChat-2:2.0.28.2 is a version of GigaChat-2.
std::string_view without_version(std::string_view model) {
  const size_t colon = model.rfind(':');
  if (colon == model.npos) return model;
  const std::string_view version = model.substr(colon + 1);
  const bool is_version =
      version.find('.') != version.npos && version.find_first_not_of("0123456789.") == version.npos;
  return is_version ? model.substr(0, colon) : model;
}

}  // namespace

bool same_model(std::string_view requested, std::string_view served) {
  requested = without_route(requested);
  served = without_route(served);
  if (requested.find(':') == requested.npos) served = without_version(served);
  // Routers name the maker in front ("openai/gpt-…"); one side may leave it out.
  const bool requested_has_maker = requested.find('/') != std::string_view::npos;
  const bool served_has_maker = served.find('/') != std::string_view::npos;
  if (requested_has_maker != served_has_maker) {
    requested = requested.substr(requested.rfind('/') + 1);
    served = served.substr(served.rfind('/') + 1);
  }
  return same_name(requested, served) || same_name(undated(requested), served) ||
         same_name(requested, undated(served)) || same_words(requested, served) ||
         same_words(requested, undated(served)) ||
         (requested.ends_with("latest") && is_version_of(undated(requested), served));
}

bool same_bedrock_model(std::string_view requested, std::string_view served) {
  const size_t maker = requested.find('.');
  if (maker == requested.npos) return false;
  const size_t model = served.rfind('/') + 1;  // an ARN ends in …/id
  served = served.substr(model);
  if (requested == served) return true;
  const size_t at = requested.find(undated(served));
  return at != requested.npos && at > 0 && requested[at - 1] == '.';
}

}  // namespace wiretally::llm
