#include "estimator.h"

#include <gtest/gtest.h>

#include <random>

#include "unit/ledger/fixtures.h"

namespace wiretally::ledger {
namespace {

UsageRecord stream_of(std::string_view model) {
  UsageRecord r;
  r.provider.assign("openai");
  r.dialect = Dialect::kOpenaiChat;
  r.response_model.assign(model);
  r.stream = true;
  r.outcome = Outcome::kOk;
  r.status_code = 200;
  return r;
}

struct Said {
  uint64_t prompt_bytes = 400;
  uint64_t events = 10;
  uint64_t bytes = 40;
};

UsageRecord reporting(std::string_view model, const Said& said, uint64_t input, uint64_t output) {
  UsageRecord r = stream_of(model);
  r.words = {said.prompt_bytes, said.events, said.bytes};
  r.tokens.input = input;
  r.tokens.output = output;
  r.tokens.input_source = r.tokens.output_source = UsageSource::kReported;
  return r;
}

UsageRecord silent(std::string_view model, const Said& said) {
  UsageRecord r = stream_of(model);
  r.words = {said.prompt_bytes, said.events, said.bytes};
  r.usage_missing = UsageMissing::kNotRequested;
  return r;
}

// As many streams as it takes, each alike.
void teach(Estimator& estimator, std::string_view model, const Said& said = {},
           uint64_t input = 100, uint64_t output = 10) {
  for (uint64_t i = 0; i < Estimator::kStreamsMin; ++i) {
    UsageRecord r = reporting(model, said, input, output);
    estimator.take(r);
  }
}

TEST(Estimator, NothingIsEstimatedBeforeEnoughStreamsReported) {
  Estimator estimator(10);
  for (uint64_t i = 0; i < Estimator::kStreamsMin; ++i) {
    UsageRecord r = silent("m", {});
    EXPECT_FALSE(estimator.take(r).output.has_value());
    EXPECT_EQ(r.tokens.output_source, UsageSource::kNone);
    EXPECT_FALSE(r.tokens.input.has_value());
    UsageRecord teacher = reporting("m", {}, 100, 10);
    estimator.take(teacher);
  }
  UsageRecord r = silent("m", {.prompt_bytes = 800, .events = 30, .bytes = 120});
  const Estimator::News news = estimator.take(r);
  EXPECT_EQ(r.tokens.input, 200u);
  EXPECT_EQ(r.tokens.output, 30u);
  EXPECT_EQ(r.tokens.input_source, UsageSource::kEstimated);
  EXPECT_EQ(r.tokens.output_source, UsageSource::kEstimated);
  EXPECT_EQ(r.usage_missing, UsageMissing::kNotRequested);
  ASSERT_TRUE(news.output.has_value());
  EXPECT_EQ(news.output->off_by, 0u);
  EXPECT_EQ(news.output->reported, 40u);
}

TEST(Estimator, OnlyTheSameProviderDialectAndModel) {
  Estimator estimator(10);
  teach(estimator, "m");
  const auto estimated = [&](UsageRecord r) {
    estimator.take(r);
    return r.tokens.output_source == UsageSource::kEstimated ||
           r.tokens.input_source == UsageSource::kEstimated;
  };
  EXPECT_TRUE(estimated(silent("m", {})));
  EXPECT_FALSE(estimated(silent("m2", {})));
  EXPECT_FALSE(estimated(silent("", {})));
  UsageRecord other = silent("m", {});
  other.dialect = Dialect::kOpenaiResponses;
  EXPECT_FALSE(estimated(other));
  other = silent("m", {});
  other.provider.assign("azure.ai.openai");
  EXPECT_FALSE(estimated(other));
  // The model that was asked for stands in where the answer names none.
  other = silent("", {});
  other.request_model.assign("m");
  EXPECT_TRUE(estimated(other));
  other.response_model.assign("m-2026-01-01");
  EXPECT_FALSE(estimated(other));
}

TEST(Estimator, StatedNumbersStandAndEachSideIsForItself) {
  Estimator estimator(10);
  teach(estimator, "m");
  UsageRecord r = silent("m", {});
  r.tokens.input = 7;
  r.tokens.input_source = UsageSource::kReported;  // Anthropic's message_start
  estimator.take(r);
  EXPECT_EQ(r.tokens.input, 7u);
  EXPECT_EQ(r.tokens.input_source, UsageSource::kReported);
  EXPECT_EQ(r.tokens.output_source, UsageSource::kEstimated);

  r = silent("m", {});
  r.tokens.output = 3;
  r.tokens.output_source = UsageSource::kPartial;  // a running total
  estimator.take(r);
  EXPECT_EQ(r.tokens.output, 3u);
  EXPECT_EQ(r.tokens.output_source, UsageSource::kPartial);
}

TEST(Estimator, WhatWasNotSeenWholeIsNotEstimated) {
  Estimator estimator(10);
  teach(estimator, "m");
  UsageRecord r = silent("m", {});
  r.words = {};
  estimator.take(r);
  EXPECT_FALSE(r.tokens.input.has_value());
  EXPECT_FALSE(r.tokens.output.has_value());
  r = silent("m", {.events = 0, .bytes = 0});  // cut before anything was said
  estimator.take(r);
  EXPECT_TRUE(r.tokens.input.has_value());
  EXPECT_FALSE(r.tokens.output.has_value());
  // Refused, out of a gateway's cache, no stream, no text: none of these.
  for (int kind = 0; kind < 4; ++kind) {
    r = silent("m", {});
    if (kind == 0) r.usage_missing = UsageMissing::kNot;
    if (kind == 1) r.served_from_cache = true;
    if (kind == 2) r.stream = false;
    if (kind == 3) r.operation = Operation::kTranscription;
    estimator.take(r);
    EXPECT_FALSE(r.tokens.input.has_value()) << kind;
    EXPECT_FALSE(r.tokens.output.has_value()) << kind;
  }
}

TEST(Estimator, TheNearerWayIsTaken) {
  // Azure bundles what was generated: events tell nothing, text does.
  Estimator by_text(10);
  for (uint64_t i = 1; i <= 20; ++i) {
    UsageRecord r = reporting("m", {.events = 1 + i % 7, .bytes = 40 * i}, 100, 10 * i);
    by_text.take(r);
  }
  UsageRecord r = silent("m", {.events = 100, .bytes = 400});
  by_text.take(r);
  EXPECT_EQ(r.tokens.output, 100u);

  // One event a token: what the tokens are like does not matter.
  Estimator by_events(10);
  for (uint64_t i = 1; i <= 20; ++i) {
    UsageRecord stream =
        reporting("m", {.events = 10 * i, .bytes = 30 + 91 * i % 300}, 100, 10 * i);
    by_events.take(stream);
  }
  r = silent("m", {.events = 77, .bytes = 4});
  by_events.take(r);
  EXPECT_EQ(r.tokens.output, 77u);
}

// Thoughts that do not show: what shows is no measure, and nothing is made up of it.
TEST(Estimator, NoEstimateWhereItWouldBeWrongByMoreThanHalf) {
  Estimator estimator(10);
  std::optional<EstimatorError> error;
  for (uint64_t i = 0; i < 40; ++i) {
    UsageRecord r = reporting("m", {}, 100, i % 4 == 0 ? 8'000 : 20);
    error = estimator.take(r).output;
  }
  ASSERT_TRUE(error.has_value());
  EXPECT_GT(error->off_by, error->reported / 2);
  UsageRecord r = silent("m", {});
  estimator.take(r);
  EXPECT_EQ(r.tokens.input, 100u);
  EXPECT_EQ(r.tokens.output_source, UsageSource::kNone);
}

TEST(Estimator, OnlySoundNumbersTeach) {
  for (int kind = 0; kind < 6; ++kind) {
    Estimator estimator(10);
    for (int i = 0; i < 10; ++i) {
      UsageRecord r = reporting("m", {}, 100, 10);
      if (kind == 0) r.flags.set(RecordFlag::kUsageMalformed);
      if (kind == 1) r.tokens.input_source = r.tokens.output_source = UsageSource::kPartial;
      if (kind == 2) r.served_from_cache = true;
      if (kind == 3) r.tokens.input = r.tokens.output = UINT64_MAX;
      if (kind == 4) r.tokens.input = r.tokens.output = 0;
      if (kind == 5) r.words = {};
      estimator.take(r);
    }
    UsageRecord r = silent("m", {});
    estimator.take(r);
    EXPECT_FALSE(r.tokens.input.has_value()) << kind;
    EXPECT_FALSE(r.tokens.output.has_value()) << kind;
    EXPECT_EQ(estimator.models(), 0u) << kind;
  }
}

TEST(Estimator, ModelsAreBoundedAndTheLeastRecentOneGoes) {
  Estimator estimator(3);
  for (const char* model : {"a", "b", "c"}) teach(estimator, model);
  UsageRecord again = silent("a", {});
  estimator.take(again);
  teach(estimator, "d");
  EXPECT_EQ(estimator.models(), 3u);
  for (const auto& [model, known] :
       {std::pair{"a", true}, {"b", false}, {"c", true}, {"d", true}}) {
    UsageRecord r = silent(model, {});
    estimator.take(r);
    EXPECT_EQ(r.tokens.output.has_value(), known) << model;
  }
}

TEST(Estimator, OldStreamsWeighLess) {
  Estimator estimator(10);
  for (int i = 0; i < 5'000; ++i) {
    UsageRecord r = reporting("m", {}, 100, 10);
    estimator.take(r);
  }
  for (int i = 0; i < 5'000; ++i) {
    UsageRecord r = reporting("m", {}, 100, 20);
    estimator.take(r);
  }
  UsageRecord r = silent("m", {.events = 10, .bytes = 40});
  estimator.take(r);
  EXPECT_GE(*r.tokens.output, 19u);
}

TEST(Estimator, LargestNumbersDoNotOverflow) {
  Estimator estimator(10);
  constexpr uint64_t kMost = uint64_t{1} << 40;
  for (int i = 0; i < 3'000; ++i) {
    UsageRecord r =
        reporting("m", {.prompt_bytes = kMost, .events = kMost, .bytes = kMost}, kMost, kMost);
    estimator.take(r);
  }
  UsageRecord r = silent("m", {.prompt_bytes = 1, .events = 9, .bytes = 9});
  estimator.take(r);
  EXPECT_EQ(r.tokens.input, 1u);
  EXPECT_EQ(r.tokens.output, 9u);
  r = silent("m", {.prompt_bytes = UINT64_MAX, .events = UINT64_MAX, .bytes = UINT64_MAX});
  estimator.take(r);
  EXPECT_FALSE(r.tokens.input.has_value());
  EXPECT_FALSE(r.tokens.output.has_value());
}

// The error that is published, computed again by the definition: each stream by those before it.
TEST(Estimator, TheErrorOf200StreamsIsTheOneRecomputed) {
  std::mt19937_64 random(7);
  Estimator estimator(10);
  struct Stream {
    Said said;
    uint64_t input, output;
  };
  std::vector<Stream> streams;
  std::optional<EstimatorError> input_error, output_error;
  for (int i = 0; i < 200; ++i) {
    const uint64_t output = 1 + random() % 2'000;
    const uint64_t input = 5 + random() % 5'000;
    const Stream s = {{.prompt_bytes = 60 + input * 4 + random() % 200,
                       .events = 1 + output / (1 + random() % 3),
                       .bytes = output * 4 + random() % 50},
                      input,
                      output};
    streams.push_back(s);
    UsageRecord r = reporting("m", s.said, s.input, s.output);
    const Estimator::News news = estimator.take(r);
    input_error = news.input;
    output_error = news.output;
    EXPECT_EQ(news.output.has_value(), streams.size() >= Estimator::kStreamsMin);
  }
  const auto recomputed = [&](auto units_of, auto tokens_of) {
    double units = 0, tokens = 0;
    EstimatorError error;
    for (size_t i = 0; i < streams.size(); ++i) {
      const double u = units_of(streams[i]), t = tokens_of(streams[i]);
      if (i > 0) {
        const double estimate = std::floor(u * tokens / units + 0.5);
        error.off_by += static_cast<uint64_t>(std::abs(estimate - t));
        error.reported += static_cast<uint64_t>(t);
      }
      units += u;
      tokens += t;
    }
    return error;
  };
  const auto output_of = [](const Stream& s) { return s.output; };
  const EstimatorError by_events =
      recomputed([](const Stream& s) { return s.said.events; }, output_of);
  const EstimatorError by_text =
      recomputed([](const Stream& s) { return s.said.bytes; }, output_of);
  const EstimatorError by_prompt = recomputed([](const Stream& s) { return s.said.prompt_bytes; },
                                              [](const Stream& s) { return s.input; });
  ASSERT_LT(by_text.off_by, by_events.off_by);
  EXPECT_EQ(output_error->off_by, by_text.off_by);
  EXPECT_EQ(output_error->reported, by_text.reported);
  EXPECT_EQ(input_error->off_by, by_prompt.off_by);
  EXPECT_EQ(input_error->reported, by_prompt.reported);
}

// --- in the ledger -------------------------------------------------------------------------------

class Tariff final : public PriceBook {
 public:
  Cost price(const UsageRecord& record) const override {
    Cost cost;
    const TokenCounts& t = record.tokens;
    if (t.input_source != UsageSource::kReported || t.output_source != UsageSource::kReported) {
      return cost;
    }
    cost.total = Picodollars{static_cast<int64_t>(*t.input + *t.output)};
    return cost;
  }
  bool knows(std::string_view, std::string_view) const override { return true; }
};

struct Errors final : EntrySink {
  std::vector<LedgerEntry> entries;
  int input_errors = 0, output_errors = 0;
  void on_entry(const LedgerEntry& entry) override { entries.push_back(entry); }
  void on_estimator(const UsageRecord&, TokenSide side, EstimatorError) override {
    ++(side == TokenSide::kInput ? input_errors : output_errors);
  }
  void on_call_opened(const CallOpened&) override {}
  void on_call_closed(const CallOpened&) override {}
  void on_suspect(Dialect) override {}
  void on_late_twin(std::string_view) override {}
  void on_time(EventTime) override {}
  void on_finish() override {}
};

TEST(EstimatesInTheLedger, AreMadeInTheOrderOfFinishAndCostOnlyWhenConfigured) {
  const Tariff tariff;
  for (const bool priced : {false, true}) {
    Errors out;
    LedgerOptions options;
    options.prices = &tariff;
    options.price_estimates = priced;
    Ledger ledger({}, options, {&out});
    RecordMaker make;
    const auto feed = [&](UsageRecord words, int64_t finish_ms) {
      UsageRecord r = make.make(0, finish_ms);
      r.response_model = words.response_model;
      r.dialect = words.dialect;
      r.stream = true;
      r.words = words.words;
      r.tokens = words.tokens;
      r.usage_missing = words.usage_missing;
      ledger.on_record(r);
    };
    for (int i = 0; i < 5; ++i) feed(reporting("m", {}, 100, 10), 100 + i);
    feed(silent("m", {}), 200);
    feed(silent("other", {}), 201);
    ledger.drain();
    ASSERT_EQ(out.entries.size(), 7u);
    EXPECT_EQ(out.input_errors, 2);
    EXPECT_EQ(out.output_errors, 2);
    const LedgerEntry& estimated = out.entries[5];
    EXPECT_EQ(estimated.record.tokens.input, 100u);
    EXPECT_EQ(estimated.record.tokens.output_source, UsageSource::kEstimated);
    EXPECT_EQ(estimated.cost.total.value_or(Picodollars{}), Picodollars{priced ? 110 : 0});
    EXPECT_FALSE(out.entries[6].record.tokens.output.has_value());
    EXPECT_FALSE(out.entries[6].cost.total.has_value());
    EXPECT_EQ(out.entries[0].cost.total, Picodollars{110});
  }
}

TEST(Estimator, OfTwoEquallyGoodWaysEventsCount) {
  Estimator estimator(10);
  teach(estimator, "m");
  UsageRecord r = silent("m", {.events = 10, .bytes = 400});
  estimator.take(r);
  EXPECT_EQ(r.tokens.output, 10u);
}

// Units of no bytes: the way by bytes is always wrong.
TEST(Estimator, AnErrorOfExactlyTheMostIsAllowed) {
  Estimator estimator(10);
  for (const auto& [events, tokens] : {std::pair{10, 10}, {10, 20}, {2, 2}, {11, 32}, {33, 128}}) {
    UsageRecord r = reporting("m", {.events = static_cast<uint64_t>(events), .bytes = 0}, 100,
                              static_cast<uint64_t>(tokens));
    estimator.take(r);
  }
  UsageRecord r = silent("m", {.events = 66, .bytes = 0});
  const auto news = estimator.take(r);
  ASSERT_TRUE(news.output.has_value());
  EXPECT_EQ(news.output->off_by * 2, news.output->reported);
  EXPECT_EQ(r.tokens.output, 192u);
}

TEST(Estimator, WhatTheBestWayCannotCountIsNotEstimated) {
  Estimator estimator(10);
  for (const auto& [events, bytes] : {std::pair{10, 40}, {5, 80}, {20, 40}, {3, 120}, {30, 40}}) {
    UsageRecord r = reporting(
        "m", {.events = static_cast<uint64_t>(events), .bytes = static_cast<uint64_t>(bytes)}, 100,
        static_cast<uint64_t>(bytes) / 4);
    estimator.take(r);
  }
  UsageRecord by_bytes = silent("m", {.events = 5, .bytes = 44});
  estimator.take(by_bytes);
  EXPECT_EQ(by_bytes.tokens.output, 11u);
  UsageRecord without = silent("m", {.events = 5, .bytes = 0});
  estimator.take(without);
  EXPECT_EQ(without.tokens.output, std::nullopt);
  EXPECT_EQ(without.tokens.output_source, UsageSource::kNone);
}

TEST(Estimator, TheErrorStaysWhatItIsWhenOldStreamsWeighLess) {
  Estimator estimator(10);
  for (uint64_t i = 0; i < 3 * Estimator::kStreamsMax; ++i) {
    UsageRecord r = reporting("m", {.events = 10, .bytes = 0}, 100, i % 2 == 0 ? 8 : 12);
    const auto news = estimator.take(r);
    if (i < 100) continue;
    ASSERT_TRUE(news.output.has_value());
    EXPECT_NEAR(100.0 * static_cast<double>(news.output->off_by) /
                    static_cast<double>(news.output->reported),
                20.0, 1.0)
        << i;
  }
}

TEST(Estimator, AStreamThatWasCutTeachesNoOutput) {
  Estimator estimator(10);
  for (uint64_t i = 0; i < Estimator::kStreamsMin; ++i) {
    UsageRecord r = reporting("m", {}, 100, 10);
    r.outcome = Outcome::kClientAbort;
    EXPECT_FALSE(estimator.take(r).output.has_value());
  }
  UsageRecord r = silent("m", {});
  estimator.take(r);
  EXPECT_EQ(r.tokens.output, std::nullopt);
  EXPECT_EQ(r.tokens.input, 100u);
}

}  // namespace
}  // namespace wiretally::ledger
