// Removes content codings while the body streams by.
//
// A DecoderChain lives from a body's first byte to its end or failure; it and all that its
// libraries allocate come out of the lane's DecoderBudget. To add a coding: a ContentCoding, a
// ContentDecoder in a file of its own, and its row in make_decoder().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "content_coding.h"
#include "decoder_budget.h"
#include "wiretally/bytes.h"
#include "wiretally/limits.h"

namespace wiretally::http {

enum class DecodeStatus : uint8_t {
  kGood,
  kBad,       // not what the coding allows
  kWindow,    // asks for a larger window than the limit
  kNoMemory,  // the budget is used up
  kTooLarge,  // expands beyond the limits
  kStopped,   // the taker wants no more
};

// Lives in a DecoderBudget.
class InBudget {
 public:
  static void* operator new(size_t bytes, DecoderBudget& budget) noexcept {
    return budget.allocate(bytes);
  }
  static void operator delete(void* memory) noexcept { DecoderBudget::release(memory); }
  static void operator delete(void* memory, DecoderBudget&) noexcept {
    DecoderBudget::release(memory);
  }
};

// One coding of one body.
class ContentDecoder : public InBudget {
 public:
  virtual ~ContentDecoder() = default;

  struct Step {
    size_t consumed = 0;
    size_t produced = 0;
    DecodeStatus status = DecodeStatus::kGood;
  };
  // Decodes as much of `coded` as `output` has room for. Call again while `coded` is left or
  // `output` was filled. After another status than kGood it must not be called again.
  virtual Step decode(ByteView coded, std::span<uint8_t> output) = 0;
  // The coding may end here: no stream of it is under way.
  virtual bool at_end() const = 0;
};

// Null if there is no memory. kIdentity and kUnsupported have no decoder.
std::unique_ptr<ContentDecoder> make_decoder(ContentCoding coding, DecoderBudget& budget,
                                             const Limits& limits);

// Takes what a chain decoded; false: nothing more of this body is wanted.
class DecodedSink {
 public:
  virtual ~DecodedSink() = default;
  virtual bool on_decoded(ByteView bytes) = 0;
};

// Where the layers of a chain write. Holds nothing between calls: one a lane.
using DecodeBuffers = std::array<std::array<uint8_t, 64 * 1024>, Limits::content_codings_max>;

// All codings of one body.
class DecoderChain : public InBudget {
 public:
  // `codings` are supported. Null if there is no memory.
  static std::unique_ptr<DecoderChain> make(const ContentCodings& codings, DecoderBudget& budget,
                                            const Limits& limits);

  struct Fed {
    size_t consumed = 0;  // all, if the status is kGood
    DecodeStatus status = DecodeStatus::kGood;
  };
  Fed feed(ByteView coded, DecodeBuffers& buffers, DecodedSink& sink);
  // Each layer has come to its end; false if the body was cut before it was coded, or behind that.
  bool at_end() const;

 private:
  explicit DecoderChain(const Limits& limits) : limits_(limits) {}

  DecodeStatus feed(size_t layer, ByteView coded, DecodeBuffers& buffers, DecodedSink& sink);
  bool expands_too_far(uint64_t decoded_bytes) const;

  const Limits& limits_;
  size_t layers_ = 0;
  std::array<std::unique_ptr<ContentDecoder>, Limits::content_codings_max> decoders_;
  std::array<uint64_t, Limits::content_codings_max> decoded_bytes_{};  // of each layer
  uint64_t coded_bytes_ = 0;
};

}  // namespace wiretally::http
