#include "http2/session.h"

#include <algorithm>
#include <charconv>

namespace wiretally::http::http2 {
namespace {

constexpr std::string_view kPrefaceText = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

std::optional<uint64_t> number_of(std::optional<std::string_view> text) {
  if (!text.has_value()) return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

// Of a head that was lost.
constexpr Headers kUnknownHeaders{.fields = {}, .incomplete = true, .unknown = true};
constexpr uint32_t kFirstStream = 1;
bool from_client(uint32_t id) { return id % 2 == 1; }

}  // namespace

Session::Session(Lane& lane, FlowId flow, Source source, Begin begin,
                 std::optional<Direction> request_direction)
    : lane_(lane),
      flow_(flow),
      source_(source),
      halves_{Half(lane, source, Direction::kAToB), Half(lane, source, Direction::kBToA)},
      streams_(lane.streams) {
  if (begin == Begin::kJoined) {
    for (Half& half : halves_) {
      half.state = State::kSeek;
      half.doubt = true;
      half.hpack.lose();
    }
  }
  if (request_direction.has_value()) {
    request_direction_ = request_direction;
    if (begin == Begin::kPreface) half_of(Message::kRequest).state = State::kPreface;
  }
}

void Session::join(Direction direction, const FrameReader& reader, bool frame_is_new,
                   const StreamEvent& event) {
  Half& half = half_of(direction);
  half.state = State::kFrames;
  half.reader = reader;
  half.skip_frame = !frame_is_new && !reader.between_frames();
  half.frame_start = {.offset = event.offset, .time = event.time, .peer_offset = event.peer_offset};
  event_ = &event;
  now_ = event.time;
  if (frame_is_new && reader.in_payload()) begin_frame(half);
  event_ = nullptr;
}

// RFC 7540 section 3.2: the answer to the request comes on stream 1, which the client has half
// closed. (RFC 9113 leaves the upgrade out; it is still spoken.)
void Session::adopt(Exchange* exchange) {
  highest_request_ = kFirstStream;
  if (exchange == nullptr) {
    for (Half& half : halves_) half.doubt = true;
    return;
  }
  any_request_ = true;
  any_llm_ = any_llm_ || exchange->wanted;
  Stream* const stream = streams_.insert(kFirstStream);
  exchange->next = nullptr;
  exchange->owner = this;
  exchange->stream = kFirstStream;
  stream->exchange = exchange;
  adopted_ = true;
}

void Session::lose(Direction direction) {
  Half& half = half_of(direction);
  half.state = State::kSeek;
  half.doubt = true;
  half.hpack.lose();
}

void Session::adopted_request_ends(MessageEnd end, EventTime time) {
  Stream* const stream = streams_.find(kFirstStream);
  if (!adopted_ || stream == nullptr || stream->exchange->request != Exchange::Side::kOpen) return;
  now_ = time;
  stream->exchange->request =
      end == MessageEnd::kComplete ? Exchange::Side::kComplete : Exchange::Side::kCut;
  settle(*stream);
}

// --- bytes --------------------------------------------------------------------------------------

void Session::data(const StreamEvent& event, ByteView bytes, uint64_t offset) {
  event_ = &event;
  now_ = event.time;
  offset_ = offset;
  Half& half = half_of(event.direction);
  half.next_offset = offset + bytes.size();
  bool event_begins = true;
  while (!bytes.empty() || half.reader.has_step()) {
    size_t used = 0;
    switch (half.state) {
      case State::kPreface:
        used = take_preface(half, bytes);
        break;
      case State::kFrames:
        used = take_frame(half, bytes);
        break;
      case State::kSeek:
        used = take_seek(half, bytes, event_begins);
        break;
    }
    bytes = bytes.subspan(used);
    offset_ += used;
    if (used > 0) event_begins = false;
  }
  if (early_answers_ > 0) no_more_requests(false);
  event_ = nullptr;
}

size_t Session::take_preface(Half& half, ByteView rest) {
  const std::string_view expected = kPrefaceText.substr(half.preface_bytes);
  const size_t used = std::min(rest.size(), expected.size());
  if (as_text(rest.first(used)) != expected.substr(0, used)) {
    lose_framing(half, DropReason::kHttpMalformed, 0);
    return 0;
  }
  parse(used);
  half.preface_bytes = static_cast<uint8_t>(half.preface_bytes + used);
  if (half.preface_bytes == kPrefaceText.size()) half.state = State::kFrames;
  return used;
}

size_t Session::take_seek(Half& half, ByteView rest, bool event_begins) {
  const size_t passed = find_frames(rest, event_begins);
  drop(half.trouble, passed);
  if (passed < rest.size()) half.state = State::kFrames;
  return passed;
}

size_t Session::take_frame(Half& half, ByteView rest) {
  if (half.reader.between_frames()) {
    half.frame_start = {.offset = offset_, .time = now_, .peer_offset = event_->peer_offset};
  }
  const FrameReader::Step step = half.reader.feed(rest);
  switch (step.what) {
    case FrameReader::What::kMore:
      parse(step.used);
      break;
    case FrameReader::What::kBegin:
      parse(step.used);
      half.skip_frame = false;
      begin_frame(half);
      break;
    case FrameReader::What::kPart:
      frame_part(half, rest.first(step.used));
      break;
    case FrameReader::What::kEnd:
      parse(step.used);
      end_frame(half);
      break;
    case FrameReader::What::kBad:
      drop(DropReason::kHttpMalformed, step.used);
      lose_framing(half, DropReason::kHttpMalformed, 0);
      break;
  }
  return step.used;
}

// --- frames -------------------------------------------------------------------------------------

void Session::begin_frame(Half& half) {
  const FrameHeader& header = half.reader.header();
  if (half.block != Block::kNone) {
    // RFC 9113 section 6.10: nothing but its continuation may follow.
    if (header.is(FrameType::kContinuation) && header.stream == half.block_stream) return;
    lose_framing(half, DropReason::kHttpMalformed, 0);
    return;
  }
  if (header.type > static_cast<uint8_t>(FrameType::kContinuation)) return;
  switch (static_cast<FrameType>(header.type)) {
    case FrameType::kData:
      half.stream = nullptr;
      half.stream_known = false;
      break;
    case FrameType::kHeaders:
      begin_block(half, Block::kHeaders);
      break;
    case FrameType::kPushPromise:
      begin_block(half, Block::kPromise);
      half.promised = half.reader.number();
      break;
    case FrameType::kContinuation:
      // The block's beginning was lost, and with it the table.
      if (half.doubt) {
        half.hpack.lose();
        half.skip_frame = true;
      } else {
        lose_framing(half, DropReason::kHttpMalformed, 0);
      }
      break;
    case FrameType::kPriority:
    case FrameType::kRstStream:
    case FrameType::kSettings:
    case FrameType::kPing:
    case FrameType::kGoaway:
    case FrameType::kWindowUpdate:
      break;
  }
}

void Session::frame_part(Half& half, ByteView part) {
  if (half.skip_frame) {
    drop(half.trouble, part.size());
  } else if (half.block != Block::kNone) {
    read_block(half, part);
  } else if (half.reader.header().is(FrameType::kData)) {
    deliver(half, part);
  } else {
    parse(part.size());
  }
}

void Session::end_frame(Half& half) {
  const FrameHeader& header = half.reader.header();
  if (half.skip_frame) return;
  if (half.block != Block::kNone) {
    if (header.has(kEndHeaders)) end_block(half);
    return;
  }
  if (header.is(FrameType::kData)) {
    end_data(half);
  } else if (header.is(FrameType::kRstStream)) {
    Stream* const stream = streams_.find(header.stream);
    if (stream == nullptr || !request_direction_.has_value()) return;
    reset_stream(*stream, message_of(half) == Message::kRequest ? ExchangeOutcome::kClientClosed
                                                                : ExchangeOutcome::kServerClosed);
  } else if (header.is(FrameType::kGoaway)) {
    const bool from_server =
        request_direction_.has_value() && message_of(half) == Message::kResponse;
    if (from_server) goaway(half.reader.number());
  }
}

// The framing of this direction is lost, and with it whatever stood in it: a header block, any
// part of any stream. Of the lost bytes, those of the open frame are its stream's; of the rest each
// stream that may still send can have lost all, but for the header that its frame has.
void Session::lose_framing(Half& half, DropReason reason, uint64_t bytes) {
  Stream* of_frame = nullptr;
  uint64_t certain = 0;
  uint64_t rest = bytes;
  if (bytes > 0 && half.state == State::kFrames && half.reader.in_payload()) {
    of_frame = stream_of_open_frame(half);
    certain = std::min(bytes, half.reader.frame_left());
    if (of_frame != nullptr) {
      of_frame->exchange->lost_bytes += certain;
      of_frame->body(message_of(half)).received += std::min(bytes, half.reader.payload_left());
    }
    rest -= certain;
  }
  const bool at_border =
      half.state == State::kFrames && (half.reader.in_payload() || half.reader.between_frames());
  if (at_border) rest -= std::min<uint64_t>(rest, kFrameHeaderBytes);
  half.reader.reset();
  half.state = State::kSeek;
  half.trouble = reason;
  half.stream = nullptr;
  half.skip_frame = false;
  half.doubt = true;
  drop_block(half);
  half.hpack.lose();
  if (!request_direction_.has_value()) return;
  const Message message = message_of(half);
  streams_.for_each([&](Stream& stream) {
    const uint64_t lost = rest + (&stream == of_frame ? certain : 0);
    Stream::Body& body = stream.body(message);
    if (stream.socket != nullptr && is_open(stream, message)) {
      body.maybe_lost += rest;
      stream.socket->lose(lane_, message, lost, now_);
      return;
    }
    const Exchange::Side at = side(stream, message);
    const bool may_come = message == Message::kResponse ? at == Exchange::Side::kAbsent
                                                        : stream.exchange->waits_for_request();
    if (Exchange::is_over(at) || (at == Exchange::Side::kAbsent && !may_come)) return;
    body.in_doubt = true;
    body.maybe_lost += rest;
    if (at != Exchange::Side::kOpen) return;
    if (body.coding_unknown) begin_coded_body(stream, message, 0);
    body.delivery.gap(lane_, lost, now_);
  });
}

// Null if it is nobody's, or nobody knows whose.
Stream* Session::stream_of_open_frame(Half& half) {
  if (!request_direction_.has_value() || half.skip_frame) return nullptr;
  if (half.block != Block::kNone) return streams_.find(half.block_stream);
  if (!half.reader.header().is(FrameType::kData)) return nullptr;
  if (!half.stream_known) find_data_stream(half, 0);
  return half.stream;
}

// A body that ends as long as its head said lost no more than it lacks.
void Session::bound_loss(Stream& stream, Message message) {
  Stream::Body& body = stream.body(message);
  if (!body.content_length.has_value()) return;
  const uint64_t length = *body.content_length;
  body.maybe_lost = std::min(body.maybe_lost, length - std::min(length, body.received));
}

void Session::gap(const StreamEvent& event) {
  event_ = &event;
  now_ = event.time;
  Half& half = half_of(event.direction);
  const uint64_t bytes = event.gap_bytes;
  half.next_offset = event.offset + bytes;
  uint64_t payload = 0;
  if (half.state != State::kFrames || !half.reader.gap(bytes, payload)) {
    lose_framing(half, DropReason::kHttpResync, bytes);
  } else {
    if (half.block != Block::kNone) {
      half.lost_bytes += bytes;
      if (payload > 0) fail_block(half);
    } else if (half.reader.header().is(FrameType::kData) && !half.skip_frame) {
      lose_data(half, bytes, payload);
    }
    while (half.state == State::kFrames && half.reader.has_step()) take_frame(half, {});
  }
  if (early_answers_ > 0) no_more_requests(false);
  event_ = nullptr;
}

// --- DATA ---------------------------------------------------------------------------------------

// Null with a reason in half.no_stream, if there is none for this frame.
void Session::find_data_stream(Half& half, uint8_t first_byte) {
  half.stream_known = true;
  if (!request_direction_.has_value()) {
    const bool asks = first_byte == '{';
    set_roles(asks ? half.direction : opposite(half.direction));
    roles_guessed_ = true;
  }
  const uint32_t id = half.reader.header().stream;
  const Message message = message_of(half);
  Stream* stream = streams_.find(id);
  half.no_stream = DropReason::kHttpH2NoStream;
  if (stream == nullptr && half.doubt) stream = find_or_open(half, id, now_, half.no_stream);
  if (stream == nullptr) return;
  const bool begun = side(*stream, message) != Exchange::Side::kAbsent;
  if (begun && !is_open(*stream, message)) return;
  if (!begun) {
    if (!half.doubt) return;
    if (message == Message::kRequest) {
      begin_request(*stream, half.frame_start, {}, kUnknownHeaders);
    } else {
      begin_answer(*stream, half.frame_start, {}, kUnknownHeaders);
    }
  }
  half.stream = stream;
}

void Session::deliver(Half& half, ByteView part) {
  if (!half.stream_known) find_data_stream(half, part[0]);
  if (half.stream == nullptr) {
    drop(half.no_stream, part.size());
    return;
  }
  Stream& stream = *half.stream;
  note_byte(stream);
  switch (stream.carries) {
    case Stream::Carries::kTunnel:
      lane_.counters.skip(source_, SkipReason::kHttpOpaque, part.size());
      return;
    case Stream::Carries::kWebSocket:
      stream.socket->feed(lane_, message_of(half), part, now_);
      return;
    case Stream::Carries::kBodies:
      break;
  }
  const Message message = message_of(half);
  Stream::Body& body = stream.body(message);
  if (body.coding_unknown) begin_coded_body(stream, message, part[0]);
  body.received += part.size();
  body.delivery.deliver(lane_, part, now_);
}

void Session::end_data(Half& half) {
  const bool ends_stream = half.reader.header().has(kEndStream);
  // An empty frame may end what another began.
  if (!half.stream_known && ends_stream && request_direction_.has_value()) {
    half.stream = streams_.find(half.reader.header().stream);
    if (half.stream != nullptr && !is_open(*half.stream, message_of(half))) half.stream = nullptr;
  }
  Stream* const stream = std::exchange(half.stream, nullptr);
  if (stream == nullptr || !ends_stream) return;
  note_byte(*stream);
  finish_message(*stream, message_of(half), MessageEnd::kComplete);
}

// `payload` of the lost bytes were DATA, the others padding.
void Session::lose_data(Half& half, uint64_t bytes, uint64_t payload) {
  if (!half.stream_known && request_direction_.has_value()) find_data_stream(half, 0);
  if (half.stream == nullptr) return;
  Stream& stream = *half.stream;
  const Message message = message_of(half);
  Stream::Body& body = stream.body(message);
  stream.exchange->lost_bytes += bytes;
  if (stream.socket != nullptr) {
    if (payload > 0) stream.socket->gap(lane_, message, payload, now_);
    return;
  }
  body.received += bytes;
  if (body.coding_unknown) begin_coded_body(stream, message, 0);
  if (stream.carries == Stream::Carries::kBodies) body.delivery.gap(lane_, bytes, now_);
}

// --- header blocks ------------------------------------------------------------------------------

void Session::begin_block(Half& half, Block kind) {
  const FrameHeader& header = half.reader.header();
  half.block = kind;
  half.block_stream = header.stream;
  half.promised = 0;
  half.ends_stream = kind == Block::kHeaders && header.has(kEndStream);
  half.cut = false;
  half.block_bytes = half.lost_bytes = 0;
  half.block_start = half.frame_start;
  half.failed = half.unknown = !half.hpack.begin_block();
}

void Session::fail_block(Half& half) {
  half.failed = half.unknown = true;
  half.hpack.lose();
}

void Session::read_block(Half& half, ByteView part) {
  half.block_bytes += part.size();
  if (half.block_bytes > lane_.limits.h2_header_block_bytes_max && !half.failed) fail_block(half);
  bool cut = half.cut;
  const size_t given = part.size();
  size_t good = given;  // bytes whose fields are kept
  HpackReader::Field field;
  while (!half.failed) {
    const HpackReader::Step step = half.hpack.next(part, false, field);
    if (step == HpackReader::Step::kMore) break;
    if (step == HpackReader::Step::kFailed) {
      fail_block(half);
      good = std::min(good, given - part.size());
    } else if (step == HpackReader::Step::kUnknown) {
      half.unknown = true;
    } else if (!keep_field(half, field) && !half.cut) {
      half.cut = true;
      good = given - part.size();
    }
  }
  if (cut || (half.failed && good == given)) good = 0;
  parse(good);
  drop(half.failed ? DropReason::kHttpH2HeaderBlock : DropReason::kHttpHeadTooLarge, given - good);
}

bool Session::keep_field(Half& half, const HpackReader::Field& field) {
  FieldBuffer& fields = half.hpack.fields();
  const size_t bytes = fields.bytes() + FieldBuffer::bytes_of(field.name, field.value);
  return !half.cut && fields.count() < lane_.limits.http_headers_max &&
         bytes <= lane_.limits.http_head_bytes_max && fields.append(field.name, field.value);
}

Session::Pseudo Session::load_fields(const Half& half) {
  lane_.fields.clear();
  Pseudo pseudo;
  half.hpack.fields().for_each([&](std::string_view name, std::string_view value) {
    lane_.fields.push_back({.name = name, .value = value});
    if (!name.starts_with(':')) return;
    pseudo.any = true;
    if (name == ":method") pseudo.method = value;
    if (name == ":path") pseudo.path = value;
    if (name == ":authority") pseudo.authority = value;
    if (name == ":protocol") pseudo.protocol = value;
    if (name == ":status") {
      pseudo.status = static_cast<uint16_t>(std::min<uint64_t>(number_of(value).value_or(0), 999));
    }
  });
  return pseudo;
}

void Session::end_block(Half& half) {
  if (!half.failed) {
    ByteView none;
    HpackReader::Field field;
    if (half.hpack.next(none, true, field) == HpackReader::Step::kMore) {
      half.hpack.end_block();
    } else {
      fail_block(half);
    }
  }
  const Block kind = half.block;
  const Pseudo pseudo = load_fields(half);
  const Headers headers{
      .fields = lane_.fields, .incomplete = half.cut || half.unknown, .unknown = half.unknown};
  if (settle_roles(half, pseudo)) {
    if (kind == Block::kPromise) {
      promise_block(half, pseudo, headers);
    } else if (message_of(half) == Message::kRequest) {
      request_block(half, pseudo, headers);
    } else {
      answer_block(half, pseudo, headers);
    }
  }
  drop_block(half);
}

void Session::drop_block(Half& half) {
  half.block = Block::kNone;
  half.hpack.fields().release();
}

// False if nobody knows who sent this block, or it cannot be from this side.
bool Session::settle_roles(const Half& half, const Pseudo& pseudo) {
  std::optional<Direction> asks;
  if (half.block == Block::kPromise || pseudo.status != 0) {
    asks = opposite(half.direction);
  } else if (!pseudo.method.empty() || !pseudo.path.empty()) {
    asks = half.direction;
  }
  if (!asks.has_value()) return request_direction_.has_value();
  if (request_direction_ == asks) {
    roles_guessed_ = false;
    return true;
  }
  if (request_direction_.has_value() && !roles_guessed_) return false;
  if (request_direction_.has_value()) {
    streams_.for_each([&](Stream& stream) {
      stream.exchange->evidence_lost = true;
      reset_stream(stream, ExchangeOutcome::kUnknown);
    });
  }
  set_roles(*asks);
  roles_guessed_ = false;
  return true;
}

void Session::set_roles(Direction request_direction) { request_direction_ = request_direction; }

void Session::request_block(Half& half, const Pseudo& pseudo, const Headers& headers) {
  const uint32_t id = half.block_stream;
  if (!from_client(id)) return;
  Stream* stream = streams_.find(id);
  const bool begins = stream == nullptr || stream->exchange->request == Exchange::Side::kAbsent;
  // RFC 9113 section 8.3.1: a block that is all known and has no :method is no head. Trailers, if
  // the head may be lost; else the client did wrong, and is told so.
  const bool lost_head = begins && !headers.incomplete && pseudo.method.empty();
  if (lost_head && (pseudo.any || !half.doubt)) return;
  DropReason why_not = DropReason::kHttpH2NoStream;
  if (stream == nullptr) stream = find_or_open(half, id, half.block_start.time, why_not);
  if (stream == nullptr) {
    if (why_not == DropReason::kHttpH2StreamsFull) lane_.counters.drop(source_, why_not, 0);
    return;
  }
  stream->exchange->lost_bytes += half.lost_bytes;
  if (lost_head) {
    begin_request(*stream, half.block_start, {}, kUnknownHeaders);
    trailers(*stream, Message::kRequest, headers);
  } else if (begins) {
    begin_request(*stream, half.block_start, pseudo, headers);
  } else if (!is_open(*stream, Message::kRequest)) {
    return;
  } else if (stream->socket == nullptr) {
    trailers(*stream, Message::kRequest, headers);
  }
  note_byte(*stream);
  if (half.ends_stream) finish_message(*stream, Message::kRequest, MessageEnd::kComplete);
}

void Session::answer_block(Half& half, const Pseudo& pseudo, const Headers& headers) {
  const uint32_t id = half.block_stream;
  Stream* stream = streams_.find(id);
  DropReason why_not = DropReason::kHttpH2NoStream;
  if (stream == nullptr) stream = find_or_open(half, id, half.block_start.time, why_not);
  if (stream == nullptr) return;
  Exchange& exchange = *stream->exchange;
  exchange.lost_bytes += half.lost_bytes;
  // RFC 9113 section 8.1: an interim answer does not end the stream.
  const bool interim = pseudo.status >= 100 && pseudo.status < 200 && !half.ends_stream;
  if (interim) return;
  if (exchange.answer != Exchange::Side::kAbsent && !is_open(*stream, Message::kResponse)) return;
  if (exchange.answer == Exchange::Side::kAbsent) {
    // A block that is all known and has no :status is no head: that one was lost.
    const bool are_trailers = !headers.incomplete && !pseudo.any;
    if (are_trailers && !half.doubt) return;
    if (are_trailers) {
      begin_answer(*stream, half.block_start, {}, kUnknownHeaders);
      trailers(*stream, Message::kResponse, headers);
    } else {
      begin_answer(*stream, half.block_start, pseudo, headers);
    }
  } else if (stream->socket == nullptr) {
    trailers(*stream, Message::kResponse, headers);
  }
  note_byte(*stream);
  if (half.ends_stream) finish_message(*stream, Message::kResponse, MessageEnd::kComplete);
}

// RFC 9113 section 8.4: the promise holds the whole request.
void Session::promise_block(Half& half, const Pseudo& pseudo, const Headers& headers) {
  const uint32_t id = half.promised;
  if (id == 0 || from_client(id) || streams_.find(id) != nullptr || was_closed(id)) return;
  if (!headers.incomplete && pseudo.method.empty()) return;
  Stream* const stream = open_stream(id, true, half.block_start.time);
  if (stream == nullptr) {
    lane_.counters.drop(source_, DropReason::kHttpH2StreamsFull, 0);
    return;
  }
  begin_request(*stream, half.block_start, pseudo, headers);
  note_byte(*stream);
  finish_message(*stream, Message::kRequest, MessageEnd::kComplete);
}

// --- streams ------------------------------------------------------------------------------------

bool Session::was_closed(uint32_t id) const {
  const size_t known = std::min(closed_count_, closed_.size());
  return std::find(closed_.begin(), closed_.begin() + static_cast<long>(known), id) !=
         closed_.begin() + static_cast<long>(known);
}

Stream* Session::open_stream(uint32_t id, bool pushed, EventTime time) {
  const Limits& limits = lane_.limits;
  const size_t max = pushed ? limits.h2_pushed_streams_max : limits.h2_streams_max;
  const size_t open = pushed ? pushed_ : streams_.size() - pushed_;
  if (open >= max) return nullptr;
  Stream* const stream = streams_.insert(id);
  stream->pushed = pushed;
  if (pushed) ++pushed_;
  Exchange* const exchange = lane_.exchanges.create();
  exchange->last_byte = time;
  exchange->overlap_conflict = conflict_;
  conflict_ = false;
  exchange->owner = this;
  exchange->stream = id;
  stream->exchange = exchange;
  make_room(*exchange);
  return stream;
}

// A stream that is not open: a new one, one of which the beginning was lost, or one that is over.
Stream* Session::find_or_open(const Half& half, uint32_t id, EventTime time, DropReason& why_not) {
  const bool asks = message_of(half) == Message::kRequest;
  if (asks && !from_client(id)) return nullptr;
  if (was_closed(id)) return nullptr;
  // Streams are opened in ascending order (RFC 9113 section 5.1.1): a lower number was open before,
  // unless its beginning was not seen.
  const bool doubt = halves_[0].doubt || halves_[1].doubt;
  if (from_client(id) && id <= highest_request_ && !doubt) return nullptr;
  if (!from_client(id) && !doubt) return nullptr;
  if (asks) highest_request_ = std::max(highest_request_, id);
  Stream* const stream = open_stream(id, !from_client(id), time);
  if (stream == nullptr) {
    why_not = DropReason::kHttpH2StreamsFull;
    return nullptr;
  }
  if (asks) return stream;
  // The answer comes first: its request waits behind a hole, or was lost. What the answer's sender
  // had received tells.
  const Half& requests = half_of(Message::kRequest);
  const std::optional<uint64_t> proof = event_->peer_offset;
  stream->exchange->answer_proof = proof;
  stream->exchange->request_may_come =
      !requests.ended && (proof.has_value() ? *proof > requests.next_offset : !doubt);
  if (stream->exchange->request_may_come) ++early_answers_;
  return stream;
}

// Requests that an answer waited for and that did not come: `for_good`, or because everything the
// answer's sender had received was seen.
void Session::no_more_requests(bool for_good) {
  early_answers_ = 0;
  const uint64_t seen = half_of(Message::kRequest).next_offset;
  streams_.for_each([&](Stream& stream) {
    Exchange& exchange = *stream.exchange;
    if (!exchange.waits_for_request()) return;
    if (!for_good && (!exchange.answer_proof.has_value() || *exchange.answer_proof > seen)) {
      ++early_answers_;
      return;
    }
    exchange.request_may_come = false;
    settle(stream);
  });
}

void Session::begin_request(Stream& stream, const MessageStart& start, const Pseudo& pseudo,
                            const Headers& headers) {
  Exchange& exchange = *stream.exchange;
  exchange.request = Exchange::Side::kOpen;
  exchange.request_may_come = false;
  exchange.request_start = start;
  exchange.is_head = pseudo.method == "HEAD";
  exchange.is_connect = pseudo.method == "CONNECT";
  if (exchange.is_connect) stream.carries = Stream::Carries::kTunnel;
  const bool websocket = exchange.is_connect && pseudo.protocol == "websocket";
  if (websocket) exchange.is_connect = false;
  const bool first = !any_request_ && !exchange.is_connect;
  any_request_ = any_request_ || first;
  const BodyInterest interest = lane_.sink.on_request(
      exchange.id,
      {.flow = event_->info,
       .flow_id = flow_,
       .direction = *request_direction_,
       .time = start.time,
       .version = HttpVersion::kHttp2,
       .method = pseudo.method,
       .target = exchange.is_connect && pseudo.path.empty() ? pseudo.authority : pseudo.path,
       .headers = headers,
       .first_on_flow = first,
       .websocket = websocket});
  begin_body(stream, Message::kRequest, interest, headers);
  if (websocket) ask_for_socket(stream, interest);
}

void Session::begin_answer(Stream& stream, const MessageStart& start, const Pseudo& pseudo,
                           const Headers& headers) {
  Exchange& exchange = *stream.exchange;
  exchange.answer = Exchange::Side::kOpen;
  const bool asked = stream.socket != nullptr;
  // RFC 8441 section 5. Where the status is unknown, the frames prove themselves.
  const bool granted = asked && (pseudo.status / 100 == 2 || pseudo.status == 0);
  const BodyInterest interest =
      lane_.sink.on_response(exchange.id, {.flow = event_->info,
                                           .flow_id = flow_,
                                           .direction = opposite(*request_direction_),
                                           .time = start.time,
                                           .version = HttpVersion::kHttp2,
                                           .status = pseudo.status,
                                           .headers = headers,
                                           .websocket = granted});
  begin_body(stream, Message::kResponse, interest, headers);
  if (asked) end_handshake(stream, granted && interest == BodyInterest::kWanted, headers);
}

// Nothing more belongs to the request: its stream stays open for the frames of the WebSocket.
void Session::ask_for_socket(Stream& stream, BodyInterest interest) {
  Exchange& exchange = *stream.exchange;
  if (interest != BodyInterest::kWanted || exchange.answer != Exchange::Side::kAbsent) return;
  stream.carries = Stream::Carries::kWebSocket;
  stream.socket = std::make_unique<SocketStream>(source_, exchange.id);
  lane_.sink.on_message_end(exchange.id, Message::kRequest, MessageEnd::kComplete, now_);
  exchange.request = Exchange::Side::kComplete;
}

void Session::end_handshake(Stream& stream, bool granted, const Headers& answer) {
  Exchange& exchange = *stream.exchange;
  if (granted) {
    exchange.is_websocket = true;
    lane_.sink.on_message_end(exchange.id, Message::kResponse, MessageEnd::kComplete, now_);
    exchange.answer = Exchange::Side::kComplete;
    // DATA whose head was lost may begin anywhere.
    stream.socket->grant(lane_, websocket_terms(answer), !answer.fields.empty(), now_);
    return;
  }
  stream.socket->end(lane_, now_);
  stream.socket.reset();
  stream.carries = Stream::Carries::kBodies;
}

void Session::begin_body(Stream& stream, Message message, BodyInterest interest,
                         const Headers& headers) {
  Stream::Body& body = stream.body(message);
  if (interest == BodyInterest::kWanted) {
    stream.exchange->wanted = true;
    any_llm_ = true;
    make_room(*stream.exchange);
  }
  body.content_length = number_of(headers.find("content-length"));
  body.interest = interest;
  body.coding_unknown = headers.incomplete && !headers.find("content-encoding").has_value();
  if (body.coding_unknown) return;
  body.delivery.begin(source_, stream.exchange, message, interest, content_coding(headers));
}

// JSON and event streams are text; gzip begins with a byte that text does not have.
void Session::begin_coded_body(Stream& stream, Message message, uint8_t first_byte) {
  constexpr uint8_t kGzipMagic = 0x1f;
  static constexpr HeaderField kGzip[] = {{.name = "content-encoding", .value = "gzip"}};
  Stream::Body& body = stream.body(message);
  body.coding_unknown = false;
  Headers headers;
  if (first_byte == kGzipMagic) headers.fields = kGzip;
  body.delivery.begin(source_, stream.exchange, message, body.interest, content_coding(headers));
}

void Session::trailers(Stream& stream, Message message, const Headers& headers) {
  lane_.sink.on_trailers(stream.exchange->id, message, headers, now_);
}

void Session::note_byte(Stream& stream) {
  lane_.exchanges.touch(*stream.exchange);
  EventTime& last = stream.exchange->last_byte;
  if (last.ns < now_.ns) last = now_;
}

void Session::finish_message(Stream& stream, Message message, MessageEnd end) {
  if (stream.socket != nullptr) {
    stream.socket->finish(lane_, message, now_);
    settle(stream);
    return;
  }
  Exchange& exchange = *stream.exchange;
  if (end == MessageEnd::kComplete) bound_loss(stream, message);
  stream.body(message).delivery.end(lane_, end, now_);
  lane_.sink.on_message_end(exchange.id, message, end, now_);
  side(stream, message) =
      end == MessageEnd::kComplete ? Exchange::Side::kComplete : Exchange::Side::kCut;
  settle(stream);
}

// Something else than END_STREAM ends the message. Clients leave when they have got all that
// Content-Length named.
void Session::cut_message(Stream& stream, Message message) {
  Exchange& exchange = *stream.exchange;
  const Stream::Body& body = stream.body(message);
  if (side(stream, message) != Exchange::Side::kOpen) {
    if (body.in_doubt && side(stream, message) == Exchange::Side::kAbsent) {
      exchange.evidence_lost = true;
    }
    return;
  }
  const bool whole = body.content_length.has_value() && body.received >= *body.content_length;
  if (whole) bound_loss(stream, message);
  if (body.in_doubt && !whole) exchange.evidence_lost = true;
  const MessageEnd end = whole ? MessageEnd::kComplete : MessageEnd::kCut;
  stream.body(message).delivery.end(lane_, end, now_);
  lane_.sink.on_message_end(exchange.id, message, end, now_);
  side(stream, message) = whole ? Exchange::Side::kComplete : Exchange::Side::kCut;
}

void Session::settle(Stream& stream) {
  using Side = Exchange::Side;
  if (stream.socket != nullptr) {
    if (stream.socket->is_over()) end_stream(stream, ExchangeOutcome::kComplete, now_);
    return;
  }
  const Exchange& exchange = *stream.exchange;
  const bool request_over = Exchange::is_over(exchange.request) ||
                            (exchange.request == Side::kAbsent && !exchange.request_may_come);
  if (!request_over || !Exchange::is_over(exchange.answer)) return;
  end_stream(stream,
             exchange.request == Side::kComplete && exchange.answer == Side::kComplete
                 ? ExchangeOutcome::kComplete
                 : ExchangeOutcome::kUnknown,
             now_);
}

void Session::reset_stream(Stream& stream, ExchangeOutcome outcome) {
  using Side = Exchange::Side;
  cut_message(stream, Message::kRequest);
  cut_message(stream, Message::kResponse);
  const Exchange& exchange = *stream.exchange;
  const bool whole = stream.socket == nullptr && exchange.request == Side::kComplete &&
                     exchange.answer == Side::kComplete;
  end_stream(stream, whole ? ExchangeOutcome::kComplete : outcome, now_);
}

void Session::end_stream(Stream& stream, ExchangeOutcome outcome, EventTime time) {
  using Side = Exchange::Side;
  Exchange& exchange = *stream.exchange;
  if (stream.socket != nullptr) {
    stream.socket->end(lane_, now_);
    outcome = stream.socket->outcome(outcome);
  }
  for (const Stream::Body& body : stream.bodies) exchange.lost_bytes += body.maybe_lost;
  const bool unexplained =
      exchange.evidence_lost || (exchange.answer == Side::kAbsent && exchange.lost_bytes > 0) ||
      (exchange.request == Side::kAbsent && exchange.answer == Side::kComplete);
  if (unexplained) outcome = ExchangeOutcome::kUnknown;
  lane_.sink.on_exchange_end(exchange.id, {.time = time,
                                           .last_byte = exchange.last_byte,
                                           .outcome = outcome,
                                           .lost_bytes = exchange.lost_bytes,
                                           .pairing_uncertain = exchange.pairing_uncertain,
                                           .overlap_conflict = exchange.overlap_conflict});
  lane_.exchanges.destroy(&exchange);
  if (stream.pushed) --pushed_;
  if (stream.id == kFirstStream) adopted_ = false;
  closed_[closed_count_++ % closed_.size()] = stream.id;
  for (Half& half : halves_) {
    if (half.stream == &stream) half.stream = nullptr;
  }
  streams_.erase(&stream);
}

// What of it is still to come is dropped: it is a stream that was closed.
void Session::evict(Exchange& exchange) {
  lane_.counters.drop(source_, DropReason::kHttpPipelineFull, 0);
  Stream& stream = *streams_.find(exchange.stream);
  for (Stream::Body& body : stream.bodies) body.delivery.stop();
  exchange.evidence_lost = true;
  end_stream(stream, ExchangeOutcome::kUnknown, exchange.last_byte);
}

// For this one, at the cost of those that were active least recently.
void Session::make_room(Exchange& exchange) {
  const Limits& limits = lane_.limits;
  lane_.exchanges.touch(exchange);
  lane_.exchanges.make_room(limits.http_exchanges_max, limits.open_calls_max, &exchange);
}

// RFC 9113 section 6.8: the server will not process streams above the last.
void Session::goaway(uint32_t last_stream) {
  streams_.for_each([&](Stream& stream) {
    if (from_client(stream.id) && stream.id > last_stream) {
      reset_stream(stream, ExchangeOutcome::kServerClosed);
    }
  });
}

// --- ends ---------------------------------------------------------------------------------------

void Session::direction_end(const StreamEvent& event, ExchangeOutcome outcome) {
  Half& half = half_of(event.direction);
  if (half.ended) return;
  half.ended = true;
  now_ = event.time;
  if (!request_direction_.has_value()) return;
  if (message_of(half) == Message::kRequest) {
    if (early_answers_ > 0) no_more_requests(true);
    return;
  }
  streams_.for_each([&](Stream& stream) {
    const Exchange& exchange = *stream.exchange;
    if (exchange.request == Exchange::Side::kOpen || exchange.waits_for_request()) return;
    reset_stream(stream, outcome);
  });
}

void Session::conflict() {
  conflict_ = streams_.size() == 0;
  streams_.for_each([](Stream& stream) { stream.exchange->overlap_conflict = true; });
}

void Session::close(ExchangeOutcome outcome, EventTime time) {
  now_ = time;
  for (Half& half : halves_) drop_block(half);
  streams_.for_each([&](Stream& stream) { reset_stream(stream, outcome); });
}

}  // namespace wiretally::http::http2
