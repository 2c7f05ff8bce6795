#include "table_sink.h"

#include <algorithm>
#include <array>

namespace wiretally::sinks {
namespace {

constexpr size_t kTextMax = 32;
constexpr size_t kSubjectMax = 20;
constexpr int kPicoDigits = 12;
constexpr int kNanoDigits = 9;
constexpr int kMoneyFractionMin = 4;

struct Column {
  std::string_view title;
  bool right = true;
};
constexpr std::array<Column, 9> kCallColumns = {{{"TIME (UTC)", false},
                                                 {"PROVIDER", false},
                                                 {"MODEL", false},
                                                 {"CALLER", false},
                                                 {"OUTCOME", false},
                                                 {"INPUT"},
                                                 {"OUTPUT"},
                                                 {"TTFT s"},
                                                 {"TIME s"}}};
constexpr std::array<Column, 9> kTotalColumns = {{{"PROVIDER", false},
                                                  {"MODEL", false},
                                                  {"CALLS"},
                                                  {"OK"},
                                                  {"ERRORS"},
                                                  {"INPUT"},
                                                  {"CACHED"},
                                                  {"OUTPUT"},
                                                  {"COST USD"}}};

std::string clean(std::string_view text, size_t bytes_max = kTextMax) {
  std::string shown;
  append_clean(shown, text, bytes_max);
  if (shown.empty()) shown.push_back('-');
  return shown;
}

size_t characters(std::string_view utf8) {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

std::string milliseconds_of(std::optional<int64_t> ns) {
  if (!ns) return "-";
  std::string text;
  append_decimal(text, *ns / 1'000'000, kNanoDigits - 6, kNanoDigits - 6);
  return text;
}

// A refused call has no tokens that could be unknown, nor has a kind of call that never has any.
std::string count_of(const UsageRecord& record, const std::optional<uint64_t>& tokens,
                     bool can_have) {
  if (tokens) return std::to_string(*tokens);
  return record.outcome == Outcome::kHttpError || !can_have ? "-" : "?";
}

std::string model_of(const UsageRecord& record) {
  return clean(record.response_model.empty() ? record.request_model.view()
                                             : record.response_model.view());
}

std::string caller_of(const LedgerEntry& entry) {
  const Caller& caller = entry.record.caller;
  if (!caller.subject.empty()) return clean(caller.subject.view(), kSubjectMax);
  if (entry.process && !entry.process->name.empty()) {
    return clean(entry.process->name.view(), kSubjectMax);
  }
  return clean(caller.key_id.view(), kSubjectMax);
}

std::string outcome_of(const UsageRecord& record) {
  if (record.outcome != Outcome::kHttpError || !record.status_code) {
    return std::string(outcome_name(record.outcome));
  }
  std::string text("http ");
  append_integer(text, *record.status_code);
  return text;
}

template <size_t N>
void append_table(std::string& out, const std::array<Column, N>& columns,
                  const std::vector<std::vector<std::string>>& rows) {
  std::array<size_t, N> widths{};
  for (size_t i = 0; i < N; ++i) widths[i] = columns[i].title.size();
  for (const auto& row : rows) {
    for (size_t i = 0; i < N; ++i) widths[i] = std::max(widths[i], characters(row[i]));
  }
  const auto append_row = [&](const auto& cell) {
    std::string line;
    for (size_t i = 0; i < N; ++i) {
      const std::string text(cell(i));
      const std::string padding(widths[i] - characters(text), ' ');
      if (i > 0) line.append("  ");
      line.append(columns[i].right ? padding + text : text + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.append(line).push_back('\n');
  };
  append_row([&](size_t i) { return columns[i].title; });
  for (const auto& row : rows) append_row([&](size_t i) { return row[i]; });
}

}  // namespace

std::string TableSink::Sum::shown(int digits, int fraction_min) const {
  if (!any) return incomplete ? "?" : "-";
  std::string text;
  append_decimal(text, value, digits, fraction_min);
  if (incomplete) text.push_back('+');
  return text;
}

void TableSink::Totals::add(const LedgerEntry& entry) {
  const UsageRecord& record = entry.record;
  ++calls;
  if (record.outcome == Outcome::kOk) ++ok;
  // A call that failed has no tokens to be missing, nor has one that cannot have any.
  const bool answered = record.outcome != Outcome::kHttpError;
  const bool may_lack_input = answered && operation_has_tokens(record.operation);
  const bool may_lack_output = answered && operation_has_output(record.operation);
  if (may_lack_input || record.tokens.input) input.add(record.tokens.input);
  if (may_lack_output || record.tokens.output) output.add(record.tokens.output);
  if (record.tokens.cache_read) cached.add(record.tokens.cache_read);
  const bool may_cost = answered && record.operation != Operation::kToolCall;
  if (may_cost || entry.cost.total) cost.add(entry.cost.total);
}

void TableSink::on_entry(const LedgerEntry& entry) {
  if (entry.duplicate_of) return;
  if (++calls_ <= kCallsShownMax) {
    call_rows_.push_back(call_row(entry));
  } else {
    call_rows_.clear();
  }
  std::pair<std::string, std::string> key{clean(entry.record.provider.view()),
                                          model_of(entry.record)};
  if (by_model_.size() >= kRowsMax && !by_model_.contains(key)) key = {"other", "other"};
  by_model_[key].add(entry);
  all_.add(entry);
}

TableSink::Row TableSink::call_row(const LedgerEntry& entry) {
  const UsageRecord& r = entry.record;
  std::string time;
  append_time(time, entry.start_epoch_ns);
  const auto ttft = r.stream && r.first_content ? elapsed_ns(r.start, *r.first_content)
                                                : std::optional<int64_t>();
  return {time.substr(11, 12),
          clean(r.provider.view()),
          model_of(r),
          caller_of(entry),
          outcome_of(r),
          count_of(r, r.tokens.input, operation_has_tokens(r.operation)),
          count_of(r, r.tokens.output, operation_has_output(r.operation)),
          milliseconds_of(ttft),
          milliseconds_of(elapsed_ns(r.start, r.last_byte))};
}

TableSink::Row TableSink::totals_row(const std::string& provider, const std::string& model,
                                     const Totals& t) {
  return {provider,
          model,
          std::to_string(t.calls),
          std::to_string(t.ok),
          std::to_string(t.calls - t.ok),
          t.input.shown(),
          t.cached.shown(),
          t.output.shown(),
          t.cost.shown(kPicoDigits, kMoneyFractionMin)};
}

std::string TableSink::text() const {
  if (calls_ == 0) return "no LLM calls\n";
  std::string out;
  if (!call_rows_.empty()) {
    append_table(out, kCallColumns, call_rows_);
    out.push_back('\n');
  }
  std::vector<Row> rows;
  for (const auto& [key, totals] : by_model_) {
    rows.push_back(totals_row(key.first, key.second, totals));
  }
  if (rows.size() > 1) rows.push_back(totals_row("total", "", all_));
  append_table(out, kTotalColumns, rows);
  if (all_.input.incomplete || all_.output.incomplete || all_.cost.incomplete) {
    out.append("\n?  unknown    +  at least: not every call said, or has a price\n");
  }
  return out;
}

void TableSink::on_finish() {
  const std::string shown = text();
  std::fwrite(shown.data(), 1, shown.size(), out_);
  std::fflush(out_);
}

}  // namespace wiretally::sinks
