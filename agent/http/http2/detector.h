// Is a flow that was joined in its middle HTTP/2? Frames say so: headers that fit one behind the
// other, each at the place that the one before names.
//
// Writes mostly begin with a frame, so a chain is begun at the beginning of an event. Two points
// decide: one for each plausible header, one for a frame that ends with its event. Nothing is held.
#pragma once

#include <optional>

#include "http2/frame_reader.h"

namespace wiretally::http::http2 {

inline constexpr unsigned kCertainPoints = 2;

// Points of the chain that begins at the first byte; 0 if any header in it is not plausible.
unsigned frame_points(ByteView bytes);

// Where, in `bytes`, frames can be read again: the first byte if they may begin there, else the
// first place with kCertainPoints; bytes.size() if there is none.
size_t find_frames(ByteView bytes, bool event_begins);

class Detector {
 public:
  // One event's bytes. Behind how many of them the chain became certain: 0 means before the first,
  // else reader() stands there, its frame's header read (FrameReader::in_payload) or between
  // frames. Nothing: not yet.
  std::optional<size_t> look(ByteView bytes);
  void reset() { *this = Detector(); }
  const FrameReader& reader() const { return reader_; }
  bool in_chain() const { return points_ > 0; }

 private:
  std::optional<size_t> follow(ByteView bytes);

  FrameReader reader_;
  unsigned points_ = 0;
  bool begun_ = false;
};

}  // namespace wiretally::http::http2
