#include "websocket_reader.h"

#include <algorithm>
#include <cstring>

#include "lane.h"

namespace wiretally::http {
namespace {

constexpr uint8_t kFinal = 0x80;
constexpr uint8_t kReserved = 0x70;
constexpr uint8_t kCompressed = 0x40;
constexpr uint8_t kMasked = 0x80;
constexpr uint8_t kLengthBits = 0x7f;
constexpr uint8_t kLength16 = 126;
constexpr uint8_t kLength64 = 127;

constexpr uint8_t kContinuation = 0x0;
constexpr uint8_t kText = 0x1;
constexpr uint8_t kBinary = 0x2;
constexpr uint8_t kClose = 0x8;
constexpr uint8_t kPing = 0x9;
constexpr uint8_t kPong = 0xa;

// What a sender leaves out at each message's end, RFC 7692 section 7.2.1.
constexpr uint8_t kTail[] = {0x00, 0x00, 0xff, 0xff};

}  // namespace

void unmask(ByteView from, const std::array<uint8_t, 4>& mask, uint64_t offset, uint8_t* to) {
  std::array<uint8_t, 8> turned;
  for (size_t i = 0; i < turned.size(); ++i) turned[i] = mask[(offset + i) % mask.size()];
  uint64_t key = 0;
  std::memcpy(&key, turned.data(), sizeof key);
  size_t at = 0;
  for (; at + sizeof key <= from.size(); at += sizeof key) {
    uint64_t word = 0;
    std::memcpy(&word, from.data() + at, sizeof word);
    word ^= key;
    std::memcpy(to + at, &word, sizeof word);
  }
  for (size_t i = 0; at < from.size(); ++at, ++i) to[at] = from[at] ^ turned[i];
}

void WebSocketReader::begin(Source source, ExchangeId exchange, Message sender,
                            const WebSocketTerms& terms, bool framed) {
  *this = WebSocketReader();
  source_ = source;
  id_ = exchange;
  sender_ = sender;
  terms_ = terms;
  if (framed) return;
  state_ = State::kSeek;
  framing_was_lost_ = true;
  window_lost_ = true;
}

void WebSocketReader::drop(Lane& lane, DropReason reason, uint64_t bytes) const {
  if (bytes > 0) lane.counters.drop(source_, reason, bytes);
}

void WebSocketReader::feed(Lane& lane, ByteView bytes, EventTime time) {
  bool event_begins = true;
  while (!bytes.empty()) {
    const size_t used = take(lane, bytes, event_begins, time);
    bytes = bytes.subspan(used);
    if (used > 0) event_begins = false;
  }
}

size_t WebSocketReader::take(Lane& lane, ByteView rest, bool event_begins, EventTime time) {
  switch (state_) {
    case State::kHeader:
      return take_header(lane, rest, time);
    case State::kPayload:
      return take_payload(lane, rest, time);
    case State::kControl:
      return take_control(lane, rest, time);
    case State::kSeek:
      if (event_begins) {
        state_ = State::kProving;
        header_size_ = 0;
        proof_frames_ = 0;
        left_ = 0;
        holding_ = true;
        return 0;
      }
      drop(lane, DropReason::kHttpResync, rest.size());
      return rest.size();
    case State::kProving:
      return take_proof(lane, rest, time);
    case State::kClosed:
    case State::kFailed:
      drop(lane, DropReason::kHttpWebsocketMalformed, rest.size());
      return rest.size();
  }
  return rest.size();
}

// --- headers ------------------------------------------------------------------------------------

size_t WebSocketReader::take_header(Lane& lane, ByteView rest, EventTime time) {
  size_t used = 0;
  const HeaderIs is = read_header(rest, used);
  lane.counters.parse(source_, used);
  if (is == HeaderIs::kBad) {
    malformed(lane, rest.size() - used, time);
    return rest.size();
  }
  if (is == HeaderIs::kComplete) header_done(lane, time);
  return used;
}

WebSocketReader::HeaderIs WebSocketReader::read_header(ByteView rest, size_t& used) {
  while (header_size_ < header_bytes()) {
    if (used == rest.size()) return HeaderIs::kOpen;
    if (!byte_fits(rest[used])) return HeaderIs::kBad;
    header_[header_size_++] = rest[used++];
  }
  read_length();
  return HeaderIs::kComplete;
}

// As far as the first two bytes are there to tell.
size_t WebSocketReader::header_bytes() const {
  if (header_size_ < 2) return 2;
  const uint8_t length = header_[1] & kLengthBits;
  const size_t more = length == kLength16 ? 2 : length == kLength64 ? 8 : 0;
  return 2 + more + (is_masked() ? mask_.size() : 0);
}

void WebSocketReader::read_length() {
  left_ = header_[1] & kLengthBits;
  taken_ = 0;
  size_t at = 2;
  const size_t more = left_ == kLength16 ? 2 : left_ == kLength64 ? 8 : 0;
  if (more > 0) left_ = 0;
  for (; at < 2 + more; ++at) left_ = left_ << 8 | header_[at];
  if (is_masked()) std::copy_n(header_.begin() + at, mask_.size(), mask_.begin());
}

bool WebSocketReader::byte_fits(uint8_t byte) const {
  constexpr uint8_t kSign = 0x80;
  switch (header_size_) {
    case 0:
      return first_byte_fits(byte);
    case 1:
      if (((byte & kMasked) != 0) != is_masked()) return false;
      return !is_control() || (byte & kLengthBits) <= kControlMax;
    case 2:
      return (header_[1] & kLengthBits) != kLength64 || (byte & kSign) == 0;
    default:
      return true;
  }
}

bool WebSocketReader::first_byte_fits(uint8_t byte) const {
  const uint8_t code = byte & 0x0f;
  const bool begins_message = code == kText || code == kBinary;
  const uint8_t reserved = byte & kReserved;
  if (!terms_.unreadable && reserved != 0 &&
      !(reserved == kCompressed && terms_.deflate && begins_message)) {
    return false;
  }
  if (code == kClose || code == kPing || code == kPong) return (byte & kFinal) != 0;
  if (!begins_message && code != kContinuation) return false;
  if (state_ == State::kProving || order_unknown_) return true;
  return begins_message == (mode_ == Mode::kNone);
}

// RFC 6455 section 5.2 asks for it, and everybody reads the other forms as well.
bool WebSocketReader::is_shortest_form() const {
  const uint8_t length = header_[1] & kLengthBits;
  if (length == kLength16) return left_ >= kLength16;
  return length != kLength64 || left_ > UINT16_MAX;
}

void WebSocketReader::header_done(Lane& lane, EventTime time) {
  header_size_ = 0;
  if (is_control()) {
    state_ = State::kControl;
    close_code_ = {};
    if (left_ == 0) control_done(lane, time);
    return;
  }
  order_unknown_ = false;
  state_ = State::kPayload;
  if (opcode() != kContinuation) {
    begin_message(lane, time);
  } else if (mode_ == Mode::kNone) {  // the end of a message whose beginning was lost
    message_known_ = false;
    mode_ = Mode::kDrop;
    drop_reason_ = DropReason::kHttpResync;
  }
  if (left_ == 0) frame_done(lane, time);
}

// --- messages -----------------------------------------------------------------------------------

void WebSocketReader::begin_message(Lane& lane, EventTime time) {
  // In doubt about the order a message may still have been open: its loss was told.
  message_known_ = true;
  coded_bytes_ = decoded_bytes_ = 0;
  const auto content = opcode() == kText ? WebSocketContent::kText : WebSocketContent::kBinary;
  const bool wanted =
      lane.sink.on_websocket_message(id_, sender_, content, time) == BodyInterest::kWanted;
  if ((header_[0] & kReserved) == 0) {
    mode_ = wanted ? Mode::kPlain : Mode::kSkip;
    return;
  }
  mode_ = wanted ? Mode::kInflate : Mode::kWindow;
  if (terms_.unreadable || !terms_.deflate) {
    give_up(lane, DropReason::kHttpDecodeFailed, BodyLoss::kDecodeFailed, 0, time);
  } else if (keeps_window() && window_lost_) {
    give_up(lane, window_reason_, BodyLoss::kDecodeFailed, 0, time);
  } else if (!wanted && !keeps_window()) {
    mode_ = Mode::kSkip;
  } else if (!prepare_inflater(lane)) {
    give_up(lane, DropReason::kHttpDecoderBudget, BodyLoss::kDecodeFailed, 0, time);
  }
}

bool WebSocketReader::prepare_inflater(Lane& lane) {
  if (inflater_ == nullptr) inflater_ = MessageInflater::make(lane.decoder_budget);
  if (inflater_ != nullptr) inflater_->begin_message();
  return inflater_ != nullptr;
}

size_t WebSocketReader::take_payload(Lane& lane, ByteView rest, EventTime time) {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(rest.size(), left_));
  ByteView part = rest.first(size);
  while (!part.empty()) {
    const bool is_read = mode_ == Mode::kPlain || mode_ == Mode::kInflate || mode_ == Mode::kWindow;
    ByteView piece = part;
    if (is_read && is_masked()) {
      piece = part.first(std::min(part.size(), lane.unmasked.size()));
      unmask(piece, mask_, taken_, lane.unmasked.data());
      piece = ByteView(lane.unmasked.data(), piece.size());
    }
    part = part.subspan(piece.size());
    taken_ += piece.size();
    left_ -= piece.size();
    deliver(lane, piece, time);
  }
  if (left_ == 0) frame_done(lane, time);
  return size;
}

