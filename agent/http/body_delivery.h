// Hands one body on, its content coding removed, and accounts for each of its wire bytes once.
#pragma once

#include <memory>

#include "content_coding.h"
#include "content_decoder.h"
#include "exchange.h"
#include "wiretally/counters.h"
#include "wiretally/http_exchange.h"

namespace wiretally::http {

struct Lane;

class BodyDelivery {
 public:
  BodyDelivery() = default;
  BodyDelivery(BodyDelivery&&) = default;
  BodyDelivery& operator=(BodyDelivery&&) = default;

  // `exchange` null: the message belongs to no exchange (pipeline full); its bytes are dropped.
  void begin(Source source, const Exchange* exchange, Message message, BodyInterest interest,
             const ContentCodings& codings);
  // A part of the body, transfer coding removed.
  void deliver(Lane& lane, ByteView part, EventTime time);
  // Transfer framing around the parts.
  void framing(Lane& lane, uint64_t bytes);
  void gap(Lane& lane, uint64_t wire_bytes, EventTime time);
  // Says so if the body is complete and its coding is not: codings mark their own ends (RFC 1952,
  // 7932, 8878), and what stands before a missing end was never held against a checksum.
  void end(Lane& lane, MessageEnd end, EventTime time);
  // Nobody wants the rest.
  void stop();

 private:
  enum class Mode : uint8_t { kPlain, kCoded, kSkip, kDrop };

  void deliver_coded(Lane& lane, ByteView part, EventTime time);
  void apply(BodyInterest interest);
  void fail(Lane& lane, DropReason reason, BodyLoss loss, uint64_t wire_bytes, EventTime time);
  void account(Lane& lane, uint64_t bytes);

  Source source_ = Source::kPacket;
  Mode mode_ = Mode::kSkip;
  SkipReason skip_reason_ = SkipReason::kHttpNotLlm;
  DropReason drop_reason_ = DropReason::kHttpDecodeFailed;
  ExchangeId id_{};
  Message message_ = Message::kRequest;
  ContentCodings codings_;
  std::unique_ptr<DecoderChain> decoders_;  // from the first coded byte on
};

}  // namespace wiretally::http
