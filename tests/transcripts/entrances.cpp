#include "entrances.h"

#include <algorithm>
#include <random>
#include <string_view>

namespace wiretally::test {
namespace {

// A piece of one message: what one read, one write or one segment carries.
struct Piece {
  Party party;
  int64_t time_ns;
  uint64_t offset;  // in the party's stream
  std::string_view bytes;
  bool lost;
};

// The pieces of one step, cut at `cuts` and at the borders of its lost bytes.
std::vector<Piece> cut_step(const Step& step, uint64_t joined_offset, uint64_t stream_offset,
                            const Cuts& cuts) {
  std::vector<size_t> borders = {0, step.bytes.size(), step.lost.first, step.lost.second};
  auto cut = std::upper_bound(cuts.begin(), cuts.end(), joined_offset);
  for (; cut != cuts.end() && *cut < joined_offset + step.bytes.size(); ++cut) {
    borders.push_back(*cut - joined_offset);
  }
  std::sort(borders.begin(), borders.end());
  std::vector<Piece> pieces;
  for (size_t i = 0; i + 1 < borders.size(); ++i) {
    if (borders[i] == borders[i + 1]) continue;
    pieces.push_back(
        {.party = step.party,
         .time_ns = step.time_ns,
         .offset = stream_offset + borders[i],
         .bytes = std::string_view(step.bytes).substr(borders[i], borders[i + 1] - borders[i]),
         .lost = borders[i] >= step.lost.first && borders[i] < step.lost.second});
  }
  return pieces;
}

size_t index(Party party) { return static_cast<size_t>(party); }
Party other(Party party) { return party == Party::kClient ? Party::kServer : Party::kClient; }

// What both kinds of player share: how far each party's stream has come.
class Player {
 public:
  Player(CaptureSink& sink, const Late& late) : sink_(sink), late_(late) {}
  virtual ~Player() = default;

  void play(const Dialogue& dialogue, const Cuts& cuts) {
    begin(dialogue.steps.empty() ? 0 : dialogue.steps.front().time_ns);
    uint64_t joined = 0;
    for (const Step& step : dialogue.steps) {
      now_ns_ = step.time_ns;
      if (late_.step_pieces != nullptr) late_.step_pieces->push_back(pieces_);
      if (step.kind == Step::Kind::kBytes) {
        message(cut_step(step, joined, sent_[index(step.party)], cuts));
        joined += step.bytes.size();
      } else if (open_) {
        close(step);
      }
    }
    finish();
  }

 protected:
  // Counts one piece; false if it is not seen.
  bool see_piece() { return ++pieces_ > late_.skip_pieces; }
  bool seeing() const { return pieces_ >= late_.skip_pieces; }
  bool joined() const { return late_.skip_pieces > 0; }

  virtual void begin(int64_t time_ns) = 0;
  virtual void message(std::vector<Piece> pieces) = 0;
  virtual void close(const Step& step) = 0;
  virtual void finish() = 0;

  CaptureSink& sink_;
  const Late late_;
  size_t pieces_ = 0;
  uint64_t sent_[2] = {0, 0};
  int64_t now_ns_ = 0;
  bool open_ = true;
};

class ProbePlayer final : public Player {
 public:
  ProbePlayer(CaptureSink& sink, const Late& late, Party watched)
      : Player(sink, late), watched_(watched) {
    key_ = {.pid = 4242, .process_start_ns = 1'000'000, .handle = 0x7f0000001000, .generation = 1};
  }

 private:
  EventTime now() const { return {.ns = now_ns_, .clock = Clock::kBoot}; }
  Transfer transfer(Party party) const {
    return party == watched_ ? Transfer::kWritten : Transfer::kRead;
  }

  void begin(int64_t) override {}

