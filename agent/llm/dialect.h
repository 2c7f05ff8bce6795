// One wire dialect: a row of the dialect table. A new dialect is one file under dialects/ and one
// row in dialect_table.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "json/json_scanner.h"
#include "notes.h"
#include "protobuf/field_set.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

// What the room knows of a call beside the answer's own words, when it normalises the numbers.
struct UsageContext {
  std::string_view provider;
  bool streamed = false;
  bool settled = false;  // the answer ended in order, or its usage was stated as final
  std::string_view request_model = {};
  bool input_may_grow = false;           // the server may read more input than it stated at first
  std::optional<uint64_t> choices = {};  // to each prompt, as asked for
};

// A number that is known is as sure as the answer's end makes it.
inline void note_sources(const UsageContext& context, TokenCounts& tokens) {
  const UsageSource source = context.settled ? UsageSource::kReported : UsageSource::kPartial;
  if (tokens.input.has_value()) tokens.input_source = source;
  if (tokens.output.has_value()) tokens.output_source = source;
}

// What one message on a WebSocket means for the turns of its session.
enum class TurnStep : uint8_t {
  kNothing,
  kAsk,         // the client asks for a turn
  kInput,       // the server took audio input, which may make it begin a turn by itself
  kBegin,       // the server began one
  kPart,        // an event of one
  kEnd,         // the last event of one, with its usage
  kCancelled,   // the same, because the client asked for it
  kError,       // the client's message that it names, or the turn at hand, failed
  kSession,     // what holds for the session
  kTranscript,  // audio input was transcribed: a call of its own, with its usage
};

// One method of a gRPC service. The numbers of its request and its answer are what their patterns
// in the dialect's tables begin with.
struct Rpc {
  std::string_view tail;  // of the path: /package.Service/Method
  uint32_t request = 0;
  uint32_t answer = 0;
  Operation operation = Operation::kChat;
  bool streams = false;   // it answers with any number of messages, each an event
  bool deferred = false;  // it asks for what another method fetches
  bool fetches = false;
};

// How a body in JSON may hold more than one document: NDJSON, or elements of one array.
enum class JsonSeries : uint8_t { kNone, kLines, kArray };

struct DialectSpec {
  Dialect dialect = Dialect::kUnknown;
  Operation operation = Operation::kChat;
  // A path that ends in one of these, after any prefix, makes a POST a suspect of this dialect.
  std::span<const std::string_view> path_tails = {};
  // Streams report usage only when the request asks for it (stream_options.include_usage).
  bool usage_on_request = false;
  bool has_tokens = true;  // false: nothing in it is counted in tokens
  // For tails that others have too: whether the rest of the path is this dialect's.
  bool (*path_fits)(std::string_view path) = nullptr;
  // A dialect whose paths look the same under a prefix; RequestSlot::kOther or the host tells.
  const DialectSpec& (*other_by_request)() = nullptr;
  bool other_by_head = true;  // false: RequestSlot::kOther alone tells
  bool takes_forms = false;   // a request may be multipart/form-data
  // Where the path tells what is done, instead of `operation`.
  Operation (*operation_of)(std::string_view path) = nullptr;
  // And the answer, where the path may be silent.
  Operation (*operation_of_answer)(const AnswerNotes& notes, Operation by_path) = nullptr;
  // Events state counts of their own, which add up: a stream that lost one has a lower bound.
  bool counts_by_event = false;
  // An answer without its request is tried as this dialect: nobody else's has its shape.
  bool joins = true;
  // Whose bodies come at this path as well: the answer is read as both, and its shape decides.
  const DialectSpec& (*other_by_answer)() = nullptr;
  // What a whole answer shows counts for more than what its request looked like: a model and an
  // input are everybody's.
  bool answer_decides = false;
  // What is fetched does not say whether it was asked for in the background: it counts where the
  // POST was seen to do so.
  bool fetched_says_nothing = false;
  bool heads_prove = true;  // false: the provider has something else at this path as well
  // Every call is one that may be fetched later, though no request says so.
  bool always_background = false;
  // Where a POST goes on with such a call: it shows what has become of it, as a GET does.
  bool (*fetches)(std::string_view path) = nullptr;
  // Its streams are packed into events of AWS, as nobody else's are.
  bool is_packed = false;
  // An answer in JSON may be several documents, each an event.
  JsonSeries series = JsonSeries::kNone;
  // How much a request reads shows in how long its body is, unless its notes say `not_text`.
  bool prompt_is_body = false;

  // Spoken over gRPC: the methods, instead of path tails; request_fields and answer_fields instead
  // of the sets of paths.
  std::span<const Rpc> rpcs = {};
  const FieldSet* request_fields = nullptr;
  const FieldSet* answer_fields = nullptr;

  const PathSet* request_paths = nullptr;
  std::span<const RequestPath> request_slots;  // by PathId
  const PathSet* answer_paths = nullptr;
  std::span<const AnswerPath> answer_slots;  // by PathId

  // The request's body is one of this dialect (`model_in_path`: the path names the model).
  bool (*request_has_shape)(const RequestNotes& notes, bool model_in_path) = nullptr;
  // The request is of this dialect's protocol, and asks for nothing that counts: no suspect either.
  bool (*request_only_arranges)(const RequestNotes& notes) = nullptr;
  // What was seen of the answer so far can only be of this dialect.
  bool (*answer_has_shape)(const AnswerNotes& notes) = nullptr;
  // `notes.document` is complete (or, for a JSON body that was cut, holds what was stated before).
  void (*end_document)(AnswerNotes& notes, bool is_event) = nullptr;
  // Fills numbers and sources of `record.tokens`, and the flags they deserve.
  void (*normalise)(const AnswerNotes& notes, const UsageContext& context,
                    UsageRecord& record) = nullptr;

  // Where the dialect is spoken over a WebSocket too: each party's messages are events, by their
  // `type`, and read by the tables above. Path tails as above, of the handshake.
  std::span<const std::string_view> socket_tails = {};
  TurnStep (*client_step)(std::string_view type, const RequestNotes& notes) = nullptr;
  TurnStep (*server_step)(std::string_view type) = nullptr;
  // One turn at a time (in each stream of the socket): an error is the turn's at hand, and a new
  // turn means that the one before is over.
  bool one_turn_at_a_time = false;
  // No message says that a turn begins: the first part of one does. Nor does one say that it has
  // ended: the terminal one and the usage have both come.
  bool parts_begin_turns = false;
  bool binary_messages = false;  // its messages may be binary, and are JSON all the same
};

// The PathSet of a table of slots; PathIds are the table's indices.
template <typename Path, size_t N>
PathSet paths_of(const Path (&table)[N]) {
  return [&]<size_t... I>(std::index_sequence<I...>) { return PathSet{table[I].pattern...}; }
  (std::make_index_sequence<N>{});
}

// The same, made once for all rows of the dialect table that read by it.
template <const auto& kTable>
const PathSet* path_set() {
  static const PathSet paths = paths_of(kTable);
  return &paths;
}

// The FieldSet of a table of slots, made once.
template <const auto& kTable>
const FieldSet* field_set() {
  using Path = std::remove_cvref_t<decltype(kTable[0])>;
  static const FieldSet fields{std::span<const Path>(kTable)};
  return &fields;
}

// The same of a list of slots that was put together at run time.
template <typename Path>
PathSet paths_of(std::span<const Path> table) {
  std::vector<std::string_view> patterns;
  for (const Path& path : table) patterns.push_back(path.pattern);
  return PathSet{std::span<const std::string_view>(patterns)};
}

}  // namespace wiretally::llm
