#include "sighting.h"

#include <xxhash.h>

#include <array>
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

namespace {

Digest server_of(const UsageRecord& record) {
  if (record.server_name.empty()) return {};
  std::array<char, Text<256>::kCapacity + sizeof(uint16_t)> key;
  size_t size = 0;
  for (const char c : record.server_name.view()) {
    key[size++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  const uint16_t port = record.server_port.value_or(0);
  key[size++] = static_cast<char>(port >> 8);
  key[size++] = static_cast<char>(port & 0xFF);
  return digest_of({key.data(), size});
}

// A line of a batch's results, whichever exchange shows it.
Digest line_of_batch(const UsageRecord& record) {
  std::array<char, 64 + 64 + 128 + 2> key;
  size_t size = 0;
  for (const std::string_view part :
       {record.batch_file.view(), record.batch_id.view(), record.batch_custom_id.view()}) {
    if (size > 0) key[size++] = '\n';
    size += part.copy(key.data() + size, key.size() - size);
  }
  return digest_of({key.data(), size});
}

}  // namespace

Sighting make_sighting(const UsageRecord& record, const WallClock& wall, bool to_gateway) {
  Sighting s;
  s.exchange = record.exchange;
  s.flow = record.flow;
  s.lane = record.lane;
  s.index = record.index;
  s.start_ns = wall.epoch_ns(record.start);
  s.finish_ns = wall.epoch_ns(record.finish);
  s.request = record.request_digest;
  s.response = record.response_digest;
  if (record.response_start) s.answer_ns = wall.epoch_ns(*record.response_start);
  s.text = record.text_digest;
  s.to_gateway = to_gateway;
  s.from_cache = record.served_from_cache;
  s.server_name = server_of(record);
  s.id = digest_of(record.response_id.view());
  // Answers out of a cache have the id of the one that was kept: each is a call of its own.
  s.id_is_proof = record.response_id.view().size() >= kIdBytesMin && !record.served_from_cache;
  s.fetched = record.part == CallPart::kFetched || record.part == CallPart::kStored;
  if (!record.batch_custom_id.empty()) {
    s.id = line_of_batch(record);
    s.id_is_proof = true;
  }
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
  if (!a.id_is_proof || !b.id_is_proof || a.id != b.id || !same_tokens(a, b)) return false;
  // Where the numbers are still to come, the two do not say the same.
  return a.fetched == b.fetched || (a.input && b.input && a.output && b.output);
}

namespace {

// A host between the two: who received the outer leg sent the inner one. Where all of it is on one
// host, addresses say nothing.
bool through_a_host(const Sighting& outer, const Sighting& inner) {
  return outer.server.known() && inner.client.known() && outer.client.known() &&
         outer.server.address == inner.client.address &&
         outer.client.address != inner.client.address;
}

bool through_a_process(const Sighting& outer, const Sighting& inner) {
  return outer.side == Side::kServer && inner.side == Side::kClient && outer.pid != 0 &&
         same_process(outer, inner);
}

// One process that asks two servers is no gateway's two legs, and two that ask the same server are
// neither.
bool to_different_servers(const Sighting& outer, const Sighting& inner) {
  if (through_a_process(outer, inner)) return true;
  if (outer.side == inner.side && outer.pid != 0 && same_process(outer, inner)) return false;
  if (outer.server_name.known() && outer.server_name == inner.server_name) return false;
  return !outer.server.known() || outer.server != inner.server;
}

bool inside(const Sighting& outer, const Sighting& inner) {
  if (!outer.answer_ns || !inner.answer_ns) return false;
  return outer.start_ns <= inner.start_ns && *inner.answer_ns <= *outer.answer_ns &&
         inner.finish_ns <= outer.finish_ns + kNestedSkewNs;
}

bool may_be_outer(const Sighting& outer, const Sighting& inner) {
  return outer.saw_request && inner.saw_request && !outer.from_cache && inside(outer, inner) &&
         to_different_servers(outer, inner);
}

bool is_outer(const Sighting& outer, const Sighting& inner) {
  if (!may_be_outer(outer, inner)) return false;
  return outer.to_gateway || through_a_process(outer, inner) || through_a_host(outer, inner) ||
         (outer.id_is_proof && inner.id_is_proof && outer.id == inner.id);
}

bool same_text(const Sighting& a, const Sighting& b) {
  if (!equal_and_known(a.text, b.text)) return false;
  if (a.text.high >= kTextBytesMin) return true;
  return a.input && a.output && a.input == b.input && a.output == b.output;
}

}  // namespace

std::optional<uint64_t> text_key(const Sighting& sighting) {
  if (!sighting.text.known()) return std::nullopt;
  if (sighting.text.high >= kTextBytesMin) return sighting.text.low;
  // Many calls say "yes" at once; fewer do so with the same counts.
  if (!sighting.input || !sighting.output) return std::nullopt;
  const uint64_t parts[] = {sighting.text.low, *sighting.input, *sighting.output};
  return XXH3_64bits(parts, sizeof parts);
}

bool may_be_legs(const Sighting& a, const Sighting& b) {
  return a.index == b.index && same_text(a, b) && !same_flow(a, b) &&
         (may_be_outer(a, b) || may_be_outer(b, a));
}

bool nested_legs(const Sighting& a, const Sighting& b) {
  return a.index == b.index && same_text(a, b) && !same_flow(a, b) &&
         (is_outer(a, b) || is_outer(b, a));
}

bool same_request_cut_answer(const Sighting& a, const Sighting& b) {
  if (a.index != b.index || !(a.cut || b.cut)) return false;
  if (!equal_and_known(a.request, b.request) || !may_be_one_unanswered(a, b)) return false;
  if (a.id.known() && b.id.known() && a.id != b.id) return false;
  if (a.status && b.status && a.status != b.status) return false;
  return same_tokens(a, b);
}

}  // namespace wiretally::ledger
