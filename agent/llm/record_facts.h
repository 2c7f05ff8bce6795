// What a record takes from heads and flow, and the judgements at its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "notes.h"
#include "wiretally/http_exchange.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

// Endpoints, side and process, by the way requests travel.
void note_flow(const FlowInfo& flow, Direction request_direction, UsageRecord& record);

// The host a request is for, without its port; empty if it names none.
std::string_view host_of(const RequestHead& head);

void note_request_head(const RequestHead& head, UsageRecord& record);
// Who asks: the caller, and what the configured headers say of the end user and the session.
void note_caller(const RequestHead& head, const CredentialReader& credentials, UsageRecord& record);
void note_answer_head(const ResponseHead& head, UsageRecord& record);
// End user and session as the body names them, unless a configured header has.
void note_request_body(const RequestNotes& notes, const CredentialReader& credentials,
                       UsageRecord& record);

// How much a stream said.
void note_words(const AnswerNotes& notes, UsageRecord& record);
// Which limit a refused call met, where the answer says so; and the sound that it is billed by.
void note_limits_and_sound(const AnswerNotes& notes, UsageRecord& record);

// How an answer came to its end.
struct AnswerState {
  bool seen = false;
  bool complete = false;  // by its framing
  bool terminal = false;  // by its dialect's last event
  bool failed = false;    // it told an error
  bool refused = false;   // and nothing else
  bool lost = false;      // bytes of it were lost
  bool decode_failed = false;
  bool corrupt = false;          // what was read of its body may be wrong
  bool midstream = false;        // the request was not seen
  bool request_damaged = false;  // nor whole
  bool usage_not_requested = false;
};

Outcome outcome_of(const UsageRecord& record, const AnswerState& answer, ExchangeOutcome end);

// Why an answered call's numbers are unknown; kNot if they are known.
UsageMissing missing_of(const UsageRecord& record, const AnswerState& answer);

// Flags that follow from the finished record: cut texts, clamped times, another model than asked
// for.
void set_final_flags(UsageRecord& record);

// grpc-status ("gRPC over HTTP2"), if these fields have it.
void note_rpc_status(const Headers& headers, std::optional<uint32_t>& status);
// The name of a status of gRPC, as google.rpc.Code has it; that of UNKNOWN for any other number.
std::string_view rpc_status_name(uint32_t status);

// What the answer's body says it cost: before what a gateway's header says, unless that is the only
// one to say more than 0.
void note_stated_cost(const StatedCost& cost, UsageRecord& record);

}  // namespace wiretally::llm
