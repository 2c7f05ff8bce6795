#include "capture_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/encoder.h"
#include "support/pcap_writer.h"

namespace wiretally::pcap {
namespace {

using test::PcapngWriter;
using test::PcapWriter;
using testing::HasSubstr;
using Step = CaptureFile::Step;

struct Read {
  struct Packet {
    int64_t time_ns;
    uint32_t link_type;
    std::string bytes;
    uint32_t wire_bytes;
    uint64_t number;
    uint64_t file_offset;
  };
  std::string open_error;
  std::vector<Packet> packets;
  Step last = Step::kPacket;
  std::string error;
};

Read read_all(Result<CaptureFile> file) {
  Read read;
  if (!file) {
    read.open_error = file.error().message;
    return read;
  }
  RawPacket packet;
  while ((read.last = file->next(packet)) == Step::kPacket) {
    EXPECT_EQ(packet.time.clock, Clock::kCapture);
    read.packets.push_back({packet.time.ns, packet.link_type, std::string(as_text(packet.bytes)),
                            packet.wire_bytes, packet.number, packet.file_offset});
  }
  read.error = file->error();
  EXPECT_EQ(file->next(packet), read.last) << "the end is final";
  return read;
}
Read read_memory(const std::string& bytes, const Limits& limits = {}) {
  return read_all(CaptureFile::open_memory(as_bytes(bytes), limits, "capture"));
}

class TemporaryFile {
 public:
  TemporaryFile() {
    const int fd = mkstemp(path_.data());
    if (fd >= 0) close(fd);
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/wiretally_capture_XXXXXX";
};

// Feeds bytes through a FIFO: the stream path of the reader, in pieces of `step`.
Read read_stream(const std::string& bytes, size_t step) {
  TemporaryFile place;
  const std::string path = place.path() + ".fifo";
  EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
  signal(SIGPIPE, SIG_IGN);  // the reader leaves a corrupt file early
  std::thread writer([&] {
    const int fd = ::open(path.c_str(), O_WRONLY);
    for (size_t at = 0; at < bytes.size(); at += step)
      if (::write(fd, bytes.data() + at, std::min(step, bytes.size() - at)) < 0) break;
    ::close(fd);
  });
  Read read = read_all(CaptureFile::open(path));
  writer.join();
  unlink(path.c_str());
  return read;
}

std::string small_pcap() {
  PcapWriter writer({.link_word = 1});
  writer.add(1'000'000, "first");
  writer.add(2'000'000, "the second");
  writer.add(3'000'000, "third packet");
  return writer.bytes();
}

TEST(PcapFile, ByteOrdersAndTimeUnits) {
  for (const bool big_endian : {false, true}) {
    for (const bool nanoseconds : {false, true}) {
      PcapWriter writer({.link_word = 113, .nanoseconds = nanoseconds, .big_endian = big_endian});
      writer.add(1'700'000'000'123'456'789, "hello", 99);
      const Read read = read_memory(writer.bytes());
      ASSERT_EQ(read.last, Step::kEnd) << read.open_error << read.error;
      ASSERT_EQ(read.packets.size(), 1u);
      EXPECT_EQ(read.packets[0].time_ns,
                nanoseconds ? 1'700'000'000'123'456'789 : 1'700'000'000'123'456'000);
      EXPECT_EQ(read.packets[0].link_type, 113u);
      EXPECT_EQ(read.packets[0].bytes, "hello");
      EXPECT_EQ(read.packets[0].wire_bytes, 99u);
      EXPECT_EQ(read.packets[0].number, 1u);
      EXPECT_EQ(read.packets[0].file_offset, 24u);
    }
  }
}

TEST(PcapFile, TimesBeyond2038) {
  PcapWriter writer({});
  writer.add(4'000'000'000'000'000'000, "x");
  EXPECT_EQ(read_memory(writer.bytes()).packets.at(0).time_ns, 4'000'000'000'000'000'000);
}

TEST(PcapFile, CheckSequenceBitsInTheLinkWord) {
  // Bit 26 says that the length in the top four bits (in 16-bit units) counts.
  PcapWriter writer({.link_word = 2u << 28 | 1u << 26 | 1});
  writer.add(0, "frameFCSF");
  writer.add(0, "frame", 20);   // cut: the check sequence is not there
  writer.add(0, "frameFC", 9);  // cut inside it
  const Read read = read_memory(writer.bytes());
  ASSERT_EQ(read.packets.size(), 3u);
  for (const auto& packet : read.packets) {
    EXPECT_EQ(packet.link_type, 1u);
    EXPECT_EQ(packet.bytes, "frame");
  }
  EXPECT_EQ(read.packets[0].wire_bytes, 5u);
  EXPECT_EQ(read.packets[1].wire_bytes, 16u);
}

TEST(PcapFile, SwappedLengthsOfOldVersions) {
  for (const uint16_t minor : {2, 3}) {
    PcapWriter writer({.minor_version = minor});
    writer.add(0, "abcd");
    std::string bytes = writer.bytes();
    // captured 9, on the wire 4: the other way round
    bytes[24 + 8] = 9;
    const Read read = read_memory(bytes);
    ASSERT_EQ(read.packets.size(), 1u) << read.error;
    EXPECT_EQ(read.packets[0].bytes, "abcd");
    EXPECT_EQ(read.packets[0].wire_bytes, 9u);
  }
}

TEST(PcapFile, ModifiedRecordsHaveEightMoreBytes) {
  std::string bytes = PcapWriter({}).bytes();
  bytes.replace(0, 4, "\x34\xcd\xb2\xa1");
  const test::FileNumbers little(false);
  bytes +=
      little.u32(5) + little.u32(6) + little.u32(3) + little.u32(3) + std::string(8, 'i') + "abc";
  const Read read = read_memory(bytes);
  ASSERT_EQ(read.packets.size(), 1u) << read.open_error << read.error;
  EXPECT_EQ(read.packets[0].bytes, "abc");
  EXPECT_EQ(read.packets[0].time_ns, 5'000'006'000);
}

TEST(PcapFile, OnlyAHeaderIsAnEmptyCapture) {
  const Read read = read_memory(PcapWriter({}).bytes());
  EXPECT_EQ(read.open_error, "");
  EXPECT_EQ(read.last, Step::kEnd);
  EXPECT_TRUE(read.packets.empty());
}

TEST(PcapFile, EveryCutIsNamedWithPacketAndOffset) {
  const std::string whole = small_pcap();
  const std::vector<size_t> starts = {24, 24 + 16 + 5, 24 + 16 + 5 + 16 + 10, whole.size()};
  for (size_t size = 25; size < whole.size(); ++size) {
    size_t complete = 0;
    while (starts[complete + 1] <= size) ++complete;
    const Read read = read_memory(whole.substr(0, size));
    ASSERT_EQ(read.packets.size(), complete) << size;
    if (starts[complete] == size) {
      EXPECT_EQ(read.last, Step::kEnd) << size;
      continue;
    }
    EXPECT_EQ(read.last, Step::kCorrupt) << size;
    EXPECT_EQ(read.error, "capture: packet " + std::to_string(complete + 1) + " at byte offset " +
                              std::to_string(starts[complete]) + " is cut off: the file ends " +
                              std::to_string(size - starts[complete]) +
                              " bytes into it; everything before it was read");
  }
}

TEST(PcapFile, ALengthBeyondTheLimitIsCorruptNotAnAllocation) {
  for (const uint32_t length : {uint32_t{256 * 1024 + 1}, uint32_t{0x7fff'ffff}, ~uint32_t{0}}) {
    std::string bytes = small_pcap();
    const test::FileNumbers little(false);
    bytes.replace(24 + 16 + 5 + 8, 4, little.u32(length));
    for (const Read& read : {read_memory(bytes), read_stream(bytes, 1000)}) {
      EXPECT_EQ(read.packets.size(), 1u);
      EXPECT_EQ(read.last, Step::kCorrupt);
      EXPECT_THAT(read.error, HasSubstr("packet 2 at byte offset 45 is corrupt: it claims " +
                                        std::to_string(length) + " captured bytes"));
    }
  }
}

TEST(PcapFile, TheLargestPacketAllowed) {
  PcapWriter writer({});
  writer.add(0, std::string(Limits{}.capture_packet_bytes_max, 'x'));
  writer.add(0, "after");
  for (const Read& read : {read_memory(writer.bytes()), read_stream(writer.bytes(), 65'536)}) {
    ASSERT_EQ(read.packets.size(), 2u) << read.error;
    EXPECT_EQ(read.packets[0].bytes.size(), Limits{}.capture_packet_bytes_max);
    EXPECT_EQ(read.packets[1].bytes, "after");
  }
}

TEST(CaptureFileOpen, WhatIsNoCapture) {
  EXPECT_EQ(read_memory("").open_error, "capture: is empty (0 bytes), not a capture file");
  EXPECT_THAT(read_memory("GET").open_error, HasSubstr("is not a capture file"));
  EXPECT_THAT(read_memory("GET / HTTP/1.1\r\n").open_error, HasSubstr("is not a capture file"));
  EXPECT_THAT(read_memory("\xfd"
                          "7zXZ")
                  .open_error,
              HasSubstr("xzcat FILE"));
  EXPECT_THAT(read_memory("BZh91AY").open_error, HasSubstr("bzcat FILE"));
  EXPECT_THAT(read_memory("\x1f\x8b\x09 and more").open_error,
              HasSubstr("cannot be read: its gzip data is damaged"));
  EXPECT_THAT(read_memory("\x28\xb5\x2f\xfd and more").open_error,
              HasSubstr("cannot be read: its zstd data is damaged"));
  EXPECT_THAT(read_memory("\x1f\x8b\x08").open_error, HasSubstr("compressed data is cut off"));
  EXPECT_THAT(read_memory(small_pcap().substr(0, 10)).open_error,
              HasSubstr("ends within its file header, after 10 of 24 bytes"));
  std::string version = small_pcap();
  version[4] = 3;
  EXPECT_THAT(read_memory(version).open_error, HasSubstr("version 3.4"));
}

TEST(CaptureFileOpen, PathsThatCannotBeRead) {
  EXPECT_THAT(read_all(CaptureFile::open("/nonexistent/x.pcap")).open_error,
              HasSubstr("/nonexistent/x.pcap: cannot be opened: No such file"));
  EXPECT_THAT(read_all(CaptureFile::open("/tmp")).open_error, HasSubstr("/tmp: is a directory"));
  TemporaryFile empty;
  EXPECT_THAT(read_all(CaptureFile::open(empty.path())).open_error, HasSubstr("is empty"));
}

TEST(CaptureFileOpen, StandardInput) {
  TemporaryFile file;
  ASSERT_TRUE(test::save_file(file.path(), small_pcap()));
  const int saved = dup(STDIN_FILENO);
  const int fd = ::open(file.path().c_str(), O_RDONLY);
  dup2(fd, STDIN_FILENO);
  const Read read = read_all(CaptureFile::open("-"));
  if (saved >= 0) dup2(saved, STDIN_FILENO);
  close(fd);
  close(saved);
  EXPECT_EQ(read.packets.size(), 3u);
  EXPECT_EQ(read.last, Step::kEnd);
}

TEST(CaptureFileOpen, MappedFileAndStreamReadTheSame) {
  // Larger than the stream's buffer and the mapping's step, so that both go round.
  PcapWriter pcap({.nanoseconds = true});
  PcapngWriter pcapng;
  pcapng.add_interface(1);
  std::string pattern;
  for (int i = 0; i < 4096; ++i) pattern += static_cast<char>(i * 7 + i / 256);
  for (uint32_t i = 0; i < 6000; ++i) {
    const std::string frame = pattern.substr(0, 1 + i * 37 % 4000);
    pcap.add(i, frame);
    pcapng.add(0, i, frame);
    if (i % 100 == 0) pcapng.add_block(0xbad, std::string(i * 200, 'u'));
  }
  for (const std::string& bytes : {pcap.bytes(), pcapng.bytes()}) {
    ASSERT_GT(bytes.size(), 9u << 20);
    TemporaryFile file;
    ASSERT_TRUE(test::save_file(file.path(), bytes));
    const Read memory = read_memory(bytes);
    const Read mapped = read_all(CaptureFile::open(file.path()));
    const Read stream = read_stream(bytes, 3001);
    ASSERT_EQ(memory.packets.size(), 6000u) << memory.error;
    for (const Read* read : {&mapped, &stream}) {
      ASSERT_EQ(read->packets.size(), memory.packets.size()) << read->error;
      EXPECT_EQ(read->last, Step::kEnd);
      for (size_t i = 0; i < memory.packets.size(); ++i) {
        ASSERT_EQ(read->packets[i].bytes, memory.packets[i].bytes) << i;
        ASSERT_EQ(read->packets[i].file_offset, memory.packets[i].file_offset) << i;
        ASSERT_EQ(read->packets[i].time_ns, memory.packets[i].time_ns) << i;
      }
    }
  }
}

TEST(CaptureFileOpen, OneByteAtATimeThroughAPipe) {
  const Read whole = read_stream(small_pcap(), 1);
  EXPECT_EQ(whole.packets.size(), 3u);
  EXPECT_EQ(whole.last, Step::kEnd);
  const Read cut = read_stream(small_pcap().substr(0, 50), 1);
  EXPECT_EQ(cut.packets.size(), 1u);
  EXPECT_THAT(cut.error, HasSubstr("packet 2 at byte offset 45 is cut off: the file ends 5 bytes"));
}

// --- compressed ----------------------------------------------------------------------------------

constexpr test::Coding kCompressions[] = {test::Coding::kGzip, test::Coding::kZstd};

TEST(CompressedCapture, ReadsAsTheFileInside) {
  PcapWriter writer({});
  for (uint32_t i = 0; i < 3000; ++i) writer.add(i, std::string(1 + i * 37 % 2000, 'a' + i % 26));
  const Read plain = read_memory(writer.bytes());
  for (const test::Coding coding : kCompressions) {
    const std::string half = writer.bytes().substr(0, 1'000'003);
    const std::string rest = writer.bytes().substr(half.size());
    const std::string whole = encode(coding, writer.bytes());
    // Members and frames of a file that was appended to; the padding of a tape block.
    std::string parts = encode(coding, half) + encode(coding, rest);
    if (coding == test::Coding::kGzip) parts += std::string(512, '\0');
    TemporaryFile file;
    ASSERT_TRUE(test::save_file(file.path(), whole));
    for (const Read& read : {read_memory(whole), read_memory(parts), read_stream(whole, 3001),
                             read_stream(parts, 7), read_all(CaptureFile::open(file.path()))}) {
      EXPECT_EQ(read.last, Step::kEnd) << read.error;
      ASSERT_EQ(read.packets.size(), plain.packets.size());
      for (size_t i = 0; i < plain.packets.size(); ++i) {
        ASSERT_EQ(read.packets[i].bytes, plain.packets[i].bytes);
        ASSERT_EQ(read.packets[i].file_offset, plain.packets[i].file_offset);
      }
    }
  }
}

// Cut anywhere: never a clean end, and never a packet that the file inside does not have.
TEST(CompressedCapture, CutAnywhereIsSaid) {
  const Read plain = read_memory(small_pcap());
  for (const test::Coding coding : kCompressions) {
    const std::string whole = encode(coding, small_pcap(), {.checksum = true});
    for (size_t size = 4; size < whole.size(); ++size) {
      const Read read = read_memory(whole.substr(0, size));
      if (!read.open_error.empty()) {
        EXPECT_THAT(read.open_error,
                    testing::AnyOf(HasSubstr("cut off"), HasSubstr("ends within")));
        continue;
      }
      EXPECT_EQ(read.last, Step::kCorrupt) << size;
      EXPECT_THAT(read.error, HasSubstr("its compressed data is cut off"));
      ASSERT_LE(read.packets.size(), plain.packets.size());
      for (size_t i = 0; i < read.packets.size(); ++i) {
        EXPECT_EQ(read.packets[i].bytes, plain.packets[i].bytes);
      }
    }
    // All packets, and the checksum behind them missing.
    EXPECT_EQ(read_memory(whole.substr(0, whole.size() - 1)).packets.size(), 3u);
  }
}

size_t resident_file_kib() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    size_t kib = 0;
    if (word == "RssFile:" && status >> kib) return kib;
  }
  return 0;
}

TEST(CaptureFileOpen, AMappedFileStaysOutOfResidentMemory) {
  TemporaryFile file;
  {
    PcapWriter writer({});
    const std::string frame(60'000, 'x');
    for (int i = 0; i < 1200; ++i) writer.add(i, frame);  // 72 MB
    ASSERT_TRUE(test::save_file(file.path(), writer.bytes()));
  }
  const size_t before = resident_file_kib();
  auto capture = CaptureFile::open(file.path());
  ASSERT_TRUE(capture);
  RawPacket packet;
  size_t most = 0;
  uint64_t sum = 0;
  while (capture->next(packet) == Step::kPacket) {
    for (size_t i = 0; i < packet.bytes.size(); i += 1024) sum += packet.bytes[i];
    most = std::max(most, resident_file_kib());
  }
  EXPECT_GT(sum, 0u);
  EXPECT_EQ(packet.number, 1200u);
  EXPECT_LT(most - before, 12u << 10);
}

TEST(CaptureFileOpen, OffsetsBeyondFourGiB) {
  TemporaryFile file;
  const test::FileNumbers little(false);
  PcapngWriter writer;
  writer.add_interface(1);
  const std::string head = writer.bytes();
  constexpr uint64_t kBlock = 0xffff'fffc;  // the largest there is; a hole in the file
  const int fd = ::open(file.path().c_str(), O_WRONLY);
  ASSERT_GE(fd, 0);
  const auto put = [&](uint64_t at, const std::string& bytes) {
    ASSERT_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at)),
              static_cast<ssize_t>(bytes.size()));
  };
  put(0, head);
  uint64_t at = head.size();
  for (int i = 0; i < 2; ++i) {
    put(at, little.u32(0xbad) + little.u32(kBlock));
    put(at + kBlock - 4, little.u32(kBlock));
    at += kBlock;
  }
  PcapngWriter packets;
  const size_t section_bytes = packets.bytes().size();
  packets.add(0, 77, "far away");
  put(at, packets.bytes().substr(section_bytes) + "rest");
  close(fd);
  const Read read = read_all(CaptureFile::open(file.path()));
  ASSERT_EQ(read.packets.size(), 1u) << read.open_error << read.error;
  EXPECT_EQ(read.packets[0].bytes, "far away");
  EXPECT_EQ(read.packets[0].file_offset, head.size() + 2 * kBlock);
  EXPECT_EQ(read.last, Step::kCorrupt);
  EXPECT_THAT(read.error, HasSubstr("at byte offset " + std::to_string(at + 40)));
}

TEST(PcapngFile, InterfacesWithTheirOwnLinkTypesAndClocks) {
  for (const bool big_endian : {false, true}) {
    PcapngWriter writer(big_endian);
    writer.add_interface(1, std::nullopt);  // microseconds unless stated
    writer.add_interface(276, 9);
    writer.add_interface(101, 3, 1'700'000'000);  // milliseconds after an offset
    writer.add_interface(0, 0x80 | 10, -1);       // 1/1024 s
    writer.add_interface(113, 12);                // picoseconds
    writer.add_interface(12, 0x80 | 127);
    writer.add_interface(14, 127);
    writer.add_interface(1, 0);  // seconds
    writer.add(0, 1'000'001, "a");
    writer.add(1, 2'000'000'002, "bb");
    writer.add(2, 5, "ccc");
    writer.add(3, 2048 + 512, "dddd");
    writer.add(4, 1'234'567, "e");
    writer.add(5, ~uint64_t{0}, "f");
    writer.add(6, ~uint64_t{0}, "g");
    writer.add(7, ~uint64_t{0}, "h");
    writer.add(7, 3, "i", 70);
    const Read read = read_memory(writer.bytes());
    ASSERT_EQ(read.packets.size(), 9u) << read.error;
    EXPECT_EQ(read.last, Step::kEnd);
    EXPECT_EQ(read.packets[0].time_ns, 1'000'001'000);
    EXPECT_EQ(read.packets[1].time_ns, 2'000'000'002);
    EXPECT_EQ(read.packets[1].link_type, 276u);
    EXPECT_EQ(read.packets[2].time_ns, 1'700'000'000'005'000'000);
    EXPECT_EQ(read.packets[3].time_ns, 1'500'000'000);
    EXPECT_EQ(read.packets[3].bytes, "dddd");
    EXPECT_EQ(read.packets[4].time_ns, 1234);
    EXPECT_EQ(read.packets[5].time_ns, 0);
    EXPECT_EQ(read.packets[6].time_ns, 0);
    EXPECT_EQ(read.packets[7].time_ns, INT64_MAX);
    EXPECT_EQ(read.packets[8].time_ns, 3'000'000'000);
    EXPECT_EQ(read.packets[8].wire_bytes, 70u);
  }
}

TEST(PcapngFile, SectionsOfBothByteOrders) {
  PcapngWriter writer;
  writer.add_interface(1);
  writer.add_interface(113);
  writer.add(1, 1, "one");
  writer.add_section(true);
  writer.add_interface(12);
  writer.add(0, 2, "two");
  writer.add_section(false);
  writer.add_interface(101);
  writer.add(0, 3, "three");
  writer.add(1, 3, "there is no interface 1 any more");
  const Read read = read_memory(writer.bytes());
  ASSERT_EQ(read.packets.size(), 3u) << read.error;
  EXPECT_EQ(read.packets[0].link_type, 113u);
  EXPECT_EQ(read.packets[1].link_type, 12u);
  EXPECT_EQ(read.packets[2].link_type, 101u);
  EXPECT_EQ(read.packets[2].number, 3u);
  EXPECT_EQ(read.last, Step::kCorrupt);
  EXPECT_THAT(read.error, HasSubstr("it names interface 1, and its section describes 1"));
}

TEST(PcapngFile, SimpleAndObsoletePacketBlocks) {
  PcapngWriter writer;
  writer.add_interface(1, 9, std::nullopt, 6);
  writer.add(0, 500, "timed");
  writer.add_simple("abc");           // all of it
  writer.add_simple("123456", 2000);  // cut by the interface's limit
  writer.add_obsolete(0, 900, "older");
  const Read read = read_memory(writer.bytes());
  ASSERT_EQ(read.packets.size(), 4u) << read.error;
  EXPECT_EQ(read.packets[1].bytes, "abc");
  EXPECT_EQ(read.packets[1].wire_bytes, 3u);
  EXPECT_EQ(read.packets[1].time_ns, 500) << "no time of its own: the last one known";
  EXPECT_EQ(read.packets[2].bytes, "123456");
  EXPECT_EQ(read.packets[2].wire_bytes, 2000u);
  EXPECT_EQ(read.packets[3].bytes, "older");
  EXPECT_EQ(read.packets[3].time_ns, 900);
}

TEST(PcapngFile, OtherBlocksArePassedOver) {
  const std::string secret = "CLIENT_RANDOM 0011 2233";
  PcapngWriter writer;
  writer.add_block(10, "SLKT" + std::string("\x17\0\0\0", 4) + secret);
  writer.add_interface(1);
  writer.add_block(4, "names");
  writer.add(0, 1, "kept", 0, std::string("\x02\0\x04\0\0\0\0\x01\0\0\0\0", 12));
  writer.add_block(5, "statistics");
  writer.add_block(0x40000bad, std::string(2'000'000, 'c'));
  writer.add(0, 2, "also");
  for (const Read& read : {read_memory(writer.bytes()), read_stream(writer.bytes(), 10'000)}) {
    ASSERT_EQ(read.packets.size(), 2u) << read.error;
    EXPECT_EQ(read.packets[0].bytes, "kept");
    EXPECT_EQ(read.packets[1].bytes, "also");
    EXPECT_EQ(read.last, Step::kEnd);
  }
}

TEST(PcapngFile, EveryCutIsAnEndOrNamed) {
  PcapngWriter writer;
  writer.add_interface(1);
  writer.add(0, 1, "one");
  const size_t second = writer.bytes().size();
  writer.add(0, 2, "two");
  const size_t statistics = writer.bytes().size();
  writer.add_block(5, "statistics");
  const std::string whole = writer.bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    const Read read = read_memory(whole.substr(0, size));
    EXPECT_EQ(read.packets.size(), size >= statistics ? 2u : size >= second ? 1u : 0u) << size;
    if (read.open_error.empty() && read.last == Step::kCorrupt) {
      EXPECT_THAT(read.error, HasSubstr("is cut off: the file ends"));
    }
  }
  EXPECT_THAT(read_memory(whole.substr(0, second + 9)).error,
              HasSubstr("packet 2 at byte offset " + std::to_string(second) +
                        " is cut off: the file ends 9 bytes into it"));
  EXPECT_THAT(read_memory(whole.substr(0, statistics + 9)).error,
              HasSubstr("the block after packet 2 at byte offset " + std::to_string(statistics)));
}

TEST(PcapngFile, CorruptBlocksEndTheFileWithTheirPlace) {
  PcapngWriter writer;
  writer.add_interface(1);
  writer.add(0, 1, "good");
  const size_t bad = writer.bytes().size();
  writer.add(0, 2, "bad!");
  const test::FileNumbers little(false);
  const auto damaged = [&](size_t at, uint32_t value) {
    std::string bytes = writer.bytes();
    bytes.replace(bad + at, 4, little.u32(value));
    const Read read = read_memory(bytes);
    EXPECT_EQ(read.packets.size(), 1u);
    EXPECT_EQ(read.last, Step::kCorrupt);
    EXPECT_THAT(read.error, HasSubstr(" at byte offset " + std::to_string(bad)));
    return read.error;
  };
  EXPECT_THAT(damaged(4, 0), HasSubstr("claims a length of 0 bytes"));
  EXPECT_THAT(damaged(4, 37), HasSubstr("claims a length of 37 bytes"));
  EXPECT_THAT(damaged(4, 0xffff'fff0), HasSubstr("claims a block of 4294967280 bytes"));
  EXPECT_THAT(damaged(4, 400), HasSubstr("is cut off"));
  EXPECT_THAT(damaged(4, 16), HasSubstr("the two lengths of its block differ"));
  EXPECT_THAT(damaged(20, 5), HasSubstr("it claims 5 captured bytes"));
  EXPECT_THAT(damaged(20, ~uint32_t{0}), HasSubstr("captured bytes"));
  EXPECT_THAT(damaged(8, 3), HasSubstr("names interface 3"));
  EXPECT_THAT(damaged(32, 44), HasSubstr("the two lengths of its block differ"));
}

TEST(PcapngFile, BlocksThatArePassedOverAreCheckedToo) {
  PcapngWriter writer;
  writer.add_block(5, "statistics");
  std::string bytes = writer.bytes();
  bytes[bytes.size() - 4] ^= 0x40;
  EXPECT_EQ(
      read_memory(bytes).error,
      "capture: the block after packet 0 at byte offset 28 is corrupt: the two lengths of its "
      "block differ; everything before it was read");
}

TEST(PcapngFile, CorruptSectionsAndInterfaces) {
  PcapngWriter writer;
  std::string bytes = writer.bytes();
  bytes[8] = 0;
  EXPECT_THAT(read_memory(bytes).open_error, HasSubstr("no byte-order magic"));
  bytes = writer.bytes();
  bytes[12] = 9;
  EXPECT_THAT(read_memory(bytes).open_error, HasSubstr("of pcapng version 9"));
  bytes = writer.bytes();
  bytes[4] = 16;
  EXPECT_THAT(read_memory(bytes).open_error, HasSubstr("claims a header of 16 bytes"));
  EXPECT_THAT(read_memory(writer.bytes().substr(0, 20)).open_error, HasSubstr("is cut off"));

  PcapngWriter short_one;
  short_one.add_block(1, "abcd");
  EXPECT_THAT(read_memory(short_one.bytes()).error, HasSubstr("is too short"));
  PcapngWriter option;
  option.add_block(1, std::string("\x01\0\0\0\0\0\0\0\x09\0\xff\0", 12));
  EXPECT_THAT(read_memory(option.bytes()).error, HasSubstr("an option is longer"));
}

TEST(PcapngFile, InterfacesAreBounded) {
  Limits limits;
  limits.capture_interfaces_max = 3;
  PcapngWriter writer;
  for (int i = 0; i < 4; ++i) writer.add_interface(1);
  const Read read = read_memory(writer.bytes(), limits);
  EXPECT_EQ(read.last, Step::kCorrupt);
  EXPECT_THAT(read.error, HasSubstr("a section may have 3"));
}

}  // namespace
}  // namespace wiretally::pcap
