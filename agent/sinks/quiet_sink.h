// An EntrySink that cares for entries alone.
#pragma once

#include "wiretally/ledger_entry.h"

namespace wiretally::sinks {

class QuietSink : public EntrySink {
 public:
  void on_call_opened(const CallOpened&) override {}
  void on_call_closed(const CallOpened&) override {}
  void on_suspect(Dialect) override {}
  void on_late_twin(std::string_view) override {}
  void on_time(EventTime) override {}
  void on_finish() override {}
};

}  // namespace wiretally::sinks
