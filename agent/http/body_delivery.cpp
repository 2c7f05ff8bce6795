#include "body_delivery.h"

namespace wiretally::http {

void BodyDelivery::begin(Source source, const Exchange* exchange, Message message,
                         BodyInterest interest, ContentCoding coding) {
  *this = BodyDelivery();
  source_ = source;
  message_ = message;
  coding_ = coding;
  if (exchange == nullptr) {
    mode_ = Mode::kDrop;
    drop_reason_ = DropReason::kHttpPipelineFull;
    return;
  }
  id_ = exchange->id;
  mode_ = coding == ContentCoding::kIdentity ? Mode::kPlain : Mode::kCoded;
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
  if (mode_ == Mode::kPlain) apply(lane, lane.sink.on_body(id_, message_, part, time));
}

void BodyDelivery::deliver_coded(Lane& lane, ByteView part, EventTime time) {
  if (coding_ == ContentCoding::kUnsupported) {
    fail(lane, DropReason::kHttpDecodeFailed, part.size(), time);
    return;
  }
  if (decoder_ == nullptr) decoder_ = lane.decoders.acquire(coding_);
  if (decoder_ == nullptr) {
    fail(lane, DropReason::kHttpDecoderBudget, part.size(), time);
    return;
  }
  while (mode_ == Mode::kCoded) {
    const ContentDecoder::Step step = decoder_->decode(part, lane.decoded);
    part = part.subspan(step.consumed);
    lane.counters.parse(source_, step.consumed);
    coded_bytes_ += step.consumed;
    decoded_bytes_ += step.produced;
    if (decoded_bytes_ > lane.limits.decode_ratio_free_bytes &&
        decoded_bytes_ / lane.limits.decode_ratio_max > coded_bytes_) {
      fail(lane, DropReason::kHttpDecodeRatio, part.size(), time);
      return;
    }
    if (step.produced > 0) {
      const ByteView decoded(lane.decoded.data(), step.produced);
      apply(lane, lane.sink.on_body(id_, message_, decoded, time));
    }
    if (step.failed) {
      if (mode_ == Mode::kCoded) {
        fail(lane, DropReason::kHttpDecodeFailed, part.size(), time);
        return;
      }
      break;
    }
    if (step.consumed == 0 && step.produced == 0) break;
  }
  account(lane, part.size());
}

void BodyDelivery::framing(Lane& lane, uint64_t bytes) { account(lane, bytes); }

void BodyDelivery::gap(Lane& lane, uint64_t wire_bytes, EventTime time) {
  if (mode_ == Mode::kDrop && drop_reason_ == DropReason::kHttpPipelineFull) return;
  lane.sink.on_body_loss(id_, message_, BodyLoss::kGap, wire_bytes, time);
  if (mode_ != Mode::kCoded) return;
  release(lane);
  mode_ = Mode::kDrop;
  drop_reason_ = DropReason::kHttpDecodeFailed;
}

void BodyDelivery::end(Lane& lane) {
  release(lane);
  mode_ = Mode::kSkip;
}

void BodyDelivery::apply(Lane& lane, BodyInterest interest) {
  if (interest == BodyInterest::kWanted) return;
  release(lane);
  mode_ = Mode::kSkip;
  skip_reason_ =
      interest == BodyInterest::kNotLlm ? SkipReason::kHttpNotLlm : SkipReason::kHttpBodyUnwanted;
}

void BodyDelivery::fail(Lane& lane, DropReason reason, uint64_t wire_bytes, EventTime time) {
  release(lane);
  mode_ = Mode::kDrop;
  drop_reason_ = reason;
  account(lane, wire_bytes);
  lane.sink.on_body_loss(id_, message_, BodyLoss::kDecodeFailed, wire_bytes, time);
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

void BodyDelivery::release(Lane& lane) {
  if (decoder_ == nullptr) return;
  lane.decoders.release(decoder_);
  decoder_ = nullptr;
}

}  // namespace wiretally::http
