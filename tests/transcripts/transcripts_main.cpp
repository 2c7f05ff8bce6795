// Replays every transcript, in its own words and over HTTP/2 where it can be, whole, byte by byte,
// at every single cut and at random cuts, through each entrance, and compares the records with what
// the transcript expects and with each other.
//
//   transcripts FOLDER|FILE…         exit 0: prints transcripts × cuts × entrances; exit 1: prints
//   what differs
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <random>
#include <stdexcept>

#include "credential_reader.h"
#include "dialogue.h"
#include "entrances.h"
#include "http2_form.h"
#include "ledger.h"
#include "ndjson/ndjson_sink.h"
#include "pipeline.h"

namespace wiretally::test {
namespace {

#ifdef __SANITIZE_ADDRESS__
// Ten times slower, and looking for other mistakes: a sample, and byte by byte.
constexpr uint64_t kEveryCutBytes = 64;
constexpr size_t kSeededCuts = 100;
constexpr size_t kRandomRuns = 20;
#else
constexpr uint64_t kEveryCutBytes = 8192;
constexpr size_t kSeededCuts = 2000;
constexpr size_t kRandomRuns = 200;
#endif

// The written records of one run.
class Lines final : public EntrySink {
 public:
  std::vector<std::string> lines;

  void on_entry(const LedgerEntry& entry) override {
    lines.emplace_back();
    sinks::write_usage_record(entry, lines.back());
  }
  void on_call_opened(const CallOpened&) override { ++open_calls; }
  void on_call_closed(const CallOpened&) override { --open_calls; }
  void on_suspect(Dialect) override {}
  void on_late_twin(std::string_view) override {}
  void on_time(EventTime) override {}
  void on_finish() override {}

  int open_calls = 0;
};

// Stands where a capture source stands: counts what it hands over.
class CountingEntrance final : public CaptureSink {
 public:
  CountingEntrance(CaptureSink& next, Counters& counters) : next_(next), counters_(counters) {}

  FlowDemand on_segment(const Segment& segment) override {
    if (!segment.payload.empty()) counters_.capture(Source::kPacket, segment.payload.size());
    return next_.on_segment(segment);
  }
  FlowDemand on_chunk(const Chunk& chunk) override {
    counters_.capture(Source::kTls, chunk.bytes.size());
    return next_.on_chunk(chunk);
  }
  void on_connection_close(const ConnectionClose& close) override {
    next_.on_connection_close(close);
  }
  void on_connection_eof(const ConnectionEof& eof) override { next_.on_connection_eof(eof); }
  void on_connection_audit(const ConnectionAudit& audit) override {
    next_.on_connection_audit(audit);
  }
  void on_time(EventTime now) override { next_.on_time(now); }
  void on_end(EventTime now) override { next_.on_end(now); }

 private:
  CaptureSink& next_;
  Counters& counters_;
};

// captured = parsed + skipped + dropped, to the byte, with nothing left in a buffer.
void check_accounts(const SourceCounters& source) {
  uint64_t accounted = source.parsed_bytes.value();
  for (const Cell& skipped : source.skipped_bytes) accounted += skipped.value();
  for (const Cell& dropped : source.dropped_bytes) accounted += dropped.value();
  if (source.captured_bytes.value() != accounted || source.buffered_bytes.value() != 0) {
    throw std::runtime_error("captured " + std::to_string(source.captured_bytes.value()) +
                             " bytes, accounted for " + std::to_string(accounted) + ", buffered " +
                             std::to_string(source.buffered_bytes.value()));
  }
}

// The lane lives through all runs, as it does in the agent; each run has a ledger of its own.
class Bench final : public UsageSink {
 public:
  Bench() : credentials_(identity::public_replay_key(), identity::SubjectPrivacy::kPlain) {}

  // The records of one run. Throws if bytes are unaccounted for or a call stays open.
  std::vector<std::string> run(const Dialogue& dialogue, Entrance entrance, const Cuts& cuts,
                               uint64_t seed, const Late& late = {}) {
    Lines lines;
    ledger::Ledger ledger(limits_, ledger::LedgerOptions{}, {&lines});
    ledger_ = &ledger;
    CountingEntrance counting(lane_.capture(), counters_);
    play(dialogue, entrance, cuts, seed, counting, late);
    const bool probe = entrance == Entrance::kClientProbe || entrance == Entrance::kServerProbe;
    counting.on_end({.ns = dialogue.steps.empty() ? 0 : dialogue.steps.back().time_ns,
                     .clock = probe ? Clock::kBoot : Clock::kCapture});
    ledger.drain();
    ledger_ = nullptr;
    for (const SourceCounters& source : counters_.sources) check_accounts(source);
    if (lines.open_calls != 0) throw std::runtime_error("a call was opened and never closed");
    return lines.lines;
  }

