// One end of an HTTP/2 connection that writes what a test wants it to: frames by hand, header
// blocks through libnghttp2's deflater, so that the dynamic table is used as real encoders use it.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wiretally::test {

class Http2Writer {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Shape {
    bool end_stream = false;
    int pad = -1;               // bytes of padding; -1: the frame is not PADDED
    bool priority = false;      // HEADERS carries the old priority fields
    size_t fragment_bytes = 0;  // > 0: the block goes on in CONTINUATION frames of this size
  };

  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  explicit Http2Writer(size_t table_bytes_max = 65'536) {
    nghttp2_hd_deflate_new(&deflater_, table_bytes_max);
    nghttp2_hd_deflate_change_table_size(deflater_, 4096);
  }
  ~Http2Writer() { nghttp2_hd_deflate_del(deflater_); }
  Http2Writer(const Http2Writer&) = delete;
  Http2Writer& operator=(const Http2Writer&) = delete;

  static std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
    std::string bytes = big_endian(payload.size(), 3);
    bytes += static_cast<char>(type);
    bytes += static_cast<char>(flags);
    return bytes + big_endian(stream, 4) + std::string(payload);
  }
  static std::string big_endian(uint64_t number, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(number >> (8 * i));
    return text;
  }

  // What each end says first.
  static std::string client_begins() { return std::string(kPreface) + settings({{2, 0}}); }
  static std::string server_begins() { return settings({{3, 100}}) + frame(4, 1, 0, ""); }
  static std::string settings(const std::vector<std::pair<int, uint32_t>>& values) {
    std::string payload;
    for (const auto& [id, value] : values) {
      payload += big_endian(static_cast<uint64_t>(id), 2) + big_endian(value, 4);
    }
    return frame(4, 0, 0, payload);
  }
  static std::string data(uint32_t stream, std::string_view text, bool end_stream, int pad = -1) {
    const uint8_t flags = (end_stream ? 1 : 0) | (pad >= 0 ? 8 : 0);
    return frame(0, flags, stream, padded(text, pad));
  }
  static std::string reset(uint32_t stream, uint32_t code = 8) {
    return frame(3, 0, stream, big_endian(code, 4));
  }
  static std::string goaway(uint32_t last_stream, uint32_t code = 0) {
    return frame(7, 0, 0, big_endian(last_stream, 4) + big_endian(code, 4) + "bye");
  }
  static std::string window(uint32_t stream) { return frame(8, 0, stream, big_endian(1000, 4)); }
  static std::string ping() { return frame(6, 0, 0, "12345678"); }

  // The decoder allows another table size: the next block says so.
  void change_table_size(size_t bytes) { nghttp2_hd_deflate_change_table_size(deflater_, bytes); }

  std::string block(const Fields& fields) {
    std::vector<nghttp2_nv> pairs;
    for (const auto& [name, value] : fields) {
      pairs.push_back({.name = bytes_of(name),
                       .value = bytes_of(value),
                       .namelen = name.size(),
                       .valuelen = value.size(),
                       .flags = NGHTTP2_NV_FLAG_NONE});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, pairs.data(), pairs.size()), '\0');
    const ssize_t used =
        nghttp2_hd_deflate_hd(deflater_, bytes_of(out), out.size(), pairs.data(), pairs.size());
    out.resize(used < 0 ? 0 : static_cast<size_t>(used));
    return out;
  }

  std::string headers(uint32_t stream, const Fields& fields, const Shape& shape) {
    std::string rest = block(fields);
    const std::string first = take(rest, shape.fragment_bytes);
    uint8_t flags = shape.end_stream ? 1 : 0;
    if (rest.empty()) flags |= 4;
    if (shape.pad >= 0) flags |= 8;
    if (shape.priority) flags |= 0x20;
    const std::string priority = shape.priority ? big_endian(0, 4) + "\x10" : "";
    return frame(1, flags, stream, padded(priority + first, shape.pad)) +
           continuations(stream, std::move(rest), shape.fragment_bytes);
  }
  std::string headers(uint32_t stream, const Fields& fields, bool end_stream = false) {
    Shape shape;
    shape.end_stream = end_stream;
    return headers(stream, fields, shape);
  }
  std::string promise(uint32_t stream, uint32_t promised, const Fields& fields) {
    return frame(5, 4, stream, big_endian(promised, 4) + block(fields));
  }

  // What this end would send before `fields` of its own.
  static Fields request(std::string_view path, std::string_view method = "POST") {
    return {{":method", std::string(method)},
            {":scheme", "https"},
            {":authority", "api.openai.com"},
            {":path", std::string(path)}};
  }
  static Fields answer(int status, std::string_view type = "application/json") {
    return {{":status", std::to_string(status)}, {"content-type", std::string(type)}};
  }

 private:
  static uint8_t* bytes_of(const std::string& text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  }
  static std::string padded(std::string_view text, int pad) {
    if (pad < 0) return std::string(text);
    return std::string(1, static_cast<char>(pad)) + std::string(text) +
           std::string(static_cast<size_t>(pad), '\0');
  }
  static std::string take(std::string& rest, size_t bytes) {
    if (bytes == 0 || bytes >= rest.size()) return std::exchange(rest, "");
    const std::string first = rest.substr(0, bytes);
    rest.erase(0, bytes);
    return first;
  }
  static std::string continuations(uint32_t stream, std::string rest, size_t fragment_bytes) {
    std::string frames;
    while (!rest.empty()) {
      const std::string part = take(rest, fragment_bytes);
      frames += frame(9, rest.empty() ? 4 : 0, stream, part);
    }
    return frames;
  }

  nghttp2_hd_deflater* deflater_ = nullptr;
};

}  // namespace wiretally::test
