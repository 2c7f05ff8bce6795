#include "sighting.h"

#include <xxhash.h>

#include <cstdlib>

namespace wiretally::ledger {
namespace {

// An error status hides that its answer was cut; without a digest it was not read to its end.
bool unread_refusal(const UsageRecord& record) {
  return record.outcome == Outcome::kHttpError && !record.response_digest.known();
}

bool was_cut(const UsageRecord& record) {
  return unread_refusal(record) || record.lost_bytes > 0 ||
         record.outcome == Outcome::kClientAbort || record.outcome == Outcome::kServerAbort ||
         record.outcome == Outcome::kIncomplete;
}

bool equal_and_known(const Digest& a, const Digest& b) { return a.known() && a == b; }

bool close_by(int64_t a_ns, int64_t b_ns) {
  return (a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns) <= kAddressTwinSkewNs;
}

bool other_addresses(const Sighting& a, const Sighting& b) {
  if (!a.client.known() || !a.server.known() || !b.client.known() || !b.server.known()) {
    return false;
  }
  if (a.client.address == b.client.address && a.server == b.server) return false;
  if (!close_by(a.finish_ns, b.finish_ns)) return false;
  return !a.saw_request || !b.saw_request || close_by(a.start_ns, b.start_ns);
}

bool opposite_ends(const Sighting& a, const Sighting& b) {
  return a.side != Side::kUnknown && b.side != Side::kUnknown && a.side != b.side;
}

// Without an answer to compare, other addresses alone make no twins: two clients may ask the same
// at the same time. Address translation towards a service leaves the client's own end as it was.
bool may_be_one_unanswered(const Sighting& a, const Sighting& b) {
  return a.source != b.source || opposite_ends(a, b) || a.client == b.client;
}

bool tokens_agree(std::optional<uint64_t> a, std::optional<uint64_t> b, bool cut) {
  return a == b || (cut && (!a || !b));
}

}  // namespace

Digest digest_of(std::string_view text) {
  if (text.empty()) return {};
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {.high = hash.high64, .low = hash.low64};
}

Sighting make_sighting(const UsageRecord& record, const WallClock& wall) {
  Sighting s;
  s.exchange = record.exchange;
  s.flow = record.flow;
  s.lane = record.lane;
  s.index = record.index;
  s.start_ns = wall.epoch_ns(record.start);
  s.finish_ns = wall.epoch_ns(record.finish);
  s.request = record.request_digest;
  s.response = record.response_digest;
  s.id = digest_of(record.response_id.view());
  s.id_is_proof = record.response_id.view().size() >= kIdBytesMin;
  s.saw_request = record.saw_request;
  s.saw_response = record.saw_response;
  s.empty_answer = record.response_bytes == 0;
  s.cut = was_cut(record);
  if (record.tokens.input_source == UsageSource::kReported) s.input = record.tokens.input;
  if (record.tokens.output_source == UsageSource::kReported) s.output = record.tokens.output;
  s.status = record.status_code;
  s.side = record.side;
  s.source = record.source;
  s.pid = record.pid;
  s.process_start_ns = record.process_start_ns;
  s.client = record.client;
  s.server = record.server;
  return s;
}

bool same_flow(const Sighting& a, const Sighting& b) {
  return a.lane == b.lane && a.flow == b.flow;
}

bool same_process(const Sighting& a, const Sighting& b) {
  return a.pid == b.pid && a.process_start_ns == b.process_start_ns;
}

bool overlapping(const Sighting& a, const Sighting& b) {
  const int64_t skew_ns = a.saw_request && b.saw_request ? 0 : kAnswerCopySkewNs;
  return a.start_ns <= b.finish_ns + skew_ns && b.start_ns <= a.finish_ns + skew_ns;
}

bool elsewhere(const Sighting& a, const Sighting& b) {
  if (same_flow(a, b)) return false;
  return a.source != b.source || opposite_ends(a, b) || other_addresses(a, b);
}

bool same_bytes(const Sighting& a, const Sighting& b) {
  if (a.index != b.index) return false;
  if (a.saw_request && b.saw_request) {
    if (!equal_and_known(a.request, b.request)) return false;
    if (equal_and_known(a.response, b.response)) return true;
    return !a.saw_response && !b.saw_response && may_be_one_unanswered(a, b);
  }
  // An answer of no bytes is every such answer: it proves nothing.
  return equal_and_known(a.response, b.response) && !a.empty_answer && !b.empty_answer;
}

bool same_tokens(const Sighting& a, const Sighting& b) {
  const bool cut = a.cut || b.cut;
  return tokens_agree(a.input, b.input, cut) && tokens_agree(a.output, b.output, cut);
}

bool same_id(const Sighting& a, const Sighting& b) {
  return a.id_is_proof && b.id_is_proof && a.id == b.id && same_tokens(a, b);
}

bool same_request_cut_answer(const Sighting& a, const Sighting& b) {
  if (a.index != b.index || !(a.cut || b.cut)) return false;
  if (!equal_and_known(a.request, b.request) || !may_be_one_unanswered(a, b)) return false;
  if (a.id.known() && b.id.known() && a.id != b.id) return false;
  if (a.status && b.status && a.status != b.status) return false;
  return same_tokens(a, b);
}

}  // namespace wiretally::ledger