 private:
  void on_call_opened(const CallOpened& call) override { ledger_->on_call_opened(call); }
  void on_record(const UsageRecord& record) override { ledger_->on_record(record); }
  void on_call_closed(ExchangeId exchange, uint32_t lane, EventTime time) override {
    ledger_->on_call_closed(exchange, lane, time);
  }
  void on_time(EventTime now) override { ledger_->on_time(now); }
  void on_suspect(Dialect dialect) override { ledger_->on_suspect(dialect); }

  Limits limits_;
  identity::HeaderCredentialReader credentials_;
  Counters counters_;
  Lane lane_{limits_, 0, counters_, credentials_, *this};
  ledger::Ledger* ledger_ = nullptr;
};

// The members of a flat JSON object, as text.
std::map<std::string, std::string> members(const std::string& line) {
  std::map<std::string, std::string> result;
  size_t at = line.find('"');
  while (at != line.npos) {
    const size_t name_end = line.find('"', at + 1);
    const size_t value = name_end + 2;
    size_t end = value;
    bool in_string = false;
    int depth = 0;
    for (; end < line.size(); ++end) {
      const char c = line[end];
      if (in_string) {
        if (c == '\\') ++end;
        if (c == '"') in_string = false;
        continue;
      }
      if (c == '"') in_string = true;
      if (c == '[' || c == '{') ++depth;
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == ']' || c == '}') --depth;
    }
    result[line.substr(at + 1, name_end - at - 1)] = line.substr(value, end - value);
    at = line.find('"', end);
  }
  return result;
}

// What the line lacks of the expected record, or "".
std::string difference(const ExpectedRecord& expected, const std::string& line) {
  const std::map<std::string, std::string> found = members(line);
  for (const auto& [field, value] : expected.fields) {
    const auto member = found.find(field);
    const std::string is = member == found.end() ? "(no such field)" : member->second;
    if (is != value) return field + ": expected " + value + ", found " + is;
  }
  return "";
}

// Fields in which entrances differ by nature.
std::string without_entrance(const std::string& line) {
  static constexpr const char* kOfEntrance[] = {
      "record_id",       "pid",           "process",        "executable",
      "client_address",  "client_port",   "side",           "leg",
      "source",          "cost_usd",      "input_cost_usd", "cache_cost_usd",
      "output_cost_usd", "tool_cost_usd", "price_source",   "price_id",
      "server_address",  "server_port"};
  std::map<std::string, std::string> rest = members(line);
  for (const char* field : kOfEntrance) rest.erase(field);
  // A record's id is one of an entrance's fields; whether there is one here is not.
  if (std::string& repeated = rest["retry_of"]; repeated != "null") repeated = "(a record)";
  std::string text;
  for (const auto& [field, value] : rest) text += field + ":" + value + "\n";
  return text;
}

std::string first_difference(const std::string& a, const std::string& b) {
  const auto left = members(a);
  const auto right = members(b);
  for (const auto& [field, value] : left) {
    const auto member = right.find(field);
    if (member == right.end() || member->second != value) {
      return field + ": " + value + " / " + (member == right.end() ? "(none)" : member->second);
    }
  }
  return "";
}

class Harness {
 public:
  // False, with a message on stdout, if anything about the transcript is not as it should be. The
  // variants of one file have the same records.
  bool check(const std::vector<Dialogue>& variants) {
    bool good = true;
    of_first_variant_.clear();
    for (const Dialogue& dialogue : variants) good = check(dialogue) && good;
    return good;
  }

