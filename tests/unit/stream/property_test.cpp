// Random conversations, cut into segments, shuffled within a bound, repeated, overlapped and partly
// lost. What comes out must be the input but for exact gaps, and every byte accounted for.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "unit/stream/table.h"

namespace wiretally::stream {
namespace {

using Random = std::mt19937;

size_t pick(Random& random, size_t from, size_t to) {
  return std::uniform_int_distribution<size_t>(from, to)(random);
}
bool chance(Random& random, int percent) {
  return pick(random, 1, 100) <= static_cast<size_t>(percent);
}

struct Packet {
  bool from_client = false;
  size_t offset = 0;
  std::string text;
  With with;
  size_t turn = 0;  // place in the file, after shuffling
};

struct Way {
  std::string sent;
  std::vector<bool> captured;

  std::string expected() const {
    std::string text;
    for (size_t at = 0; at < sent.size();) {
      if (captured[at]) {
        text += sent[at++];
        continue;
      }
      const size_t from = at;
      while (at < sent.size() && !captured[at]) ++at;
      text += "[" + std::to_string(at - from) + "]";
    }
    return text;
  }
};

// Neighbouring gaps are one.
std::string merge_gaps(const std::string& text) {
  std::string merged;
  size_t gap = 0;
  const auto flush = [&] {
    if (gap > 0) merged += "[" + std::to_string(gap) + "]";
    gap = 0;
  };
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '[') {
      flush();
      merged += text[at];
      continue;
    }
    const size_t end = text.find(']', at);
    gap += std::stoul(text.substr(at + 1, end - at - 1));
    at = end;
  }
  flush();
  return merged;
}

