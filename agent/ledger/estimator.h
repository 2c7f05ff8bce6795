// Estimates of tokens that nobody stated: of streams that were cut, or not asked to report.
//
// There is no rule of thumb. For each provider, dialect and model the ratio of tokens to what can
// be counted of a call is learnt from the streams that do report, and applied to its like alone:
//
//   input    bytes of the request's body
//   output   content events, or bytes of their text: whichever has been nearer
//
// Each stream that reports is first estimated as if it did not, by what was learnt before it. By
// how much these estimates were wrong, over what was reported, is the error that is published. It
// decides between the two ways, and whether there is an estimate at all: a model whose thoughts do
// not show is not estimated by what shows.
//
// All is integers, in the order in which calls are counted, so a replay estimates alike with any
// number of lanes. The models are bounded; who was heard of least recently is forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "wiretally/ledger_entry.h"
#include "wiretally/usage_record.h"

namespace wiretally::ledger {

class Estimator {
 public:
  // Fewer streams say too little of the next one.
  static constexpr uint64_t kStreamsMin = 5;
  // So many weigh half as much from then on, because prompts and servers change.
  static constexpr uint64_t kStreamsMax = 1024;
  // What is wrong by more, on the whole, is no estimate.
  static constexpr uint64_t kErrorPercentMax = 50;

  // How well the model of a record is estimated, where that may have changed or was made use of.
  struct News {
    std::optional<EstimatorError> input;
    std::optional<EstimatorError> output;
  };

  explicit Estimator(size_t models_max) : models_max_(models_max) {}

  // Learns from what the record reports, and fills in what it lacks, as kEstimated. Leaves alone
  // what is no stream of text, or came out of a gateway's cache.
  News take(UsageRecord& record);

  size_t models() const { return models_.size(); }
  // The most that it takes.
  static uint64_t worst_case_bytes(size_t models_max);

 private:
  static constexpr size_t kWays = 2;
  // What can be counted, a way each; 0 = not in this way.
  using Units = std::array<uint64_t, kWays>;

  class Ratio {
   public:
    void learn(uint64_t tokens, const Units& units);
    std::optional<uint64_t> estimate(const Units& units) const;
    // Nothing while too little is known.
    std::optional<EstimatorError> error() const;

   private:
    struct Way {
      uint64_t units = 0;   // of what was learnt
      uint64_t off_by = 0;  // tokens that estimates were wrong by
    };
    std::optional<uint64_t> by(size_t way, uint64_t units) const;
    size_t best() const;
    void halve();

    uint64_t streams_ = 0;
    uint64_t tokens_ = 0;   // of what was learnt
    uint64_t checked_ = 0;  // tokens that had been estimated
    std::array<Way, kWays> ways_;
  };
  struct Model {
    std::string name;
    Ratio input;
    Ratio output;
  };

  Model* find(const std::string& name);
  Model& find_or_make(const std::string& name);

  size_t models_max_;
  std::list<Model> models_;  // most recently heard of first
  std::unordered_map<std::string_view, std::list<Model>::iterator> by_name_;  // views of names
};

}  // namespace wiretally::ledger
