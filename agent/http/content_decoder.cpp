#include "content_decoder.h"

#include <strings.h>

namespace wiretally::http {
namespace {

constexpr int kRawDeflate = -15;
constexpr int kZlibWrapped = 15;
constexpr int kGzipWrapped = 15 + 16;
constexpr uint8_t kGzipMagic = 0x1f;

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

ContentCoding coding_named(std::string_view name) {
  if (name.empty() || same(name, "identity")) return ContentCoding::kIdentity;
  if (same(name, "gzip") || same(name, "x-gzip")) return ContentCoding::kGzip;
  if (same(name, "deflate")) return ContentCoding::kDeflate;
  return ContentCoding::kUnsupported;
}

// RFC 1950 section 2.2: method 8, and the two bytes are a multiple of 31.
bool is_zlib_header(uint8_t first, uint8_t second) {
  return (first & 0x0f) == 8 && (first * 256 + second) % 31 == 0;
}

}  // namespace

ContentCoding content_coding(const Headers& headers) {
  ContentCoding coding = ContentCoding::kIdentity;
  for (const HeaderField& field : headers.fields) {
    ContentCoding named = ContentCoding::kIdentity;
    if (same(field.name, "content-encoding")) {
      named = coding_named(field.value);
    } else if (same(field.name, "transfer-encoding") && !same(field.value, "chunked")) {
      named =
          same(field.value, "identity") ? ContentCoding::kIdentity : ContentCoding::kUnsupported;
    }
    if (named == ContentCoding::kIdentity) continue;
    coding = coding == ContentCoding::kIdentity ? named : ContentCoding::kUnsupported;
  }
  return coding;
}

InflateDecoder::InflateDecoder() { initialised_ = inflateInit2(&stream_, kZlibWrapped) == Z_OK; }

InflateDecoder::~InflateDecoder() {
  if (initialised_) inflateEnd(&stream_);
}

bool InflateDecoder::restart(int window_bits) {
  return initialised_ && inflateReset2(&stream_, window_bits) == Z_OK;
}

bool InflateDecoder::reset(ContentCoding coding) {
  gzip_ = coding == ContentCoding::kGzip;
  has_first_ = false;
  replay_bytes_ = 0;
  state_ = gzip_ ? State::kRunning : State::kUnwrapped;
  return restart(gzip_ ? kGzipWrapped : kZlibWrapped);
}

ContentDecoder::Step InflateDecoder::decode(ByteView coded, std::span<uint8_t> output) {
  switch (state_) {
    case State::kUnwrapped:
      return sniff_wrapper(coded);
    case State::kRunning:
      return run(coded, output);
    case State::kMemberEnded:
      if (coded.empty()) return {};
      if (gzip_ && coded[0] == kGzipMagic) {
        state_ = restart(kGzipWrapped) ? State::kRunning : State::kFailed;
        return run(coded, output);
      }
      state_ = State::kTrailer;
      return {.consumed = coded.size()};
    case State::kTrailer:  // padding behind the end, which clients ignore
      return {.consumed = coded.size()};
    case State::kFailed:
      return {.failed = true};
  }
  return {.failed = true};
}

ContentDecoder::Step InflateDecoder::sniff_wrapper(ByteView coded) {
  if (coded.empty()) return {};
  if (!has_first_) {
    has_first_ = true;
    first_byte_ = coded[0];
    return {.consumed = 1};
  }
  prefix_[0] = first_byte_;
  prefix_[1] = coded[0];
  replay_bytes_ = 2;
  const int window_bits = is_zlib_header(prefix_[0], prefix_[1]) ? kZlibWrapped : kRawDeflate;
  state_ = restart(window_bits) ? State::kRunning : State::kFailed;
  return {.consumed = 1, .failed = state_ == State::kFailed};
}

ContentDecoder::Step InflateDecoder::run(ByteView coded, std::span<uint8_t> output) {
  const bool replaying = replay_bytes_ > 0;
  const ByteView input = replaying ? ByteView(prefix_ + 2 - replay_bytes_, replay_bytes_) : coded;
  stream_.next_in = const_cast<uint8_t*>(input.data());
  stream_.avail_in = static_cast<uInt>(std::min<size_t>(input.size(), UINT32_MAX));
  const size_t offered = stream_.avail_in;
  stream_.next_out = output.data();
  stream_.avail_out = static_cast<uInt>(output.size());
  const int result = inflate(&stream_, Z_NO_FLUSH);
  const size_t consumed = offered - stream_.avail_in;
  Step step{.consumed = consumed, .produced = output.size() - stream_.avail_out};
  if (replaying) {
    replay_bytes_ -= consumed;
    step.consumed = 0;
    if (replay_bytes_ == 0 && result == Z_OK && step.produced == 0) {
      step = run(coded, output);
      return step;
    }
  }
  if (result == Z_STREAM_END) {
    state_ = State::kMemberEnded;
  } else if (result != Z_OK && result != Z_BUF_ERROR) {
    state_ = State::kFailed;
    step.failed = true;
  }
  return step;
}

InflateDecoder* DecoderPool::acquire(ContentCoding coding) {
  if (free_.empty()) {
    if ((all_.size() + 1) * InflateDecoder::kChargedBytes > bytes_max_) return nullptr;
    all_.push_back(std::make_unique<InflateDecoder>());
    free_.reserve(all_.size());
    free_.push_back(all_.back().get());
  }
  InflateDecoder* decoder = free_.back();
  if (!decoder->reset(coding)) return nullptr;
  free_.pop_back();
  return decoder;
}

}  // namespace wiretally::http
