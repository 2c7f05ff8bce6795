// Reads capture files, pcap and pcapng, from a file, a pipe or memory, as they are or
// compressed by gzip or zstd.
//
//   pcap    draft-ietf-opsawg-pcap: file header (24 bytes), then records of 16 bytes (24 in files
//           of magic a1b2cd34) and the packet. Both byte orders, micro- and nanoseconds, the
//           frame-check-sequence bits in the link-type word, the swapped lengths of version 2.3.
//   pcapng  draft-ietf-opsawg-pcapng: any number of sections, each with its own byte order and
//           interfaces; interfaces each with a link type, time resolution and time offset. Packets
//           come in enhanced (6), simple (3) and obsolete (2) packet blocks. All other blocks are
//           passed over unread, decryption secrets among them.
//
// A damaged file yields everything before the damage, then kCorrupt, for good. No length in the
// file leads to an allocation. Limits: capture_packet_bytes_max, capture_interfaces_max.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "input.h"
#include "raw_packet.h"
#include "wiretally/limits.h"
#include "wiretally/result.h"

namespace wiretally::pcap {

class CaptureFile {
 public:
  enum class Step {
    kPacket,   // `packet` was filled
    kEnd,      // the file ends where it should
    kCorrupt,  // error() says what and where; everything before has been delivered
  };

  // `path` "-" is standard input. Fails if there is no such file or it is no capture file.
  static Result<CaptureFile> open(const std::string& path, const Limits& limits = {});
  // The memory must outlive the reader.
  static Result<CaptureFile> open_memory(ByteView bytes, const Limits& limits = {},
                                         std::string name = "memory");

  // The packet's bytes are borrowed until the next call.
  Step next(RawPacket& packet) { return next_plain(packet) ? Step::kPacket : next_any(packet); }

  // Whether packets' bytes stay where they are as long as this object lives (a mapped file).
  bool bytes_last() const { return input_->bytes_last(); }
  // Another reader of it, from its beginning, where its bytes last: as long as this object does.
  Result<CaptureFile> again() const;
  // For those others, of a mapped file: the pages up to this offset are mapped, and those more than
  // so many bytes in front of it given back.
  void bring_in(uint64_t offset, size_t bytes_behind) { input_->bring_in(offset, bytes_behind); }

  // As in errors.
  const std::string& name() const { return name_; }
  // One line, after kCorrupt.
  const std::string& error() const { return error_; }

 private:
  struct Interface {
    uint16_t link_type = 0;
    uint8_t time_resolution = 6;  // if_tsresol: 10^-n, or with the top bit set 2^-n
    int64_t time_offset_s = 0;    // if_tsoffset
    uint32_t snap_bytes = 0;      // 0 = no limit
  };
  // The members of a packet block that differ between its three kinds.
  struct PacketBlock {
    uint32_t interface = 0;
    bool has_time = false;
    uint64_t ticks = 0;
    uint32_t captured_bytes = 0;
    uint32_t wire_bytes = 0;
    size_t header_bytes = 0;
  };

  // What an error is about.
  enum class Part : uint8_t { kPacket, kInterface, kSection, kBlock };

  CaptureFile(std::unique_ptr<Input> input, std::string name, const Limits& limits);

  Status read_file_header();
  Status read_pcap_header(uint32_t magic);

  bool next_plain(RawPacket& packet);
  Step next_any(RawPacket& packet);
  Step next_record(RawPacket& packet);
  Step next_block(RawPacket& packet);
  bool read_section();
  bool read_interface(uint32_t block_bytes);
  bool read_interface_options(ByteView options, Interface& interface);
  bool read_packet_block(uint32_t type, uint32_t block_bytes, RawPacket& packet);
  bool pass_block(uint32_t block_bytes);
  // The whole block ahead, its two lengths compared; empty after an error.
  ByteView whole_block(Part part, uint32_t block_bytes);
  void deliver(RawPacket& packet, uint64_t offset);

  Step at_end();
  // Keep the error's text and return false.
  bool fail(std::string text);
  bool fail_cut_off(Part part, uint64_t offset, uint64_t bytes_there);
  bool fail_corrupt(Part part, uint64_t offset, const std::string& why);
  std::string place_of(Part part, uint64_t offset) const;
  std::string claims_too_much(uint32_t captured_bytes) const;

  uint16_t load16(const uint8_t* at) const;
  uint32_t load32(const uint8_t* at) const;
  uint64_t load64(const uint8_t* at) const;

  std::unique_ptr<Input> input_;
  std::string name_;
  size_t packet_bytes_max_;
  size_t interfaces_max_;
  Step state_ = Step::kPacket;
  std::string error_;

  bool swapped_ = false;  // the file's byte order is not ours
  bool plain_ = false;    // a pcap file without any oddity
  bool pcapng_ = false;
  uint64_t packets_ = 0;
  int64_t last_time_ns_ = 0;

  // pcap
  uint32_t link_type_ = 0;
  size_t record_header_bytes_ = 16;
  int64_t ns_per_fraction_ = 1000;
  uint32_t check_sequence_bytes_ = 0;  // at the end of each frame on the wire
  enum class Lengths : uint8_t { kInOrder, kSwapped, kMaybeSwapped } lengths_ = Lengths::kInOrder;

  // pcapng: of the current section
  std::vector<Interface> interfaces_;
};

// Brings to the processor what lies ahead by as much as this packet takes, or less: its own
// foresight ends at each page's end.
inline void fetch_ahead(ByteView packet) {
  constexpr size_t kAheadBytes = 4096, kLineBytes = 64, kFetchedMax = 512;
  const size_t size = std::min(packet.size(), kFetchedMax);
  for (size_t at = 0; at < size; at += kLineBytes) {
    __builtin_prefetch(packet.data() + kAheadBytes + at);
  }
}

// Of a plain file the next record, if all of it is at hand: nearly always. Else next_any() looks
// what there is.
inline bool CaptureFile::next_plain(RawPacket& packet) {
  uint32_t header[4];
  const ByteView ahead = input_->at_hand();
  if (!plain_ || ahead.size() < sizeof header) return false;
  std::memcpy(header, ahead.data(), sizeof header);
  const uint32_t captured = header[2];
  if (captured > packet_bytes_max_ || captured > ahead.size() - sizeof header) return false;
  packet.time = {.ns = int64_t{header[0]} * 1'000'000'000 + header[1] * ns_per_fraction_,
                 .clock = Clock::kCapture};
  packet.link_type = link_type_;
  packet.bytes = {ahead.data() + sizeof header, captured};
  packet.wire_bytes = std::max(header[3], captured);
  packet.number = ++packets_;
  packet.file_offset = input_->offset();
  fetch_ahead(packet.bytes);
  input_->skip(sizeof header + captured);
  return true;
}

}  // namespace wiretally::pcap