void WebSocketReader::deliver(Lane& lane, ByteView part, EventTime time) {
  switch (mode_) {
    case Mode::kPlain:
      lane.counters.parse(source_, part.size());
      apply(lane.sink.on_websocket_part(id_, sender_, part, time));
      break;
    case Mode::kInflate:
    case Mode::kWindow:
      inflate(lane, part, true, time);
      break;
    case Mode::kSkip:
      lane.counters.skip(source_, SkipReason::kHttpBodyUnwanted, part.size());
      break;
    case Mode::kNone:
    case Mode::kDrop:
      drop(lane, drop_reason_, part.size());
      break;
  }
}

void WebSocketReader::inflate(Lane& lane, ByteView coded, bool on_wire, EventTime time) {
  while (mode_ == Mode::kInflate || mode_ == Mode::kWindow) {
    const ContentDecoder::Step step = inflater_->decode(coded, lane.decode_buffers[0]);
    coded = coded.subspan(step.consumed);
    if (on_wire) lane.counters.parse(source_, step.consumed);
    coded_bytes_ += step.consumed;
    decoded_bytes_ += step.produced;
    const bool too_much = decoded_bytes_ > lane.limits.decode_ratio_free_bytes &&
                          decoded_bytes_ / lane.limits.decode_ratio_max > coded_bytes_;
    if (too_much) {
      give_up(lane, DropReason::kHttpDecodeRatio, BodyLoss::kDecodeFailed, 0, time);
      break;
    }
    if (step.produced > 0 && mode_ == Mode::kInflate) {
      const ByteView decoded(lane.decode_buffers[0].data(), step.produced);
      apply(lane.sink.on_websocket_part(id_, sender_, decoded, time));
    }
    const bool stuck = step.consumed == 0 && step.produced == 0;
    if (step.status != DecodeStatus::kGood || (stuck && !coded.empty())) {
      const bool no_memory = step.status == DecodeStatus::kNoMemory;
      give_up(lane, no_memory ? DropReason::kHttpDecoderBudget : DropReason::kHttpDecodeFailed,
              BodyLoss::kDecodeFailed, 0, time);
      break;
    }
    if (stuck) break;
  }
  if (!on_wire || coded.empty()) return;
  if (mode_ == Mode::kSkip) {
    lane.counters.skip(source_, SkipReason::kHttpBodyUnwanted, coded.size());
  } else {
    drop(lane, drop_reason_, coded.size());
  }
}

