// What reading the caller adds to one request: its whole head is searched, a key is hashed, a token
// decoded.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "credential_reader.h"

namespace {

using wiretally::HeaderField;
using wiretally::identity::HeaderCredentialReader;

void read(benchmark::State& state, const std::string& authorization) {
  const HeaderCredentialReader reader(wiretally::identity::public_replay_key(),
                                      wiretally::identity::SubjectPrivacy::kAuto);
  std::vector<HeaderField> fields(20, HeaderField{"x-stainless-runtime-version", "v20.1.0"});
  fields.push_back({"authorization", authorization});
  for (auto _ : state) {
    benchmark::DoNotOptimize(reader.read({.fields = fields}, "/v1/chat/completions"));
  }
}

void opaque_key(benchmark::State& state) { read(state, "Bearer sk-proj-" + std::string(150, 'k')); }
BENCHMARK(opaque_key);

// A token whose claims are mostly groups, as Entra writes them.
void jwt(benchmark::State& state) {
  const std::string group = "IjAxMjM0NTY3LTg5YWItY2RlZi0wMTIzLTQ1Njc4OWFiY2RlZiIs";  // "0123…",
  std::string groups;
  while (groups.size() < static_cast<size_t>(state.range(0))) groups += group;
  // {"sub":"me","groups":[  …  "x"]}
  read(state, "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSIsImdyb3VwcyI6WyIi" + std::string("LCAg") +
                  groups + "IngiXX0.c2lnbmF0dXJl");
}
BENCHMARK(jwt)->Arg(1'000)->Arg(20'000);

}  // namespace