  bool check(const Dialogue& dialogue) {
    bool good = true;
    std::string by_entrance;
    for (const Entrance entrance : kEntrances) {
      std::vector<std::string> whole;
      try {
        whole = bench_.run(dialogue, entrance, {}, 1);
        ++runs_;
      } catch (const std::exception& error) {
        report(dialogue, entrance, "whole", error.what());
        return false;
      }
      good = matches_expected(dialogue, entrance, whole) && good;
      std::string text;
      for (const std::string& line : whole) text += without_entrance(line);
      if (by_entrance.empty()) by_entrance = text;
      if (text != by_entrance) {
        report(dialogue, entrance, "whole",
               "differs from the first entrance:\n" + text + "/\n" + by_entrance);
        good = false;
      }
      const auto [first, is_first] = of_first_variant_.try_emplace(entrance, whole);
      if (!is_first && first->second != whole) {
        report(dialogue, entrance, "whole", "differs from the first variant");
        good = false;
      }
      good = check_cuts(dialogue, entrance, whole) && good;
    }
    return good;
  }

  // Joins the connection late, at every piece: what is found then must agree with what is found
  // from the beginning, and every call whose bytes were all seen must be found.
  bool check_joined(const Dialogue& dialogue) {
    bool good = true;
    if (dialogue.steps.empty()) return good;
    // Another connection has other first sequence numbers; with the same it would be the one
    // before, seen again.
    const uint64_t seed = dialogue.name.size();
    for (const Entrance entrance : {Entrance::kSegments, Entrance::kClientProbe}) {
      std::vector<size_t> step_pieces;
      const std::vector<std::string> whole =
          bench_.run(dialogue, entrance, {}, seed, {.skip_pieces = 0, .step_pieces = &step_pieces});
      Records full;
      for (const std::string& line : whole) {
        auto record = members(line);
        const std::string start = record.at("start_time");
        full.emplace(start, std::move(record));
      }
      // Calls by their request's step.
      for (size_t skip = 1; skip <= step_pieces.back() + 1; ++skip) {
        const auto lines = bench_.run(dialogue, entrance, {}, seed, {.skip_pieces = skip});
        ++joins_;
        std::vector<std::string> found;
        for (const std::string& line : lines) {
          const auto record = members(line);
          found.push_back(record.at("response_id"));
          found.push_back(record.at("start_time"));
          const std::string text = contradiction(record, full);
          const std::string& id = record.at("response_id");
          if (text.empty() || id == "null" || shared_id(dialogue, id) || fetched(dialogue, id)) {
            continue;
          }
          report(dialogue, entrance, "joined at piece " + std::to_string(skip), text);
          good = false;
        }
        size_t at_once = 0;  // the first step of those at the same time
        for (size_t i = 0; i < dialogue.steps.size(); ++i) {
          if (dialogue.steps[i].time_ns != dialogue.steps[at_once].time_ns) at_once = i;
          // Of what was sent at once, all was seen or it is not known which.
          if (step_pieces[at_once] < skip) continue;
          const std::string time = time_text(dialogue.steps[i].time_ns);
          const auto [first, last] = full.equal_range(time);
          for (auto call = first; call != last; ++call) {
            const std::string& id = call->second.at("response_id");
            // An answer that shows no dialect can only be known by its path.
            if (id == "null" || call->second.at("outcome") == "\"http_error\"") continue;
            // That a file holds a batch's results its path alone says.
            if (call->second.at("batch_custom_id") != "null") continue;
            if (known_by_path_alone(call->second)) continue;
            if (std::count(found.begin(), found.end(), id) > 0) continue;
            // An answer whose Content-Encoding is unknown cannot be read; its call is counted.
            if (std::count(found.begin(), found.end(), time) > 0) continue;
            report(dialogue, entrance, "joined at piece " + std::to_string(skip),
                   id + " is missing");
            good = false;
          }
        }
        if (!good) return false;
      }
    }
    return good;
  }

  size_t joins() const { return joins_; }
  size_t cuts() const { return cuts_; }
  size_t runs() const { return runs_; }

 private:
  using Record = std::map<std::string, std::string>;
  using Records = std::multimap<std::string, Record>;  // by start; calls may begin at once

  // Their answers look like others', or like no LLM's; or they are gRPC, which has no names of
  // fields; or a GET's. Streams of InvokeModel show by their packing.
  static bool known_by_path_alone(const Record& call) {
    const std::string_view dialect = call.at("dialect"), path = call.at("path");
    const bool streamed = call.at("stream") == "true";
    return (dialect == "\"bedrock_invoke\"" && !streamed) || dialect == "\"lmstudio\"" ||
           dialect == "\"triton\"" || dialect == "\"xai_grpc\"" || path.starts_with("\"/google.") ||
           path.starts_with("\"/v1/sessions/");
  }