void WebSocketReader::apply(BodyInterest interest) {
  if (interest == BodyInterest::kWanted) return;
  if (mode_ == Mode::kInflate && keeps_window()) {
    mode_ = Mode::kWindow;
    return;
  }
  release_inflater();
  mode_ = Mode::kSkip;
}

// The rest of the open message.
void WebSocketReader::give_up(Lane& lane, DropReason reason, BodyLoss loss, uint64_t lost_bytes,
                              EventTime time) {
  mode_ = Mode::kDrop;
  drop_reason_ = reason;
  if (keeps_window() && !window_lost_) {
    window_lost_ = true;
    if (reason == DropReason::kHttpDecoderBudget) window_reason_ = reason;
  }
  release_inflater();
  lane.sink.on_websocket_loss(id_, sender_, loss, lost_bytes, time);
}

void WebSocketReader::release_inflater() { inflater_.reset(); }

void WebSocketReader::frame_done(Lane& lane, EventTime time) {
  state_ = State::kHeader;
  if (is_final()) end_message(lane, MessageEnd::kComplete, time);
}

void WebSocketReader::end_message(Lane& lane, MessageEnd end, EventTime time) {
  if (mode_ == Mode::kNone) return;
  if (end == MessageEnd::kComplete) inflate(lane, kTail, false, time);
  if (!keeps_window()) release_inflater();
  mode_ = Mode::kNone;
  if (message_known_) lane.sink.on_websocket_message_end(id_, sender_, end, time);
  message_known_ = false;
}

