// What batches have done, where clients fetch it: answers to GET.
//
//   …/files/{id}/content               JSONL: {id, custom_id, response:{status_code, body}, error}:
//                                      OpenAI and those who offer the same. A record a line
//   …/messages/batches/{id}/results    JSONL: {custom_id, result:{type, message}}: Anthropic. A
//                                      record a line
//   …/v1beta/files/{id}:download       JSONL: {key, response | error}: Gemini. A record a line
//   …/v1beta/batches/{id}              Gemini's operation; once done it holds the responses that
//   are
//                                      not in a file, some versions of it twice. A record a
//                                      response
//   …/batches/{id}                     the batch object: once completed it says the usage of all
//                                      its lines together. A record with CallPart::kSum
//
// Any file may be fetched: the first line decides. Lines of requests that never ran (cancelled,
// expired) bill nothing and leave no record. A line is read as it comes and never held; what was
// lost costs the lines that it touched.
//
// Open downloads are bounded by Limits::batch_downloads_max; a further one is not read (counted).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "wiretally/http_exchange.h"
#include "wiretally/identity.h"
#include "wiretally/limits.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

class BatchResults {
 public:
  BatchResults(const Limits& limits, uint32_t lane, const CredentialReader& credentials,
               UsageSink& next);
  ~BatchResults();

  // False if it is of no interest.
  bool on_request(ExchangeId id, const RequestHead& head);
  BodyInterest on_response(ExchangeId id, const ResponseHead& head);
  BodyInterest on_body(ExchangeId id, Message message, ByteView body, EventTime time);
  void on_loss(ExchangeId id, Message message, BodyLoss loss);
  void on_message_end(ExchangeId id, Message message, EventTime time);
  bool has(ExchangeId id) const { return downloads_.contains(static_cast<uint64_t>(id)); }
  // False if the exchange is none of these.
  bool on_exchange_end(ExchangeId id);

  uint64_t refused() const { return refused_; }
  size_t open() const { return downloads_.size(); }
  static uint64_t worst_case_bytes(const Limits& limits);

 private:
  class Download;

  Download* find(ExchangeId id) const;

  const Limits& limits_;
  const uint32_t lane_;
  const CredentialReader& credentials_;
  UsageSink& next_;
  std::atomic<uint64_t> refused_ = 0;  // read by other threads
  std::unordered_map<uint64_t, std::unique_ptr<Download>> downloads_;
};

}  // namespace wiretally::llm
