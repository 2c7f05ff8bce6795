// The table of wire dialects. To add one: its file under dialects/, its function here, its row in
// dialect_table.cpp.
#pragma once

#include <span>
#include <string_view>

#include "dialect.h"

namespace wiretally::llm {

const DialectSpec& openai_chat();
const DialectSpec& openai_completions();
const DialectSpec& openai_responses();
const DialectSpec& openai_embeddings();
const DialectSpec& anthropic_messages();
const DialectSpec& openai_realtime();

inline constexpr size_t kDialectCount = 5;

// All rows; built at the first call.
std::span<const DialectSpec* const> dialects();

// The dialect whose path tail is the longest that `path` ends in (a slash behind it is tolerated),
// or nothing. Only a suspicion: everybody has a path /messages.
const DialectSpec* suspect_dialect(std::string_view path);

// The same for the path of a WebSocket's handshake.
const DialectSpec* suspect_socket_dialect(std::string_view path);

}  // namespace wiretally::llm
