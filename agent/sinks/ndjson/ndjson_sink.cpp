#include "ndjson_sink.h"

#include "text.h"

namespace wiretally::sinks {
namespace {

class JsonObject final : public FieldVisitor {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_.push_back('{'); }
  void end() { out_.push_back('}'); }

  void null(std::string_view name) override {
    key(name);
    out_.append("null");
  }
  void text(std::string_view name, std::string_view value) override {
    key(name);
    append_json_string(out_, value);
  }
  void number(std::string_view name, std::string_view value) override {
    key(name);
    out_.append(value);
  }
  void list(std::string_view name, std::span<const std::string_view> values) override {
    key(name);
    out_.push_back('[');
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_.push_back(',');
      append_json_string(out_, values[i]);
    }
    out_.push_back(']');
  }

 private:
  void key(std::string_view name) {
    if (!first_) out_.push_back(',');
    first_ = false;
    out_.push_back('"');
    out_.append(name);
    out_.append("\":");
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace

void write_usage_record(const LedgerEntry& entry, std::string& out) {
  JsonObject object(out);
  visit_fields(entry, object);
  object.end();
  out.push_back('\n');
}

void NdjsonSink::on_entry(const LedgerEntry& entry) {
  line_.clear();
  write_usage_record(entry, line_);
  file_->append(line_);
}

}  // namespace wiretally::sinks
