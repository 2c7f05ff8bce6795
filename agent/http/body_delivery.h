// Hands one body on, its content coding removed, and accounts for each of its wire bytes once.
#pragma once

#include "content_decoder.h"
#include "lane.h"

namespace wiretally::http {

class BodyDelivery {
 public:
  // `exchange` null: the message belongs to no exchange (pipeline full); its bytes are dropped.
  void begin(Source source, const Exchange* exchange, Message message, BodyInterest interest,
             ContentCoding coding);
  // A part of the body, transfer coding removed.
  void deliver(Lane& lane, ByteView part, EventTime time);
  // Transfer framing around the parts.
  void framing(Lane& lane, uint64_t bytes);
  void gap(Lane& lane, uint64_t wire_bytes, EventTime time);
  void end(Lane& lane);

 private:
  enum class Mode : uint8_t { kPlain, kCoded, kSkip, kDrop };

  void deliver_coded(Lane& lane, ByteView part, EventTime time);
  void apply(Lane& lane, BodyInterest interest);
  void fail(Lane& lane, DropReason reason, uint64_t wire_bytes, EventTime time);
  void account(Lane& lane, uint64_t bytes);
  void release(Lane& lane);

  Source source_ = Source::kPacket;
  Mode mode_ = Mode::kSkip;
  SkipReason skip_reason_ = SkipReason::kHttpNotLlm;
  DropReason drop_reason_ = DropReason::kHttpDecodeFailed;
  ContentCoding coding_ = ContentCoding::kIdentity;
  ExchangeId id_{};
  Message message_ = Message::kRequest;
  InflateDecoder* decoder_ = nullptr;
  uint64_t coded_bytes_ = 0;
  uint64_t decoded_bytes_ = 0;
};

}  // namespace wiretally::http
