#include "framing/aws_event_stream_reader.h"

#include <algorithm>
#include <cstring>

#include "crc32.h"

namespace wiretally::llm {
namespace {

uint32_t big_endian(const uint8_t* p) {
  return uint32_t{p[0]} << 24 | uint32_t{p[1]} << 16 | uint32_t{p[2]} << 8 | p[3];
}

uint32_t crc_of(const uint8_t* p, size_t bytes, uint32_t before = 0) {
  return crc32_of(before, {p, bytes});
}

}  // namespace

void AwsEventStreamReader::reset() {
  state_ = State::kPrelude;
  begun_ = false;
  head_size_ = 0;
}

void AwsEventStreamReader::gap() {
  reset();
  state_ = State::kSearch;
}

void AwsEventStreamReader::finish() {
  if (begun_) events_.on_aws_end(kind_, false);
  reset();
}

void AwsEventStreamReader::checksum(const uint8_t* p, size_t bytes) {
  crc_ = crc_of(p, bytes, crc_);
}

// The message is not what it says; what follows is looked for.
void AwsEventStreamReader::damage() {
  const bool begun = begun_;
  gap();
  if (begun) events_.on_aws_end(kind_, false);
}

void AwsEventStreamReader::feed(ByteView bytes) {
  const uint8_t* p = bytes.data();
  const uint8_t* const end = p + bytes.size();
  while (p != end) {
    switch (state_) {
      case State::kPrelude:
        p = prelude(p, end);
        break;
      case State::kNameSize:
      case State::kName:
      case State::kType:
      case State::kSize:
      case State::kValue:
        p = header(p, end);
        break;
      case State::kPayload:
        p = payload(p, end);
        break;
      case State::kTrailer:
        p = trailer(p, end);
        break;
      case State::kSearch:
        p = search(p, end);
        break;
    }
  }
}

bool AwsEventStreamReader::plausible_prelude() const {
  const uint32_t total = big_endian(head_.data());
  const uint32_t headers = big_endian(head_.data() + 4);
  constexpr uint32_t kAround = kPreludeBytes + kTrailerBytes;
  return total >= kAround && total <= kMessageMax && headers <= total - kAround &&
         crc_of(head_.data(), 8) == big_endian(head_.data() + 8);
}

const uint8_t* AwsEventStreamReader::prelude(const uint8_t* p, const uint8_t* end) {
  const size_t taken = std::min<size_t>(end - p, kPreludeBytes - head_size_);
  std::memcpy(head_.data() + head_size_, p, taken);
  head_size_ += static_cast<uint32_t>(taken);
  if (head_size_ == kPreludeBytes) {
    if (plausible_prelude()) {
      begin_message();
    } else {
      state_ = State::kSearch;
    }
  }
  return p + taken;
}

// `head_` is a window of twelve bytes that moves on by one byte, or more where no prelude can
// begin: its first byte is 0 or 1, because of kMessageMax.
const uint8_t* AwsEventStreamReader::search(const uint8_t* p, const uint8_t* end) {
  if (head_size_ == kPreludeBytes) {
    const auto next =
        std::find_if(head_.begin() + 1, head_.end(), [](uint8_t byte) { return byte <= 1; });
    head_size_ = static_cast<uint32_t>(head_.end() - next);
    std::memmove(head_.data(), &*next, head_size_);
  }
  if (head_size_ == 0) {
    p = std::find_if(p, end, [](uint8_t byte) { return byte <= 1; });
    if (p == end) return end;
  }
  const size_t taken = std::min<size_t>(end - p, kPreludeBytes - head_size_);
  std::memcpy(head_.data() + head_size_, p, taken);
  head_size_ += static_cast<uint32_t>(taken);
  if (head_size_ == kPreludeBytes && plausible_prelude()) begin_message();
  return p + taken;
}

void AwsEventStreamReader::begin_message() {
  headers_left_ = big_endian(head_.data() + 4);
  payload_left_ = big_endian(head_.data()) - headers_left_ - kPreludeBytes - kTrailerBytes;
  crc_ = crc_of(head_.data(), kPreludeBytes);
  head_size_ = 0;
  kind_ = {};
  if (headers_left_ == 0) {
    end_headers();
  } else {
    state_ = State::kNameSize;
  }
}

void AwsEventStreamReader::end_headers() {
  begun_ = true;
  events_.on_aws_begin(kind_);
  state_ = payload_left_ == 0 ? State::kTrailer : State::kPayload;
}

// One step inside the headers. Each of them is small, and so is their number.
const uint8_t* AwsEventStreamReader::header(const uint8_t* p, const uint8_t* end) {
  const size_t here = std::min<size_t>(end - p, headers_left_);
  const bool single =
      state_ == State::kNameSize || state_ == State::kType || state_ == State::kSize;
  const size_t taken = single ? 1 : std::min<size_t>(here, left_);
  checksum(p, taken);
  headers_left_ -= static_cast<uint32_t>(taken);
  if (state_ == State::kNameSize) {
    left_ = *p;
    text_size_ = 0;
    state_ = State::kName;
  } else if (state_ == State::kType) {
    static constexpr uint8_t kFixed[] = {0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    type_ = *p;
    left_ = 2;
    value_size_ = 0;
    text_size_ = 0;
    if (type_ == 6 || type_ == 7) {
      state_ = State::kSize;
    } else if (type_ < std::size(kFixed)) {
      value_begin(kFixed[type_]);
    } else {
      damage();
      return p + taken;
    }
  } else if (state_ == State::kSize) {
    value_size_ = static_cast<uint16_t>(value_size_ << 8 | *p);
    if (--left_ == 0) value_begin(value_size_);
  } else {
    const size_t kept = std::min(taken, text_.size() - text_size_);
    std::memcpy(text_.data() + text_size_, p, kept);
    text_size_ = static_cast<uint8_t>(text_size_ + kept);
    left_ -= static_cast<uint32_t>(taken);
    if (left_ == 0) {
      if (state_ == State::kName) {
        name_end();
      } else {
        value_end();
      }
    }
  }
  if (headers_left_ == 0 && state_ != State::kSearch) {
    if (state_ == State::kNameSize) {
      end_headers();
    } else {
      damage();  // a header reaches beyond its headers
    }
  }
  return p + taken;
}

void AwsEventStreamReader::name_end() {
  const std::string_view name(text_.data(), text_size_);
  header_ = Header::kOther;
  if (name == ":message-type") header_ = Header::kMessageType;
  if (name == ":event-type" || name == ":exception-type" || name == ":error-code") {
    header_ = Header::kName;
  }
  state_ = State::kType;
}

void AwsEventStreamReader::value_begin(uint32_t bytes) {
  left_ = bytes;
  state_ = State::kValue;
  if (bytes == 0) value_end();
}

void AwsEventStreamReader::value_end() {
  const std::string_view value(text_.data(), text_size_);
  if (type_ == 7 && header_ == Header::kMessageType) kind_.message.assign(value);
  if (type_ == 7 && header_ == Header::kName) kind_.name.assign(value);
  state_ = State::kNameSize;
}

const uint8_t* AwsEventStreamReader::payload(const uint8_t* p, const uint8_t* end) {
  const size_t taken = std::min<size_t>(end - p, payload_left_);
  checksum(p, taken);
  payload_left_ -= static_cast<uint32_t>(taken);
  if (payload_left_ == 0) state_ = State::kTrailer;
  events_.on_aws_payload({p, taken});
  return p + taken;
}

const uint8_t* AwsEventStreamReader::trailer(const uint8_t* p, const uint8_t* end) {
  const size_t taken = std::min<size_t>(end - p, kTrailerBytes - head_size_);
  std::memcpy(head_.data() + head_size_, p, taken);
  head_size_ += static_cast<uint32_t>(taken);
  if (head_size_ == kTrailerBytes) {
    if (big_endian(head_.data()) == crc_) {
      reset();
      events_.on_aws_end(kind_, true);
    } else {
      damage();
    }
  }
  return p + taken;
}

}  // namespace wiretally::llm
