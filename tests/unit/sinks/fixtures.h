#pragma once

#include <map>
#include <sstream>
#include <string>
#include <string_view>

#include "wiretally/ledger_entry.h"

namespace wiretally::sinks {

inline constexpr int64_t kSecond = 1'000'000'000;

inline LedgerEntry plain_entry() {
  LedgerEntry entry;
  entry.record_id.assign("01K7DM2Z80ABCDEFGHJKMNPQRS");
  entry.start_epoch_ns = 1'760'000'000'000'000'001;
  UsageRecord& r = entry.record;
  r.start = {.ns = entry.start_epoch_ns};
  r.finish = r.last_byte = {.ns = entry.start_epoch_ns + 2 * kSecond};
  r.provider.assign("openai");
  r.dialect = Dialect::kOpenaiChat;
  r.method.assign("POST");
  r.path.assign("/v1/chat/completions");
  r.request_model.assign("gpt-4o");
  r.response_model.assign("gpt-4o-2024-08-06");
  r.status_code = 200;
  r.outcome = Outcome::kOk;
  r.saw_request = r.saw_response = true;
  r.tokens.input = 1000;
  r.tokens.output = 50;
  r.tokens.input_source = r.tokens.output_source = UsageSource::kReported;
  return entry;
}

inline LedgerEntry rich_entry() {
  LedgerEntry entry = plain_entry();
  UsageRecord& r = entry.record;
  r.response_start = EventTime{.ns = r.start.ns + 250'000'000};
  r.first_content = EventTime{.ns = r.start.ns + 300'000'000};
  r.last_content = EventTime{.ns = r.start.ns + 1'900'000'000};
  r.longest_stall_ns = 70'000'000;
  r.stream = true;
  r.http_version = HttpVersion::kHttp11;
  r.response_id.assign("chatcmpl-AbCdEfGhIjKlMnOp");
  r.request_id.assign("req_1");
  r.finish_reason = FinishReason::kToolCalls;
  r.tokens.cache_read = 600;
  r.tokens.cache_write_5m = 100;
  r.tokens.reasoning = 20;
  r.service_tier.assign("default");
  r.tool_calls[0].assign("get_weather");
  r.tool_calls[1].assign("say \"hi\"");
  r.tool_call_count = 2;
  r.caller.kind = CredentialKind::kJwt;
  r.caller.subject.assign("alice");
  r.caller.issuer.assign("https://issuer.example");
  r.caller.key_id.assign("0123456789abcdef");
  r.pid = 4242;
  r.source = Source::kTls;
  r.side = Side::kClient;
  r.server_name.assign("api.openai.com");
  r.server_port = 443;
  r.client.address.version = 4;
  r.client.address.bytes = {10, 0, 0, 7};
  r.client.port = 40000;
  r.request_bytes = 812;
  r.response_bytes = 4096;
  r.rate_limit_remaining_requests = 99;
  r.flags.set(RecordFlag::kGapInBody);
  r.flags.set(RecordFlag::kTextCut);
  entry.process.emplace();
  entry.process->name.assign("python3");
  entry.process->executable.assign("/usr/bin/python3.11");
  entry.node.assign("node-1");
  entry.legs = 2;
  entry.cost.source = PriceSource::kCatalog;
  entry.cost.price_id.assign("gpt-4o");
  entry.cost.total = Picodollars{10'692'000'000};
  entry.cost.input = Picodollars{10'000'000'000};
  entry.cost.cache_read = Picodollars{500'000'000};
  entry.cost.cache_write = Picodollars{92'000'000};
  entry.cost.output = Picodollars{100'000'000};
  return entry;
}

// The samples of an exposition, as written.
inline std::map<std::string, std::string> samples_of(const std::string& text) {
  std::map<std::string, std::string> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.rfind(' ');
    samples[line.substr(0, space)] = line.substr(space + 1);
  }
  return samples;
}

}  // namespace wiretally::sinks
