#include "message_inflater.h"

#include <algorithm>

namespace wiretally::http {

namespace {
constexpr int kRawDeflate = -15;
}  // namespace

std::unique_ptr<MessageInflater> MessageInflater::make(DecoderBudget& budget) {
  std::unique_ptr<MessageInflater> inflater(new (budget) MessageInflater(budget));
  if (inflater == nullptr || !inflater->initialised_) return nullptr;
  return inflater;
}

MessageInflater::MessageInflater(DecoderBudget& budget) {
  stream_.zalloc = DecoderBudget::allocate_for_zlib;
  stream_.zfree = DecoderBudget::release_to;
  stream_.opaque = &budget;
  initialised_ = inflateInit2(&stream_, kRawDeflate) == Z_OK;
}

MessageInflater::~MessageInflater() {
  if (initialised_) inflateEnd(&stream_);
}

ContentDecoder::Step MessageInflater::decode(ByteView coded, std::span<uint8_t> output) {
  stream_.next_in = const_cast<uint8_t*>(coded.data());
  stream_.avail_in = static_cast<uInt>(std::min<size_t>(coded.size(), UINT32_MAX));
  const size_t offered = stream_.avail_in;
  stream_.next_out = output.data();
  stream_.avail_out = static_cast<uInt>(output.size());
  const int result = inflate(&stream_, Z_NO_FLUSH);
  ContentDecoder::Step step{.consumed = offered - stream_.avail_in,
                            .produced = output.size() - stream_.avail_out};
  if (result == Z_STREAM_END) {
    // More blocks follow, and they may point back across this end: the window stays.
    const bool goes_on = ++ends_ <= kEndsMax && inflateResetKeep(&stream_) == Z_OK;
    if (!goes_on) step.status = DecodeStatus::kBad;
    if (goes_on && step.consumed == 0 && step.produced == 0) return decode(coded, output);
  } else if (result == Z_MEM_ERROR) {
    step.status = DecodeStatus::kNoMemory;
  } else if (result != Z_OK && result != Z_BUF_ERROR) {
    step.status = DecodeStatus::kBad;
  }
  return step;
}

}  // namespace wiretally::http
