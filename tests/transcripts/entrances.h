// The ways a dialogue can enter the pipeline, and the ways it can be cut on the way.
#pragma once

#include <cstdint>
#include <vector>

#include "dialogue.h"
#include "wiretally/capture.h"

namespace wiretally::test {

enum class Entrance : uint8_t {
  kClientProbe,  // chunks of the client's TLS library
  kServerProbe,  // chunks of the server's
  kSegments,     // TCP segments, in order
  kTroubledTcp,  // TCP segments, with reordering, retransmission and overlap
};
inline constexpr Entrance kEntrances[] = {Entrance::kClientProbe, Entrance::kServerProbe,
                                          Entrance::kSegments, Entrance::kTroubledTcp};
const char* entrance_name(Entrance entrance);

// Where the bytes of each message are cut: ascending offsets into all messages' bytes, joined.
using Cuts = std::vector<uint64_t>;

// Total bytes of all messages.
uint64_t total_bytes(const Dialogue& dialogue);

// Joined late: of the pieces (chunks, or segments with payload) the first `skip_pieces` are not
// seen, nor the handshake before them. `step_pieces`, if given, gets how many pieces came before
// each step.
struct Late {
  size_t skip_pieces = 0;
  std::vector<size_t>* step_pieces = nullptr;
};

// Plays the dialogue into `sink`. Each run is a connection of its own (`run` numbers it); `seed`
// draws the trouble. Every piece of a message carries the message's time, so that cuts change no
// duration.
void play(const Dialogue& dialogue, Entrance entrance, const Cuts& cuts, uint64_t seed,
          CaptureSink& sink, const Late& late = {});

}  // namespace wiretally::test
