#include "csv_sink.h"

#include "record_fields.h"
#include "text.h"

namespace wiretally::sinks {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

// Quoted where RFC 4180 asks for it.
void append_field(std::string& out, std::string_view text) {
  const bool quoted = text.find_first_of(",\"\r\n") != std::string_view::npos;
  if (quoted) out.push_back('"');
  for_each_character(text, [&](std::string_view character) {
    if (character == "\"") out.push_back('"');
    out.append(character);
  });
  if (quoted) out.push_back('"');
}

class CsvLine : public FieldVisitor {
 public:
  explicit CsvLine(std::string& out) : out_(out) {}

  void null(std::string_view) override { separate(); }
  void text(std::string_view, std::string_view value) override {
    separate();
    append_field(out_, value);
  }
  void number(std::string_view, std::string_view value) override {
    separate();
    out_.append(value);
  }
  void list(std::string_view, std::span<const std::string_view> values) override {
    std::string joined;
    for (const std::string_view value : values) {
      if (!joined.empty()) joined.push_back(';');
      joined.append(value);
    }
    separate();
    append_field(out_, joined);
  }

 private:
  void separate() {
    if (!first_) out_.push_back(',');
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

// The names alone.
class CsvHeader final : public FieldVisitor {
 public:
  explicit CsvHeader(std::string& out) : line_(out) {}
  void null(std::string_view name) override { line_.text(name, name); }
  void text(std::string_view name, std::string_view) override { line_.text(name, name); }
  void number(std::string_view name, std::string_view) override { line_.text(name, name); }
  void list(std::string_view name, std::span<const std::string_view>) override {
    line_.text(name, name);
  }

 private:
  CsvLine line_;
};

}  // namespace

void write_csv_header(std::string& out) {
  CsvHeader header(out);
  visit_fields(LedgerEntry{}, header);
  out.append(kLineEnd);
}

void write_csv_record(const LedgerEntry& entry, std::string& out) {
  CsvLine line(out);
  visit_fields(entry, line);
  out.append(kLineEnd);
}

CsvSink::CsvSink(std::unique_ptr<LineFile> file) : file_(std::move(file)) {
  write_csv_header(line_);
  file_->append(line_);
}

void CsvSink::on_entry(const LedgerEntry& entry) {
  line_.clear();
  write_csv_record(entry, line_);
  file_->append(line_);
}

}  // namespace wiretally::sinks
