// Usage records as CSV (RFC 4180): a header line, then a line a record, with the fields of
// record_fields.h in their order. Null is an empty field; lists are joined by ';'.
#pragma once

#include <memory>
#include <string>

#include "line_file.h"
#include "quiet_sink.h"

namespace wiretally::sinks {

void write_csv_header(std::string& out);
void write_csv_record(const LedgerEntry& entry, std::string& out);

class CsvSink final : public QuietSink {
 public:
  // Writes the header at once: a capture without calls gives a table without rows.
  explicit CsvSink(std::unique_ptr<LineFile> file);

  void on_entry(const LedgerEntry& entry) override;
  void on_finish() override { file_->close(); }

 private:
  std::unique_ptr<LineFile> file_;
  std::string line_;
};

}  // namespace wiretally::sinks