  // What the record of a connection that was joined late says that its whole record does not, or
  // "".
  static std::string contradiction(const Record& record, const Records& full) {
    // What a part says differently by its nature: how much was seen, and what follows from it; the
    // provider, told by the body where the host is unknown, and its prices.
    static constexpr const char* kOfThePart[] = {
        "record_id",      "start_time",   "duration_s",     "ttfb_s",         "ttft_s",
        "outcome",        "input_source", "output_source",  "usage_source",   "request_bytes",
        "response_bytes", "flags",        "lost_bytes",     "price_source",   "server_address",
        "server_port",    "leg",          "side",           "client_address", "client_port",
        "provider",       "cost_usd",     "input_cost_usd", "cache_cost_usd", "output_cost_usd",
        "tool_cost_usd",  "price_id",     "retry_of"};
    static constexpr std::string_view kUnknown[] = {"null", "\"unknown\"", "[]"};
    const auto difference_to = [&](const Record& whole) {
      for (const auto& [field, value] : record) {
        const auto is = [&](std::string_view known) { return known == field; };
        if (std::any_of(std::begin(kOfThePart), std::end(kOfThePart), is)) continue;
        if (value == whole.at(field)) continue;
        if (std::find(std::begin(kUnknown), std::end(kUnknown), value) != std::end(kUnknown)) {
          continue;
        }
        // The served model stood in a header; the body repeats the deployment's name.
        if (field == "response_model" && value == whole.at("request_model")) continue;
        // InvokeModel hands on each model's own answer: the path alone says who did.
        if (field == "dialect" && known_by_path_alone(whole)) continue;
        return field + " is " + value + ", and is " + whole.at(field) + " of " +
               record.at("response_id");
      }
      return std::string();
    };
    const auto [first, last] = full.equal_range(record.at("start_time"));
    if (first != last && std::next(first) == last) return difference_to(first->second);
    // Some transcripts share their ids.
    std::string text = "no such call: " + record.at("response_id");
    for (const auto& [time, candidate] : full) {
      if (candidate.at("response_id") != record.at("response_id")) continue;
      text = difference_to(candidate);
      if (text.empty()) break;
    }
    return text;
  }

  // Several answers name this id (JSON text): which of them a record is of cannot be told by it.
  static bool shared_id(const Dialogue& dialogue, const std::string& id) {
    const auto names_it = [&](const Step& step) {
      return step.party == Party::kServer && step.bytes.find("\"id\":" + id) != std::string::npos;
    };
    return std::count_if(dialogue.steps.begin(), dialogue.steps.end(), names_it) > 1;
  }

  // The answer with this id (JSON text) was stored and is only fetched: its request alone says
  // that.
  static bool fetched(const Dialogue& dialogue, const std::string& id) {
    bool by_get = false;
    for (const Step& step : dialogue.steps) {
      if (step.party == Party::kClient) {
        by_get = step.message.has_value() && step.message->head.starts_with("GET ");
        // Among others' exchanges the answer is not the next step.
        const bool names_it =
            by_get && step.message->head.find(id.substr(1, id.size() - 2)) != std::string::npos;
        if (names_it) return true;
        const bool by_rpc = step.message.has_value() &&
                            step.message->head.find("/GetDeferred") != std::string::npos &&
                            step.bytes.find(id.substr(1, id.size() - 2)) != std::string::npos;
        if (by_rpc) return true;
      }
      if (step.party == Party::kServer && by_get &&
          step.bytes.find("\"id\":" + id) != std::string::npos) {
        return true;
      }
    }
    return false;
  }

