// However a stream is cut, the same messages come out, and every part is a piece of what was fed.
// What was packed as base64 in the payloads is read as well. cut_stream.h says how the input reads.
#include "framing/aws_event_stream_reader.h"
#include "framing/base64_member.h"
#include "fuzz/llm/cut_stream.h"

namespace {

using namespace wiretally;
using namespace wiretally::llm;

using test::require;

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  test::read_however_cut<AwsEventStreamReader, Log>(data, size,
                                                    [](AwsEventStreamReader& reader, Log& log) {
                                                      reader.gap();
                                                      log.on_gap();
                                                    });
  return 0;
}
