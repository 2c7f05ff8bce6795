#include "capture_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace wiretally::pcap {
namespace {

constexpr size_t kPcapHeaderBytes = 24;
constexpr uint32_t kMagicMicro = 0xa1b2c3d4;
constexpr uint32_t kMagicNano = 0xa1b23c4d;
constexpr uint32_t kMagicModified = 0xa1b2cd34;  // records with eight more bytes of header

constexpr uint32_t kSectionHeaderBlock = 0x0a0d0d0a;  // reads the same in both byte orders
constexpr uint32_t kInterfaceBlock = 1;
constexpr uint32_t kObsoletePacketBlock = 2;
constexpr uint32_t kSimplePacketBlock = 3;
constexpr uint32_t kEnhancedPacketBlock = 6;
constexpr uint32_t kSectionMagic = 0x1a2b3c4d;
constexpr size_t kSectionBytesMin = 28;
constexpr size_t kInterfaceBytesMin = 20;
constexpr size_t kBlockBytesMin = 12;
constexpr size_t kBlockTrailerBytes = 4;

constexpr char kLengthsDiffer[] = "the two lengths of its block differ";

// What a packet block may hold besides its packet: header and options.
constexpr size_t kBlockExtraBytesMax = 64 << 10;

uint32_t load_native32(const uint8_t* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

int64_t saturate(__int128 value) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  if (value > kMax) return kMax;
  if (value < kMin) return kMin;
  return static_cast<int64_t>(value);
}

// Ticks of an interface's clock as nanoseconds. Resolutions finer than a nanosecond are cut.
int64_t ticks_to_ns(uint64_t ticks, uint8_t resolution, int64_t offset_s) {
  constexpr __int128 kNsPerSecond = 1'000'000'000;
  __int128 ns = ticks;
  if ((resolution & 0x80) != 0) {
    ns = ns * kNsPerSecond >> (resolution & 0x7f);
  } else if (resolution <= 9) {
    for (int digit = resolution; digit < 9; ++digit) ns *= 10;
  } else {
    for (int digit = 9; digit < resolution && ns != 0; ++digit) ns /= 10;
  }
  return saturate(ns + offset_s * kNsPerSecond);
}

bool starts_with(ByteView bytes, std::string_view text) {
  return as_text(bytes).substr(0, text.size()) == text;
}

// A compression that is not unpacked here, by the tool that does.
std::string_view decompressor_of(ByteView start) {
  if (starts_with(start,
                  "\xfd"
                  "7zX"))
    return "xzcat";
  if (starts_with(start, "BZh")) return "bzcat";
  return {};
}

}  // namespace

CaptureFile::CaptureFile(std::unique_ptr<Input> input, std::string name, const Limits& limits)
    : input_(std::move(input)),
      name_(std::move(name)),
      packet_bytes_max_(limits.capture_packet_bytes_max),
      interfaces_max_(limits.capture_interfaces_max) {}

Result<CaptureFile> CaptureFile::open(const std::string& path, const Limits& limits) {
  auto input = Input::open(path, limits.capture_packet_bytes_max + kBlockExtraBytesMax);
  if (!input) return input.error();
  CaptureFile file(std::move(*input), path == "-" ? "standard input" : path, limits);
  if (Status status = file.read_file_header(); !status) return status.error();
  return file;
}

Result<CaptureFile> CaptureFile::open_memory(ByteView bytes, const Limits& limits,
                                             std::string name) {
  const size_t peek_bytes_max = limits.capture_packet_bytes_max + kBlockExtraBytesMax;
  CaptureFile file(Input::unpacked(Input::over(bytes), peek_bytes_max), std::move(name), limits);
  if (Status status = file.read_file_header(); !status) return status.error();
  return file;
}

Result<CaptureFile> CaptureFile::again() const {
  Limits limits;
  limits.capture_packet_bytes_max = packet_bytes_max_;
  limits.capture_interfaces_max = interfaces_max_;
  return open_memory(input_->all(), limits, name_);
}

CaptureFile::Step CaptureFile::next_any(RawPacket& packet) {
  if (state_ != Step::kPacket) return state_;
  state_ = pcapng_ ? next_block(packet) : next_record(packet);
  return state_;
}

// --- file header ---------------------------------------------------------------------------------

