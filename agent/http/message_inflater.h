// Decompresses the messages of permessage-deflate, RFC 7692 section 7.2.2: raw deflate (RFC 1951)
// whose last four bytes, 00 00 ff ff, the sender left out.
//
// One for each direction of a WebSocket that keeps its window from message to message ("context
// takeover"), as long as that WebSocket lives; else one for each message that is open. All its
// memory comes out of the decoders' budget. A window of the largest size reads what was made with
// any.
#pragma once

#include <zlib.h>

#include <memory>

#include "content_decoder.h"

namespace wiretally::http {

class MessageInflater : public InBudget {
 public:
  // With an empty window. Null if the budget is used up.
  static std::unique_ptr<MessageInflater> make(DecoderBudget& budget);
  ~MessageInflater();
  MessageInflater(const MessageInflater&) = delete;
  MessageInflater& operator=(const MessageInflater&) = delete;

  // Decodes as much of `coded` as `output` has room for. Call again while anything moves; after
  // another status than kGood it must not be called again.
  ContentDecoder::Step decode(ByteView coded, std::span<uint8_t> output);
  // Call before a message's first byte: what bounds one message starts anew.
  void begin_message() { ends_ = 0; }

 private:
  // Blocks that say they are the last (section 7.2.3.4) in one message. Rare: flushing senders make
  // none.
  static constexpr unsigned kEndsMax = 64;

  explicit MessageInflater(DecoderBudget& budget);

  z_stream stream_{};
  bool initialised_ = false;
  unsigned ends_ = 0;
};

}  // namespace wiretally::http
