// What the connections of one lane share: limits, counters, the sink, and pooled memory.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "content_decoder.h"
#include "decoder_budget.h"
#include "exchange.h"
#include "head_buffers.h"
#include "http2/hpack_memory.h"
#include "http2/stream.h"
#include "tls_client_hello.h"
#include "wiretally/counters.h"
#include "wiretally/http_exchange.h"
#include "wiretally/limits.h"

namespace wiretally::http {

struct Lane {
  Lane(const Limits& limits_in, Counters& counters_in, ExchangeSink& sink_in)
      : limits(limits_in),
        counters(counters_in),
        sink(sink_in),
        head_buffers(limits_in.http_head_bytes_total, counters_in),
        hpack_memory(limits_in.hpack_bytes_max),
        hellos(limits_in.http_hellos_max),
        decoder_budget(limits_in.decoder_bytes_max, limits_in.decoder_idle_bytes_max) {
    fields.reserve(limits.http_headers_max);
  }

  const Limits& limits;
  Counters& counters;
  ExchangeSink& sink;
  HeadBuffers head_buffers;
  http2::HpackMemory hpack_memory;
  http2::StreamPool streams;
  ClientHelloPool hellos;
  DecoderBudget decoder_budget;
  ExchangePool exchanges;
  std::vector<HeaderField> fields;            // of the head that is being parsed
  DecodeBuffers decode_buffers;               // of the span that is being decoded
  std::array<uint8_t, 16 * 1024> unmasked{};  // of the WebSocket payload that is being read
};

}  // namespace wiretally::http
