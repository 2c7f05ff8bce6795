// Streams damaged on their way into the capture file, by verbs drawn from a seed: what loses
// nothing gives exact records, what loses bytes gives `lost_bytes` of just that number, and nothing
// is said that is not true.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>

#include "conversation.h"

namespace wiretally::test {
namespace {

using Random = std::mt19937_64;

struct Frame {
  int64_t time_ns = 0;
  std::string bytes;
  uint32_t wire_bytes = 0;
  size_t packet = 0;  // of the conversation
};

struct Damage {
  std::vector<Frame> frames;
  uint64_t lost = 0;         // payload bytes of which the file has no copy
  std::set<size_t> touched;  // packets that lost bytes or carry wrong ones
};

class Generator {
 public:
  Generator(uint64_t seed, const Conversation& talk) : random_(seed), talk_(talk) {
    for (size_t i = 0; i < talk.packets.size(); ++i) {
      const std::string bytes = frame_bytes(Link::kEthernet, talk.packets[i]);
      damage.frames.push_back({talk.packets[i].time_ns, bytes, 0, i});
    }
    // Message heads stay whole: what a lost head costs is tested elsewhere.
    for (const auto* messages : {&talk.requests, &talk.answers})
      for (const PacketRange message : *messages)
        for (size_t i = 1; i < message.count; ++i) bodies_.insert(message.first + i);
  }

  // Each verb goes over all frames once.
  void drop(size_t one_in) {
    std::erase_if(damage.frames, [&](const Frame& frame) {
      if (!in_body(frame) || random_() % one_in != 0) return false;
      damage.lost += payload(frame);
      damage.touched.insert(frame.packet);
      return true;
    });
  }
  void truncate(size_t one_in) {
    for (Frame& frame : damage.frames) {
      if (!in_body(frame) || random_() % one_in != 0) continue;
      const size_t cut = 1 + random_() % payload(frame);
      frame.wire_bytes = static_cast<uint32_t>(frame.bytes.size());
      frame.bytes.resize(frame.bytes.size() - cut);
      damage.lost += cut;
      damage.touched.insert(frame.packet);
    }
  }
  // A byte flips and the checksum stays.
  void corrupt(size_t one_in) {
    for (Frame& frame : damage.frames) {
      if (!in_body(frame) || random_() % one_in != 0) continue;
      corrupt(frame);
      damage.touched.insert(frame.packet);
    }
  }
  // The receiver has not taken the corrupt copy, and the sender sends a good one, or the good one
  // came on another interface first.
  void corrupt_copies(size_t one_in) {
    add_copies(one_in, [&](const Frame& frame) {
      Frame bad = frame;
      corrupt(bad);
      return std::vector<Frame>{bad};
    });
  }
  void duplicate(size_t one_in) {
    add_copies(one_in, [&](const Frame& frame) { return std::vector<Frame>{frame}; });
  }
  // Retransmissions cut otherwise: from the middle of one segment into the next.
  void overlap(size_t one_in) {
    add_copies(one_in, [&](const Frame& frame) {
      const TcpPacket& packet = talk_.packets[frame.packet];
      TcpPacket copy = packet;
      const size_t from = random_() % packet.payload.size();
      copy.sequence += static_cast<uint32_t>(from);
      copy.payload = packet.payload.substr(from);
      if (frame.packet + 1 < talk_.packets.size()) {
        const TcpPacket& next = talk_.packets[frame.packet + 1];
        const bool follows = next.source == packet.source &&
                             next.sequence == packet.sequence + packet.payload.size();
        if (follows) copy.payload += next.payload.substr(0, random_() % (next.payload.size() + 1));
      }
      return std::vector<Frame>{
          {frame.time_ns, frame_bytes(Link::kEthernet, copy), 0, frame.packet}};
    });
  }
  // Data segments of one flight change places over up to `depth`.
  void reorder(size_t depth) {
    std::vector<Frame>& frames = damage.frames;
    for (size_t from = 0; from < frames.size();) {
      size_t until = from;
      while (until < frames.size() && until - from < depth &&
             in_flight(frames[until], frames[from]))
        ++until;
      std::vector<int64_t> times;
      for (size_t i = from; i < until; ++i) times.push_back(frames[i].time_ns);
      std::shuffle(frames.begin() + static_cast<ptrdiff_t>(from),
                   frames.begin() + static_cast<ptrdiff_t>(until), random_);
      for (size_t i = from; i < until; ++i) frames[i].time_ns = times[i - from];
      from = std::max(until, from + 1);
    }
  }
  // IP fragments in any order; every second packet's come twice.
  void fragment(size_t one_in) {
    std::vector<Frame> result;
    for (const Frame& frame : damage.frames) {
      const bool cut = frame.wire_bytes != 0;
      if (cut || payload(frame) == 0 || random_() % one_in != 0) {
        result.push_back(frame);
        continue;
      }
      std::vector<Frame> parts = fragments_of(frame);
      if (random_() % 2 == 0) parts.insert(parts.end(), parts.begin(), parts.end());
      std::shuffle(parts.begin(), parts.end(), random_);
      result.insert(result.end(), parts.begin(), parts.end());
    }
    damage.frames = result;
  }
  void pad() {
    for (Frame& frame : damage.frames)
      if (frame.wire_bytes == 0) frame.bytes += std::string(random_() % 60, 'p');
  }
  // As a host leaves it to its network card, or wrong altogether.
  void spoil_checksums() {
    const bool zero = random_() % 2 == 0;
    constexpr size_t kChecksumAt = 14 + 20 + 16;
    for (Frame& frame : damage.frames)
      frame.bytes.replace(kChecksumAt, 2, zero ? be16(0) : be16(random_() & 0xffff));
  }