  void message(std::vector<Piece> pieces) override {
    for (const Piece& piece : pieces) {
      sent_[index(piece.party)] = piece.offset + piece.bytes.size();
      if (piece.lost || !see_piece()) continue;
      sink_.on_chunk({.time = now(),
                      .connection = key_,
                      .transfer = transfer(piece.party),
                      .offset = piece.offset,
                      .peer_offset = sent_[index(other(piece.party))],
                      .joined = joined(),
                      .bytes = as_bytes(piece.bytes),
                      .library = 1});
    }
  }

  void close(const Step& step) override {
    // The watched process frees its connection; before that it may have read the peer's end.
    if (step.party != watched_) {
      sink_.on_connection_eof({.time = now(),
                               .connection = key_,
                               .transfer = Transfer::kRead,
                               .offset = sent_[index(step.party)]});
    }
    sink_.on_connection_close({.time = now(),
                               .connection = key_,
                               .reason = CloseReason::kFreed,
                               .written_offset = sent_[index(watched_)],
                               .read_offset = sent_[index(other(watched_))]});
    open_ = false;
  }

  void finish() override {
    // What the end of input does for all connections; here for this one, so that a run leaves
    // nothing behind.
    if (!open_) return;
    sink_.on_connection_close({.time = now(),
                               .connection = key_,
                               .reason = CloseReason::kEndOfInput,
                               .written_offset = sent_[index(watched_)],
                               .read_offset = sent_[index(other(watched_))]});
  }

  Party watched_;
  ConnectionKey key_;
};

class SegmentPlayer final : public Player {
 public:
  SegmentPlayer(CaptureSink& sink, const Late& late, uint64_t seed, bool troubled)
      : Player(sink, late), random_(seed), troubled_(troubled) {
    // Without its SYN it would be taken for the rest of an earlier run's connection.
    const auto port = static_cast<uint16_t>(40'000 + late.skip_pieces % 20'000);
    endpoints_[0] = endpoint(10, port);
    endpoints_[1] = endpoint(20, 8080);
    // One of them wraps early on.
    initial_[0] = 0xFFFFFF00u;
    initial_[1] = static_cast<uint32_t>(random_());
  }

 private:
  static constexpr size_t kSegmentBytes = 1400;

  static Endpoint endpoint(uint8_t last, uint16_t port) {
    Endpoint endpoint;
    endpoint.address.version = 4;
    endpoint.address.bytes = {10, 1, 0, last};
    endpoint.port = port;
    return endpoint;
  }

  void send(Party party, uint64_t offset, std::string_view bytes, uint8_t flags) {
    if (bytes.empty() ? !seeing() : !see_piece()) return;
    // `offset` counts payload; the SYN takes one sequence number before it.
    sink_.on_segment(
        {.time = {.ns = now_ns_, .clock = Clock::kCapture},
         .source = endpoints_[index(party)],
         .destination = endpoints_[index(other(party))],
         .sequence = initial_[index(party)] + static_cast<uint32_t>(offset),
         .acknowledgment =
             initial_[index(other(party))] + 1 +
             static_cast<uint32_t>(sent_[index(other(party))] + fin_[index(other(party))]),
         .flags = {flags},
         .window = 65535,
         .window_scale = flags & TcpFlags::kSyn ? std::optional<uint8_t>(7) : std::nullopt,
         .payload = as_bytes(bytes),
         .payload_wire_bytes = static_cast<uint32_t>(bytes.size()),
         .payload_hash = std::nullopt,
         .encapsulation = 0,
         .checksum_bad = false,
         .packet_number = ++packet_});
  }

  void begin(int64_t time_ns) override {
    now_ns_ = time_ns;
    send(Party::kClient, 0, "", TcpFlags::kSyn);
    send(Party::kServer, 0, "", TcpFlags::kSyn | TcpFlags::kAck);
    send(Party::kClient, 1, "", TcpFlags::kAck);
  }

