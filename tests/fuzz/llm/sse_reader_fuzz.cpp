// The first byte seeds where the stream behind it is cut and, if odd, where a gap stands. However
// it is cut, the same events come out, and every part is a piece of what was fed.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "framing/sse_reader.h"

namespace {

using namespace wiretally;
using namespace wiretally::llm;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

class Log : public SseEvents {
 public:
  void on_sse_data(ByteView part) override {
    require(!part.empty(), "no empty parts");
    require(!error_open_, "an error field ends before data");
    data_open_ = true;
    lines += as_text(part);
  }
  void on_sse_end(std::string_view type) override {
    require(type.size() <= SseReader::kTypeBytes, "the type is bounded");
    data_open_ = false;
    lines += "\nend " + std::string(type) + '\n';
  }
  void on_sse_error_field(ByteView part, bool last) override {
    require(!data_open_, "no call between the parts of an event's data");
    error_open_ = !last;
    lines += as_text(part);
    if (last) lines += "\nerror\n";
  }
  void on_gap(bool open) {
    require(open || !(data_open_ || error_open_), "gap() tells of an open event");
    data_open_ = false;
    error_open_ = false;
    lines += open ? "\nopen gap\n" : "\ngap\n";
  }
  void on_finish() { require(!data_open_ && !error_open_, "finish ends what is open"); }

  std::string lines;

 private:
  bool data_open_ = false;
  bool error_open_ = false;
};

std::string read(ByteView stream, size_t gap_at, uint32_t seed, size_t piece_max) {
  Log log;
  SseReader reader(log);
  std::minstd_rand random(seed);
  for (size_t at = 0; at < stream.size();) {
    if (at == gap_at) log.on_gap(reader.gap());
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
