// MCP and A2A: JSON-RPC 2.0 over HTTP, answered as JSON or SSE; A2A also as plain HTTP with the
// method in the path (/message:send) and Google's errors. Told by their headers at any path;
// a record is left by what does work (a tool of MCP, a message to an agent), not by what arranges
// it (initialize, tools/list, tasks/get …). Nothing in it is counted in tokens.
#include "dialect_table.h"

namespace wiretally::llm {
namespace {

constexpr std::string_view kMcpTails[] = {"/mcp"};
constexpr std::string_view kA2aTails[] = {"/a2a", "/message:send", "/message:stream"};

constexpr RequestPath kRequest[] = {
    {"jsonrpc", RequestSlot::kRpcVersion},   {"method", RequestSlot::kRpcMethod},
    {"params.name", RequestSlot::kRpcTool},  {"message.role", RequestSlot::kTurnRole},
    {"message.parts", RequestSlot::kPrompt},
};

constexpr AnswerPath kAnswer[] = {
    {"result.isError", AnswerSlot::kFailed},
    {"error", AnswerSlot::kError},
    {"error.code", AnswerSlot::kErrorNumber},
    {"error.status", AnswerSlot::kErrorStatus},
};

bool mcp_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  return notes.json_rpc && notes.rpc_method.view() == "tools/call";
}

bool a2a_has_shape(const RequestNotes& notes, bool /*model_in_path*/) {
  if (notes.has_turns && notes.has_prompt) return true;
  const std::string_view method = notes.rpc_method.view();
  return notes.json_rpc && (method == "SendMessage" || method == "SendStreamingMessage" ||
                            method == "message/send" || method == "message/stream");
}

bool only_arranges(const RequestNotes& notes) {
  return notes.json_rpc && !notes.rpc_method.empty();
}

bool answer_has_shape(const AnswerNotes& /*notes*/) { return false; }

void end_document(AnswerNotes& notes, bool /*is_event*/) {
  if (notes.document.error) notes.fail();
}

void normalise(const AnswerNotes& /*notes*/, const UsageContext& /*context*/,
               UsageRecord& /*record*/) {}

DialectSpec spec_of(Dialect dialect, std::span<const std::string_view> tails,
                    bool (*request_has_shape)(const RequestNotes&, bool)) {
  return {
      .dialect = dialect,
      .operation = Operation::kToolCall,
      .path_tails = tails,
      .has_tokens = false,
      .joins = false,
      .request_paths = path_set<kRequest>(),
      .request_slots = kRequest,
      .answer_paths = path_set<kAnswer>(),
      .answer_slots = kAnswer,
      .request_has_shape = request_has_shape,
      .request_only_arranges = only_arranges,
      .answer_has_shape = answer_has_shape,
      .end_document = end_document,
      .normalise = normalise,
  };
}

}  // namespace

const DialectSpec& mcp() {
  static const DialectSpec spec = spec_of(Dialect::kMcp, kMcpTails, mcp_has_shape);
  return spec;
}

const DialectSpec& a2a() {
  static const DialectSpec spec = spec_of(Dialect::kA2a, kA2aTails, a2a_has_shape);
  return spec;
}

}  // namespace wiretally::llm