size_t WebSocketReader::take_control(Lane& lane, ByteView rest, EventTime time) {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(rest.size(), left_));
  lane.counters.parse(source_, size);
  for (size_t i = 0; i < size && taken_ + i < close_code_.size(); ++i) {
    const size_t at = static_cast<size_t>(taken_) + i;
    close_code_[at] = rest[i] ^ (is_masked() ? mask_[at] : uint8_t{0});
  }
  taken_ += size;
  left_ -= size;
  if (left_ == 0) control_done(lane, time);
  return size;
}

void WebSocketReader::control_done(Lane& lane, EventTime time) {
  state_ = State::kHeader;
  if (opcode() != kClose) return;
  end_message(lane, MessageEnd::kCut, time);
  release_inflater();
  state_ = State::kClosed;
  const auto code = static_cast<uint16_t>(close_code_[0] << 8 | close_code_[1]);
  lane.sink.on_websocket_close(id_, sender_, code, time);
}

// --- trouble ------------------------------------------------------------------------------------

void WebSocketReader::gap(Lane& lane, uint64_t bytes, EventTime time) {
  const bool inside = bytes <= left_;
  switch (state_) {
    case State::kPayload:
      if (!inside) return lose_framing(lane, bytes, time);
      if (mode_ == Mode::kInflate || mode_ == Mode::kWindow) {
        give_up(lane, DropReason::kHttpDecodeFailed, BodyLoss::kGap, bytes, time);
      } else {
        lane.sink.on_websocket_loss(id_, sender_, BodyLoss::kGap, bytes, time);
      }
      left_ -= bytes;
      taken_ += bytes;
      if (left_ == 0) frame_done(lane, time);
      break;
    case State::kControl:
      if (!inside) return lose_framing(lane, bytes, time);
      left_ -= bytes;
      taken_ += bytes;
      if (left_ == 0) control_done(lane, time);
      break;
    case State::kHeader:
    case State::kSeek:
    case State::kProving:
      lose_framing(lane, bytes, time);
      break;
    case State::kClosed:
    case State::kFailed:
      break;
  }
}