  void message(std::vector<Piece> pieces) override {
    std::vector<Piece> segments;
    for (const Piece& piece : pieces) {
      sent_[index(piece.party)] = piece.offset + piece.bytes.size();
      if (piece.lost) continue;
      for (size_t i = 0; i < piece.bytes.size(); i += kSegmentBytes) {
        Piece segment = piece;
        segment.offset += i;
        segment.bytes = piece.bytes.substr(i, kSegmentBytes);
        segments.push_back(segment);
      }
    }
    if (troubled_) segments = trouble(std::move(segments));
    for (const Piece& segment : segments) {
      send(segment.party, 1 + segment.offset, segment.bytes, TcpFlags::kAck | TcpFlags::kPsh);
    }
    // The receiver acknowledges what it got, lost pieces included.
    if (!pieces.empty()) {
      const Party receiver = other(pieces.front().party);
      send(receiver, 1 + sent_[index(receiver)], "", TcpFlags::kAck);
    }
  }

  // Neighbours swapped, segments sent twice, and retransmissions that overlap two segments.
  std::vector<Piece> trouble(std::vector<Piece> segments) {
    std::vector<Piece> sent;
    for (size_t i = 0; i < segments.size(); ++i) {
      const uint64_t draw = random_() % 8;
      const bool next_follows =
          i + 1 < segments.size() &&
          segments[i].offset + segments[i].bytes.size() == segments[i + 1].offset;
      if (draw == 0 && i + 1 < segments.size()) std::swap(segments[i], segments[i + 1]);
      sent.push_back(segments[i]);
      if (draw == 1) sent.push_back(segments[i]);
      if (draw == 2 && next_follows) {
        Piece overlap = segments[i];
        const size_t half = overlap.bytes.size() / 2;
        overlap.offset += half;
        // Both pieces lie in one message, so their bytes are neighbours in memory.
        overlap.bytes = {overlap.bytes.data() + half,
                         overlap.bytes.size() - half + segments[i + 1].bytes.size() / 2};
        if (!overlap.bytes.empty()) sent.push_back(overlap);
      }
    }
    return sent;
  }

  void close(const Step& step) override {
    const Party first = step.party;
    if (step.kind == Step::Kind::kReset) {
      send(first, 1 + sent_[index(first)], "", TcpFlags::kRst | TcpFlags::kAck);
    } else {
      for (const Party party : {first, other(first)}) {
        send(party, 1 + sent_[index(party)], "", TcpFlags::kFin | TcpFlags::kAck);
        fin_[index(party)] = 1;
      }
      send(first, 2 + sent_[index(first)], "", TcpFlags::kAck);
    }
    open_ = false;
  }

  void finish() override {}

  std::mt19937_64 random_;
  bool troubled_;
  Endpoint endpoints_[2];
  uint32_t initial_[2];
  uint64_t fin_[2] = {0, 0};
  uint64_t packet_ = 0;
};

}  // namespace

const char* entrance_name(Entrance entrance) {
  static constexpr const char* kNames[] = {"client probe", "server probe", "segments",
                                           "troubled segments"};
  return kNames[static_cast<size_t>(entrance)];
}

uint64_t total_bytes(const Dialogue& dialogue) {
  uint64_t bytes = 0;
  for (const Step& step : dialogue.steps) bytes += step.bytes.size();
  return bytes;
}

void play(const Dialogue& dialogue, Entrance entrance, const Cuts& cuts, uint64_t seed,
          CaptureSink& sink, const Late& late) {
  switch (entrance) {
    case Entrance::kClientProbe:
      return ProbePlayer(sink, late, Party::kClient).play(dialogue, cuts);
    case Entrance::kServerProbe:
      return ProbePlayer(sink, late, Party::kServer).play(dialogue, cuts);
    case Entrance::kSegments:
      return SegmentPlayer(sink, late, seed, false).play(dialogue, cuts);
    case Entrance::kTroubledTcp:
      return SegmentPlayer(sink, late, seed, true).play(dialogue, cuts);
  }
}

}  // namespace wiretally::test
