// What tests of GETs share: who has no credentials, and what collects records and nothing else.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "wiretally/identity.h"
#include "wiretally/usage_record.h"

namespace wiretally::llm {

struct NoCredentials final : CredentialReader {
  Caller read(const Headers&, std::string_view) const override { return {}; }
};

struct Records final : UsageSink {
  std::vector<UsageRecord> records;
  void on_call_opened(const CallOpened&) override { ADD_FAILURE() << "a GET is no open call"; }
  void on_record(const UsageRecord& record) override { records.push_back(record); }
  void on_call_closed(ExchangeId, uint32_t, EventTime) override {}
  void on_time(EventTime) override {}
  void on_suspect(Dialect) override { ADD_FAILURE() << "nor a suspect"; }
};

}  // namespace wiretally::llm
