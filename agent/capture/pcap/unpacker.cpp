#include "unpacker.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <string_view>

namespace wiretally::pcap {
namespace {

class GzipUnpacker final : public Unpacker {
 public:
  GzipUnpacker() {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) error_ = "no memory to unpack it";
  }
  ~GzipUnpacker() override { inflateEnd(&stream_); }
  GzipUnpacker(const GzipUnpacker&) = delete;
  GzipUnpacker& operator=(const GzipUnpacker&) = delete;

  Step unpack(ByteView packed, std::span<uint8_t> output) override {
    if (!error_.empty() || (packed.empty() && at_border_)) return {};
    if (at_border_ && begun_ && !next_member(packed[0])) return {.consumed = packed.size()};
    stream_.next_in = const_cast<uint8_t*>(packed.data());
    stream_.avail_in = static_cast<uInt>(std::min<size_t>(packed.size(), UINT32_MAX));
    const size_t offered = stream_.avail_in;
    stream_.next_out = output.data();
    stream_.avail_out = static_cast<uInt>(std::min<size_t>(output.size(), UINT32_MAX));
    const size_t room = stream_.avail_out;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    begun_ = true;
    at_border_ = result == Z_STREAM_END;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      error_ = "its gzip data is damaged";
    }
    return {.consumed = offered - stream_.avail_in, .produced = room - stream_.avail_out};
  }
  bool at_border() const override { return at_border_; }

 private:
  // False: padding, as gzip(1) ignores it.
  bool next_member(uint8_t first) {
    if (padding_ || first != 0x1f) {
      padding_ = true;
      return false;
    }
    inflateReset(&stream_);
    return true;
  }

  z_stream stream_{};
  bool begun_ = false;
  bool at_border_ = true;
  bool padding_ = false;
};

class ZstdUnpacker final : public Unpacker {
 public:
  ZstdUnpacker() : context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) error_ = "no memory to unpack it";
  }
  ~ZstdUnpacker() override { ZSTD_freeDCtx(context_); }
  ZstdUnpacker(const ZstdUnpacker&) = delete;
  ZstdUnpacker& operator=(const ZstdUnpacker&) = delete;

  Step unpack(ByteView packed, std::span<uint8_t> output) override {
    if (!error_.empty() || (packed.empty() && at_border_)) return {};
    ZSTD_inBuffer in{.src = packed.data(), .size = packed.size(), .pos = 0};
    ZSTD_outBuffer out{.dst = output.data(), .size = output.size(), .pos = 0};
    const size_t result = ZSTD_decompressStream(context_, &out, &in);
    at_border_ = result == 0;
    if (ZSTD_isError(result) != 0) {
      error_ = std::string("its zstd data is damaged (") + ZSTD_getErrorName(result) + ")";
    }
    return {.consumed = in.pos, .produced = out.pos};
  }
  bool at_border() const override { return at_border_; }

 private:
  ZSTD_DCtx* context_;
  bool at_border_ = true;
};

}  // namespace

std::unique_ptr<Unpacker> Unpacker::for_magic(ByteView start) {
  constexpr std::string_view kGzip = "\x1f\x8b";
  constexpr std::string_view kZstd = "\x28\xb5\x2f\xfd";
  const std::string_view text = as_text(start);
  if (text.substr(0, kGzip.size()) == kGzip) return std::make_unique<GzipUnpacker>();
  if (text.substr(0, kZstd.size()) == kZstd) return std::make_unique<ZstdUnpacker>();
  return nullptr;
}

}  // namespace wiretally::pcap
