#include "connection.h"

#include <algorithm>
#include <cstring>

#include "field_text.h"
#include "preamble.h"

namespace wiretally::http {
namespace {

// How much a flow that was joined in its middle may show before it is taken for another protocol.
// Binary bytes count in full, text for a fraction: the rest of a long event stream may stand before
// the next start line.
constexpr uint64_t kUndecidedCostMax = 64 * 1024;
constexpr uint64_t kUndecidedEventCost = 1024;
constexpr uint64_t kTextDiscount = 64;
constexpr size_t kTextSampleBytes = 16;

bool looks_like_text(ByteView bytes) {
  const ByteView sample = bytes.first(std::min(bytes.size(), kTextSampleBytes));
  return std::all_of(sample.begin(), sample.end(), [](uint8_t byte) {
    return (byte >= 0x20 && byte < 0x7f) || byte == '\r' || byte == '\n' || byte == '\t';
  });
}

size_t blank_bytes(ByteView bytes) {
  size_t blank = 0;
  while (blank < bytes.size() && (bytes[blank] == '\r' || bytes[blank] == '\n')) ++blank;
  return blank;
}

bool decides_framing(std::string_view name) {
  return same_but_for_case(name, "content-length") || same_but_for_case(name, "transfer-encoding");
}

// RFC 9112 section 6.1: a transfer coding in a request of HTTP/1.0 is faulty framing, which some
// servers read and others do not.
bool framing_is_plain(const llhttp_t& request) {
  const bool http10 = request.http_major == 1 && request.http_minor == 0;
  return !http10 || (request.flags & (F_CHUNKED | F_TRANSFER_ENCODING)) == 0;
}

struct ChunkHeader {
  size_t bytes = 0;
  uint64_t size = 0;  // of the chunk's data
};

// A whole chunk header (RFC 9112 section 7.1) at the beginning of `bytes`; nothing if it has
// extensions, which llhttp reads.
[[gnu::always_inline]] inline std::optional<ChunkHeader> read_chunk_header(ByteView bytes) {
  constexpr size_t kDigitsMax = 8;
  uint64_t size = 0;
  size_t at = 0;
  for (; at < bytes.size() && at < kDigitsMax; ++at) {
    const uint8_t c = bytes[at];
    const uint8_t lower = c | 0x20;
    if (c >= '0' && c <= '9') {
      size = size * 16 + (c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      size = size * 16 + (lower - 'a' + 10);
    } else {
      break;
    }
  }
  if (at == 0 || at + 2 > bytes.size() || bytes[at] != '\r' || bytes[at + 1] != '\n') return {};
  return ChunkHeader{.bytes = at + 2, .size = size};
}

// A chunk header, and what of the chunk's end is there agrees with it.
bool looks_like_chunk(ByteView bytes) {
  const auto header = read_chunk_header(bytes);
  if (!header.has_value()) return false;
  const uint64_t end = header->bytes + header->size;
  if (end < bytes.size() && bytes[end] != '\r') return false;
  return end + 1 >= bytes.size() || bytes[end + 1] == '\n';
}

}  // namespace

Connection::Connection(Lane& lane, FlowId flow, const FlowInfo& info)
    : lane_(lane),
      flow_(flow),
      source_(info.source),
      joined_(info.joined_midstream),
      pairing_(lane, *this) {
  halves_[0].direction = Direction::kAToB;
  halves_[1].direction = Direction::kBToA;
  for (Half& half : halves_) half.connection = this;
}

FlowDemand Connection::on_event(const StreamEvent& event) {
  event_ = &event;
  offset_ = event.offset;
  Half& half = halves_[static_cast<size_t>(event.direction)];
  switch (event.kind) {
    case StreamEvent::Kind::kOpen:
      break;
    case StreamEvent::Kind::kData:
      half.captured = true;
      half.next_offset = event.offset + event.bytes.size();
      if (event.conflict) pairing_.conflict();
      if (event.conflict && session_ != nullptr) session_->conflict();
      data(half);
      half.peer_offset = event.peer_offset.value_or(half.peer_offset);
      break;
    case StreamEvent::Kind::kGap:
      half.next_offset = event.offset + event.gap_bytes;
      gap(half);
      break;
    case StreamEvent::Kind::kEnd:
      direction_end(half);
      break;
    case StreamEvent::Kind::kClose:
      close(event);
      break;
  }
  event_ = nullptr;
  if (protocol_ == Protocol::kOpaque) return FlowDemand::kIgnoreFlow;
  if (protocol_ == Protocol::kHttp1 && !latest_wanted_ && !pairing_.any_wanted()) {
    return FlowDemand::kHeadsOnly;
  }
  return FlowDemand::kMore;
}

FlowVerdict Connection::verdict() const {
  if (any_llm_ || (session_ != nullptr && session_->any_llm())) return FlowVerdict::kLlm;
  return protocol_ == Protocol::kUndecided ? FlowVerdict::kUndecided : FlowVerdict::kIgnored;
}

// --- data ---------------------------------------------------------------------------------------

void Connection::data(Half& half) {
  if (half.held != nullptr && half.held->evicted()) head_was_evicted(half);
  if (protocol_ == Protocol::kUndecided && joined_ && find_http2(half)) return;
  ByteView rest = event_->bytes;
  bool event_begins = true;
  while (!rest.empty()) {
    const size_t used = take(half, rest, event_begins);
    rest = rest.subspan(used);
    offset_ += used;
    if (used > 0) event_begins = false;
  }
}

size_t Connection::take(Half& half, ByteView rest, bool event_begins) {
  switch (half.state) {
    case State::kPreamble:
      return take_preamble(half, rest);
    case State::kStart:
      return take_start(half, rest);
    case State::kSeek:
      return take_seek(half, rest, event_begins);
    case State::kHead:
      return take_head(half, rest);
    case State::kBody:
      return take_body(half, rest);
    case State::kChunkSeek:
      return take_chunk_seek(half, rest, event_begins);
    case State::kHello:
      return take_hello(half, rest);
    case State::kAwait:
      return take_await(half, rest);
    case State::kWebSocket:
      return take_websocket(half, rest);
    case State::kHttp2:
      session_->data(*event_, rest, offset_);
      return rest.size();
    case State::kOpaque:
      skip_opaque(rest.size());
      return rest.size();
  }
  return rest.size();
}

size_t Connection::take_start(Half& half, ByteView rest) {
  // Empty lines before a start line are to be ignored, RFC 9112 section 2.2. A proxy's preamble may
  // begin with some, too.
  const size_t blank = blank_bytes(rest);
  if (blank > 0 && !may_be_preamble(half, rest)) {
    if (half.expect != Expect::kFresh || blank == rest.size() ||
        plausible(half, rest.subspan(blank))) {
      lane_.counters.parse(source_, blank);
      return blank;
    }
  }
  if (plausible(half, rest)) {
    begin_head(half, offset_);
  } else if (may_be_preamble(half, rest)) {
    half.state = State::kPreamble;
  } else if (half.expect == Expect::kFresh && rest[0] == kTlsHandshake &&
             (half.hello = lane_.hellos.borrow()) != nullptr) {
    half.state = State::kHello;
  } else {
    not_a_start(half);
  }
  return 0;
}

bool Connection::may_be_preamble(const Half& half, ByteView first) const {
  return protocol_ == Protocol::kUndecided && half.expect == Expect::kFresh && !joined_ &&
         find_preamble(first).kind != Preamble::Kind::kNone;
}

size_t Connection::take_preamble(Half& half, ByteView rest) {
  const size_t held = half.held == nullptr ? 0 : half.held->size();
  const ByteView part = rest.first(std::min(rest.size(), kPreambleBytesMax));
  if (!hold(half, part)) {
    not_a_start(half);
    return 0;
  }
  const Preamble preamble = find_preamble(*half.held);
  switch (preamble.kind) {
    case Preamble::Kind::kOpen:
      return part.size();
    case Preamble::Kind::kNone:
      if (held > 0 && blank_bytes(*half.held) >= held) {
        release_held(half);
        lane_.counters.parse(source_, held);
        half.state = State::kStart;
        return 0;
      }
      not_a_start(half);
      return part.size();
    case Preamble::Kind::kDone:
      break;
  }
  release_held(half);
  skip_opaque(preamble.bytes);
  half.state = State::kStart;
  return preamble.bytes - held;
}

size_t Connection::take_seek(Half& half, ByteView rest, bool event_begins) {
  size_t candidate = 0;
  if (!event_begins && !half.line_begins) candidate = rest.size();
  size_t searched = 0;
  while (true) {
    const bool allowed = may_begin(half, event_begins && candidate == 0);
    if (allowed && candidate < rest.size() && plausible(half, rest.subspan(candidate))) {
      pass_over(half, rest.first(candidate));
      if (half.state == State::kSeek) begin_head(half, offset_ + candidate);
      return candidate;
    }
    const void* found = std::memchr(rest.data() + searched, '\n', rest.size() - searched);
    if (found == nullptr) break;
    searched = static_cast<size_t>(static_cast<const uint8_t*>(found) - rest.data()) + 1;
    candidate = searched;
  }
  half.line_begins = searched == rest.size();
  pass_over(half, rest);
  return rest.size();
}

bool Connection::may_begin(const Half& half, bool event_begins) {
  if (!half.wary) return true;
  if (!event_begins) return false;
  const uint64_t seen = peer_offset_of(half, event_->peer_offset);
  if (message_of(half) == Message::kResponse) {
    return pairing_.request_waits_between(half.wary_until, seen);
  }
  return half.answers_owed == 0 && seen >= half.wary_until;
}

bool Connection::plausible(const Half& half, ByteView first) const {
  switch (classify_start(first)) {
    case StartKind::kNone:
      return false;
    case StartKind::kUndecided:
      return true;
    case StartKind::kRequest:
      return protocol_ != Protocol::kHttp1 || message_of(half) == Message::kRequest;
    case StartKind::kResponse:
      return protocol_ != Protocol::kHttp1 || message_of(half) == Message::kResponse;
    case StartKind::kHttp2:
      return protocol_ != Protocol::kHttp1 || half.expect == Expect::kFresh;
  }
  return false;
}

void Connection::begin_head(Half& half, uint64_t offset) {
  half.state = State::kHead;
  half.start_confirmed = false;
  half.start = {.offset = offset,
                .time = event_->time,
                .peer_offset = event_->peer_offset,
                .peer_offset_before = half.peer_offset};
}

size_t Connection::take_head(Half& half, ByteView rest) {
  if (!half.start_confirmed) {
    switch (confirm_start(half, rest)) {
      case StartKind::kNone:
        if (may_be_preamble(half, half.held == nullptr ? rest : ByteView(*half.held))) {
          half.state = State::kPreamble;  // "PRO" begins a method, too
        } else {
          not_a_start(half);
        }
        return 0;
      case StartKind::kUndecided:
        if (!hold(half, rest)) bad_head(half, rest, rest.size());
        return rest.size();
      case StartKind::kHttp2:
        begin_http2(half);
        return 0;
      case StartKind::kRequest:
      case StartKind::kResponse:
        break;
    }
  }
  const size_t used = half.scanner.feed(rest);
  const size_t head_bytes = used + (half.held == nullptr ? 0 : half.held->size());
  if (head_bytes > lane_.limits.http_head_bytes_max) {
    bad_head(half, rest, used);
    return used;
  }
  switch (half.scanner.state()) {
    case HeadScanner::State::kOpen:
      if (!hold(half, rest)) bad_head(half, rest, used);
      return used;
    case HeadScanner::State::kComplete:
      if (half.held == nullptr) {
        parse_head(half, rest.first(used), offset_ + used);
      } else if (!hold(half, rest.first(used))) {
        bad_head(half, rest, used);
      } else {
        parse_head(half, *half.held, offset_ + used);
      }
      return used;
    case HeadScanner::State::kBadStartLine:
    case HeadScanner::State::kBadLineEnd:
      bad_head(half, rest, used);
      return used;
  }
  return used;
}

// Looks at the first bytes, of which some may be held from earlier events.
StartKind Connection::confirm_start(Half& half, ByteView rest) {
  std::array<uint8_t, kStartBytes> first;
  const ByteView held = half.held == nullptr ? ByteView() : ByteView(*half.held);
  const size_t from_held = std::min(held.size(), first.size());
  const size_t from_rest = std::min(rest.size(), first.size() - from_held);
  std::copy_n(held.begin(), from_held, first.begin());
  std::copy_n(rest.begin(), from_rest, first.begin() + from_held);
  const ByteView known(first.data(), from_held + from_rest);
  if (!plausible(half, known)) return StartKind::kNone;
  const StartKind kind = classify_start(known);
  if (kind == StartKind::kRequest || kind == StartKind::kResponse) {
    half.kind = kind;
    half.start_confirmed = true;
    half.scanner.reset(kind == StartKind::kRequest);
    half.scanner.feed(held);
  }
  return kind;
}

// No message begins where one was looked for.
void Connection::not_a_start(Half& half) {
  switch (half.expect) {
    case Expect::kFresh:
      skip_opaque(release_held(half));
      not_http(half);
      break;
    case Expect::kNext:
      drop(DropReason::kHttpMalformed, release_held(half));
      poison(half, DropReason::kHttpMalformed, offset_);
      break;
    case Expect::kLost:
      drop(half.trouble, release_held(half));
      seek(half, half.trouble, false);
      break;
  }
}

// The head that `used` bytes of `rest` belong to is given up.
void Connection::bad_head(Half& half, ByteView rest, size_t used) {
  const HeadScanner::State state = half.scanner.state();
  if (half.start_confirmed && state == HeadScanner::State::kBadStartLine &&
      half.expect == Expect::kFresh && !joined_) {
    skip_opaque(release_held(half) + used);
    not_http(half);
    return;
  }
  const bool too_large =
      state == HeadScanner::State::kOpen || state == HeadScanner::State::kComplete;
  const DropReason reason =
      too_large ? DropReason::kHttpHeadTooLarge
                : (half.expect == Expect::kLost ? half.trouble : DropReason::kHttpMalformed);
  drop(reason, release_held(half) + used);
  poison(half, reason, offset_ + used);
  half.line_begins = used > 0 && rest[used - 1] == '\n';
}

// Another head needed its memory; its bytes are counted already.
void Connection::head_was_evicted(Half& half) {
  release_held(half);
  if (half.state == State::kPreamble) {
    not_a_start(half);
  } else {
    poison(half, DropReason::kHttpHeadBudget, offset_);
  }
}

bool Connection::hold(Half& half, ByteView bytes) {
  if (!lane_.head_buffers.append(half.held, source_, bytes)) return false;
  lane_.counters.of(source_).buffered_bytes.add(bytes.size());
  return true;
}

size_t Connection::release_held(Half& half) {
  const size_t held = lane_.head_buffers.release(half.held);
  if (held > 0) lane_.counters.of(source_).buffered_bytes.subtract(held);
  return held;
}

// --- heads --------------------------------------------------------------------------------------

const llhttp_settings_t& Connection::settings() {
  static const llhttp_settings_t kSettings = [] {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_url = on_target;
    settings.on_header_field = on_field;
    settings.on_header_value = on_value;
    settings.on_headers_complete = on_head_complete;
    settings.on_body = on_body_part;
    settings.on_chunk_header = on_chunk_header;
    settings.on_chunk_complete = on_chunk_complete;
    settings.on_message_complete = on_message_complete;
    return settings;
  }();
  return kSettings;
}

// A request that waited behind a hole comes after its answer, with its own, earlier time.
[[gnu::always_inline]] inline void Connection::note_last_byte(Half& half) {
  if (half.exchange == nullptr) return;
  lane_.exchanges.touch(*half.exchange);
  EventTime& last = half.exchange->last_byte;
  if (last.ns < event_->time.ns) last = event_->time;
}

void Connection::set_up_parser(Half& half) {
  llhttp_init(&half.parser, half.kind == StartKind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE,
              &settings());
  // Without this, llhttp swallows whatever follows `Connection: close`.
  llhttp_set_lenient_keep_alive(&half.parser, 1);
  half.parser.data = &half;
  half.message_done = false;
  half.in_chunk = false;
  half.chunk_begins = false;
  half.chunk_end_bytes = 0;
}

void Connection::parse_head(Half& half, ByteView head, uint64_t end_offset) {
  lane_.fields.clear();
  target_ = {};
  fields_cut_ = false;
  head_is_bad_ = false;
  half.head_done = false;
  half.interim = half.opens_tunnel = half.switches = false;
  half.to_websocket = half.to_http2 = false;
  half.exchange = nullptr;
  set_up_parser(half);
  llhttp_execute(&half.parser, reinterpret_cast<const char*>(head.data()), head.size());
  const size_t head_bytes = head.size();
  release_held(half);
  if (!half.head_done) {
    const bool searching = half.expect == Expect::kLost;
    const DropReason reason = searching ? half.trouble : DropReason::kHttpMalformed;
    drop(reason, head_bytes);
    poison(half, reason, end_offset);
    half.line_begins = true;
    return;
  }
  half.expect = Expect::kNext;
  half.wary = false;
  if (half.exchange == nullptr && !half.interim) {
    drop(DropReason::kHttpPipelineFull, head_bytes);
  } else {
    lane_.counters.parse(source_, head_bytes);
  }
  note_last_byte(half);
  if (half.message_done) {
    finish_message(half, MessageEnd::kComplete, end_offset);
  } else {
    half.state = State::kBody;
    half.chunk_begins = (half.parser.flags & F_CHUNKED) != 0;
  }
}

int Connection::on_target(llhttp_t* parser, const char* at, size_t length) {
  half_of(parser).connection->target_ = {at, length};
  return 0;
}

int Connection::on_field(llhttp_t* parser, const char* at, size_t length) {
  Half& half = half_of(parser);
  Connection& self = *half.connection;
  if (half.head_done) return 0;  // a trailer
  // RFC 9112 section 5.1 has servers reject white space in a name; llhttp lets some pass.
  if (std::memchr(at, ' ', length) != nullptr) self.head_is_bad_ = true;
  if (self.lane_.fields.size() >= self.lane_.limits.http_headers_max) {
    self.fields_cut_ = true;
    return 0;
  }
  self.lane_.fields.push_back({.name = {at, length}, .value = {}});
  return 0;
}

int Connection::on_value(llhttp_t* parser, const char* at, size_t length) {
  Half& half = half_of(parser);
  Connection& self = *half.connection;
  if (half.head_done || self.fields_cut_ || self.lane_.fields.empty()) return 0;
  HeaderField& field = self.lane_.fields.back();
  // A folded value (RFC 9112 section 5.2) comes in pieces; where framing hangs on it, clients
  // differ.
  const char* const name_end = field.name.data() + field.name.size();
  const char* const end = at + length;
  if (decides_framing(field.name) &&
      std::memchr(name_end, '\n', static_cast<size_t>(end - name_end)) != nullptr) {
    self.head_is_bad_ = true;
  }
  const char* const begin = field.value.empty() ? at : field.value.data();
  field.value = trimmed({begin, static_cast<size_t>(end - begin)}, kFoldedSpace);
  return 0;
}

// Returns what llhttp wants: 0 = a body may follow, 1 = none does, -1 = the head is bad.
int Connection::on_head_complete(llhttp_t* parser) {
  Half& half = half_of(parser);
  Connection& self = *half.connection;
  if (half.head_done) return 0;  // the made-up head of resume_chunks
  const bool request = half.kind == StartKind::kRequest;
  if (self.head_is_bad_ || !(request ? framing_is_plain(*parser) : parser->status_code >= 100)) {
    return -1;
  }
  if (self.protocol_ == Protocol::kUndecided) {
    self.decide(half, request ? half.direction : opposite(half.direction));
  } else if (request != (self.message_of(half) == Message::kRequest)) {
    return -1;
  }
  const bool interim = !request && parser->status_code < 200 && parser->status_code != 101;
  if (!request && !interim && !self.pairing_.answer_is_due(half.start, self.requests_known())) {
    return -1;
  }
  half.head_done = true;
  return (request ? self.begin_request(half) : self.begin_answer(half)) ? 0 : 1;
}

// The first good head says who asks.
void Connection::decide(Half& half, Direction request_direction) {
  protocol_ = Protocol::kHttp1;
  request_direction_ = request_direction;
  settle_undecided(true);
  if (joined_) pairing_.join_midstream();
  const Half& asking = half_of(Message::kRequest);
  if (asking.undecided_gap_bytes > 0) {
    pairing_.gap_between(Message::kRequest, asking.undecided_gap_at, asking.undecided_gap_bytes,
                         event_->time);
  }
  const Half& answering = half_of(Message::kResponse);
  if (joined_) {
    note_unread_answers(answering, &answering == &half ? half.start.offset : answering.next_offset);
  }
  Half& peer = other(half);
  if (peer.state == State::kStart) {
    if (joined_) {
      seek(peer, DropReason::kHttpResync, false);
    } else {
      peer.expect = Expect::kNext;
    }
  } else if (peer.state == State::kHead && peer.expect == Expect::kFresh) {
    peer.expect = joined_ ? Expect::kLost : Expect::kNext;
  }
}

Headers Connection::parsed_headers() { return {.fields = lane_.fields, .incomplete = fields_cut_}; }

// False if no body follows.
bool Connection::begin_request(Half& half) {
  const auto method = static_cast<llhttp_method_t>(half.parser.method);
  half.opens_tunnel = method == HTTP_CONNECT;
  const Half& answering = half_of(Message::kResponse);
  // No byte of an answer came here, and nothing shows that the client has received none either.
  const bool one_sided = !answering.captured && half.start.peer_offset.value_or(1) > 0;
  if (one_sided && pairing_.make_room_for_request(half.start.time)) {
    lane_.counters.drop(source_, DropReason::kHttpPipelineFull, 0);
  }
  Exchange* const exchange = pairing_.request_begins(half.start, answering.next_offset);
  half.exchange = exchange;
  const Headers headers = parsed_headers();
  half.to_websocket = method == HTTP_GET && upgrades_to_websocket(headers);
  BodyInterest interest = BodyInterest::kNotLlm;
  if (exchange != nullptr) {
    exchange->is_head = method == HTTP_HEAD;
    exchange->is_connect = half.opens_tunnel;
    const bool http10 = half.parser.http_minor == 0;
    const bool first = !any_request_ && !half.opens_tunnel;
    any_request_ = any_request_ || first;
    interest = lane_.sink.on_request(
        exchange->id, {.flow = event_->info,
                       .flow_id = flow_,
                       .direction = half.direction,
                       .time = half.start.time,
                       .version = http10 ? HttpVersion::kHttp10 : HttpVersion::kHttp11,
                       .method = llhttp_method_name(method),
                       .target = target_,
                       .headers = headers,
                       .first_on_flow = first,
                       .websocket = half.to_websocket});
    interested(exchange, interest);
    latest_wanted_ = interest == BodyInterest::kWanted;
  }
  half.body.begin(source_, exchange, Message::kRequest, interest, content_coding(headers));
  return !half.opens_tunnel;
}

bool Connection::begin_answer(Half& half) {
  constexpr uint16_t kSwitchingProtocols = 101;
  const uint16_t status = half.parser.status_code;
  half.switches = status == kSwitchingProtocols;
  const Headers headers = parsed_headers();
  const std::string_view upgrade = headers.find("upgrade").value_or("");
  // The answer to a request that was upgraded comes on stream 1: RFC 7540 section 3.2.
  half.to_http2 = half.switches && same_but_for_case(upgrade, "h2c");
  half.interim = half.to_http2 || (status < 200 && !half.switches);
  if (half.interim) return false;
  Exchange* const exchange = pairing_.answer_begins(half.start, requests_known());
  half.exchange = exchange;
  half.to_websocket = half.switches && upgrades_to_websocket(headers);
  half.opens_tunnel = exchange->is_connect && status / 100 == 2;
  const bool http10 = half.parser.http_minor == 0;
  const BodyInterest interest = lane_.sink.on_response(
      exchange->id, {.flow = event_->info,
                     .flow_id = flow_,
                     .direction = half.direction,
                     .time = half.start.time,
                     .version = http10 ? HttpVersion::kHttp10 : HttpVersion::kHttp11,
                     .status = status,
                     .headers = headers,
                     .websocket = half.to_websocket});
  interested(exchange, interest);
  exchange->is_websocket = half.to_websocket && interest == BodyInterest::kWanted;
  if (exchange->is_websocket) terms_ = websocket_terms(headers);
  if (exchange->request == Exchange::Side::kAbsent) {
    latest_wanted_ = interest == BodyInterest::kWanted;
  }
  half.body.begin(source_, exchange, Message::kResponse, interest, content_coding(headers));
  return !answer_has_no_body(half);
}

// What is still to come of a counted body belongs to its request, captured or not.
uint64_t Connection::requests_known() {
  const Half& asking = half_of(Message::kRequest);
  const bool counted = asking.state == State::kBody && !body_ends_with_connection(asking) &&
                       (asking.parser.flags & F_CHUNKED) == 0;
  return asking.next_offset + (counted ? asking.parser.content_length : 0);
}

// RFC 9112 section 6.3.
bool Connection::answer_has_no_body(const Half& half) const {
  constexpr uint16_t kNoContent = 204;
  constexpr uint16_t kNotModified = 304;
  const uint16_t status = half.parser.status_code;
  return half.exchange->is_head || half.opens_tunnel || half.switches || status == kNoContent ||
         status == kNotModified;
}

void Connection::interested(Exchange* exchange, BodyInterest interest) {
  if (interest == BodyInterest::kWanted) {
    exchange->wanted = true;
    any_llm_ = true;
  }
  lane_.exchanges.touch(*exchange);
  lane_.exchanges.make_room(lane_.limits.http_exchanges_max, lane_.limits.open_calls_max, exchange);
}

// What of it is still to come is dropped.
void Connection::evict(Exchange& exchange) {
  lane_.counters.drop(source_, DropReason::kHttpPipelineFull, 0);
  if (exchange.is_websocket) end_websocket(exchange.last_byte);
  for (Half& half : halves_) {
    if (half.exchange != &exchange) continue;
    half.body.stop();
    half.exchange = nullptr;
    half.body.begin(source_, nullptr, message_of(half), BodyInterest::kNotLlm,
                    ContentCoding::kIdentity);
  }
  pairing_.evict(exchange);
}

// --- bodies -------------------------------------------------------------------------------------

size_t Connection::take_body(Half& half, ByteView rest) {
  forget_ended_upgrade(half);
  if (half.chunk_begins) {
    if (const size_t used = take_whole_chunks(half, rest); used > 0) return used;
  }
  if (half.chunk_end_bytes > 0 && chunk_end_is_bad(half, rest)) {
    poison(half, DropReason::kHttpMalformed, offset_);
    return 0;
  }
  executed_ = rest;
  chunk_end_ = nullptr;
  half.delivered = 0;
  const char* const begin = reinterpret_cast<const char*>(rest.data());
  const llhttp_errno_t error = llhttp_execute(&half.parser, begin, rest.size());
  size_t used = rest.size();
  if (error != HPE_OK) {
    const char* const stopped = llhttp_get_error_pos(&half.parser);
    used = std::max<size_t>(half.delivered, static_cast<size_t>(stopped - begin));
  }
  half.chunk_begins = error == HPE_OK && chunk_end_ == rest.data() + rest.size();
  note_last_byte(half);
  half.body.framing(lane_, used - half.delivered);
  if (half.message_done) {
    finish_message(half, MessageEnd::kComplete, offset_ + used);
  } else if (error != HPE_OK) {
    poison(half, DropReason::kHttpMalformed, offset_ + used);
  }
  return used;
}

// The chunks that `rest` begins with and that lie whole in it: most events are one. The parser
// stands at a chunk's beginning and goes on standing there.
size_t Connection::take_whole_chunks(Half& half, ByteView rest) {
  size_t used = 0, delivered = 0;
  while (const auto header = read_chunk_header(rest.subspan(used))) {
    const size_t left = rest.size() - used - header->bytes;
    if (header->size == 0 || left < header->size + 2) break;
    const ByteView chunk = rest.subspan(used + header->bytes, header->size);
    const uint8_t* const behind = chunk.data() + chunk.size();
    if (behind[0] != '\r' || behind[1] != '\n') break;
    half.body.deliver(lane_, chunk, event_->time);
    delivered += chunk.size();
    used += header->bytes + chunk.size() + 2;
  }
  if (used == 0) return 0;
  note_last_byte(half);
  half.body.framing(lane_, used - delivered);
  return used;
}

int Connection::on_body_part(llhttp_t* parser, const char* at, size_t length) {
  Half& half = half_of(parser);
  Connection& self = *half.connection;
  half.delivered += length;
  // Behind a gap that ends with its chunk llhttp reports an empty part.
  if (length > 0) half.body.deliver(self.lane_, as_bytes({at, length}), self.event_->time);
  if (!half.in_chunk || parser->content_length > 0) return 0;
  // llhttp does not look at the CRLF behind a chunk; a wrong one means that its size was wrong.
  half.chunk_end_bytes = 2;
  const uint8_t* const behind = reinterpret_cast<const uint8_t*>(at) + length;
  self.chunk_end_ = behind + half.chunk_end_bytes;
  const uint8_t* const end = self.executed_.data() + self.executed_.size();
  const ByteView following(behind, static_cast<size_t>(end - behind));
  return self.chunk_end_is_bad(half, following) ? -1 : 0;
}

bool Connection::chunk_end_is_bad(Half& half, ByteView behind) {
  for (const uint8_t byte : behind.first(std::min<size_t>(behind.size(), half.chunk_end_bytes))) {
    if (byte != (half.chunk_end_bytes == 2 ? '\r' : '\n')) return true;
    --half.chunk_end_bytes;
  }
  return false;
}

int Connection::on_chunk_header(llhttp_t* parser) {
  half_of(parser).in_chunk = parser->content_length > 0;
  return 0;
}

int Connection::on_chunk_complete(llhttp_t* parser) {
  half_of(parser).in_chunk = false;
  return 0;
}

int Connection::on_message_complete(llhttp_t* parser) {
  half_of(parser).message_done = true;
  return HPE_PAUSED;
}

void Connection::finish_message(Half& half, MessageEnd end, uint64_t end_offset) {
  Exchange* websocket = nullptr;
  if (Exchange* const exchange = half.exchange; exchange != nullptr) {
    const Message message = message_of(half);
    half.exchange = nullptr;
    half.body.end(lane_, end, event_->time);
    if (message == Message::kRequest) {
      exchange->request_end = end_offset;
      if (half.to_websocket && exchange->answer == Exchange::Side::kAbsent) {
        awaited_ = exchange->id;
      } else {
        half.to_websocket = false;
      }
    }
    if (exchange->is_websocket) websocket = exchange;
    const ExchangeId id = exchange->id;
    lane_.sink.on_message_end(id, message, end, event_->time);
    if (session_ != nullptr) {
      session_->adopted_request_ends(end, event_->time);
    } else {
      const bool answered = message == Message::kResponse && end == MessageEnd::kComplete;
      pairing_.message_ends(*exchange, message, end, event_->time);
      Half& asking = half_of(Message::kRequest);
      if (answered && asking.wary && asking.answers_owed > 0) {
        --asking.answers_owed;
        asking.wary_until = end_offset;
      }
      if (message == Message::kResponse && websocket == nullptr && id >= awaited_) stop_awaiting();
    }
  }
  if (session_ != nullptr) {
    half.state = State::kHttp2;
    return;
  }
  after_message(half, websocket);
}

void Connection::after_message(Half& half, Exchange* websocket) {
  half.state = State::kStart;
  half.expect = half.opens_tunnel ? Expect::kFresh : Expect::kNext;
  if (message_of(half) == Message::kRequest) {
    if (half.to_websocket) half.state = State::kAwait;
    return;
  }
  if (!half.switches) return;
  if (websocket != nullptr) {
    begin_websocket(half, *websocket);
    return;
  }
  if (half.to_websocket) {
    become_opaque();
    return;
  }
  if (half.to_http2) {
    upgrade_to_http2();
    return;
  }
  half.expect = Expect::kFresh;
  if (other(half).state == State::kStart) other(half).expect = Expect::kFresh;
}

bool Connection::body_ends_with_connection(const Half& half) {
  return (half.parser.flags & (F_CHUNKED | F_CONTENT_LENGTH)) == 0;
}

// --- trouble ------------------------------------------------------------------------------------

// The framing of this direction is lost.
void Connection::poison(Half& half, DropReason reason, uint64_t offset) {
  if (session_ != nullptr) {
    // The body of the request that was upgraded.
    if (half.exchange != nullptr) half.exchange->evidence_lost = true;
    finish_message(half, MessageEnd::kCut, offset);
    session_->lose(half.direction);
    return;
  }
  const bool in_head = half.state == State::kHead && half.start_confirmed;
  const bool is_http = in_head && half.expect == Expect::kFresh && !half.scanner.in_first_line();
  if (protocol_ == Protocol::kUndecided && is_http && !joined_) {
    const bool asks = half.kind == StartKind::kRequest;
    decide(half, asks ? half.direction : opposite(half.direction));
  }
  const bool had_exchange = half.exchange != nullptr;
  if (had_exchange) {
    half.exchange->evidence_lost = true;
    finish_message(half, MessageEnd::kCut, offset);
  } else if (in_head && half.expect == Expect::kNext && message_of(half) == Message::kResponse) {
    pairing_.answer_ruined(half.start, requests_known(), 0, event_->time);
  }
  if (protocol_ == Protocol::kUndecided) {
    joined_ = true;
  } else {
    pairing_.doubt(message_of(half));
    if (in_head && !had_exchange) note_unread(half, half.start.offset, half.start.peer_offset);
    if (reason != DropReason::kHttpResync) {
      const auto seen = in_head ? half.start.peer_offset : event_->peer_offset;
      be_wary(half, peer_offset_of(half, seen), !had_exchange);
    }
  }
  note_unread_answers(half, offset);
  seek(half, reason, false);
}

void Connection::note_unread_answers(const Half& half, uint64_t until) {
  if (protocol_ != Protocol::kHttp1 || message_of(half) != Message::kResponse) return;
  pairing_.unread_answers(until);
}

void Connection::note_unread(Half& half, uint64_t offset, std::optional<uint64_t> peer_offset) {
  if (protocol_ != Protocol::kHttp1 || message_of(half) != Message::kRequest) return;
  pairing_.unread_requests(offset, peer_offset);
}

// `peer_offset`: what the bad message's sender had received. `of_no_exchange`: it is a request that
// will be answered, for all we know, and is not among those counted.
void Connection::be_wary(Half& half, uint64_t peer_offset, bool of_no_exchange) {
  half.wary = true;
  half.wary_until = peer_offset;
  half.answers_owed = pairing_.answers_open() + (of_no_exchange ? 1 : 0);
}

void Connection::seek(Half& half, DropReason trouble, bool line_begins) {
  half.state = State::kSeek;
  half.expect = Expect::kLost;
  half.trouble = trouble;
  half.line_begins = line_begins;
}

void Connection::gap(Half& half) {
  half.detector.reset();
  switch (half.state) {
    case State::kHttp2:
      session_->gap(*event_);
      break;
    case State::kOpaque:
      break;
    case State::kWebSocket:
      half.exchange->lost_bytes += event_->gap_bytes;
      websocket_->gap(lane_, message_of(half), event_->gap_bytes, event_->time);
      break;
    case State::kBody:
      gap_in_body(half);
      break;
    case State::kChunkSeek:
      note_unread(half, event_->offset, std::nullopt);
      note_unread_answers(half, half.next_offset);
      lose(half, event_->gap_bytes);
      break;
    case State::kHello:
      release_hello(half);
      gap_between(half, event_->offset, event_->gap_bytes);
      break;
    case State::kPreamble:
    case State::kStart:
    case State::kSeek:
    case State::kHead:
    case State::kAwait:
      gap_between(half, event_->offset, event_->gap_bytes);
      break;
  }
}

void Connection::gap_in_body(Half& half) {
  forget_ended_upgrade(half);
  const uint64_t bytes = event_->gap_bytes;
  uint64_t& left = half.parser.content_length;
  if (body_ends_with_connection(half)) {
    lose(half, bytes);
  } else if (half.parser.flags & F_CHUNKED) {
    lose(half, bytes);
    if (half.in_chunk && bytes <= left) {
      left -= bytes;
      if (left == 0) half.chunk_end_bytes = 2;
    } else {
      if (session_ != nullptr) {
        poison(half, DropReason::kHttpResync, event_->offset + bytes);
        return;
      }
      pairing_.doubt(message_of(half));
      note_unread(half, event_->offset, std::nullopt);
      note_unread_answers(half, half.next_offset);
      half.state = State::kChunkSeek;
    }
  } else {
    const uint64_t inside = std::min(bytes, left);
    lose(half, inside);
    left -= inside;
    if (left > 0) return;
    finish_message(half, MessageEnd::kComplete, event_->offset + inside);
    if (bytes > inside) gap_between(half, event_->offset + inside, bytes - inside);
  }
}

// Bytes of the open body were lost.
void Connection::lose(Half& half, uint64_t bytes) {
  if (half.exchange == nullptr) return;
  half.exchange->lost_bytes += bytes;
  half.body.gap(lane_, bytes, event_->time);
}

void Connection::gap_between(Half& half, uint64_t offset, uint64_t bytes) {
  if (half.state == State::kOpaque) return;
  if (half.state == State::kHttp2) {
    StreamEvent rest = *event_;
    rest.offset = offset;
    rest.gap_bytes = bytes;
    session_->gap(rest);
    return;
  }
  const bool in_known_head =
      half.state == State::kHead && half.start_confirmed && half.expect == Expect::kNext;
  drop(DropReason::kHttpResync, release_held(half));
  if (half.state == State::kHead) note_unread(half, half.start.offset, half.start.peer_offset);
  if (protocol_ == Protocol::kUndecided) {
    joined_ = true;
    if (half.undecided_gap_bytes == 0) half.undecided_gap_at = offset;
    half.undecided_gap_bytes += bytes;
  } else if (in_known_head && message_of(half) == Message::kResponse &&
             pairing_.answer_ruined(half.start, requests_known(), bytes, event_->time)) {
    pairing_.doubt(Message::kResponse);
  } else {
    pairing_.gap_between(message_of(half), offset, bytes, event_->time);
  }
  note_unread_answers(half, offset + bytes);
  seek(half, DropReason::kHttpResync, false);
}

size_t Connection::take_chunk_seek(Half& half, ByteView rest, bool event_begins) {
  const bool same_message = half.exchange != nullptr &&
                            pairing_.proves_same_message(*half.exchange, message_of(half),
                                                         event_->peer_offset, requests_known());
  if (event_begins && same_message && looks_like_chunk(rest)) {
    pairing_.lost_was_in(*half.exchange, message_of(half));
    resume_chunks(half);
    return 0;
  }
  const StartKind kind = event_begins ? classify_start(rest) : StartKind::kNone;
  const bool new_message = kind == StartKind::kRequest || kind == StartKind::kResponse;
  const bool goes_on =
      same_message || (half.exchange != nullptr &&
                       pairing_.may_go_on(*half.exchange, message_of(half), event_->peer_offset));
  if (!goes_on || new_message) {
    poison(half, DropReason::kHttpResync, offset_);
    return 0;
  }
  if (event_begins) pairing_.lost_was_in(*half.exchange, message_of(half));
  drop(DropReason::kHttpResync, rest.size());
  note_unread_answers(half, offset_ + rest.size());
  return rest.size();
}

// Brings a new parser to where a chunk header is expected.
void Connection::resume_chunks(Half& half) {
  constexpr std::string_view kRequest = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  set_up_parser(half);
  const std::string_view head = half.kind == StartKind::kRequest ? kRequest : kAnswer;
  llhttp_execute(&half.parser, head.data(), head.size());
  half.state = State::kBody;
}

// --- WebSocket ----------------------------------------------------------------------------------

// Behind a request for a WebSocket: frames, or the next request if it is refused. Held until the
// answer says which; clients that do not wait for it, or that were captured before it, are rare.
size_t Connection::take_await(Half& half, ByteView rest) {
  const size_t held = half.held == nullptr ? 0 : half.held->size();
  if (held + rest.size() > lane_.limits.http_head_bytes_max || !hold(half, rest)) {
    drop(DropReason::kHttpWebsocketEarly, release_held(half) + rest.size());
    poison(half, DropReason::kHttpWebsocketEarly, offset_ + rest.size());
  }
  return rest.size();
}

// The answer that was waited for is no 101.
void Connection::stop_awaiting() {
  Half& asking = half_of(Message::kRequest);
  if (asking.state != State::kAwait) return;
  asking.state = State::kStart;
  take_held(asking);
}

void Connection::begin_websocket(Half& answering, Exchange& exchange) {
  Half& asking = other(answering);
  // Otherwise something was lost, or taken for something else.
  const bool framed = asking.state == State::kAwait || asking.state == State::kStart;
  if (!framed) {
    end_open_message(asking, false);
    drop(DropReason::kHttpResync, release_held(asking));
  }
  websocket_ = std::make_unique<WebSocket>();
  websocket_->begin(source_, exchange.id, terms_, framed, true);
  for (Half& half : halves_) {
    half.state = State::kWebSocket;
    half.exchange = &exchange;
  }
  take_held(asking);
}

size_t Connection::take_websocket(Half& half, ByteView rest) {
  note_last_byte(half);
  websocket_->feed(lane_, message_of(half), rest, event_->time);
  return rest.size();
}

// Nothing of it may come behind its exchange's end; what still does is nobody's.
void Connection::end_websocket(EventTime time) {
  if (websocket_ == nullptr) return;
  websocket_->end(lane_, time);
  websocket_.reset();
  for (Half& half : halves_) {
    half.exchange = nullptr;
    half.state = State::kOpaque;
  }
}

// Takes what was held while nobody knew what it is, as if it came now.
void Connection::take_held(Half& half) {
  if (half.held == nullptr) return;
  HeadBuffers::Buffer* bytes = half.held;
  half.held = nullptr;
  lane_.counters.of(source_).buffered_bytes.subtract(bytes->size());
  lane_.head_buffers.pin(*bytes);
  const uint64_t offset = offset_;
  offset_ = half.next_offset - bytes->size();
  bool begins = true;
  for (ByteView rest = *bytes; !rest.empty();) {
    const size_t used = take(half, rest, begins);
    rest = rest.subspan(used);
    offset_ += used;
    if (used > 0) begins = false;
  }
  lane_.head_buffers.release(bytes);
  offset_ = offset;
}

// --- other protocols ----------------------------------------------------------------------------

// What this direction says where another protocol may begin is not HTTP.
void Connection::not_http(Half& half) {
  if (protocol_ == Protocol::kUndecided && joined_) {
    seek(half, DropReason::kHttpResync, false);
    return;
  }
  half.state = State::kOpaque;
  const Half& peer = other(half);
  const bool peer_silent = peer.state == State::kStart && peer.expect == Expect::kFresh;
  if (peer.state == State::kOpaque || peer_silent) become_opaque();
}

// Reads the server's name before a TLS connection is left alone. Whatever it turns out to be, these
// bytes are no HTTP.
size_t Connection::take_hello(Half& half, ByteView rest) {
  ClientHelloReader& hello = *half.hello;
  const size_t used = hello.feed(rest);
  skip_opaque(used);
  if (hello.state() == ClientHelloReader::State::kOpen) return used;
  const bool is_tls = hello.state() == ClientHelloReader::State::kDone;
  if (is_tls) {
    lane_.sink.on_tls_connection({.flow = event_->info,
                                  .flow_id = flow_,
                                  .direction = half.direction,
                                  .time = event_->time,
                                  .server_name = hello.server_name(),
                                  .random = hello.random()});
  }
  release_hello(half);
  if (is_tls && protocol_ == Protocol::kUndecided) {
    become_opaque();
  } else {
    not_http(half);
  }
  return used;
}

void Connection::become_opaque() {
  protocol_ = Protocol::kOpaque;
  for (Half& half : halves_) {
    if (half.exchange != nullptr) half.body.stop();
    half.exchange = nullptr;
    half.state = State::kOpaque;
    skip_opaque(release_held(half));
    release_hello(half);
  }
  settle_undecided(false);
  pairing_.close(ExchangeOutcome::kUnknown, event_->time);
}

// --- HTTP/2 -------------------------------------------------------------------------------------

// The preface, or the server's first SETTINGS, begins in this direction; some of it may be held.
void Connection::begin_http2(Half& half) {
  using http2::Session;
  const uint8_t first =
      half.held != nullptr ? ByteView(*half.held)[0] : event_->bytes[offset_ - event_->offset];
  const bool asks = first == 'P';
  request_direction_ = asks ? half.direction : opposite(half.direction);
  protocol_ = Protocol::kHttp2;
  settle_undecided(true);
  pairing_.close(ExchangeOutcome::kUnknown, event_->time);
  session_ = std::make_unique<Session>(lane_, flow_, source_, Session::Begin::kPreface,
                                       request_direction_);
  for (Half* each : {&half, &other(half)}) hand_over(*each);
}

// Gives this direction to the session, with what is held of it.
void Connection::hand_over(Half& half) {
  const bool evicted = half.held != nullptr && half.held->evicted();
  const bool fits = half.state == State::kStart || half.state == State::kHead;
  if (!fits || evicted) session_->lose(half.direction);
  if (half.exchange != nullptr) half.body.stop();
  half.exchange = nullptr;
  release_hello(half);
  half.state = State::kHttp2;
  if (half.held == nullptr) return;
  HeadBuffers::Buffer* held = half.held;
  half.held = nullptr;
  lane_.counters.of(source_).buffered_bytes.subtract(held->size());
  lane_.head_buffers.pin(*held);
  StreamEvent event = *event_;
  event.direction = half.direction;
  const uint64_t end = half.direction == event_->direction ? offset_ : half.next_offset;
  session_->data(event, *held, end - held->size());
  lane_.head_buffers.release(held);
}

// A flow that was joined in its middle: do its frames say that it is HTTP/2?
bool Connection::find_http2(Half& half) {
  using http2::Session;
  const bool open = half.state == State::kStart || half.state == State::kSeek ||
                    (half.state == State::kHead && !half.start_confirmed);
  if (!open) return false;
  const ByteView bytes = event_->bytes;
  const std::optional<size_t> found = half.detector.look(bytes);
  if (!found.has_value()) return false;
  protocol_ = Protocol::kHttp2;
  settle_undecided(true);
  session_ =
      std::make_unique<Session>(lane_, flow_, source_, Session::Begin::kJoined, std::nullopt);
  for (Half& each : halves_) {
    drop(DropReason::kHttpResync, release_held(each));
    release_hello(each);
    each.state = State::kHttp2;
  }
  const Half& peer = other(half);
  if (peer.detector.in_chain()) {
    session_->join(peer.direction, peer.detector.reader(), false, *event_);
  }
  if (*found > 0) {
    drop(DropReason::kHttpResync, *found);
    session_->join(half.direction, half.detector.reader(), true, *event_);
  }
  session_->data(*event_, bytes.subspan(*found), event_->offset + *found);
  return true;
}

// Behind the 101 that takes up `Upgrade: h2c`. The request's body may still be on its way.
void Connection::upgrade_to_http2() {
  using http2::Session;
  Exchange* const upgraded = pairing_.release_only_waiting();
  protocol_ = Protocol::kHttp2;
  session_ = std::make_unique<Session>(lane_, flow_, source_, Session::Begin::kPreface,
                                       request_direction_);
  session_->adopt(upgraded);
  Half& asking = half_of(Message::kRequest);
  const bool in_its_body = asking.state == State::kBody && asking.exchange != nullptr;
  if (!in_its_body || asking.exchange != upgraded) hand_over(asking);
  hand_over(half_of(Message::kResponse));
  pairing_.close(ExchangeOutcome::kUnknown, event_->time);
}

// The server may reset stream 1 while the request's body is on its way.
void Connection::forget_ended_upgrade(Half& half) {
  if (session_ == nullptr || half.exchange == nullptr || session_->adopted_is_open()) return;
  half.exchange = nullptr;
  half.body.stop();
}

// Bytes of no known message.
void Connection::pass_over(Half& half, ByteView bytes) {
  if (bytes.empty()) return;
  if (protocol_ != Protocol::kUndecided) {
    drop(half.trouble, bytes.size());
    note_unread(half, offset_, event_->peer_offset);
    note_unread_answers(half, offset_ + bytes.size());
    return;
  }
  half.undecided_bytes += bytes.size();
  lane_.counters.of(source_).buffered_bytes.add(bytes.size());
  const uint64_t cost = bytes.size() + kUndecidedEventCost;
  half.undecided_cost += looks_like_text(bytes) ? cost / kTextDiscount : cost;
  if (halves_[0].undecided_cost + halves_[1].undecided_cost > kUndecidedCostMax) {
    become_opaque();
  }
}

// Accounts for what was passed over before the protocol was known.
void Connection::settle_undecided(bool is_http) {
  for (Half& half : halves_) {
    if (half.undecided_bytes == 0) continue;
    lane_.counters.of(source_).buffered_bytes.subtract(half.undecided_bytes);
    if (is_http) {
      drop(DropReason::kHttpResync, half.undecided_bytes);
    } else {
      skip_opaque(half.undecided_bytes);
    }
    half.undecided_bytes = 0;
  }
}

// --- ends ---------------------------------------------------------------------------------------

void Connection::direction_end(Half& half) {
  if (half.ended) return;
  half.ended = true;
  if (!first_end_.has_value()) first_end_ = half.direction;
  end_open_message(half, true);
  if (session_ != nullptr) {
    session_->direction_end(*event_, close_outcome(*event_));
    return;
  }
  if (protocol_ != Protocol::kHttp1) return;
  if (message_of(half) == Message::kRequest) {
    pairing_.requests_end(event_->time);
  } else {
    const bool client_first = *first_end_ == request_direction_;
    const ExchangeOutcome outcome =
        outcome_or(client_first ? ExchangeOutcome::kClientClosed : ExchangeOutcome::kServerClosed);
    end_websocket(event_->time);
    pairing_.answers_end(outcome, event_->time);
  }
}

void Connection::end_open_message(Half& half, bool orderly) {
  switch (half.state) {
    case State::kStart:
    case State::kSeek:
    case State::kHttp2:
    case State::kOpaque:
      return;
    case State::kPreamble:
      skip_opaque(release_held(half));
      break;
    case State::kHello:
      release_hello(half);
      break;
    case State::kAwait:
      drop(DropReason::kHttpWebsocketEarly, release_held(half));
      break;
    case State::kWebSocket:
      websocket_->finish(lane_, message_of(half), event_->time);
      return;
    case State::kHead:
      if (protocol_ == Protocol::kUndecided && !half.start_confirmed) {
        skip_opaque(release_held(half));
      } else {
        drop(DropReason::kHttpMalformed, release_held(half));
      }
      break;
    case State::kBody:
      forget_ended_upgrade(half);
      finish_message(
          half,
          orderly && body_ends_with_connection(half) ? MessageEnd::kComplete : MessageEnd::kCut,
          half.next_offset);
      break;
    case State::kChunkSeek:
      if (half.exchange != nullptr) half.exchange->evidence_lost = true;
      finish_message(half, MessageEnd::kCut, half.next_offset);
      break;
  }
  const bool given_away = half.state == State::kOpaque || half.state == State::kHttp2;
  if (!given_away) seek(half, DropReason::kHttpResync, false);
}

void Connection::close(const StreamEvent& event) {
  for (Half& half : halves_) {
    const bool orderly = event.closed_by == half.direction && !event.incomplete &&
                         (event.reason == CloseReason::kFin || event.reason == CloseReason::kFreed);
    end_open_message(half, orderly);
  }
  const ExchangeOutcome outcome = outcome_or(close_outcome(event));
  end_websocket(event_->time);
  pairing_.close(outcome, event.time);
  if (session_ != nullptr) session_->close(outcome, event.time);
  settle_undecided(false);
}

ExchangeOutcome Connection::close_outcome(const StreamEvent& event) const {
  if (event.reason == CloseReason::kEndOfInput) return ExchangeOutcome::kEndOfInput;
  if (event.incomplete || event.reason == CloseReason::kEvicted) return ExchangeOutcome::kUnknown;
  const std::optional<Direction> closer = first_end_.has_value() ? first_end_ : event.closed_by;
  if (!closer.has_value()) return ExchangeOutcome::kUnknown;
  const std::optional<Direction> asks =
      session_ != nullptr ? session_->request_direction() : request_direction_;
  if (!asks.has_value()) return ExchangeOutcome::kUnknown;
  return *closer == *asks ? ExchangeOutcome::kClientClosed : ExchangeOutcome::kServerClosed;
}

}  // namespace wiretally::http
