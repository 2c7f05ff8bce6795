// However an event stream is cut, the same events come out, and every part is a piece of what was
// fed. cut_stream.h says how the input reads.
#include "framing/sse_reader.h"
#include "fuzz/llm/cut_stream.h"

namespace {

using namespace wiretally;
using namespace wiretally::llm;

using test::require;

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  test::read_however_cut<SseReader, Log>(
      data, size, [](SseReader& reader, Log& log) { log.on_gap(reader.gap()); });
  return 0;
}
