// Writes a large capture of streamed chat completions, token by token: each event of about 250
// bytes in a packet of its own, the client acknowledging every second one.
//
//   make_capture FILE MIB CONNECTIONS EVENTS [gzip]
//
// All connections are open at once and take turns, event by event. Each carries calls of EVENTS
// events one after another; EVENTS 0 means one call on each connection that lasts as long as the
// file. With gzip each answer is coded, flushed an event. Prints the number of calls and of output
// tokens.
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "support/pcap_writer.h"

namespace wiretally::test {
namespace {

constexpr int64_t kPacketNs = 2'000;

class Writer {
 public:
  explicit Writer(const char* path) : file_(std::fopen(path, "wb")) {
    if (file_ == nullptr) {
      std::perror(path);
      std::exit(1);
    }
    put(PcapWriter({.nanoseconds = true}).bytes());
  }
  ~Writer() {
    if (std::fclose(file_) != 0) std::perror("close");
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  uint64_t bytes() const { return bytes_; }

  void packet(TcpPacket packet) {
    time_ns_ += kPacketNs;
    packet.time_ns = time_ns_;
    const std::string frame = frame_bytes(Link::kEthernet, packet);
    const uint32_t header[] = {static_cast<uint32_t>(time_ns_ / 1'000'000'000),
                               static_cast<uint32_t>(time_ns_ % 1'000'000'000),
                               static_cast<uint32_t>(frame.size()),
                               static_cast<uint32_t>(frame.size())};
    put({reinterpret_cast<const char*>(header), sizeof header});
    put(frame);
  }

 private:
  void put(std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
      std::perror("write");
      std::exit(1);
    }
    bytes_ += bytes.size();
  }

  std::FILE* file_;
  uint64_t bytes_ = 0;
  int64_t time_ns_ = 1'700'000'000'000'000'000;
};

class Connection {
 public:
  Connection(Writer& out, uint32_t index, bool gzip)
      : out_(out),
        client_(endpoint(
            "10.1." + std::to_string(index / 250 % 250) + "." + std::to_string(index % 250 + 1),
            static_cast<uint16_t>(32'768 + index % 28'000))),
        server_(endpoint("10.2.0.1", 8000)),
        index_(index) {
    if (gzip) {
      coder_ = std::make_unique<z_stream>();
      deflateInit2(coder_.get(), 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    }
    send(true, TcpFlags::kSyn, {});
    send(false, TcpFlags::kSyn | TcpFlags::kAck, {});
    send(true, TcpFlags::kAck, {});
  }

  bool in_call() const { return in_call_; }
  uint64_t calls() const { return calls_; }
  uint64_t tokens() const { return tokens_; }
  uint64_t events() const { return events_; }

  void ask() {
    const std::string body =
        R"({"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},)"
        R"("messages":[{"role":"user","content":"Tell story )" +
        std::to_string(calls_) + " of " + std::to_string(index_) + R"( about a lighthouse."}]})";
    send(true, TcpFlags::kAck,
         "POST /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\nContent-Type: "
         "application/json\r\nAuthorization: Bearer sk-bench-0123456789abcdef\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n\r\n" + body);
    send(false, TcpFlags::kAck,
         "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
         "Cache-Control: no-cache\r\n" +
             std::string(coder_ ? "Content-Encoding: gzip\r\n" : "") +
             "Transfer-Encoding: chunked\r\n\r\n");
    in_call_ = true;
    events_ = 0;
    noise_ = index_ * 2'654'435'761u + static_cast<uint32_t>(calls_) * 40'503u;
    head_ = R"(data: {"id":"chatcmpl-)" + std::to_string(index_) + "x" + std::to_string(calls_) +
            R"(","object":"chat.completion.chunk","created":1763700000,"model":)"
            R"("gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":)"
            R"("fp_44709d6fcb",)";
  }

  void event() {
    ++events_;
    // No two answers say the same: equal ones would be weighed as legs of one call.
    noise_ = noise_ * 1'664'525 + 1'013'904'223;
    chunk(head_ + R"("choices":[{"index":0,"delta":{"content":" tok)" +
          std::to_string((noise_ >> 24) % 10) +
          R"("},"logprobs":null,"finish_reason":null}],"usage":null})" + "\n\n");
    if (events_ % 2 == 0) send(true, TcpFlags::kAck, {});
  }

  void answer_ends() {
    chunk(head_ + R"("choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null})" +
          "\n\n");
    chunk(head_ + R"("choices":[],"usage":{"prompt_tokens":17,"completion_tokens":)" +
          std::to_string(events_) + R"(,"total_tokens":)" + std::to_string(17 + events_) +
          "}}\n\n");
    chunk("data: [DONE]\n\n", true);
    send(false, TcpFlags::kAck, "0\r\n\r\n");
    in_call_ = false;
    ++calls_;
    tokens_ += events_;
  }

  void close() {
    send(true, TcpFlags::kFin | TcpFlags::kAck, {});
    send(false, TcpFlags::kFin | TcpFlags::kAck, {});
    send(true, TcpFlags::kAck, {});
  }

 private:
  void chunk(const std::string& text, bool last = false) {
    const std::string data = coder_ ? coded(text, last) : text;
    char size[16];
    std::snprintf(size, sizeof size, "%zx\r\n", data.size());
    send(false, TcpFlags::kAck | TcpFlags::kPsh, size + data + "\r\n");
  }

  std::string coded(const std::string& text, bool last) {
    char room[4096];
    coder_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    coder_->avail_in = static_cast<uInt>(text.size());
    coder_->next_out = reinterpret_cast<Bytef*>(room);
    coder_->avail_out = sizeof room;
    deflate(coder_.get(), last ? Z_FINISH : Z_SYNC_FLUSH);
    const std::string data(room, sizeof room - coder_->avail_out);
    if (last) deflateReset(coder_.get());
    return data;
  }

  void send(bool from_client, int flags, const std::string& payload) {
    uint32_t& mine = from_client ? client_next_ : server_next_;
    const uint32_t theirs = from_client ? server_next_ : client_next_;
    TcpPacket packet;
    packet.source = from_client ? client_ : server_;
    packet.destination = from_client ? server_ : client_;
    packet.sequence = mine;
    packet.acknowledgment = flags & TcpFlags::kAck ? theirs : 0;
    packet.flags = static_cast<uint8_t>(flags);
    packet.payload = payload;
    if (flags & TcpFlags::kSyn) packet.window_scale = 7;
    mine += static_cast<uint32_t>(payload.size());
    if (flags & (TcpFlags::kSyn | TcpFlags::kFin)) ++mine;
    out_.packet(std::move(packet));
  }

  Writer& out_;
  Endpoint client_;
  Endpoint server_;
  uint32_t index_;
  uint32_t noise_ = 0;  // what tells the texts of answers apart
  uint32_t client_next_ = 1'000;
  uint32_t server_next_ = 4'000'000'000;  // wraps after 280 MB
  bool in_call_ = false;
  uint64_t calls_ = 0;
  uint64_t events_ = 0;
  uint64_t tokens_ = 0;
  std::string head_;
  std::unique_ptr<z_stream> coder_;  // lives as long as the program
};