Status CaptureFile::read_file_header() {
  const ByteView start = input_->peek(sizeof(uint32_t));
  if (!input_->read_error().empty())
    return Error{name_ + ": cannot be read: " + input_->read_error()};
  if (start.empty()) return Error{name_ + ": is empty (0 bytes), not a capture file"};
  if (const std::string_view tool = decompressor_of(start); !tool.empty())
    return Error{name_ + ": is compressed in a way that is not unpacked here: " +
                 std::string(tool) + " FILE | wiretally replay -"};
  const Error not_a_capture{name_ + ": is not a capture file (neither pcap nor pcapng)"};
  if (start.size() < sizeof(uint32_t)) return not_a_capture;

  const uint32_t magic = load_native32(start.data());
  if (magic == kSectionHeaderBlock) {
    pcapng_ = true;
    if (!read_section()) return Error{error_};
    return Done{};
  }
  for (const uint32_t known : {kMagicMicro, kMagicNano, kMagicModified}) {
    swapped_ = magic == __builtin_bswap32(known);
    if (swapped_ || magic == known) return read_pcap_header(known);
  }
  return not_a_capture;
}

Status CaptureFile::read_pcap_header(uint32_t magic) {
  const ByteView header = input_->peek(kPcapHeaderBytes);
  if (header.size() < kPcapHeaderBytes)
    return Error{name_ + ": ends within its file header, after " + std::to_string(header.size()) +
                 " of " + std::to_string(kPcapHeaderBytes) + " bytes"};
  const uint16_t major = load16(header.data() + 4);
  const uint16_t minor = load16(header.data() + 6);
  if (major != 2)
    return Error{name_ + ": is a pcap file of version " + std::to_string(major) + "." +
                 std::to_string(minor) + "; only version 2 is known"};
  const uint32_t link_word = load32(header.data() + 20);
  link_type_ = link_word & 0xffff;
  if ((link_word & 0x0400'0000) != 0) check_sequence_bytes_ = (link_word >> 28) * 2;
  if (magic == kMagicNano) ns_per_fraction_ = 1;
  if (magic == kMagicModified) record_header_bytes_ = 24;
  if (minor < 3) lengths_ = Lengths::kSwapped;
  if (minor == 3) lengths_ = Lengths::kMaybeSwapped;
  plain_ = !swapped_ && record_header_bytes_ == 16 && lengths_ == Lengths::kInOrder &&
           check_sequence_bytes_ == 0;
  input_->skip(kPcapHeaderBytes);
  return Done{};
}

// --- pcap ----------------------------------------------------------------------------------------

CaptureFile::Step CaptureFile::next_record(RawPacket& packet) {
  const uint64_t offset = input_->offset();
  const ByteView header = input_->peek(record_header_bytes_);
  if (header.empty()) return at_end();
  if (header.size() < record_header_bytes_) {
    fail_cut_off(Part::kPacket, offset, header.size());
    return Step::kCorrupt;
  }
  const int64_t seconds = load32(header.data());
  const int64_t fraction = load32(header.data() + 4);
  uint32_t captured = load32(header.data() + 8);
  uint32_t wire = load32(header.data() + 12);
  if (lengths_ == Lengths::kSwapped || (lengths_ == Lengths::kMaybeSwapped && captured > wire))
    std::swap(captured, wire);
  if (captured > packet_bytes_max_) {
    fail_corrupt(Part::kPacket, offset, claims_too_much(captured));
    return Step::kCorrupt;
  }
  const size_t record_bytes = record_header_bytes_ + captured;
  const ByteView record = input_->peek(record_bytes);
  if (record.size() < record_bytes) {
    fail_cut_off(Part::kPacket, offset, record.size());
    return Step::kCorrupt;
  }
  packet.bytes = record.subspan(record_header_bytes_);
  packet.wire_bytes = std::max(wire, captured);
  packet.wire_bytes -= std::min(packet.wire_bytes, check_sequence_bytes_);
  if (packet.bytes.size() > packet.wire_bytes) packet.bytes = packet.bytes.first(packet.wire_bytes);
  packet.link_type = link_type_;
  last_time_ns_ = seconds * 1'000'000'000 + fraction * ns_per_fraction_;
  deliver(packet, offset);
  input_->skip(record_bytes);
  return Step::kPacket;
}

// --- pcapng --------------------------------------------------------------------------------------

CaptureFile::Step CaptureFile::next_block(RawPacket& packet) {
  constexpr size_t kHeadBytes = 8;
  for (;;) {
    const uint64_t offset = input_->offset();
    const ByteView head = input_->peek(kHeadBytes);
    if (head.empty()) return at_end();
    if (head.size() < kHeadBytes) {
      fail_cut_off(Part::kBlock, offset, head.size());
      return Step::kCorrupt;
    }
    const uint32_t type = load32(head.data());
    if (type == kSectionHeaderBlock) {
      if (!read_section()) return Step::kCorrupt;
      continue;
    }
    const uint32_t block_bytes = load32(head.data() + 4);
    if (block_bytes < kBlockBytesMin || block_bytes % 4 != 0) {
      fail_corrupt(Part::kBlock, offset,
                   "it claims a length of " + std::to_string(block_bytes) + " bytes");
      return Step::kCorrupt;
    }
    switch (type) {
      case kEnhancedPacketBlock:
      case kSimplePacketBlock:
      case kObsoletePacketBlock:
        return read_packet_block(type, block_bytes, packet) ? Step::kPacket : Step::kCorrupt;
      case kInterfaceBlock:
        if (!read_interface(block_bytes)) return Step::kCorrupt;
        break;
      default:
        if (!pass_block(block_bytes)) return Step::kCorrupt;
        break;
    }
  }
}

bool CaptureFile::read_section() {
  const uint64_t offset = input_->offset();
  const ByteView head = input_->peek(kSectionBytesMin);
  if (head.size() < kSectionBytesMin) return fail_cut_off(Part::kSection, offset, head.size());
  const uint32_t magic = load_native32(head.data() + 8);
  if (magic != kSectionMagic && magic != __builtin_bswap32(kSectionMagic))
    return fail_corrupt(Part::kSection, offset, "it has no byte-order magic");
  swapped_ = magic != kSectionMagic;
  const uint32_t block_bytes = load32(head.data() + 4);
  if (block_bytes < kSectionBytesMin || block_bytes % 4 != 0)
    return fail_corrupt(Part::kSection, offset,
                        "it claims a header of " + std::to_string(block_bytes) + " bytes");
  if (const uint16_t major = load16(head.data() + 12); major != 1)
    return fail_corrupt(
        Part::kSection, offset,
        "it is of pcapng version " + std::to_string(major) + ", and only 1 is known");
  interfaces_.clear();
  return pass_block(block_bytes);
}

bool CaptureFile::read_interface(uint32_t block_bytes) {
  const uint64_t offset = input_->offset();
  const ByteView block = whole_block(Part::kInterface, block_bytes);
  if (block.empty()) return false;
  if (block.size() < kInterfaceBytesMin)
    return fail_corrupt(Part::kInterface, offset, "it is too short");
  if (interfaces_.size() >= interfaces_max_)
    return fail_corrupt(Part::kInterface, offset,
                        "a section may have " + std::to_string(interfaces_max_));
  Interface interface;
  interface.link_type = load16(block.data() + 8);
  interface.snap_bytes = load32(block.data() + 12);
  const size_t options_bytes = block.size() - kInterfaceBytesMin;
  if (!read_interface_options(block.subspan(16, options_bytes), interface))
    return fail_corrupt(Part::kInterface, offset, "an option is longer than its block");
  interfaces_.push_back(interface);
  input_->skip(block_bytes);
  return true;
}

bool CaptureFile::read_interface_options(ByteView options, Interface& interface) {
  constexpr uint16_t kEnd = 0;
  constexpr uint16_t kTimeResolution = 9;
  constexpr uint16_t kTimeOffset = 14;
  while (options.size() >= 4) {
    const uint16_t code = load16(options.data());
    const uint16_t length = load16(options.data() + 2);
    if (code == kEnd) return true;
    const size_t padded = (size_t{length} + 3) / 4 * 4;
    if (padded > options.size() - 4) return false;
    const uint8_t* const value = options.data() + 4;
    if (code == kTimeResolution && length >= 1) interface.time_resolution = *value;
    if (code == kTimeOffset && length >= 8)
      interface.time_offset_s = static_cast<int64_t>(load64(value));
    options = options.subspan(4 + padded);
  }
  return true;
}

bool CaptureFile::read_packet_block(uint32_t type, uint32_t block_bytes, RawPacket& packet) {
  const uint64_t offset = input_->offset();
  const ByteView block = whole_block(Part::kPacket, block_bytes);
  if (block.empty()) return false;

  const size_t header_bytes = type == kSimplePacketBlock ? 12 : 28;
  if (block.size() < header_bytes + kBlockTrailerBytes)
    return fail_corrupt(Part::kPacket, offset, "its block is too short");
  const size_t room = block.size() - header_bytes - kBlockTrailerBytes;
  const uint8_t* const at = block.data();
  PacketBlock fields{.header_bytes = header_bytes};
  if (type == kSimplePacketBlock) {
    fields.wire_bytes = load32(at + 8);
  } else {
    fields.interface = type == kEnhancedPacketBlock ? load32(at + 8) : load16(at + 8);
    fields.has_time = true;
    fields.ticks = uint64_t{load32(at + 12)} << 32 | load32(at + 16);
    fields.captured_bytes = load32(at + 20);
    fields.wire_bytes = load32(at + 24);
  }
  if (fields.interface >= interfaces_.size())
    return fail_corrupt(Part::kPacket, offset,
                        "it names interface " + std::to_string(fields.interface) +
                            ", and its section describes " + std::to_string(interfaces_.size()));
  const Interface& interface = interfaces_[fields.interface];
  if (type == kSimplePacketBlock) {
    // This block does not say how much was captured: all, up to the interface's limit.
    fields.captured_bytes = fields.wire_bytes;
    if (interface.snap_bytes != 0)
      fields.captured_bytes = std::min(fields.captured_bytes, interface.snap_bytes);
    fields.captured_bytes = static_cast<uint32_t>(std::min<size_t>(fields.captured_bytes, room));
  }
  if (fields.captured_bytes > room || fields.captured_bytes > packet_bytes_max_)
    return fail_corrupt(Part::kPacket, offset, claims_too_much(fields.captured_bytes));

  packet.bytes = block.subspan(header_bytes, fields.captured_bytes);
  packet.wire_bytes = std::max(fields.wire_bytes, fields.captured_bytes);
  packet.link_type = interface.link_type;
  if (fields.has_time)
    last_time_ns_ = ticks_to_ns(fields.ticks, interface.time_resolution, interface.time_offset_s);
  deliver(packet, offset);
  input_->skip(block_bytes);
  return true;
}

bool CaptureFile::pass_block(uint32_t block_bytes) {
  const uint64_t offset = input_->offset();
  const uint64_t passed = input_->skip(block_bytes - kBlockTrailerBytes);
  const ByteView trailer = input_->peek(kBlockTrailerBytes);
  if (trailer.size() < kBlockTrailerBytes)
    return fail_cut_off(Part::kBlock, offset, passed + trailer.size());
  if (load32(trailer.data()) != block_bytes)
    return fail_corrupt(Part::kBlock, offset, kLengthsDiffer);
  input_->skip(kBlockTrailerBytes);
  return true;
}

ByteView CaptureFile::whole_block(Part part, uint32_t block_bytes) {
  const uint64_t offset = input_->offset();
  if (block_bytes > packet_bytes_max_ + kBlockExtraBytesMax) {
    fail_corrupt(part, offset, "it claims a block of " + std::to_string(block_bytes) + " bytes");
    return {};
  }
  const ByteView block = input_->peek(block_bytes);
  if (block.size() < block_bytes) {
    fail_cut_off(part, offset, block.size());
    return {};
  }
  if (load32(block.data() + block_bytes - kBlockTrailerBytes) != block_bytes) {
    fail_corrupt(part, offset, kLengthsDiffer);
    return {};
  }
  return block;
}

// --- both ----------------------------------------------------------------------------------------

void CaptureFile::deliver(RawPacket& packet, uint64_t offset) {
  fetch_ahead(packet.bytes);
  packet.time = {.ns = last_time_ns_, .clock = Clock::kCapture};
  packet.number = ++packets_;
  packet.file_offset = offset;
}

CaptureFile::Step CaptureFile::at_end() {
  if (input_->read_error().empty()) return Step::kEnd;
  fail("reading failed at byte offset " + std::to_string(input_->offset()) + ": " +
       input_->read_error() + "; everything before was read");
  return Step::kCorrupt;
}

bool CaptureFile::fail(std::string text) {
  error_ = name_ + ": " + std::move(text);
  return false;
}

bool CaptureFile::fail_cut_off(Part part, uint64_t offset, uint64_t bytes_there) {
  if (!input_->read_error().empty())
    return fail(place_of(part, offset) + " could not be read: " + input_->read_error() +
                "; everything before it was read");
  return fail(place_of(part, offset) + " is cut off: the file ends " + std::to_string(bytes_there) +
              " bytes into it; everything before it was read");
}

bool CaptureFile::fail_corrupt(Part part, uint64_t offset, const std::string& why) {
  return fail(place_of(part, offset) + " is corrupt: " + why + "; everything before it was read");
}

std::string CaptureFile::place_of(Part part, uint64_t offset) const {
  const std::string at = " at byte offset " + std::to_string(offset);
  const std::string after = " after packet " + std::to_string(packets_);
  switch (part) {
    case Part::kPacket:
      return "packet " + std::to_string(packets_ + 1) + at;
    case Part::kInterface:
      return "the interface description" + after + at;
    case Part::kSection:
      return "the section header" + after + at;
    case Part::kBlock:
      break;
  }
  return "the block" + after + at;
}

std::string CaptureFile::claims_too_much(uint32_t captured_bytes) const {
  return "it claims " + std::to_string(captured_bytes) + " captured bytes";
}

uint16_t CaptureFile::load16(const uint8_t* at) const {
  uint16_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap16(value) : value;
}
uint32_t CaptureFile::load32(const uint8_t* at) const {
  const uint32_t value = load_native32(at);
  return swapped_ ? __builtin_bswap32(value) : value;
}
uint64_t CaptureFile::load64(const uint8_t* at) const {
  uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap64(value) : value;
}

}  // namespace wiretally::pcap
