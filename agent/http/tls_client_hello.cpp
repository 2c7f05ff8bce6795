#include "tls_client_hello.h"

#include <algorithm>

namespace wiretally::http {
namespace {

constexpr uint32_t kRecordBytesMax = 1 << 14;
constexpr uint8_t kVersionMajor = 3;
constexpr uint64_t kClientHello = 1;
constexpr uint64_t kServerNameExtension = 0;
constexpr uint64_t kHostNameType = 0;
constexpr uint64_t kSessionBytesMax = 32;

bool is_host_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
}

}  // namespace

size_t ClientHelloReader::feed(ByteView bytes) {
  size_t used = 0;
  while (state_ == State::kOpen && used < bytes.size()) {
    const ByteView rest = bytes.subspan(used);
    used += record_left_ == 0 ? take_record_head(rest) : take_field(rest);
  }
  return used;
}

// Takes one byte.
size_t ClientHelloReader::take_record_head(ByteView bytes) {
  const uint8_t byte = bytes[0];
  switch (record_head_bytes_++) {
    case 0:
      require(byte == kTlsHandshake);
      break;
    case 1:
      require(byte == kVersionMajor);
      break;
    case 2:
      break;
    case 3:
      record_length_ = static_cast<uint16_t>(byte << 8);
      break;
    case 4:
      record_left_ = record_length_ | byte;
      record_head_bytes_ = 0;
      require(record_left_ > 0 && record_left_ <= kRecordBytesMax);
      break;
  }
  return 1;
}

size_t ClientHelloReader::take_field(ByteView bytes) {
  const uint64_t here = std::min<uint64_t>({bytes.size(), record_left_, field_left_});
  const ByteView part = bytes.first(here);
  keep(part);
  record_left_ -= static_cast<uint32_t>(here);
  field_left_ -= here;
  if (field_left_ == 0) end_of_field();
  return here;
}

void ClientHelloReader::keep(ByteView part) {
  if (field_ == Field::kHostName) {
    std::copy(part.begin(), part.end(), name_.begin() + static_cast<std::ptrdiff_t>(name_bytes_));
    name_bytes_ += part.size();
    return;
  }
  // Numbers have 8 bytes at most; of anything longer the value is not used.
  for (const uint8_t byte : part.last(std::min<size_t>(part.size(), sizeof number_))) {
    number_ = number_ << 8 | byte;
  }
}

// The next field of the message; one without bytes ends at once.
void ClientHelloReader::expect(Field field, uint64_t bytes) {
  require(bytes <= message_left_);
  if (state_ != State::kOpen) return;
  message_left_ -= bytes;
  field_ = field;
  field_left_ = bytes;
  number_ = 0;
  if (bytes == 0) end_of_field();
}

// The content of a vector whose length was just read.
void ClientHelloReader::expect_vector(Field field, uint64_t bytes_min) {
  require(number_ >= bytes_min);
  expect(field, number_);
}

void ClientHelloReader::expect_extension() {
  if (message_left_ == 0) {
    if (state_ == State::kOpen) state_ = State::kDone;
    return;
  }
  expect(Field::kExtensionHead, 4);
}

void ClientHelloReader::expect_name() {
  if (names_left_ == 0) return expect_extension();
  require(names_left_ >= 3);
  names_left_ -= 3;
  expect(Field::kNameHead, 3);
}

void ClientHelloReader::end_of_field() {
  switch (field_) {
    case Field::kMessageHead:
      require(number_ >> 24 == kClientHello && (number_ & 0xffffff) <= kClientHelloBytesMax);
      message_left_ = number_ & 0xffffff;
      return expect(Field::kVersion, 2);
    case Field::kVersion:
      require(number_ >> 8 == kVersionMajor);
      return expect(Field::kRandomHead, 8);
    case Field::kRandomHead:
      random_ = number_;
      return expect(Field::kRandomRest, 24);
    case Field::kRandomRest:
      return expect(Field::kSessionLength, 1);
    case Field::kSessionLength:
      require(number_ <= kSessionBytesMax);
      return expect_vector(Field::kSession, 0);
    case Field::kSession:
      return expect(Field::kSuitesLength, 2);
    case Field::kSuitesLength:
      require(number_ % 2 == 0);
      return expect_vector(Field::kSuites, 2);
    case Field::kSuites:
      return expect(Field::kCompressionLength, 1);
    case Field::kCompressionLength:
      return expect_vector(Field::kCompression, 1);
    case Field::kCompression:
      if (message_left_ == 0) return expect_extension();  // a hello may have no extensions
      return expect(Field::kExtensionsLength, 2);
    case Field::kExtensionsLength:
      require(number_ == message_left_);
      return expect_extension();
    case Field::kExtensionHead: {
      const uint64_t bytes = number_ & 0xffff;
      require(bytes <= message_left_);
      if (number_ >> 16 != kServerNameExtension || bytes < 2) {
        return expect(Field::kExtension, bytes);
      }
      names_left_ = bytes - 2;
      return expect(Field::kNamesLength, 2);
    }
    case Field::kExtension:
      return expect_extension();
    case Field::kNamesLength:
      require(number_ == names_left_);
      return expect_name();
    case Field::kNameHead: {
      const uint64_t bytes = number_ & 0xffff;
      require(bytes <= names_left_);
      names_left_ -= bytes;
      const bool is_host = number_ >> 16 == kHostNameType && bytes > 0 && bytes <= name_.size();
      return expect(is_host ? Field::kHostName : Field::kOtherName, bytes);
    }
    case Field::kHostName:
      return end_of_host_name();
    case Field::kOtherName:
      return expect_name();
  }
}

void ClientHelloReader::end_of_host_name() {
  if (!is_host_name(server_name())) name_bytes_ = 0;
  state_ = State::kDone;
}

}  // namespace wiretally::http
