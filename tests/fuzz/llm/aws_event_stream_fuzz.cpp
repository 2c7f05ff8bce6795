// The first byte seeds where the stream behind it is cut and, if odd, where a gap stands. However
// it is cut, the same messages come out, and every part is a piece of what was fed. What was packed
// as base64 in the payloads is read as well.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "framing/aws_event_stream_reader.h"
#include "framing/base64_member.h"

namespace {

using namespace wiretally;
using namespace wiretally::llm;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class Log : public AwsEvents, private Base64Sink {
 public:
  void on_aws_begin(const Kind& /*kind*/) override {
    require(!open_, "a message ends before the next begins");
    open_ = true;
    packed_.reset();
  }
  void on_aws_payload(ByteView part) override {
    require(open_ && !part.empty(), "a payload belongs to a message");
    lines += as_text(part);
    packed_.feed(part);
  }
  void on_aws_end(const Kind& kind, bool intact) override {
    require(open_, "what ends has begun");
    open_ = false;
    lines += "\nend " + std::string(kind.message.view()) + " " + std::string(kind.name.view()) +
             (intact ? " intact " : " broken ") + unpacked_ +
             (packed_.complete() ? " whole\n" : "\n");
    unpacked_.clear();
  }
  void on_gap() {
    open_ = false;
    unpacked_.clear();
    lines += "\ngap\n";
  }
  void on_finish() { require(!open_, "finish ends what is open"); }

  std::string lines;

 private:
  void on_decoded(ByteView part) override { unpacked_ += as_text(part); }

  Base64Member packed_{"bytes", *this};
  std::string unpacked_;
  bool open_ = false;
};

std::string read(ByteView stream, size_t gap_at, uint32_t seed, size_t piece_max) {
  Log log;
  AwsEventStreamReader reader(log);
  std::minstd_rand random(seed);
  for (size_t at = 0; at < stream.size();) {
    if (at == gap_at) {
      reader.gap();
      log.on_gap();
    }
    size_t size = std::min<size_t>(stream.size() - at, random() % piece_max + 1);
    if (at < gap_at) size = std::min(size, gap_at - at);
    const auto begin = stream.begin() + static_cast<ptrdiff_t>(at);
    const std::vector<uint8_t> piece(begin, begin + static_cast<ptrdiff_t>(size));
    reader.feed(piece);
    at += size;
  }
  reader.finish();
  log.on_finish();
  return log.lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const ByteView stream(data + 1, size - 1);
  const size_t gap_at = data[0] % 2 == 1 ? data[0] % stream.size() : SIZE_MAX;
  const std::string bytewise = read(stream, gap_at, 1, 1);
  require(read(stream, gap_at, data[0] + 1U, 8) == bytewise, "small pieces");
  require(read(stream, gap_at, data[0] + 1U, 100) == bytewise, "large pieces");
  require(read(stream, gap_at, 1, size_t{1} << 30) == bytewise, "in one piece");
  return 0;
}
