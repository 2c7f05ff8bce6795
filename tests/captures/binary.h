// Runs the real wiretally binary and reads what it says.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "connection.h"

namespace wiretally::test {

struct Outcome {
  int exit_status = -1;  // 128 + signal if it was killed
  std::string out;
  std::string err;
  uint64_t peak_kib = 0;  // resident memory at its peak

  // The lines of stderr, without the notice that hashes use the public replay key.
  std::vector<std::string> errors() const;
};

// The binary with these arguments, `input` on its stdin.
Outcome wiretally(const std::vector<std::string>& arguments, const std::string& input = {});

// `wiretally replay` of this capture, given on stdin.
Outcome replay_bytes(const std::string& capture, const std::string& format,
                 const std::vector<std::string>& more = {});
Outcome replay_packets(const std::vector<TcpPacket>& packets, const std::string& format,
                   const std::vector<std::string>& more = {});

using Json = nlohmann::ordered_json;

// The lines of a text; a last line without its end counts too.
std::vector<std::string> lines_of(const std::string& text);
// The records of an NDJSON output. Throws if a line is no JSON.
std::vector<Json> records_of(const std::string& ndjson);
// Records of a replay that must succeed.
std::vector<Json> records_of(const std::vector<TcpPacket>& packets);

// Sum of a metric's series whose labels contain `labels`, as an integer.
uint64_t metric(const std::string& exposition, std::string_view name, std::string_view labels = {});

// What the metrics say about payload. The identity is captured = parsed + skipped + dropped.
struct Accounts {
  uint64_t captured = 0;
  uint64_t parsed = 0;
  uint64_t skipped = 0;
  uint64_t dropped = 0;
  uint64_t missing = 0;

  uint64_t accounted() const { return parsed + skipped + dropped; }
};
Accounts accounts_of(const std::string& exposition);

// A file in the test's own folder; removed with it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string save(const std::string& name, std::string_view bytes) const;

 private:
  std::string path_;
};

std::string read_file(const std::string& path);

// Where tests/ is.
std::string tests_folder();
Dialogue transcript(const std::string& name);

}  // namespace wiretally::test
