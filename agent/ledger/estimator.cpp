#include "estimator.h"

namespace wiretally::ledger {
namespace {

// Larger numbers are a broken server's. Of smaller ones no sum of kStreamsMax overflows.
constexpr uint64_t kCountMax = uint64_t{1} << 40;

bool plausible(uint64_t count) { return count > 0 && count <= kCountMax; }

// A provider's, dialect's and model's own; "" where no model is known.
std::string name_of(const UsageRecord& record) {
  const auto& model = record.response_model.empty() ? record.request_model : record.response_model;
  if (model.empty()) return {};
  std::string name(record.provider.view());
  name.push_back('\0');
  name.push_back(static_cast<char>(record.dialect));
  name.append(model.view());
  return name;
}

uint64_t distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

}  // namespace

// --- one ratio -----------------------------------------------------------------------------------

// To the nearest token.
std::optional<uint64_t> Estimator::Ratio::by(size_t way, uint64_t units) const {
  const uint64_t under = ways_[way].units;
  if (under == 0 || units > kCountMax) return std::nullopt;
  const auto product = static_cast<unsigned __int128>(units) * tokens_;
  const unsigned __int128 tokens = (product + under / 2) / under;
  if (tokens > kCountMax) return std::nullopt;
  return static_cast<uint64_t>(tokens);
}

void Estimator::Ratio::learn(uint64_t tokens, const Units& units) {
  if (streams_ > 0) {
    checked_ += tokens;
    for (size_t way = 0; way < kWays; ++way) {
      ways_[way].off_by += distance(by(way, units[way]).value_or(0), tokens);
    }
  }
  ++streams_;
  tokens_ += tokens;
  for (size_t way = 0; way < kWays; ++way) ways_[way].units += units[way];
  if (streams_ == kStreamsMax) halve();
}

void Estimator::Ratio::halve() {
  streams_ /= 2;
  tokens_ /= 2;
  checked_ /= 2;
  for (Way& way : ways_) {
    way.units /= 2;
    way.off_by /= 2;
  }
}

size_t Estimator::Ratio::best() const { return ways_[1].off_by < ways_[0].off_by ? 1 : 0; }

std::optional<EstimatorError> Estimator::Ratio::error() const {
  if (streams_ < kStreamsMin) return std::nullopt;
  return EstimatorError{.off_by = ways_[best()].off_by, .reported = checked_};
}

std::optional<uint64_t> Estimator::Ratio::estimate(const Units& units) const {
  const std::optional<EstimatorError> known = error();
  if (!known || known->off_by * 100 > known->reported * kErrorPercentMax) return std::nullopt;
  const size_t way = best();
  return units[way] == 0 ? std::nullopt : by(way, units[way]);
}

// --- models --------------------------------------------------------------------------------------

Estimator::Model* Estimator::find(const std::string& name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  models_.splice(models_.begin(), models_, found->second);
  return &models_.front();
}

Estimator::Model& Estimator::find_or_make(const std::string& name) {
  if (Model* const known = find(name)) return *known;
  if (models_.size() >= models_max_ && !models_.empty()) {
    by_name_.erase(models_.back().name);
    models_.pop_back();
  }
  models_.push_front({.name = name, .input = {}, .output = {}});
  by_name_.emplace(models_.front().name, models_.begin());
  return models_.front();
}

Estimator::News Estimator::take(UsageRecord& record) {
  const bool text =
      record.operation == Operation::kChat || record.operation == Operation::kTextCompletion;
  if (!record.stream || !text || record.served_from_cache) return {};
  TokenCounts& tokens = record.tokens;
  const bool sound = !record.flags.has(RecordFlag::kUsageMalformed);
  const Units read = {record.words.prompt_bytes.value_or(0), 0};
  const Units said = {record.words.content_events.value_or(0),
                      record.words.content_bytes.value_or(0)};
  const bool teaches_input = sound && tokens.input_source == UsageSource::kReported &&
                             plausible(tokens.input.value_or(0)) && plausible(read[0]);
  const bool teaches_output =
      sound && tokens.output_source == UsageSource::kReported && record.outcome == Outcome::kOk &&
      plausible(tokens.output.value_or(0)) && plausible(said[0]) && said[1] <= kCountMax;
  // Answered, and what it used was not stated.
  const bool unknown = record.usage_missing != UsageMissing::kNot;
  const bool lacks_input = unknown && tokens.input_source == UsageSource::kNone && read[0] > 0;
  const bool lacks_output = unknown && tokens.output_source == UsageSource::kNone && said[0] > 0;
  if (!teaches_input && !teaches_output && !lacks_input && !lacks_output) return {};

  const std::string name = name_of(record);
  if (name.empty()) return {};
  Model* const model = teaches_input || teaches_output ? &find_or_make(name) : find(name);
  if (model == nullptr) return {};
  if (teaches_input) model->input.learn(*tokens.input, read);
  if (teaches_output) model->output.learn(*tokens.output, said);
  const auto fill = [](const std::optional<uint64_t>& estimate, std::optional<uint64_t>& number,
                       UsageSource& source) {
    if (!estimate) return;
    number = estimate;
    source = UsageSource::kEstimated;
  };
  if (lacks_input) fill(model->input.estimate(read), tokens.input, tokens.input_source);
  if (lacks_output) fill(model->output.estimate(said), tokens.output, tokens.output_source);
  News news;
  if (teaches_input || lacks_input) news.input = model->input.error();
  if (teaches_output || lacks_output) news.output = model->output.error();
  return news;
}

uint64_t Estimator::worst_case_bytes(size_t models_max) {
  constexpr uint64_t kNode = 64;
  constexpr uint64_t kNameBytes = 32 + 2 + 256 + 16;
  return (models_max + 1) * (sizeof(Model) + kNameBytes + 2 * kNode + 2 * sizeof(void*));
}

}  // namespace wiretally::ledger