  std::string file() const {
    PcapWriter writer({.nanoseconds = true});
    for (const Frame& frame : damage.frames)
      writer.add(frame.time_ns, frame.bytes, frame.wire_bytes);
    return writer.bytes();
  }
  bool is_touched(size_t call) const {
    const auto inside = [&](PacketRange message) {
      const auto found = damage.touched.lower_bound(message.first);
      return found != damage.touched.end() && *found < message.first + message.count;
    };
    return inside(talk_.requests[call]) || inside(talk_.answers[call]);
  }

  Damage damage;

 private:
  size_t payload(const Frame& frame) const { return talk_.packets[frame.packet].payload.size(); }
  bool in_body(const Frame& frame) const {
    return bodies_.count(frame.packet) > 0 && frame.wire_bytes == 0;
  }
  bool in_flight(const Frame& frame, const Frame& first) const {
    return payload(frame) > 0 &&
           talk_.packets[frame.packet].source == talk_.packets[first.packet].source;
  }
  void corrupt(Frame& frame) {
    const size_t at = frame.bytes.size() - 1 - random_() % payload(frame);
    frame.bytes[at] = static_cast<char>(frame.bytes[at] ^ (1 << random_() % 8));
  }
  // The copies come before or after the frame, next to it or some places later.
  void add_copies(size_t one_in, const std::function<std::vector<Frame>(const Frame&)>& copies_of) {
    std::vector<std::vector<Frame>> at(damage.frames.size() + 8);
    for (size_t i = 0; i < damage.frames.size(); ++i) {
      at[i].push_back(damage.frames[i]);
      if (!in_body(damage.frames[i]) || random_() % one_in != 0) continue;
      const bool before = random_() % 2 == 0;
      const size_t later = before ? 0 : random_() % 6;
      for (Frame& copy : copies_of(damage.frames[i])) {
        if (i + later < damage.frames.size()) copy.time_ns = damage.frames[i + later].time_ns;
        at[i + later].insert(before ? at[i + later].begin() : at[i + later].end(), copy);
      }
    }
    damage.frames.clear();
    for (const std::vector<Frame>& place : at)
      damage.frames.insert(damage.frames.end(), place.begin(), place.end());
  }
  std::vector<Frame> fragments_of(const Frame& frame) {
    constexpr size_t kLinkBytes = 14, kIpBytes = 20;
    const std::string head = frame.bytes.substr(0, kLinkBytes + kIpBytes);
    const std::string content = frame.bytes.substr(kLinkBytes + kIpBytes);
    const uint32_t id = ++fragment_ids_;
    std::vector<Frame> parts;
    for (size_t from = 0; from < content.size();) {
      const size_t size = std::min(content.size() - from, 8 * (1 + random_() % 60));
      Frame part = frame;
      part.bytes = head;
      part.bytes.replace(kLinkBytes + 2, 2, be16(static_cast<uint32_t>(kIpBytes + size)));
      part.bytes.replace(kLinkBytes + 4, 2, be16(id));
      const bool more = from + size < content.size();
      part.bytes.replace(kLinkBytes + 6, 2,
                         be16(static_cast<uint32_t>(from / 8 | (more ? 0x2000 : 0))));
      part.bytes += content.substr(from, size);
      parts.push_back(part);
      from += size;
    }
    return parts;
  }