struct Conversation {
  explicit Conversation(Random& random) : random_(random) {
    talk.client_isn = static_cast<uint32_t>(random());
    talk.server_isn = static_cast<uint32_t>(random());
    const size_t turns = pick(random, 1, 6);
    for (size_t turn = 0; turn < turns; ++turn) {
      speak(true, pick(random, 1, 4000));
      speak(false, pick(random, 1, 12'000));
    }
    finish(true);
    finish(false);
    lose_some();
    repeat_some();
    shuffle();
    for (const Packet& packet : packets) {
      std::vector<bool>& captured = ways[packet.from_client ? 0 : 1].captured;
      for (size_t i = 0; i < packet.text.size(); ++i) captured[packet.offset + i] = true;
    }
  }

  void speak(bool client, size_t bytes) {
    Way& way = ways[client ? 0 : 1];
    const size_t end = way.sent.size() + bytes;
    for (size_t at = way.sent.size(); at < end; ++at) {
      way.sent += static_cast<char>('a' + random_() % 26);
    }
    way.captured.resize(end);
    for (size_t at = end - bytes; at < end;) {
      const size_t size = std::min(end - at, pick(random_, 1, 1448));
      add(client, at, size, TcpFlags::kAck);
      at += size;
    }
  }
  void finish(bool client) {
    add(client, ways[client ? 0 : 1].sent.size(), 0, TcpFlags::kAck | TcpFlags::kFin);
  }
  void add(bool client, size_t offset, size_t size, uint8_t flags) {
    Packet packet;
    packet.from_client = client;
    packet.offset = offset;
    packet.text = ways[client ? 0 : 1].sent.substr(offset, size);
    packet.with.flags = flags;
    packet.with.ack = ways[client ? 1 : 0].sent.size();
    packets.push_back(packet);
  }
  void lose_some() {
    const int percent = static_cast<int>(pick(random_, 0, 15));
    std::erase_if(packets, [&](const Packet& packet) {
      return !packet.text.empty() && chance(random_, percent);
    });
  }
  // Retransmissions, cut otherwise: they reach over neighbours, lost ones included.
  void repeat_some() {
    std::vector<Packet> repeated;
    for (const Packet& packet : packets) {
      repeated.push_back(packet);
      if (packet.text.empty() || !chance(random_, 20)) continue;
      Packet copy = packet;
      copy.offset += pick(random_, 0, packet.text.size() - 1);
      copy.text = ways[packet.from_client ? 0 : 1].sent.substr(copy.offset, pick(random_, 1, 3000));
      repeated.push_back(copy);
    }
    packets = repeated;
  }
  void shuffle() {
    const size_t window = pick(random_, 0, 10);
    for (size_t i = 0; i < packets.size(); ++i) packets[i].turn = i + pick(random_, 0, window);
    std::stable_sort(packets.begin(), packets.end(), [](const Packet& left, const Packet& right) {
      return left.turn < right.turn;
    });
  }

  Talk talk;
  Way ways[2];
  std::vector<Packet> packets;

 private:
  Random& random_;
};

uint64_t total(const std::vector<Packet>& packets) {
  uint64_t bytes = 0;
  for (const Packet& packet : packets) bytes += packet.text.size();
  return bytes;
}

TEST(Property, OutputIsTheInputButForExactGaps) {
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Conversation conversation(random);
    Table table;
    table.send(conversation.talk.syn());
    table.send(conversation.talk.syn_ack());
    for (const Packet& packet : conversation.packets) {
      const auto offset = static_cast<int64_t>(packet.offset);
      table.send(packet.from_client ? conversation.talk.ask(offset, packet.text, packet.with)
                                    : conversation.talk.answer(offset, packet.text, packet.with));
      ASSERT_EQ(table.sink.unaccounted(Source::kPacket), 0);
    }
    table.end();
    ASSERT_EQ(table.sink.violation, "");
    uint64_t captured = 0;
    uint64_t lost = 0;
    for (int way = 0; way < 2; ++way) {
      const Way& expected = conversation.ways[way];
      ASSERT_EQ(merge_gaps(table.flow().text[way]), expected.expected());
      const auto found = static_cast<uint64_t>(
          std::count(expected.captured.begin(), expected.captured.end(), true));
      captured += found;
      lost += expected.sent.size() - found;
    }
    ASSERT_EQ(table.lost(), lost);
    ASSERT_EQ(table.skipped(SkipReason::kStreamDuplicate), total(conversation.packets) - captured);
    ASSERT_EQ(table.buffered(), 0u);
    ASSERT_EQ(table.room.pieces_in_use(), 0u);
    ASSERT_EQ(table.sink.flows.size(), 1u);
  }
}

// --- the short way -------------------------------------------------------------------------------

// Segments of a conversation, some of them odd in any way that a segment can be.
std::vector<Segment> odd_segments(const Conversation& conversation, Random& random) {
  const Talk& talk = conversation.talk;
  std::vector<Segment> segments;
  if (chance(random, 80)) segments = {talk.syn(), talk.syn_ack()};
  const int percent = static_cast<int>(pick(random, 0, 8));
  for (const Packet& packet : conversation.packets) {
    const auto offset = static_cast<int64_t>(packet.offset);
    Segment segment = packet.from_client ? talk.ask(offset, packet.text, packet.with)
                                         : talk.answer(offset, packet.text, packet.with);
    if (chance(random, percent)) segment.checksum_bad = true;
    if (chance(random, percent)) segment.payload_wire_bytes += pick(random, 1, 300);
    if (chance(random, percent)) segment.flags.bits ^= 1 << pick(random, 0, 4);
    if (chance(random, percent)) segment.acknowledgment += random() >> pick(random, 0, 31);
    if (chance(random, percent)) segment.acknowledgment -= random() >> pick(random, 0, 31);
    if (chance(random, percent)) segment.sequence += random() >> pick(random, 0, 31);
    if (chance(random, percent)) segment.encapsulation = pick(random, 0, 2);
    if (chance(random, percent)) segment.window = static_cast<uint16_t>(random());
    segments.push_back(segment);
    if (chance(random, 2 * percent)) segments.push_back(segments[random() % segments.size()]);
  }
  return segments;
}

bool same(const StreamEvent& left, const StreamEvent& right) {
  return left.flow == right.flow && left.kind == right.kind && left.direction == right.direction &&
         left.time == right.time && left.offset == right.offset &&
         left.gap_bytes == right.gap_bytes && left.peer_offset == right.peer_offset &&
         left.conflict == right.conflict && left.reason == right.reason &&
         left.closed_by == right.closed_by && left.incomplete == right.incomplete;
}

// The urgent flag says nothing to reassembly, but a segment that has it is not taken the short way.
TEST(Property, TheShortWayLeadsWhereTheLongOneDoes) {
  for (uint32_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const Conversation conversation(random);
    const std::vector<Segment> segments = odd_segments(conversation, random);
    Table quick, slow;
    if (chance(random, 10)) {
      quick.sink.ignore_from_event = slow.sink.ignore_from_event = pick(random, 1, 20);
    }
    for (Segment segment : segments) {
      const FlowDemand demand = quick.send(segment);
      segment.flags.bits |= TcpFlags::kUrg;
      ASSERT_EQ(slow.send(segment), demand);
    }
    quick.end();
    slow.end();
    ASSERT_EQ(quick.sink.violation, "");
    ASSERT_EQ(quick.sink.flows.size(), slow.sink.flows.size());
    for (const auto& [id, log] : quick.sink.flows) {
      const FlowLog& other = slow.flow(id);
      for (int way = 0; way < 2; ++way) ASSERT_EQ(log.text[way], other.text[way]);
      ASSERT_TRUE(std::equal(log.events.begin(), log.events.end(), other.events.begin(),
                             other.events.end(), same));
    }
    for (size_t i = 0; i < static_cast<size_t>(SkipReason::kCount); ++i) {
      const auto reason = static_cast<SkipReason>(i);
      ASSERT_EQ(quick.skipped(reason), slow.skipped(reason));
    }
    for (size_t i = 0; i < static_cast<size_t>(DropReason::kCount); ++i) {
      const auto reason = static_cast<DropReason>(i);
      ASSERT_EQ(quick.dropped(reason), slow.dropped(reason));
      ASSERT_EQ(quick.drops(reason), slow.drops(reason));
    }
    ASSERT_EQ(quick.lost(), slow.lost());
    ASSERT_EQ(quick.sink.unaccounted(Source::kPacket), 0);
  }
}

}  // namespace
}  // namespace wiretally::stream
