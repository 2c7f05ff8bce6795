#include "series_table.h"

#include <algorithm>

namespace wiretally::sinks {
namespace {

constexpr int kNanoDigits = 9;
constexpr int kMicroDigits = 6;
constexpr int kPicoDigits = 12;

std::string_view type_name(Kind kind) {
  static constexpr std::string_view kNames[] = {"counter", "gauge", "histogram"};
  return kNames[static_cast<size_t>(kind)];
}

// The bounds of the buckets as Prometheus writes them.
const std::vector<std::string>& bucket_texts() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> made;
    for (const int64_t bound_ns : bucket_bounds_ns()) {
      append_decimal(made.emplace_back(), bound_ns, kNanoDigits);
    }
    made.emplace_back("+Inf");
    return made;
  }();
  return texts;
}

}  // namespace

void append_label_value(std::string& out, std::string_view value, size_t bytes_max,
                        std::string& scratch) {
  scratch.clear();
  append_clean(scratch, value, bytes_max);
  for (const char c : scratch) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
}

// --- updates -------------------------------------------------------------------------------------

void SeriesTable::add(LabelValues labels, Wide amount, int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  series_of(labels, now_ns).value += amount;
}

void SeriesTable::set_until(LabelValues labels, Wide value, int64_t as_of_ns, int64_t expires_ns,
                            int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  write_key(labels, false);
  const auto known = series_.find(key_);
  if (known != series_.end() && known->second.as_of_ns > as_of_ns) return;
  Series& series = series_of(labels, now_ns);
  series.value = value;
  series.as_of_ns = as_of_ns;
  series.expires_ns = expires_ns;
}

void SeriesTable::observe(LabelValues labels, int64_t value_ns, int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  Series& series = series_of(labels, now_ns);
  if (!series.histogram) series.histogram = std::make_unique<Histogram>();
  const auto bounds = bucket_bounds_ns();
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), value_ns) - bounds.begin();
  ++series.histogram->buckets[static_cast<size_t>(bucket)];
  ++series.histogram->count;
  series.value += value_ns;
}

SeriesTable::Series& SeriesTable::series_of(LabelValues labels, int64_t now_ns) {
  write_key(labels, false);
  auto position = series_.find(key_);
  if (position == series_.end()) {
    ExpositionBudget* const budget = options_.budget;
    const bool overflow =
        series_.size() - overflow_series_ >= options_.series_max ||
        (budget != nullptr && budget->bytes + weight_of(key_) > budget->bytes_max);
    if (overflow) {
      ++overflows_;
      write_key(labels, true);
    }
    const auto [made, fresh] = series_.try_emplace(key_);
    if (fresh && budget != nullptr) budget->bytes += weight_of(key_);
    if (fresh && overflow) {
      made->second.overflow = true;
      ++overflow_series_;
    }
    position = made;
  }
  Series& series = position->second;
  ++series.updates;
  series.updated_ns = now_ns;
  series.scraped = false;
  return series;
}

// At most what its lines take.
size_t SeriesTable::weight_of(const std::string& key) const {
  constexpr size_t kAroundKey = 64;  // suffix, bound and number
  const size_t lines = spec_.kind == Kind::kHistogram ? bucket_bounds_ns().size() + 3 : 1;
  return lines * (spec_.name.size() + key.size() + kAroundKey);
}

void SeriesTable::write_key(LabelValues labels, bool overflow) {
  key_.clear();
  for (size_t i = 0; i < labels.size(); ++i) {
    const LabelSpec& label = spec_.labels[i];
    if (i > 0) key_.push_back(',');
    key_.append(label.name).append("=\"");
    const std::string_view value = overflow && label.identifying ? "other" : labels[i];
    append_label_value(key_, value, options_.label_bytes_max, value_);
    key_.push_back('"');
  }
}

// --- scrapes -------------------------------------------------------------------------------------

