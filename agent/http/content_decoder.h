// Removes content codings (RFC 9110 section 8.4) while the body streams by.
//
// A decoder is borrowed from the lane's pool at a body's first byte and given back at its end or
// failure. All decoders together stay within Limits::decoder_bytes_max. To add a coding: a
// ContentCoding, a ContentDecoder and its row in DecoderPool::acquire.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "wiretally/bytes.h"
#include "wiretally/http_exchange.h"

namespace wiretally::http {

enum class ContentCoding : uint8_t { kIdentity, kGzip, kDeflate, kUnsupported };

// What the fields Content-Encoding and Transfer-Encoding leave to be decoded. Stacked codings are
// not supported.
ContentCoding content_coding(const Headers& headers);

class ContentDecoder {
 public:
  virtual ~ContentDecoder() = default;

  struct Step {
    size_t consumed = 0;
    size_t produced = 0;
    bool failed = false;
  };
  // Decodes as much of `coded` as `output` has room for. Call again while anything moves.
  virtual Step decode(ByteView coded, std::span<uint8_t> output) = 0;
};

// gzip (RFC 1952, several members) and deflate, wrapped by zlib (RFC 1950) or raw (RFC 1951; some
// servers mean that by "deflate"; the first two bytes tell).
class InflateDecoder final : public ContentDecoder {
 public:
  static constexpr size_t kChargedBytes = 40'000;  // measured: one inflate state with its window

  InflateDecoder();
  ~InflateDecoder() override;
  InflateDecoder(const InflateDecoder&) = delete;
  InflateDecoder& operator=(const InflateDecoder&) = delete;

  // False if zlib has no memory.
  bool reset(ContentCoding coding);
  Step decode(ByteView coded, std::span<uint8_t> output) override;

 private:
  enum class State : uint8_t { kUnwrapped, kRunning, kMemberEnded, kTrailer, kFailed };

  Step sniff_wrapper(ByteView coded);
  Step run(ByteView coded, std::span<uint8_t> output);
  bool restart(int window_bits);

  z_stream stream_{};
  bool initialised_ = false;
  State state_ = State::kFailed;
  bool gzip_ = false;
  bool has_first_ = false;
  uint8_t first_byte_ = 0;
  size_t replay_bytes_ = 0;  // of prefix_, still to be fed
  uint8_t prefix_[2] = {};
};

class DecoderPool {
 public:
  explicit DecoderPool(size_t bytes_max) : bytes_max_(bytes_max) {}

  // Nothing if the budget is used up.
  InflateDecoder* acquire(ContentCoding coding);
  void release(InflateDecoder* decoder) { free_.push_back(decoder); }

 private:
  size_t bytes_max_;
  std::vector<std::unique_ptr<InflateDecoder>> all_;
  std::vector<InflateDecoder*> free_;
};

}  // namespace wiretally::http
