// The table of wire dialects. To add one: its file under dialects/, its function here, its row in
// dialect_table.cpp.
#pragma once

#include <span>
#include <string_view>

#include "dialect.h"
#include "wiretally/http_exchange.h"

namespace wiretally::llm {

const DialectSpec& openai_chat();
const DialectSpec& openai_completions();
const DialectSpec& mistral_conversations();
const DialectSpec& workers_ai();
const DialectSpec& openai_runs();
const DialectSpec& watsonx_generation();
const DialectSpec& watsonx_chat();
const DialectSpec& openai_responses();
const DialectSpec& openai_embeddings();
const DialectSpec& anthropic_messages();
const DialectSpec& openai_realtime();

const DialectSpec& gemini_generate();
const DialectSpec& gemini_embeddings();
const DialectSpec& gemini_interactions();
const DialectSpec& bedrock_converse();
const DialectSpec& bedrock_invoke();
const DialectSpec& cohere_v1_chat();
const DialectSpec& cohere_v1_embed();
const DialectSpec& cohere_v1_generate();
const DialectSpec& cohere_v1_rerank();
const DialectSpec& cohere_v2_chat();
const DialectSpec& cohere_v2_embed();
const DialectSpec& cohere_v2_rerank();
const DialectSpec& openai_images();
const DialectSpec& openai_transcription();
const DialectSpec& openai_speech();
const DialectSpec& tgi();
const DialectSpec& sglang();
const DialectSpec& dashscope_generation();
const DialectSpec& dashscope_embed();
const DialectSpec& dashscope_rerank();
const DialectSpec& triton();
const DialectSpec& databricks();
const DialectSpec& lmstudio();
const DialectSpec& gemini_live();
const DialectSpec& llamacpp();
const DialectSpec& mcp();
const DialectSpec& a2a();
const DialectSpec& ollama_chat();
const DialectSpec& ollama_generate();
const DialectSpec& ollama_embed();
const DialectSpec& ollama_embeddings();
const DialectSpec& xai_grpc();
const DialectSpec& gemini_grpc();

inline constexpr size_t kDialectCount = 42;
// The first rows: those of JSON, among which an answer without request may choose.
inline constexpr size_t kJsonDialectCount = 40;

// All rows; built at the first call.
std::span<const DialectSpec* const> dialects();

// The dialect whose path tail is the longest that `path` ends in (a slash behind it is tolerated),
// or nothing. Only a suspicion: everybody has a path /messages.
const DialectSpec* suspect_dialect(std::string_view path);

// The method of a dialect over gRPC that a path names, or nothing.
const Rpc* rpc_of(const DialectSpec& spec, std::string_view path);

// The dialect of a GET that fetches what a background call has become, or nothing.
const DialectSpec* fetched_dialect(std::string_view path);

// The same for the path of a WebSocket's handshake.
const DialectSpec* suspect_socket_dialect(std::string_view path);

// The same by headers, for dialects that are spoken at any path.
const DialectSpec* suspect_dialect_of(const Headers& headers);

// The same for dialects that are spoken at the root of a host.
const DialectSpec* suspect_dialect_of(std::string_view host, std::string_view path,
                                      const Headers& headers);

}  // namespace wiretally::llm
