// One observation of a call, reduced to what tells twins from repeats, and the rules themselves
// (docs/metrics.md, "When a call counts"). Pure functions of two sightings.
//
//   same bytes  equal digests of request and answer (or only of the answer, where one of the two
//               has no request), overlapping in time, seen from another place
//   same id     equal response id of kIdBytesMin bytes or more, with equal token counts
//   nested      equal digests of the visible text, one inside the other in time, on the way to
//               another server, and a gateway between them: see nested_legs()
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
// The outer leg of a gateway may end before the inner one's last byte shows: both get it at once.
inline constexpr int64_t kNestedSkewNs = 250'000'000;
// A text of fewer bytes ("yes") proves nothing without equal token counts.
inline constexpr uint64_t kTextBytesMin = 16;
// Of a short answer alone, the copy under another address may begin behind the end of the first.
inline constexpr int64_t kAnswerCopySkewNs = 10'000'000;

struct Sighting {
  ExchangeId exchange{};
  FlowId flow{};
  uint32_t lane = 0;
  uint32_t index = 0;
  int64_t start_ns = 0;  // epoch
  int64_t finish_ns = 0;
  std::optional<int64_t> answer_ns;  // the answer's first byte
  Digest request;
  Digest response;
  Digest text;  // of the answer's visible text
  Digest id;    // of the response id, however short; unknown if there is none
  bool id_is_proof = false;
  bool saw_request = false;
  bool saw_response = false;
  bool empty_answer = false;
  bool cut = false;               // something of it is missing
  bool to_gateway = false;        // recognised or configured
  bool fetched = false;           // a result that any number of exchanges may fetch
  bool from_cache = false;        // a gateway's own answer: it asked nobody
  std::optional<uint64_t> input;  // reported numbers only
  std::optional<uint64_t> output;
  std::optional<uint16_t> status;
  Side side = Side::kUnknown;
  Source source = Source::kPacket;
  uint32_t pid = 0;
  uint64_t process_start_ns = 0;
  Endpoint client;
  Endpoint server;
  Digest server_name;  // in lower case, with its port; unknown if the request names none
};

Sighting make_sighting(const UsageRecord& record, const WallClock& wall, bool to_gateway);
Digest digest_of(std::string_view text);

bool same_flow(const Sighting& a, const Sighting& b);
bool same_process(const Sighting& a, const Sighting& b);
bool overlapping(const Sighting& a, const Sighting& b);
bool elsewhere(const Sighting& a, const Sighting& b);
bool same_bytes(const Sighting& a, const Sighting& b);
bool same_id(const Sighting& a, const Sighting& b);
bool same_request_cut_answer(const Sighting& a, const Sighting& b);
// By which candidates for nested_legs() are found; nothing where there can be none.
std::optional<uint64_t> text_key(const Sighting& sighting);
// Whether the two may be two hops of one call: equal texts, to different servers, one inside the
// other in time.
bool may_be_legs(const Sighting& a, const Sighting& b);
// They are: a gateway is between them. It is recognised at the outer leg, or it is the process that
// received the one and sent the other, or the host that did, or it passed on the answer's id.
bool nested_legs(const Sighting& a, const Sighting& b);
// Equal token counts; of a cut call, where both are known.
bool same_tokens(const Sighting& a, const Sighting& b);

}  // namespace wiretally::ledger
