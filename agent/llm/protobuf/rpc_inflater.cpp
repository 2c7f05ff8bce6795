#include "protobuf/rpc_inflater.h"

#include <algorithm>
#include <utility>

namespace wiretally::llm {
namespace {

constexpr int kZlibOrGzip = 15 + 32;

}  // namespace

RpcInflater::RpcInflater(const Limits& limits) : limits_(limits) {
  initialised_ = inflateInit2(&stream_, kZlibOrGzip) == Z_OK;
  usable_ = initialised_;
}

RpcInflater::~RpcInflater() {
  if (initialised_) inflateEnd(&stream_);
}

void RpcInflater::reset() {
  usable_ = initialised_ && inflateReset2(&stream_, kZlibOrGzip) == Z_OK;
  ended_ = pending_ = false;
  coded_bytes_ = decoded_bytes_ = 0;
}

size_t RpcInflater::decode(ByteView& coded, uint8_t (&buffer)[kPieceBytes]) {
  if (ended_) {  // nothing may stand behind the end
    usable_ = coded.empty();
    pending_ = false;
    return 0;
  }
  const size_t offered = std::min<size_t>(coded.size(), UINT32_MAX);
  stream_.next_in = const_cast<uint8_t*>(coded.data());
  stream_.avail_in = static_cast<uInt>(offered);
  stream_.next_out = buffer;
  stream_.avail_out = kPieceBytes;
  const int result = inflate(&stream_, Z_NO_FLUSH);
  const size_t consumed = offered - stream_.avail_in;
  const size_t produced = kPieceBytes - stream_.avail_out;
  coded = coded.subspan(consumed);
  coded_bytes_ += consumed;
  decoded_bytes_ += produced;
  pending_ = stream_.avail_out == 0;
  ended_ = result == Z_STREAM_END;
  const bool good = result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR;
  const bool too_large = decoded_bytes_ > limits_.decode_ratio_free_bytes &&
                         decoded_bytes_ / limits_.decode_ratio_max > coded_bytes_;
  if (!good || too_large) usable_ = false;
  return produced;
}

std::unique_ptr<RpcInflater> RpcInflaters::take() {
  if (taken_ == limits_.rpc_inflaters_max) return nullptr;
  ++taken_;
  if (spare_.empty()) return std::make_unique<RpcInflater>(limits_);
  std::unique_ptr<RpcInflater> inflater = std::move(spare_.back());
  spare_.pop_back();
  inflater->reset();
  return inflater;
}

void RpcInflaters::give_back(std::unique_ptr<RpcInflater> inflater) {
  if (inflater == nullptr) return;
  --taken_;
  spare_.push_back(std::move(inflater));
}

}  // namespace wiretally::llm
