// The only place that sees all rooms: how the stages of a lane are put together, sinks first,
// capture last. Each stage is a value and knows the next one only by its door.
#pragma once

#include <cstdint>

#include "http_room.h"
#include "llm_room.h"
#include "packet_decoder.h"
#include "stream_room.h"
#include "wiretally/capture.h"
#include "wiretally/counters.h"
#include "wiretally/identity.h"
#include "wiretally/limits.h"
#include "wiretally/usage_record.h"

namespace wiretally {

// stream → http → llm, shared-nothing, driven by one thread. Records leave through `usage`; all
// references outlive the lane.
class Lane {
 public:
  Lane(const Limits& limits, uint32_t index, Counters& counters,
       const CredentialReader& credentials, UsageSink& usage)
      : llm_(limits, index, credentials, usage),
        http_(limits, counters, llm_),
        stream_(limits, counters, http_),
        decoder_(limits, counters, stream_) {}

  CaptureSink& capture() { return stream_; }
  // For packets that are the lane's alone, with all of their connection.
  pcap::PacketDecoder& decoder() { return decoder_; }
  // Answers without request that were not looked at: Limits::undecided_answers_max.
  uint64_t refused() const { return llm_.refused(); }
  // The connection that the lane is at, kept up to date.
  const FlowInfo* const& current() const { return stream_.current(); }

 private:
  llm::LlmRoom llm_;
  http::HttpRoom http_;
  stream::StreamRoom stream_;
  pcap::PacketDecoder decoder_;
};

}  // namespace wiretally