void WebSocketReader::lose(Lane& lane, uint64_t bytes, EventTime time) {
  if (state_ != State::kClosed && state_ != State::kFailed) lose_framing(lane, bytes, time);
}

void WebSocketReader::lose_framing(Lane& lane, uint64_t lost_bytes, EventTime time) {
  drop_held(lane);
  lane.sink.on_websocket_loss(id_, sender_, BodyLoss::kGap, lost_bytes, time);
  end_message(lane, MessageEnd::kCut, time);
  // Messages that it was made from may be among what was lost.
  window_lost_ = true;
  release_inflater();
  framing_was_lost_ = true;
  header_size_ = 0;
  state_ = State::kSeek;
}

// `bytes` to the end of the event are no frame.
void WebSocketReader::malformed(Lane& lane, uint64_t bytes, EventTime time) {
  header_size_ = 0;
  lane.sink.on_websocket_loss(id_, sender_, BodyLoss::kDecodeFailed, 0, time);
  end_message(lane, MessageEnd::kCut, time);
  window_lost_ = true;
  release_inflater();
  state_ = framing_was_lost_ ? State::kSeek : State::kFailed;
  drop(lane, framing_was_lost_ ? DropReason::kHttpResync : DropReason::kHttpWebsocketMalformed,
       bytes);
}

// Follows the chain: headers are looked at, payload is passed over.
size_t WebSocketReader::take_proof(Lane& lane, ByteView rest, EventTime time) {
  if (left_ > 0) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(rest.size(), left_));
    hold(lane, rest.first(size));
    left_ -= size;
    return size;
  }
  size_t used = 0;
  const HeaderIs is = read_header(rest, used);
  hold(lane, rest.first(used));
  if (is == HeaderIs::kOpen) return used;
  if (is == HeaderIs::kBad || !is_shortest_form()) {
    drop_held(lane);
    drop(lane, DropReason::kHttpResync, rest.size() - used);
    state_ = State::kSeek;
    return rest.size();
  }
  header_size_ = 0;
  if (++proof_frames_ >= kProofFrames) proved(lane, time);
  return used;
}

void WebSocketReader::proved(Lane& lane, EventTime time) {
  order_unknown_ = true;
  mode_ = Mode::kNone;
  if (!holding_) {
    header_done(lane, time);
    return;
  }
  state_ = State::kHeader;
  HeadBuffers::Buffer* chain = held_;
  held_ = nullptr;
  if (chain == nullptr) return;
  lane.counters.of(source_).buffered_bytes.subtract(chain->size());
  lane.head_buffers.pin(*chain);
  feed(lane, *chain, time);
  lane.head_buffers.release(chain);
}

void WebSocketReader::hold(Lane& lane, ByteView bytes) {
  if (bytes.empty()) return;
  if (held_ != nullptr && held_->evicted()) holding_ = false;
  if (holding_) {
    const size_t held = held_ == nullptr ? 0 : held_->size();
    if (held + bytes.size() <= kHeldMax && lane.head_buffers.append(held_, source_, bytes)) {
      lane.counters.of(source_).buffered_bytes.add(bytes.size());
      return;
    }
    holding_ = false;
  }
  drop_held(lane);
  drop(lane, DropReason::kHttpResync, bytes.size());
}

void WebSocketReader::drop_held(Lane& lane) {
  const size_t held = lane.head_buffers.release(held_);
  if (held == 0) return;
  lane.counters.of(source_).buffered_bytes.subtract(held);
  drop(lane, DropReason::kHttpResync, held);
}

void WebSocketReader::finish(Lane& lane, EventTime time) {
  // A chain of frames that ends just where its direction does.
  if (state_ == State::kProving && proof_frames_ > 0 && left_ == 0 && header_size_ == 0) {
    proved(lane, time);
  }
  drop_held(lane);
  end_message(lane, MessageEnd::kCut, time);
  release_inflater();
  if (state_ != State::kClosed) state_ = State::kFailed;
}

}  // namespace wiretally::http