  // As records write it.
  static std::string time_text(int64_t ns) {
    const std::time_t seconds = ns / 1'000'000'000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    char fraction[16];
    std::snprintf(fraction, sizeof fraction, ".%09lldZ",
                  static_cast<long long>(ns % 1'000'000'000));
    return "\"" + std::string(text) + fraction + "\"";
  }

  static void report(const Dialogue& dialogue, Entrance entrance, const std::string& cuts,
                     const std::string& text) {
    std::printf("%s (%s, %s): %s\n", dialogue.name.c_str(), entrance_name(entrance), cuts.c_str(),
                text.c_str());
  }

  static bool matches_expected(const Dialogue& dialogue, Entrance entrance,
                               const std::vector<std::string>& lines) {
    bool good = true;
    if (lines.size() != dialogue.records.size()) {
      report(dialogue, entrance, "whole",
             "expected " + std::to_string(dialogue.records.size()) + " records, found " +
                 std::to_string(lines.size()));
      for (const std::string& line : lines) std::printf("  %s\n", line.c_str());
      good = false;
    }
    for (size_t i = 0; i < std::min(lines.size(), dialogue.records.size()); ++i) {
      const std::string text = difference(dialogue.records[i], lines[i]);
      if (text.empty()) continue;
      report(dialogue, entrance, "whole",
             "line " + std::to_string(dialogue.records[i].line) + ": " + text + "\n  " + lines[i]);
      good = false;
    }
    return good;
  }

  bool same(const Dialogue& dialogue, Entrance entrance, const Cuts& cuts,
            const std::vector<std::string>& whole) {
    std::string text;
    try {
      const std::vector<std::string> lines = bench_.run(dialogue, entrance, cuts, ++runs_);
      if (lines == whole) return true;
      if (lines.size() != whole.size()) {
        text = std::to_string(whole.size()) + " records when whole, " +
               std::to_string(lines.size()) + " when cut";
      }
      for (size_t i = 0; text.empty() && i < lines.size(); ++i) {
        text = first_difference(whole[i], lines[i]);
      }
    } catch (const std::exception& error) {
      text = error.what();
    }
    std::string where = "cut at";
    for (size_t i = 0; i < std::min<size_t>(cuts.size(), 8); ++i) {
      where += " " + std::to_string(cuts[i]);
    }
    report(dialogue, entrance, where, text);
    return false;
  }

  bool check_cuts(const Dialogue& dialogue, Entrance entrance,
                  const std::vector<std::string>& whole) {
    const uint64_t total = total_bytes(dialogue);
    std::mt19937_64 random(total);
    std::vector<Cuts> variants;
    if (total <= kEveryCutBytes) {
      for (uint64_t at = 1; at < total; ++at) variants.push_back({at});
    } else {
      for (size_t i = 0; i < kSeededCuts; ++i) variants.push_back({1 + random() % (total - 1)});
    }
    Cuts every;
    for (uint64_t at = 1; at < total; ++at) every.push_back(at);
    variants.push_back(every);
    for (size_t i = 0; i < kRandomRuns && total > 1; ++i) {
      Cuts cuts(1 + random() % 16);
      for (uint64_t& at : cuts) at = 1 + random() % (total - 1);
      std::sort(cuts.begin(), cuts.end());
      variants.push_back(cuts);
    }
    cuts_ += variants.size();
    size_t differences = 0;
    for (const Cuts& cuts : variants) {
      if (!same(dialogue, entrance, cuts, whole) && ++differences == 5) break;
    }
    return differences == 0;
  }

  Bench bench_;
  std::map<Entrance, std::vector<std::string>> of_first_variant_;
  size_t cuts_ = 0;
  size_t runs_ = 0;
  size_t joins_ = 0;
};

int run(int argc, char** argv) {
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.path().extension() == ".dialogue") files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) throw std::runtime_error("no transcripts given");
  Harness harness;
  size_t different = 0;
  size_t dialogues = 0;
  size_t over_http2 = 0;
  std::vector<Dialogue> speakable;
  for (const std::string& file : files) {
    const std::vector<Dialogue> variants = read_variants(file);
    if (!variants.front().http2_only && !harness.check(variants)) ++different;
    dialogues += variants.size();
    const std::optional<Dialogue> form = http2_form(variants.front());
    if (!form.has_value()) continue;
    ++over_http2;
    speakable.push_back(variants.front());
    if (!harness.check(std::vector<Dialogue>{*form})) ++different;
  }
  if (!harness.check_joined(http2_connection(speakable))) ++different;
  if (!harness.check_joined(http2_streams(speakable, 5))) ++different;
  std::printf("HTTP/2 connections joined at %zu places\n", harness.joins());
  std::printf(
      "%zu transcripts, %zu dialogues, %zu of them over HTTP/2 as well, %zu cuts, %zu entrances: "
      "%zu "
      "replays, %zu transcripts differ\n",
      files.size(), dialogues, over_http2, harness.cuts(), std::size(kEntrances), harness.runs(),
      different);
  return different == 0 ? 0 : 1;
}

}  // namespace
}  // namespace wiretally::test

int main(int argc, char** argv) {
  try {
    return wiretally::test::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "transcripts: %s\n", error.what());
    return 1;
  }
}
