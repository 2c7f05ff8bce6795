#include "protobuf/proto_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "utf8.h"

namespace wiretally::llm {
namespace {

constexpr uint64_t kIntegerMax = uint64_t{1} << 53;

// How much of the text stands in front of the first byte that is no UTF-8.
size_t valid_utf8(const char* text, size_t size) {
  const std::string_view whole(text, size);
  size_t at = 0;
  while (at < size) {
    const size_t length = utf8_length(whole.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

}  // namespace

ProtoReader::Verdict ProtoReader::begin(uint32_t number, uint64_t bytes) {
  position_ = 0;
  varint_bytes_ = 0;
  value_ = 0;
  levels_size_ = 0;
  state_ = State::kTag;
  const uint16_t node = fields_.field(FieldSet::kRoot, number);
  if (node == FieldSet::kNone) {
    levels_[levels_size_++] = {.node = FieldSet::kRoot, .end = bytes, .number = 0, .index = 0};
    node_ = FieldSet::kNone;
    skip(bytes);
  } else {
    open(node, bytes);
  }
  return verdict();
}

ProtoReader::Verdict ProtoReader::feed(ByteView bytes) {
  const uint8_t* p = bytes.data();
  const uint8_t* const end = p + bytes.size();
  while (p != end) {
    switch (state_) {
      case State::kTag:
        if (take_varint(p, end)) tag_end();
        break;
      case State::kNumber:
        if (take_varint(p, end)) number_end();
        break;
      case State::kLength:
        if (take_varint(p, end)) length_end();
        break;
      case State::kText: {
        const auto taken = std::min<uint64_t>(left_, static_cast<uint64_t>(end - p));
        const auto kept = std::min<uint64_t>(taken, sizeof kept_ - kept_size_);
        std::memcpy(kept_ + kept_size_, p, kept);
        kept_size_ = static_cast<uint16_t>(kept_size_ + kept);
        p += taken;
        position_ += taken;
        left_ -= taken;
        if (left_ == 0) report_text();
        break;
      }
      case State::kList: {
        const auto taken = std::min<uint64_t>(left_, static_cast<uint64_t>(end - p));
        size_ += static_cast<uint64_t>(
            std::count_if(p, p + taken, [](uint8_t byte) { return byte < 0x80; }));
        p += taken;
        position_ += taken;
        left_ -= taken;
        if (left_ == 0) {
          report_number(size_);
          field_end();
        }
        break;
      }
      case State::kSkip: {
        const auto taken = std::min<uint64_t>(left_, static_cast<uint64_t>(end - p));
        p += taken;
        position_ += taken;
        left_ -= taken;
        if (left_ == 0) field_end();
        break;
      }
      case State::kDone:
      case State::kBad:
        return verdict();
    }
  }
  return verdict();
}

ProtoReader::Verdict ProtoReader::finish() {
  if (verdict() != Verdict::kMore) return verdict();
  const bool unread = levels_[0].node == FieldSet::kRoot;  // nothing is known of its fields
  const bool between_fields = state_ == State::kTag && varint_bytes_ == 0 && levels_size_ == 1;
  if (levels_[0].end != kSizeUnknown || !(unread || between_fields)) {
    state_ = State::kBad;
    return verdict();
  }
  levels_[0].end = position_;
  field_end();
  return verdict();
}

bool ProtoReader::take_varint(const uint8_t*& p, const uint8_t* end) {
  const uint64_t limit = levels_[levels_size_ - 1].end;
  while (p != end) {
    if (position_ == limit || varint_bytes_ == kVarintBytesMax) {
      state_ = State::kBad;
      return false;
    }
    const uint8_t byte = *p++;
    ++position_;
    value_ |= uint64_t{byte & 0x7Fu} << (7 * varint_bytes_);  // of the tenth byte one bit counts
    ++varint_bytes_;
    if (byte < 0x80) {
      varint_bytes_ = 0;
      return true;
    }
  }
  return false;
}

void ProtoReader::tag_end() {
  const uint64_t number = value_ >> 3;
  type_ = static_cast<uint8_t>(value_ & 7);
  value_ = 0;
  constexpr uint64_t kNumberMax = (uint64_t{1} << 29) - 1;
  if (number == 0 || number > kNumberMax) {
    state_ = State::kBad;
    return;
  }
  Level& level = levels_[levels_size_ - 1];
  if (number == level.number) {
    ++level.index;
  } else {
    level.number = static_cast<uint32_t>(number);
    level.index = 0;
  }
  node_ = fields_.field(level.node, level.number);
  switch (type_) {
    case 0:
      state_ = State::kNumber;
      break;
    case 1:
    case 5:
      if (node_ != FieldSet::kNone && fields_.node(node_).matched) report_number(std::nullopt);
      skip(type_ == 1 ? 8 : 4);
      break;
    case 2:
      state_ = State::kLength;
      break;
    default:
      state_ = State::kBad;
  }
}

void ProtoReader::number_end() {
  const uint64_t value = std::exchange(value_, 0);
  if (node_ != FieldSet::kNone) {
    const FieldSet::Node& node = fields_.node(node_);
    if (node.shape == FieldSet::Shape::kList) {
      report_number(1);
    } else if (node.shape == FieldSet::Shape::kValue) {
      char digits[24];
      // As int64, which costs are.
      char* const end =
          std::to_chars(std::begin(digits), std::end(digits), static_cast<int64_t>(value)).ptr;
      JsonEvent event;
      event.text = {digits, static_cast<size_t>(end - digits)};
      if (node.words.empty()) {
        event.kind = JsonEvent::Kind::kNumber;
        if (value <= kIntegerMax) event.integer = value;
      } else {
        event.kind = JsonEvent::Kind::kString;
        if (value < node.words.size()) event.text = node.words[value];
        event.text_bytes = event.raw_bytes = event.text.size();
      }
      report(event);
    }
  }
  field_end();
}

void ProtoReader::length_end() {
  const uint64_t length = std::exchange(value_, 0);
  if (length > levels_[levels_size_ - 1].end - position_) {
    state_ = State::kBad;
    return;
  }
  if (node_ == FieldSet::kNone) {
    skip(length);
    return;
  }
  switch (fields_.node(node_).shape) {
    case FieldSet::Shape::kValue:
      left_ = size_ = length;
      kept_size_ = 0;
      state_ = State::kText;
      if (length == 0) report_text();
      break;
    case FieldSet::Shape::kMessage:
      open(node_, length);
      break;
    case FieldSet::Shape::kClosedMessage: {
      JsonEvent event;
      event.kind = JsonEvent::Kind::kObjectBegin;
      report(event);
      event.kind = JsonEvent::Kind::kObjectEnd;
      report(event);
      skip(length);
      break;
    }
    case FieldSet::Shape::kList:
      left_ = length;
      size_ = 0;
      state_ = State::kList;
      if (length == 0) field_end();
      break;
  }
}

void ProtoReader::open(uint16_t node, uint64_t bytes) {
  node_ = node;
  JsonEvent event;
  event.kind = JsonEvent::Kind::kObjectBegin;
  report(event);
  levels_[levels_size_++] = {.node = node, .end = position_ + bytes, .number = 0, .index = 0};
  field_end();
}

void ProtoReader::skip(uint64_t bytes) {
  if (bytes > levels_[levels_size_ - 1].end - position_) {
    state_ = State::kBad;
    return;
  }
  left_ = bytes;
  state_ = State::kSkip;
  if (bytes == 0) field_end();
}

// Closes the messages that end here.
void ProtoReader::field_end() {
  state_ = State::kTag;
  while (levels_[levels_size_ - 1].end == position_) {
    node_ = levels_[--levels_size_].node;
    if (node_ != FieldSet::kRoot) {
      JsonEvent event;
      event.kind = JsonEvent::Kind::kObjectEnd;
      report(event);
    }
    if (levels_size_ == 0) {
      state_ = State::kDone;
      return;
    }
  }
}

void ProtoReader::report(JsonEvent& event) {
  const FieldSet::Node& node = fields_.node(node_);
  if (!node.matched) return;
  if (levels_size_ > 0) event.index = levels_[levels_size_ - 1].index;
  events_.on_json(node.path, event);
}

void ProtoReader::report_number(std::optional<uint64_t> integer) {
  JsonEvent event;
  event.kind = JsonEvent::Kind::kNumber;
  event.integer = integer;
  report(event);
}

void ProtoReader::report_text() {
  JsonEvent event;
  event.kind = JsonEvent::Kind::kString;
  event.text = {kept_, valid_utf8(kept_, kept_size_)};
  event.text_bytes = event.raw_bytes = size_;
  event.text_cut = event.text.size() < size_;
  report(event);
  field_end();
}

}  // namespace wiretally::llm
