#include "dialect_table.h"

#include <array>

#include "provider.h"

namespace wiretally::llm {
namespace {

// Under these an Assistants thread keeps its messages: stored text, no inference.
bool is_thread_path(std::string_view path) {
  return path.find("/threads/") != std::string_view::npos;
}

// The path's tail where a name stands behind it: /conversations for
// /conversations/conv_…[/restart], which goes on with one; /ai/run for /ai/run/@cf/….
std::string_view without_name(std::string_view path) {
  if (const size_t model = path.find("/@cf/"); model != path.npos) return path.substr(0, model);
  static constexpr std::string_view kMark = "/conversations";
  const size_t mark = path.find("/conversations/conv_");
  if (mark == path.npos) return path;
  const size_t behind_id = path.find('/', mark + kMark.size() + 1);
  const bool goes_on = behind_id == path.npos || path.substr(behind_id) == "/restart";
  return goes_on ? path.substr(0, mark + kMark.size()) : path;
}

}  // namespace

std::span<const DialectSpec* const> dialects() {
  static const std::array<const DialectSpec*, kDialectCount> kRows = {
      &openai_chat(),
      &openai_completions(),
      &openai_responses(),
      &openai_embeddings(),
      &anthropic_messages(),
      &gemini_generate(),
      &gemini_embeddings(),
      &gemini_interactions(),
      &bedrock_converse(),
      &bedrock_invoke(),
      &cohere_v2_chat(),
      &cohere_v1_chat(),
      &cohere_v2_embed(),
      &cohere_v1_embed(),
      &cohere_v2_rerank(),
      &cohere_v1_rerank(),
      &ollama_chat(),
      &ollama_generate(),
      &ollama_embed(),
      &openai_images(),
      &openai_transcription(),
      &openai_speech(),
      &triton(),  // before TGI, which has the same tails
      &tgi(),
      &llamacpp(),
      &lmstudio(),
      &mcp(),
      &a2a(),
      &mistral_conversations(),
      &workers_ai(),
      &openai_runs(),
      &cohere_v1_generate(),
      &ollama_embeddings(),
      &watsonx_generation(),
      &watsonx_chat(),
      &databricks(),
      &sglang(),
      &dashscope_generation(),
      &dashscope_embed(),
      &dashscope_rerank(),
      &xai_grpc(),  // from here on over gRPC
      &gemini_grpc(),
  };
  return kRows;
}

const DialectSpec* suspect_dialect(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  path = without_name(path);
  const DialectSpec* best = nullptr;
  size_t best_size = 0;
  for (const DialectSpec* spec : dialects()) {
    for (std::string_view tail : spec->path_tails) {
      if (tail.size() > best_size && path.ends_with(tail) &&
          (spec->path_fits == nullptr || spec->path_fits(path))) {
        best = spec;
        best_size = tail.size();
      }
    }
    if (rpc_of(*spec, path) != nullptr) return spec;
  }
  const bool stored = is_thread_path(path) && best != &openai_runs();
  return stored ? nullptr : best;
}

const Rpc* rpc_of(const DialectSpec& spec, std::string_view path) {
  for (const Rpc& rpc : spec.rpcs) {
    if (path.ends_with(rpc.tail)) return &rpc;
  }
  return nullptr;
}

const DialectSpec* fetched_dialect(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == path.npos || slash + 1 == path.size()) return nullptr;
  const std::string_view collection = path.substr(0, slash);
  if (collection.ends_with("/responses")) return &openai_responses();
  if (collection.ends_with("/runs") && is_thread_path(path)) return &openai_runs();
  return collection.ends_with("/interactions") ? &gemini_interactions() : nullptr;
}

const DialectSpec* suspect_socket_dialect(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  for (const DialectSpec* spec : {&openai_responses(), &openai_realtime(), &gemini_live()}) {
    for (std::string_view tail : spec->socket_tails) {
      if (path.ends_with(tail)) return spec;
    }
  }
  return nullptr;
}

const DialectSpec* suspect_dialect_of(const Headers& headers) {
  for (std::string_view name : {"mcp-protocol-version", "mcp-session-id", "mcp-method"}) {
    if (headers.find(name).has_value()) return &mcp();
  }
  return headers.find("a2a-version").has_value() ? &a2a() : nullptr;
}

// TGI behind Inference Endpoints of Hugging Face: its answers prove it, other models are there too.
// Agents stand at the root of their hosts; the method of their JSON-RPC proves it.
const DialectSpec* suspect_dialect_of(std::string_view host, std::string_view path,
                                      const Headers& headers) {
  if (path != "/") return nullptr;
  if (is_host(host, "endpoints.huggingface.cloud")) return &tgi();
  const std::string_view type = headers.find("content-type").value_or("");
  return type.starts_with("application/json") ? &a2a() : nullptr;
}

}  // namespace wiretally::llm
