#include "body_delivery.h"

#include "lane.h"

namespace wiretally::http {
namespace {

// Hands decoded parts to the lane's sink.
class Taker final : public DecodedSink {
 public:
  Taker(Lane& lane, ExchangeId id, Message message, EventTime time)
      : lane_(lane), id_(id), message_(message), time_(time) {}

  bool on_decoded(ByteView bytes) override {
    interest = lane_.sink.on_body(id_, message_, bytes, time_);
    return interest == BodyInterest::kWanted;
  }

  BodyInterest interest = BodyInterest::kWanted;

 private:
  Lane& lane_;
  ExchangeId id_;
  Message message_;
  EventTime time_;
};

}  // namespace

void BodyDelivery::begin(Source source, const Exchange* exchange, Message message,
                         BodyInterest interest, const ContentCodings& codings) {
  *this = BodyDelivery();
  source_ = source;
  message_ = message;
  codings_ = codings;
  if (exchange == nullptr) {
    mode_ = Mode::kDrop;
    drop_reason_ = DropReason::kHttpPipelineFull;
    return;
  }
  id_ = exchange->id;
  mode_ = codings.identity() ? Mode::kPlain : Mode::kCoded;
  if (interest != BodyInterest::kWanted) {
    mode_ = Mode::kSkip;
    skip_reason_ =
        interest == BodyInterest::kNotLlm ? SkipReason::kHttpNotLlm : SkipReason::kHttpBodyUnwanted;
  }
}

void BodyDelivery::deliver(Lane& lane, ByteView part, EventTime time) {
  if (mode_ == Mode::kCoded) {
    deliver_coded(lane, part, time);
    return;
  }
  account(lane, part.size());
  if (mode_ == Mode::kPlain) apply(lane.sink.on_body(id_, message_, part, time));
}

void BodyDelivery::deliver_coded(Lane& lane, ByteView part, EventTime time) {
  if (part.empty()) return;
  if (!codings_.supported()) {
    fail(lane, DropReason::kHttpDecodeFailed, BodyLoss::kDecodeFailed, part.size(), time);
    return;
  }
  if (decoders_ == nullptr) {
    decoders_ = DecoderChain::make(codings_, lane.decoder_budget, lane.limits);
  }
  if (decoders_ == nullptr) {
    fail(lane, DropReason::kHttpDecoderBudget, BodyLoss::kDecodeFailed, part.size(), time);
    return;
  }
  Taker taker(lane, id_, message_, time);
  // Not copied as a whole: that would wait for its parts to be stored.
  const ByteView coded(part.data(), part.size());
  const DecoderChain::Fed fed = decoders_->feed(coded, lane.decode_buffers, taker);
  lane.counters.parse(source_, fed.consumed);
  const size_t left = part.size() - fed.consumed;
  switch (fed.status) {
    case DecodeStatus::kGood:
      return;
    case DecodeStatus::kStopped:
      apply(taker.interest);
      account(lane, left);
      return;
    case DecodeStatus::kBad:
      fail(lane, DropReason::kHttpDecodeFailed, BodyLoss::kCorrupt, left, time);
      return;
    case DecodeStatus::kWindow:
      fail(lane, DropReason::kHttpDecodeWindow, BodyLoss::kDecodeFailed, left, time);
      return;
    case DecodeStatus::kNoMemory:
      fail(lane, DropReason::kHttpDecoderBudget, BodyLoss::kDecodeFailed, left, time);
      return;
    case DecodeStatus::kTooLarge:
      fail(lane, DropReason::kHttpDecodeRatio, BodyLoss::kDecodeFailed, left, time);
      return;
  }
}

void BodyDelivery::framing(Lane& lane, uint64_t bytes) { account(lane, bytes); }

void BodyDelivery::gap(Lane& lane, uint64_t wire_bytes, EventTime time) {
  if (mode_ == Mode::kDrop && drop_reason_ == DropReason::kHttpPipelineFull) return;
  lane.sink.on_body_loss(id_, message_, BodyLoss::kGap, wire_bytes, time);
  if (mode_ != Mode::kCoded) return;
  decoders_.reset();
  mode_ = Mode::kDrop;
  drop_reason_ = DropReason::kHttpDecodeFailed;
}

void BodyDelivery::end(Lane& lane, MessageEnd end, EventTime time) {
  const bool cut_short = mode_ == Mode::kCoded && end == MessageEnd::kComplete &&
                         decoders_ != nullptr && !decoders_->at_end();
  if (cut_short) fail(lane, DropReason::kHttpDecodeFailed, BodyLoss::kCorrupt, 0, time);
  stop();
}

void BodyDelivery::stop() {
  decoders_.reset();
  mode_ = Mode::kSkip;
}

void BodyDelivery::apply(BodyInterest interest) {
  if (interest == BodyInterest::kWanted) return;
  decoders_.reset();
  mode_ = Mode::kSkip;
  skip_reason_ =
      interest == BodyInterest::kNotLlm ? SkipReason::kHttpNotLlm : SkipReason::kHttpBodyUnwanted;
}

void BodyDelivery::fail(Lane& lane, DropReason reason, BodyLoss loss, uint64_t wire_bytes,
                        EventTime time) {
  decoders_.reset();
  mode_ = Mode::kDrop;
  drop_reason_ = reason;
  lane.counters.drop(source_, reason, wire_bytes);  // counted also where no byte is left
  lane.sink.on_body_loss(id_, message_, loss, wire_bytes, time);
}

void BodyDelivery::account(Lane& lane, uint64_t bytes) {
  if (bytes == 0) return;
  switch (mode_) {
    case Mode::kPlain:
    case Mode::kCoded:
      lane.counters.parse(source_, bytes);
      break;
    case Mode::kSkip:
      lane.counters.skip(source_, skip_reason_, bytes);
      break;
    case Mode::kDrop:
      lane.counters.drop(source_, drop_reason_, bytes);
      break;
  }
}

}  // namespace wiretally::http
