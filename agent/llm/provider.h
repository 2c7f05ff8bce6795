// Who serves a call, and through what: names for `provider`, `gateway` and their evidence.
//
// The rule, strongest first; each step only fills what the one before left open:
//   1. the host (api.openai.com …), or Azure's path /openai/deployments/
//   2. headers of the answer that only that provider sends (openai-version,
//      anthropic-organization-id, x-groq-region …)
//   3. marks in the answer's body (system_fingerprint fp_ollama)
//   4. "unknown". A dialect is no evidence: any server may speak it, and SDKs send their own
//      request headers (anthropic-version, x-stainless-*) to whatever base URL they are given.
#pragma once

#include <string_view>

#include "notes.h"
#include "wiretally/http_exchange.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

// Whether the host is the domain or below it.
bool is_host(std::string_view host, std::string_view domain);

// Step 1; empty if the host is nobody's.
std::string_view provider_of_host(std::string_view host, std::string_view path);
// A connection to the host is one to a provider, whatever is sent over it.
bool is_llm_host(std::string_view host);
// Step 2; empty if there is no such header.
std::string_view provider_of_answer_headers(const Headers& headers);
// Step 3; empty if there is no such mark.
std::string_view provider_of_answer_body(const AnswerNotes& notes);

// The request's head alone proves that this is a call in the dialect its path suggests. For
// /messages that takes more than a provider's host: others have such paths too.
bool request_head_proves(Dialect dialect, std::string_view provider, const Headers& headers);
// So does the answer's.
bool answer_head_proves(const Headers& headers);

// A gateway that the request is for, by its host or a header of the request; not where the host is
// a known provider's.
void note_gateway_of_request(const Headers& request_headers, UsageRecord& record);
// A gateway that shows itself in the answer's headers, likewise; sets gateway, cache_status and
// served_from_cache.
void note_gateway(const Headers& answer_headers, UsageRecord& record);

}  // namespace wiretally::llm