  Random random_;
  const Conversation& talk_;
  std::set<size_t> bodies_;
  uint32_t fragment_ids_ = 0;
};

struct Verb {
  const char* name;
  void (*apply)(Generator&);
};
std::string name_of(const testing::TestParamInfo<Verb>& given) { return given.param.name; }

struct Found {
  std::vector<Json> records;
  Accounts accounts;
};
Found found_in(const std::string& file) {
  const Outcome ndjson = replay_bytes(file, "ndjson");
  const Outcome metrics = replay_bytes(file, "prometheus");
  EXPECT_EQ(ndjson.exit_status, 0) << ndjson.err;
  Found found{.records = records_of(ndjson.out), .accounts = accounts_of(metrics.out)};
  EXPECT_EQ(found.accounts.captured, found.accounts.accounted());
  return found;
}

class Harmless : public testing::TestWithParam<Verb> {};

TEST_P(Harmless, EveryRecordIsExact) {
  const Conversation talk = keep_alive(12);
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator generator(seed, talk);
    GetParam().apply(generator);
    const Found found = found_in(generator.file());
    EXPECT_EQ(found.accounts.missing, 0u);
    ASSERT_EQ(found.records.size(), talk.calls.size());
    for (size_t i = 0; i < talk.calls.size(); ++i)
      ASSERT_TRUE(is_whole(found.records[i], talk.calls[i])) << found.records[i].dump();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Damage, Harmless,
    testing::Values(Verb{"duplicate", [](Generator& g) { g.duplicate(4); }},
                    Verb{"reorder", [](Generator& g) { g.reorder(20); }},
                    Verb{"overlap", [](Generator& g) { g.overlap(3); }},
                    Verb{"reorder_and_duplicate",
                         [](Generator& g) {
                           g.duplicate(3);
                           g.overlap(4);
                           g.reorder(30);
                         }},
                    Verb{"corrupt_copies", [](Generator& g) { g.corrupt_copies(3); }},
                    Verb{"fragments", [](Generator& g) { g.fragment(2); }},
                    Verb{"padding", [](Generator& g) { g.pad(); }},
                    Verb{"bad_checksums", [](Generator& g) { g.spoil_checksums(); }},
                    Verb{"all_together",
                         [](Generator& g) {
                           g.duplicate(5);
                           g.overlap(5);
                           g.reorder(10);
                           g.fragment(3);
                           g.pad();
                         }}),
    name_of);

class Lossy : public testing::TestWithParam<Verb> {};

TEST_P(Lossy, LosesWhatWasLostAndSaysNothingWrong) {
  const Conversation talk = keep_alive(12);
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator generator(seed, talk);
    GetParam().apply(generator);
    const Found found = found_in(generator.file());
    EXPECT_EQ(lost_bytes(found.records), generator.damage.lost);
    EXPECT_EQ(found.accounts.missing, generator.damage.lost);
    ASSERT_EQ(found.records.size(), talk.calls.size());
    // In order of their ends: a call that waits for lost bytes may end behind the next one.
    for (size_t i = 0; i < talk.calls.size(); ++i) {
      const auto about = [&](const Json& record) { return !contradicts(record, talk.calls[i]); };
      const auto record = std::find_if(found.records.begin(), found.records.end(), about);
      ASSERT_NE(record, found.records.end()) << "call " << i;
      ASSERT_EQ(std::count_if(found.records.begin(), found.records.end(), about), 1);
      ASSERT_EQ(is_whole(*record, talk.calls[i]), !generator.is_touched(i)) << record->dump();
      ASSERT_EQ((*record)["lost_bytes"].get<uint64_t>() > 0, generator.is_touched(i))
          << record->dump();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Damage, Lossy,
                         testing::Values(Verb{"drop", [](Generator& g) { g.drop(12); }},
                                         Verb{"truncate", [](Generator& g) { g.truncate(12); }},
                                         Verb{"drop_truncate_reorder",
                                              [](Generator& g) {
                                                g.drop(20);
                                                g.truncate(20);
                                                g.reorder(6);
                                                g.fragment(3);
                                                g.pad();
                                              }}),
                         name_of);

// Nobody can tell which byte is wrong; that something is, the checksum tells: no number without
// the flag.
TEST(Damage, CorruptBytesWithoutAGoodCopyAreFlagged) {
  const Conversation talk = keep_alive(12);
  size_t flagged = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Generator generator(seed, talk);
    generator.corrupt(15);
    const Found found = found_in(generator.file());
    for (size_t i = 0; i < talk.calls.size(); ++i) {
      if (generator.is_touched(i)) continue;
      // It may carry the flag of its neighbour.
      EXPECT_EQ(std::count_if(found.records.begin(), found.records.end(),
                              [&](const Json& record) { return says_all(record, talk.calls[i]); }),
                1)
          << "call " << i << " was not touched";
    }
    for (const Json& record : found.records) {
      const bool has_flag = record["flags"].dump().find("overlap_conflict") != std::string::npos;
      flagged += has_flag ? 1 : 0;
      const bool true_of_one =
          std::any_of(talk.calls.begin(), talk.calls.end(),
                      [&](const Call& call) { return !contradicts(record, call); });
      EXPECT_TRUE(true_of_one || has_flag) << record.dump();
    }
  }
  EXPECT_GT(flagged, 25u);
}

}  // namespace
}  // namespace wiretally::test
