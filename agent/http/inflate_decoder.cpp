#include "inflate_decoder.h"

#include <algorithm>
#include <cstring>

#include "crc32.h"

namespace wiretally::http {
namespace {

constexpr int kRawDeflate = -15;
constexpr int kZlibWrapped = 15;
constexpr int kGzipWrapped = 15 + 16;
constexpr uint8_t kGzipMagic = 0x1f;

// RFC 1950 section 2.2: method 8, and the two bytes are a multiple of 31.
bool is_zlib_header(uint8_t first, uint8_t second) {
  return (first & 0x0f) == 8 && (first * 256 + second) % 31 == 0;
}

}  // namespace

std::unique_ptr<ContentDecoder> InflateDecoder::make(Wrapper wrapper, DecoderBudget& budget) {
  std::unique_ptr<InflateDecoder> decoder(new (budget) InflateDecoder(wrapper, budget));
  if (decoder == nullptr || !decoder->initialised_) return nullptr;
  return decoder;
}

InflateDecoder::InflateDecoder(Wrapper wrapper, DecoderBudget& budget)
    : wrapper_(wrapper), state_(wrapper == Wrapper::kGzip ? State::kRunning : State::kUnwrapped) {
  stream_.zalloc = DecoderBudget::allocate_for_zlib;
  stream_.zfree = DecoderBudget::release_to;
  stream_.opaque = &budget;
  initialised_ =
      inflateInit2(&stream_, wrapper == Wrapper::kGzip ? kGzipWrapped : kZlibWrapped) == Z_OK;
}

InflateDecoder::~InflateDecoder() {
  if (initialised_) inflateEnd(&stream_);
}

bool InflateDecoder::restart(int window_bits) {
  library_checks_ = true;
  crc_ = decoded_bytes_ = 0;
  return inflateReset2(&stream_, window_bits) == Z_OK;
}

void InflateDecoder::check_ourselves(ByteView consumed, ByteView produced) {
  crc_ = crc32_of(crc_, produced);
  decoded_bytes_ += static_cast<uint32_t>(produced.size());
  if (consumed.size() >= kTrailerBytes) {
    std::memcpy(latest_, consumed.data() + consumed.size() - kTrailerBytes, kTrailerBytes);
  } else {
    std::memmove(latest_, latest_ + consumed.size(), kTrailerBytes - consumed.size());
    std::copy(consumed.begin(), consumed.end(), latest_ + kTrailerBytes - consumed.size());
  }
  // The header is behind us: zlib has checked it, where it says how.
  if (library_checks_ && decoded_bytes_ > 0 && inflateValidate(&stream_, 0) == Z_OK) {
    library_checks_ = false;
  }
}

// RFC 1952 section 2.3.1.
bool InflateDecoder::trailer_agrees() const {
  const auto number = [this](size_t at) {
    return latest_[at] | latest_[at + 1] << 8 | latest_[at + 2] << 16 |
           static_cast<uint32_t>(latest_[at + 3]) << 24;
  };
  return number(0) == crc_ && number(4) == decoded_bytes_;
}

ContentDecoder::Step InflateDecoder::decode(ByteView coded, std::span<uint8_t> output) {
  switch (state_) {
    case State::kUnwrapped:
      return sniff_wrapper(coded, output);
    case State::kRunning:
      return run(coded, output);
    case State::kMemberEnded:
      if (coded.empty()) return {};
      if (wrapper_ == Wrapper::kGzip && coded[0] == kGzipMagic) {
        state_ = restart(kGzipWrapped) ? State::kRunning : State::kFailed;
        return run(coded, output);
      }
      state_ = State::kTrailer;
      return {.consumed = coded.size()};
    case State::kTrailer:
      return {.consumed = coded.size()};
    case State::kFailed:
      return {.status = DecodeStatus::kBad};
  }
  return {.status = DecodeStatus::kBad};
}

ContentDecoder::Step InflateDecoder::sniff_wrapper(ByteView coded, std::span<uint8_t> output) {
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
  if (!restart(window_bits)) {
    state_ = State::kFailed;
    return {.consumed = 1, .status = DecodeStatus::kBad};
  }
  state_ = State::kRunning;
  Step step = run(coded.subspan(1), output);  // an empty stream is no longer than its prefix
  ++step.consumed;
  return step;
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
  if (wrapper_ == Wrapper::kGzip) {
    check_ourselves(input.first(consumed), output.first(step.produced));
    if (result == Z_STREAM_END && !library_checks_ && !trailer_agrees()) {
      state_ = State::kFailed;
      step.status = DecodeStatus::kBad;
      return step;
    }
  }
  if (replaying) {
    replay_bytes_ -= consumed;
    step.consumed = 0;
    if (replay_bytes_ == 0 && result == Z_OK && step.produced == 0) return run(coded, output);
  }
  if (result == Z_STREAM_END) {
    state_ = State::kMemberEnded;
    if (replaying) return decode(coded, output);
  } else if (result == Z_MEM_ERROR) {
    state_ = State::kFailed;
    step.status = DecodeStatus::kNoMemory;
  } else if (result != Z_OK && result != Z_BUF_ERROR) {
    state_ = State::kFailed;
    step.status = DecodeStatus::kBad;
  }
  return step;
}

}  // namespace wiretally::http