int make(const char* path, uint64_t bytes_wanted, uint32_t connections, uint64_t events,
         bool gzip) {
  Writer out(path);
  std::vector<Connection> open;
  open.reserve(connections);
  for (uint32_t i = 0; i < connections; ++i) open.emplace_back(out, i, gzip);
  while (out.bytes() < bytes_wanted) {
    for (Connection& connection : open) {
      if (!connection.in_call()) connection.ask();
      connection.event();
      if (events > 0 && connection.events() >= events) connection.answer_ends();
    }
  }
  uint64_t calls = 0;
  uint64_t tokens = 0;
  for (Connection& connection : open) {
    if (connection.in_call()) connection.answer_ends();
    connection.close();
    calls += connection.calls();
    tokens += connection.tokens();
  }
  std::printf("%llu %llu\n", static_cast<unsigned long long>(calls),
              static_cast<unsigned long long>(tokens));
  return 0;
}

}  // namespace
}  // namespace wiretally::test

int main(int argc, char** argv) {
  const bool gzip = argc == 6 && std::string(argv[5]) == "gzip";
  if (argc != 5 && !gzip) {
    std::fputs("usage: make_capture FILE MIB CONNECTIONS EVENTS [gzip]\n", stderr);
    return 1;
  }
  return wiretally::test::make(argv[1], std::strtoull(argv[2], nullptr, 10) << 20,
                               static_cast<uint32_t>(std::atoi(argv[3])),
                               std::strtoull(argv[4], nullptr, 10), gzip);
}
