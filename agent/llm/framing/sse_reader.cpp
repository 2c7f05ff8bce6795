#include "framing/sse_reader.h"

#include <algorithm>
#include <cstring>

#include "byte_scan.h"

namespace wiretally::llm {
namespace {

constexpr uint8_t kByteOrderMark[] = {0xEF, 0xBB, 0xBF};

ByteView bytes_between(const uint8_t* p, const uint8_t* end) {
  return {p, static_cast<size_t>(end - p)};
}

}  // namespace

void SseReader::reset() {
  state_ = State::kMark;
  after_cr_ = false;
  has_field_ = false;
  has_data_ = false;
  lost_ = false;
  mark_bytes_ = 0;
  type_size_ = 0;
}

bool SseReader::gap() {
  const bool open = has_field_ || lost_;
  state_ = State::kLost;
  has_field_ = false;
  has_data_ = false;
  lost_ = true;
  type_size_ = 0;
  return open;
}

void SseReader::feed(ByteView bytes) {
  const uint8_t* p = bytes.data();
  const uint8_t* const end = p + bytes.size();
  while (p != end) {
    switch (state_) {
      case State::kMark:
        p = mark(p);
        break;
      case State::kLine:
        p = line(p, end);
        break;
      case State::kName:
        p = name(p, end);
        break;
      case State::kSpace:
        p = space(p);
        break;
      case State::kData:
      case State::kType:
      case State::kError:
      case State::kIgnored:
      case State::kLost:
        p = value(p, end);
        break;
    }
  }
}

void SseReader::finish() {
  if (state_ == State::kName) name_end();
  if (state_ == State::kSpace) state_ = value_state_;
  if (state_ == State::kError) value_part({}, true);
  if (has_data_) event_end();
  reset();
}

const uint8_t* SseReader::mark(const uint8_t* p) {
  if (*p == kByteOrderMark[mark_bytes_]) {
    if (++mark_bytes_ == sizeof kByteOrderMark) state_ = State::kLine;
    return p + 1;
  }
  // Part of a mark is the beginning of a field name that nobody knows.
  state_ = mark_bytes_ == 0 ? State::kLine : State::kIgnored;
  return p;
}

const uint8_t* SseReader::line(const uint8_t* p, const uint8_t* end) {
  const uint8_t c = *p;
  if (c == '\n' && after_cr_) {
    after_cr_ = false;
    return p + 1;
  }
  if (c == '\n' || c == '\r') {
    after_cr_ = c == '\r';
    event_end();
    return p + 1;
  }
  if (lost_) {
    state_ = State::kLost;
    return p;
  }
  if (c == ':') {
    state_ = State::kIgnored;
    return p + 1;
  }
  has_field_ = true;
  // What nearly every line of a stream begins with.
  static constexpr std::string_view kData = "data: ";
  if (static_cast<size_t>(end - p) > kData.size() &&
      std::memcmp(p, kData.data(), kData.size()) == 0) {
    return data_line(p + kData.size(), end);
  }
  if (c == '{' && !has_data_) {
    state_ = State::kError;
    return p;
  }
  name_size_ = 0;
  state_ = State::kName;
  return name(p, end);
}

const uint8_t* SseReader::data_line(const uint8_t* p, const uint8_t* end) {
  if (!has_data_) {
    if (const size_t repeated = events_.on_sse_repetition(bytes_between(p, end)); repeated > 0) {
      has_data_ = true;
      p += repeated;
      after_cr_ = *p == '\r';
      return p + 1;
    }
  }
  data_begins();
  state_ = State::kData;
  return value(p, end);
}

void SseReader::data_begins() {
  static constexpr uint8_t kJoint[] = {'\n'};
  if (has_data_) events_.on_sse_data(kJoint);
  has_data_ = true;
}

const uint8_t* SseReader::name(const uint8_t* p, const uint8_t* end) {
  for (; p != end; ++p) {
    if (*p == ':' || LineEnd::hit(*p)) {
      name_end();
      // Without a colon the whole line is the name, and the value is empty.
      if (*p != ':') state_ = value_state_;
      return *p == ':' ? p + 1 : p;
    }
    if (name_size_ == kNameBytes) {
      state_ = State::kIgnored;
      return p;
    }
    name_[name_size_++] = static_cast<char>(*p);
  }
  return end;
}

void SseReader::name_end() {
  const std::string_view name(name_, name_size_);
  state_ = State::kSpace;
  value_state_ = State::kIgnored;
  if (name == "data") {
    value_state_ = State::kData;
    data_begins();
  } else if (name == "event") {
    value_state_ = State::kType;
    type_size_ = 0;
  } else if (name == "error" && !has_data_) {
    value_state_ = State::kError;
  }
}

const uint8_t* SseReader::space(const uint8_t* p) {
  state_ = value_state_;
  return *p == ' ' ? p + 1 : p;
}

const uint8_t* SseReader::value(const uint8_t* p, const uint8_t* end) {
  const uint8_t* const stop = find<LineEnd>(p, end);
  value_part(bytes_between(p, stop), stop != end);
  if (stop == end) return end;
  after_cr_ = *stop == '\r';
  state_ = State::kLine;
  return stop + 1;
}

void SseReader::value_part(ByteView part, bool last) {
  if (state_ == State::kData) {
    if (!part.empty()) events_.on_sse_data(part);
  } else if (state_ == State::kError) {
    events_.on_sse_error_field(part, last);
  } else if (state_ == State::kType) {
    const size_t kept = std::min(part.size(), kTypeBytes - type_size_);
    std::memcpy(type_ + type_size_, part.data(), kept);
    type_size_ = static_cast<uint8_t>(type_size_ + kept);
  }
}

// A blank line, or the end of the input.
void SseReader::event_end() {
  const bool deliver = has_data_;
  const std::string_view type(type_, type_size_);
  lost_ = false;
  has_field_ = false;
  has_data_ = false;
  type_size_ = 0;
  if (deliver) events_.on_sse_end(type);
}

}  // namespace wiretally::llm
