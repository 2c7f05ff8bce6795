// One observation of a call, reduced to what tells twins from repeats, and the rules themselves
// (docs/metrics.md, "When a call counts"). Pure functions of two sightings.
//
//   same bytes  equal digests of request and answer (or only of the answer, where one of the two
//               has no request), overlapping in time, seen from another place
//   same id     equal response id of kIdBytesMin bytes or more, with equal token counts
//   cut answer  equal digest of the request, overlapping, from another place, and the answer of at
//               least one was cut, so that its digest cannot be equal; counts as same bytes
//
// "Another place" is the opposite end of the connection, the other source, or other addresses. Two
// connections that differ in the client's port alone are one place: that is how two equal calls
// look.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "wiretally/clock.h"
#include "wiretally/usage_record.h"

namespace wiretally::ledger {

inline constexpr size_t kIdBytesMin = 16;
// One packet passes every interface of its host within this, a retransmission included.
inline constexpr int64_t kAddressTwinSkewNs = 1'000'000'000;
// Of a short answer alone, the copy under another address may begin behind the end of the first.
inline constexpr int64_t kAnswerCopySkewNs = 10'000'000;

struct Sighting {
  ExchangeId exchange{};
  FlowId flow{};
  uint32_t lane = 0;
  uint32_t index = 0;
  int64_t start_ns = 0;  // epoch
  int64_t finish_ns = 0;
  Digest request;
  Digest response;
  Digest id;  // of the response id, however short; unknown if there is none
  bool id_is_proof = false;
  bool saw_request = false;
  bool saw_response = false;
  bool empty_answer = false;
  bool cut = false;               // something of it is missing
  std::optional<uint64_t> input;  // reported numbers only
  std::optional<uint64_t> output;
  std::optional<uint16_t> status;
  Side side = Side::kUnknown;
  Source source = Source::kPacket;
  uint32_t pid = 0;
  uint64_t process_start_ns = 0;
  Endpoint client;
  Endpoint server;
};

Sighting make_sighting(const UsageRecord& record, const WallClock& wall);
Digest digest_of(std::string_view text);

bool same_flow(const Sighting& a, const Sighting& b);
bool same_process(const Sighting& a, const Sighting& b);
bool overlapping(const Sighting& a, const Sighting& b);
bool elsewhere(const Sighting& a, const Sighting& b);
bool same_bytes(const Sighting& a, const Sighting& b);
bool same_id(const Sighting& a, const Sighting& b);
bool same_request_cut_answer(const Sighting& a, const Sighting& b);
// Equal token counts; of a cut call, where both are known.
bool same_tokens(const Sighting& a, const Sighting& b);

}  // namespace wiretally::ledger
