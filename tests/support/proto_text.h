// Messages of protobuf and of gRPC, from text that a person can read:
//
//   2:"grok-4" 1:{1:{1:"hi"} 2:1} 9:[1,2] 4:-1 5:f32 6:f64
//
// a field's number, then a text, a message, a packed list of numbers, a number (negative ones as
// int32 and int64 write them), or four or eight bytes of zeros. In a text \" and \\ stand for
// themselves, \n and \xHH for bytes.
#pragma once

#include <cctype>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace wiretally::test {

class ProtoText {
 public:
  static std::string message(std::string_view text) {
    ProtoText reader(text);
    std::string bytes = reader.fields();
    if (!reader.rest_.empty())
      throw std::runtime_error("protobuf: not understood: " + std::string(reader.rest_));
    return bytes;
  }
  static std::string varint(uint64_t value) {
    std::string bytes;
    for (; value > 0x7F; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
  }

 private:
  explicit ProtoText(std::string_view text) : rest_(text) {}

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  void need(char c) {
    if (!take(c))
      throw std::runtime_error(std::string("protobuf: expected ") + c + " before " +
                               std::string(rest_));
  }
  uint64_t number() {
    const bool negative = take('-');
    if (rest_.empty() || std::isdigit(static_cast<unsigned char>(rest_.front())) == 0) {
      throw std::runtime_error("protobuf: expected a number before " + std::string(rest_));
    }
    uint64_t value = 0;
    for (; !rest_.empty() && std::isdigit(static_cast<unsigned char>(rest_.front())) != 0;
         rest_.remove_prefix(1)) {
      value = value * 10 + static_cast<uint64_t>(rest_.front() - '0');
    }
    return negative ? 0 - value : value;
  }
  std::string quoted() {
    std::string bytes;
    while (!take('"')) {
      if (rest_.empty()) throw std::runtime_error("protobuf: a text does not end");
      if (!take('\\')) {
        bytes += rest_.front();
      } else if (take('x')) {
        bytes += static_cast<char>(std::stoi(std::string(rest_.substr(0, 2)), nullptr, 16));
        rest_.remove_prefix(1);
      } else {
        bytes += rest_.front() == 'n' ? '\n' : rest_.front();
      }
      rest_.remove_prefix(1);
    }
    return bytes;
  }
  std::string fields() {
    std::string bytes;
    while (true) {
      while (take(' ')) {
      }
      if (rest_.empty() || rest_.front() == '}') return bytes;
      const uint64_t field = number();
      need(':');
      const auto tag = [&](uint64_t type) { return varint(field << 3 | type); };
      const auto sized = [&](const std::string& inner) {
        bytes += tag(2) + varint(inner.size()) + inner;
      };
      if (take('"')) {
        sized(quoted());
      } else if (take('{')) {
        const std::string inner = fields();
        need('}');
        sized(inner);
      } else if (take('[')) {
        std::string inner;
        while (!take(']')) {
          inner += varint(number());
          take(',');
        }
        sized(inner);
      } else if (take("f32")) {
        bytes += tag(5) + std::string(4, '\0');
      } else if (take("f64")) {
        bytes += tag(1) + std::string(8, '\0');
      } else {
        bytes += tag(0) + varint(number());
      }
    }
  }

  std::string_view rest_;
};

// "gRPC over HTTP2": Length-Prefixed-Message.
inline std::string grpc_message(const std::string& bytes, bool compressed = false) {
  std::string prefix(1, compressed ? '\1' : '\0');
  for (int i = 3; i >= 0; --i) prefix += static_cast<char>(bytes.size() >> (8 * i));
  return prefix + bytes;
}

}  // namespace wiretally::test
