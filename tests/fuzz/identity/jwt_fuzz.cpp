// Credentials from the wire: the whole reader with the input as an Authorization value and as a
// target, and the claims' JSON reader on its own, where every cut must read alike.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "claims_reader.h"
#include "credential_reader.h"

namespace {

using wiretally::identity::Claim;
using wiretally::identity::ClaimsReader;

void expect(bool holds) {
  if (!holds) std::abort();
}

void read_credentials(std::string_view input) {
  static const wiretally::identity::HeaderCredentialReader reader(
      wiretally::identity::public_replay_key(), wiretally::identity::SubjectPrivacy::kAuto);
  const wiretally::HeaderField as_header[] = {{"authorization", input},
                                              {"sec-websocket-protocol", input}};
  const wiretally::Caller caller = reader.read({.fields = as_header}, input);
  expect(caller.subject.view().find('@') == std::string_view::npos);
  expect(caller.key_id.view().size() == 0 || caller.key_id.view().size() == 32);

  const std::string token = "Bearer " + std::string(input);
  const wiretally::HeaderField as_token[] = {{"authorization", token}};
  reader.read({.fields = as_token}, "/");
}

void read_claims(std::string_view json) {
  ClaimsReader whole;
  const bool good = whole.feed(json) && whole.finish();
  ClaimsReader cut;
  bool cut_good = true;
  for (const char c : json) cut_good = cut.feed({&c, 1}) && cut_good;
  expect((cut_good && cut.finish()) == good);
  for (size_t i = 0; i < static_cast<size_t>(Claim::kCount); ++i) {
    expect(whole.value(static_cast<Claim>(i)) == cut.value(static_cast<Claim>(i)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  read_credentials(input);
  read_claims(input);
  return 0;
}
