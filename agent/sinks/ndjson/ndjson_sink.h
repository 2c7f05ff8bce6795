// Usage records as NDJSON: one JSON object a line, the fields of record_fields.h in their order.
#pragma once

#include <memory>
#include <string>

#include "line_file.h"
#include "quiet_sink.h"
#include "record_fields.h"

namespace wiretally::sinks {

// Appends one line, newline included.
void write_usage_record(const LedgerEntry& entry, std::string& out);

class NdjsonSink final : public QuietSink {
 public:
  explicit NdjsonSink(std::unique_ptr<LineFile> file) : file_(std::move(file)) {}

  void on_entry(const LedgerEntry& entry) override;
  void on_finish() override { file_->close(); }

  void reopen() { file_->reopen(); }
  uint64_t dropped_records() const { return file_->dropped_lines(); }

 private:
  std::unique_ptr<LineFile> file_;
  std::string line_;
};

}  // namespace wiretally::sinks