void SeriesTable::write(Reader reader, uint64_t scrape, int64_t now_ns, std::string& out) {
  const std::lock_guard lock(mutex_);
  for (auto it = series_.begin(); it != series_.end();) {
    if (!expired(it->second, now_ns)) {
      ++it;
      continue;
    }
    if (it->second.overflow) --overflow_series_;
    if (options_.budget != nullptr) options_.budget->bytes -= weight_of(it->first);
    it = series_.erase(it);
  }
  // A level whose time has passed is still owed to a Prometheus that has not seen it.
  const auto shown = [&](const Series& series) {
    return reader == Reader::kPrometheus || now_ns < series.expires_ns;
  };
  const bool any = std::any_of(series_.begin(), series_.end(),
                               [&](const auto& entry) { return shown(entry.second); });
  if (!any) return;

  out.append("# HELP ").append(spec_.name).append(" ").append(spec_.help).push_back('\n');
  out.append("# TYPE ").append(spec_.name).append(" ").append(type_name(spec_.kind));
  out.push_back('\n');
  for (auto& [key, series] : series_) {
    if (!shown(series)) continue;
    const bool as_zero = reader == Reader::kPrometheus && spec_.kind != Kind::kGauge &&
                         series.zeros_shown < options_.zero_scrapes;
    if (reader == Reader::kPrometheus) {
      series.written_scrape = scrape;
      series.written_updates = series.updates;
      series.written_as_zero = as_zero;
    }
    write_series(key, series, as_zero, out);
  }
}

void SeriesTable::delivered(uint64_t scrape) {
  const std::lock_guard lock(mutex_);
  for (auto& [key, series] : series_) {
    if (series.written_scrape != scrape) continue;
    if (series.written_as_zero) {
      ++series.zeros_shown;
    } else {
      series.scraped = series.written_updates == series.updates;
    }
  }
}

bool SeriesTable::expired(const Series& series, int64_t now_ns) const {
  if (now_ns >= series.expires_ns && series.scraped) return true;
  if (now_ns - series.updated_ns < options_.idle_ns) return false;
  if (spec_.kind == Kind::kGauge) {
    return !options_.gauge_expires_at_zero_only || series.value == 0;
  }
  return series.scraped;
}

void SeriesTable::write_series(const std::string& key, const Series& series, bool as_zero,
                               std::string& out) const {
  if (spec_.kind == Kind::kHistogram) return write_histogram(key, series, as_zero, out);
  out.append(spec_.name);
  if (!key.empty()) out.append("{").append(key).append("}");
  out.push_back(' ');
  append_value(as_zero ? 0 : series.value, out);
  out.push_back('\n');
}

void SeriesTable::write_histogram(const std::string& key, const Series& series, bool as_zero,
                                  std::string& out) const {
  const std::string_view separator = key.empty() ? "" : ",";
  uint64_t cumulative = 0;
  const std::vector<std::string>& bounds = bucket_texts();
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (!as_zero) cumulative += series.histogram->buckets[i];
    out.append(spec_.name).append("_bucket{").append(key).append(separator);
    out.append("le=\"").append(bounds[i]).append("\"} ");
    append_integer(out, cumulative);
    out.push_back('\n');
  }
  out.append(spec_.name).append("_sum{").append(key).append("} ");
  append_value(as_zero ? 0 : series.value, out);
  out.push_back('\n');
  out.append(spec_.name).append("_count{").append(key).append("} ");
  append_integer(out, cumulative);
  out.push_back('\n');
}

void SeriesTable::append_value(Wide value, std::string& out) const {
  switch (spec_.unit) {
    case Unit::kOne:
      return append_integer(out, value);
    case Unit::kPicodollars:
      return append_decimal(out, value, kPicoDigits);
    case Unit::kNanoseconds:
      return append_decimal(out, value, kNanoDigits);
    case Unit::kMillionths:
      return append_decimal(out, value, kMicroDigits);
  }
}

size_t SeriesTable::series() const {
  const std::lock_guard lock(mutex_);
  return series_.size();
}

uint64_t SeriesTable::overflows() const {
  const std::lock_guard lock(mutex_);
  return overflows_;
}

}  // namespace wiretally::sinks
