// The first byte chooses the method and seeds where the body behind it is cut. However it is cut,
// the same values come out, and they are those that a plain recursive reader of whole messages
// finds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "dialect_table.h"
#include "protobuf/proto_reader.h"
#include "protobuf/rpc_body.h"

namespace {

using namespace wiretally;
using namespace wiretally::llm;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

std::string line_of(PathId path, std::string_view kind, std::string_view value) {
  return std::to_string(path) + std::string(kind) + std::string(value) + "\n";
}

class Log : public JsonEvents, public RpcMessages {
 public:
  void on_json(PathId path, const JsonEvent& event) override {
    switch (event.kind) {
      case JsonEvent::Kind::kObjectBegin:
        ++open_;
        lines += line_of(path, "{", "");
        break;
      case JsonEvent::Kind::kObjectEnd:
        require(open_-- > 0, "what ends has begun");
        lines += line_of(path, "}", "");
        break;
      case JsonEvent::Kind::kString:
        require(event.text.size() <= JsonEvent::kTextBytes, "texts are bounded");
        require(event.text_cut == (event.text.size() < event.text_bytes), "cut texts say so");
        lines += line_of(path, "=", std::to_string(event.text_bytes));
        break;
      case JsonEvent::Kind::kNumber:
        lines += line_of(path, "#", event.integer ? std::to_string(*event.integer) : "?");
        break;
      default:
        require(false, "no such value");
    }
  }
  void on_rpc_begin() override { open_ = 0; }
  void on_rpc_end(bool intact) override {
    require(!intact || open_ == 0, "an intact message closes what it opened");
    lines += intact ? "end\n" : "bad\n";
  }

  std::string lines;

 private:
  int open_ = 0;
};

std::string read(ByteView body, uint32_t number, uint32_t seed, size_t piece_max) {
  Log log;
  RpcBody reader(*xai_grpc().answer_fields, log, log);
  reader.reset(number);
  std::minstd_rand random(seed);
  for (size_t at = 0; at < body.size();) {
    const size_t size = std::min<size_t>(body.size() - at, random() % piece_max + 1);
    const auto begin = body.begin() + static_cast<ptrdiff_t>(at);
    const std::vector<uint8_t> piece(begin, begin + static_cast<ptrdiff_t>(size));
    reader.feed(piece);
    at += size;
  }
  return log.lines;
}

// The plain reader: one whole message in memory.
class Plain {
 public:
  explicit Plain(const FieldSet& fields) : fields_(fields) {}

  bool message(uint16_t node, ByteView bytes) {
    const FieldSet::Node& at = fields_.node(node);
    if (node != FieldSet::kRoot && at.matched) lines += line_of(at.path, "{", "");
    while (!bytes.empty()) {
      if (!field(node, bytes)) return false;
    }
    if (node != FieldSet::kRoot && at.matched) lines += line_of(at.path, "}", "");
    return true;
  }

  std::string lines;

 private:
  static bool varint(ByteView& bytes, uint64_t& value) {
    value = 0;
    for (int i = 0; i < 10 && static_cast<size_t>(i) < bytes.size(); ++i) {
      value |= uint64_t{bytes[static_cast<size_t>(i)] & 0x7Fu} << (7 * i);
      if (bytes[static_cast<size_t>(i)] >= 0x80) continue;
      bytes = bytes.subspan(static_cast<size_t>(i) + 1);
      return true;
    }
    return false;
  }
  bool field(uint16_t message_node, ByteView& bytes) {
    uint64_t tag = 0;
    if (!varint(bytes, tag)) return false;
    if (tag >> 3 == 0 || tag >> 3 >= uint64_t{1} << 29) return false;
    const uint16_t node = fields_.field(message_node, static_cast<uint32_t>(tag >> 3));
    const FieldSet::Node* const at = node == FieldSet::kNone ? nullptr : &fields_.node(node);
    const bool matched = at != nullptr && at->matched;
    uint64_t value = 0;
    switch (tag & 7) {
      case 0:
        if (!varint(bytes, value)) return false;
        if (!matched) return true;
        if (at->shape == FieldSet::Shape::kList) {
          lines += line_of(at->path, "#", "1");
        } else if (at->shape == FieldSet::Shape::kValue && at->words.empty()) {
          lines += line_of(at->path, "#", value <= uint64_t{1} << 53 ? std::to_string(value) : "?");
        } else if (at->shape == FieldSet::Shape::kValue) {
          const size_t size = value < at->words.size()
                                  ? at->words[value].size()
                                  : std::to_string(static_cast<int64_t>(value)).size();
          lines += line_of(at->path, "=", std::to_string(size));
        }
        return true;
      case 1:
      case 5: {
        const size_t size = (tag & 7) == 1 ? 8 : 4;
        if (matched) lines += line_of(at->path, "#", "?");
        if (bytes.size() < size) return false;
        bytes = bytes.subspan(size);
        return true;
      }
      case 2: {
        if (!varint(bytes, value) || value > bytes.size()) return false;
        const ByteView inner = bytes.first(value);
        bytes = bytes.subspan(value);
        if (at == nullptr) return true;
        switch (at->shape) {
          case FieldSet::Shape::kValue:
            lines += line_of(at->path, "=", std::to_string(value));
            return true;
          case FieldSet::Shape::kMessage:
            return message(node, inner);
          case FieldSet::Shape::kClosedMessage:
            lines += line_of(at->path, "{", "") + line_of(at->path, "}", "");
            return true;
          case FieldSet::Shape::kList: {
            const auto ends =
                std::count_if(inner.begin(), inner.end(), [](uint8_t b) { return b < 0x80; });
            if (value > 0) lines += line_of(at->path, "#", std::to_string(ends));
            return true;
          }
        }
        return true;
      }
      default:
        return false;
    }
  }

  const FieldSet& fields_;
};

std::string plainly(ByteView body, uint32_t number) {
  const FieldSet& fields = *xai_grpc().answer_fields;
  std::string lines;
  while (body.size() >= 5 && body[0] <= 1) {
    const bool compressed = body[0] == 1;
    const size_t size =
        size_t{body[1]} << 24 | size_t{body[2]} << 16 | size_t{body[3]} << 8 | body[4];
    body = body.subspan(5);
    if (body.size() < size) return lines;  // what a cut message says is another question
    if (!compressed) {
      Plain plain(fields);
      const bool good = plain.message(fields.field(FieldSet::kRoot, number), body.first(size));
      lines += plain.lines + (good ? "end\n" : "bad\n");
    }
    body = body.subspan(size);
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const ByteView body(data + 1, size - 1);
  const uint32_t number = data[0] % 9 + 1;
  const std::string bytewise = read(body, number, 1, 1);
  require(read(body, number, data[0] + 1U, 8) == bytewise, "small pieces");
  require(read(body, number, data[0] + 1U, 100) == bytewise, "large pieces");
  require(read(body, number, 1, size_t{1} << 30) == bytewise, "in one piece");
  require(bytewise.starts_with(plainly(body, number)), "the values that a plain reader finds");
  return 0;
}
