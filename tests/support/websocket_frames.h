// Writes WebSocket frames (RFC 6455 section 5.2) and messages of permessage-deflate (RFC 7692).
#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace wiretally::test {

struct Frame {
  uint8_t opcode = 1;  // 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong
  bool final = true;
  bool compressed = false;                          // RSV1
  std::optional<std::array<uint8_t, 4>> mask = {};  // clients mask
};

inline constexpr std::array<uint8_t, 4> kMask = {0x37, 0xfa, 0x21, 0x3d};

inline std::string frame(const Frame& frame, std::string_view payload) {
  std::string wire;
  wire.push_back(
      static_cast<char>((frame.final ? 0x80 : 0) | (frame.compressed ? 0x40 : 0) | frame.opcode));
  const uint8_t masked = frame.mask.has_value() ? 0x80 : 0;
  size_t length_bytes = 0;
  if (payload.size() < 126) {
    wire.push_back(static_cast<char>(masked | payload.size()));
  } else if (payload.size() <= 0xffff) {
    wire.push_back(static_cast<char>(masked | 126));
    length_bytes = 2;
  } else {
    wire.push_back(static_cast<char>(masked | 127));
    length_bytes = 8;
  }
  for (size_t i = length_bytes; i > 0; --i) {
    wire.push_back(static_cast<char>(payload.size() >> (8 * (i - 1))));
  }
  if (frame.mask.has_value()) wire.append(frame.mask->begin(), frame.mask->end());
  for (size_t i = 0; i < payload.size(); ++i) {
    const uint8_t key = frame.mask.has_value() ? (*frame.mask)[i % 4] : uint8_t{0};
    wire.push_back(static_cast<char>(static_cast<uint8_t>(payload[i]) ^ key));
  }
  return wire;
}

// One direction's compressor.
class MessageDeflater {
 public:
  explicit MessageDeflater(bool keeps_window = true, int window_bits = 15)
      : keeps_window_(keeps_window) {
    if (deflateInit2(&stream_, 6, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::runtime_error("deflateInit2 failed");
    }
  }
  ~MessageDeflater() { deflateEnd(&stream_); }
  MessageDeflater(const MessageDeflater&) = delete;
  MessageDeflater& operator=(const MessageDeflater&) = delete;

  // As new.
  void reset(bool keeps_window) {
    deflateReset(&stream_);
    keeps_window_ = keeps_window;
  }
  // `last_block`: ends with a block that says it is the last, section 7.2.3.4.
  std::string message(std::string_view text, bool last_block = false) {
    if (text.empty()) return std::string(1, '\0');  // section 7.2.3.6
    std::string out;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    do {
      char buffer[4096];
      stream_.next_out = reinterpret_cast<Bytef*>(buffer);
      stream_.avail_out = sizeof buffer;
      deflate(&stream_, last_block ? Z_FINISH : Z_SYNC_FLUSH);
      out.append(buffer, sizeof buffer - stream_.avail_out);
    } while (stream_.avail_out == 0);
    if (last_block) {
      deflateReset(&stream_);
      return out + '\0';
    }
    if (!keeps_window_) deflateReset(&stream_);
    return out.substr(0, out.size() - 4);  // 00 00 ff ff
  }

 private:
  z_stream stream_{};
  bool keeps_window_;
};

}  // namespace wiretally::test
