#include "credential_reader.h"

#include <openssl/crypto.h>

#include <array>

#include "base64url.h"
#include "claims_reader.h"
#include "field_text.h"

namespace wiretally::identity {
namespace {

constexpr std::string_view kProviderKeyHeaders[] = {"x-api-key", "api-key", "x-goog-api-key"};
constexpr std::string_view kGatewayKeyHeaders[] = {"ocp-apim-subscription-key", "x-litellm-api-key",
                                                   "cf-aig-authorization", "helicone-auth",
                                                   "x-portkey-api-key"};
constexpr std::string_view kQueryKeys[] = {"key", "api-key"};

// `text` up to `separator`, which is removed with it.
std::string_view take_until(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return taken;
}

struct SchemeAndRest {
  std::string_view scheme;  // empty: the value is one word
  std::string_view rest;
};

SchemeAndRest split_scheme(std::string_view value) {
  const size_t space = value.find_first_of(" \t");
  if (space == std::string_view::npos) return {{}, value};
  return {value.substr(0, space), trimmed(value.substr(space))};
}

bool is_key_scheme(std::string_view scheme) {
  return scheme.empty() || same_but_for_case(scheme, "bearer") ||
         same_but_for_case(scheme, "token") || same_but_for_case(scheme, "key") ||
         same_but_for_case(scheme, "basic");
}

CredentialKind opaque_kind(std::string_view token) {
  const bool oauth = token.starts_with("ya29.") || token.starts_with("sk-ant-oat");
  return oauth ? CredentialKind::kOauth : CredentialKind::kApiKey;
}

std::string_view websocket_key(std::string_view protocols) {
  static constexpr std::string_view kPrefix = "openai-insecure-api-key.";
  while (!protocols.empty()) {
    const std::string_view protocol = trimmed(take_until(protocols, ','));
    if (protocol.starts_with(kPrefix)) return protocol.substr(kPrefix.size());
  }
  return {};
}

std::optional<unsigned> percent_encoded(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(1, 2)) {
    const char lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') {
      value = value * 16 + static_cast<unsigned>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  return value;
}

// A value of a query without its percent encoding. Wiped when it dies; longer than any key, it
// stays as it was written.
class QueryValue {
 public:
  explicit QueryValue(std::string_view written) : text_(written) {
    if (written.find('%') == std::string_view::npos || written.size() > bytes_.size()) return;
    size_t size = 0;
    for (size_t i = 0; i < written.size(); ++size) {
      const auto decoded = percent_encoded(written.substr(i));
      bytes_[size] = decoded ? static_cast<char>(*decoded) : written[i];
      i += decoded ? 3 : 1;
    }
    text_ = {bytes_.data(), size};
  }
  QueryValue(const QueryValue&) = delete;
  QueryValue& operator=(const QueryValue&) = delete;
  ~QueryValue() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

  std::string_view text() const { return text_; }

 private:
  std::array<char, 512> bytes_;
  std::string_view text_;
};

bool is_json_object(std::string_view base64url) {
  ClaimsReader reader;
  return decode_base64url(base64url, [&](std::string_view json) { return reader.feed(json); }) &&
         reader.finish();
}

std::string_view first_known(const ClaimsReader& claims, std::initializer_list<Claim> order) {
  for (const Claim claim : order) {
    if (const std::string_view value = claims.value(claim); !value.empty()) return value;
  }
  return {};
}

}  // namespace

HeaderCredentialReader::HeaderCredentialReader(const KeySecret& secret, SubjectPrivacy privacy,
                                               MarkHeaders marks)
    : key_hash_(secret, "wiretally key id v1"), guard_(secret, privacy), marks_(std::move(marks)) {}

RequestMarks HeaderCredentialReader::marks(const Headers& request_headers) const {
  RequestMarks marks;
  const auto first_of = [&](const std::vector<std::string>& names) -> std::string_view {
    for (const std::string& name : names) {
      const auto value = request_headers.find(name);
      if (value.has_value() && !value->empty()) return *value;
    }
    return {};
  };
  marks.end_user = guard_.subject<256>(first_of(marks_.end_user));
  marks.session.assign(first_of(marks_.session));
  for (size_t i = 0; i < std::min(marks_.marks.size(), marks.marks.size()); ++i) {
    marks.marks[i].assign(request_headers.find(marks_.marks[i]).value_or(""));
  }
  return marks;
}

Text<256> HeaderCredentialReader::shown_end_user(const Text<256>& name) const {
  return guard_.subject<256>(name.view());
}

Caller HeaderCredentialReader::read(const Headers& request_headers, std::string_view target) const {
  if (const auto value = request_headers.find("authorization")) {
    if (const auto caller = from_authorization(trimmed(*value))) return *caller;
  }
  for (const std::string_view name : kProviderKeyHeaders) {
    const auto value = request_headers.find(name);
    if (!value) continue;
    if (const auto caller = from_token(trimmed(*value))) return *caller;
  }
  if (const auto caller = from_query(target)) return *caller;
  if (const auto protocols = request_headers.find("sec-websocket-protocol")) {
    if (const auto caller = from_token(websocket_key(*protocols))) return *caller;
  }
  for (const std::string_view name : kGatewayKeyHeaders) {
    const auto value = request_headers.find(name);
    if (!value) continue;
    if (const auto caller = from_authorization(trimmed(*value))) return *caller;
  }
  return {};
}

std::optional<Caller> HeaderCredentialReader::from_authorization(std::string_view value) const {
  const auto [scheme, rest] = split_scheme(value);
  if (value.starts_with("AWS4-")) return from_aws_signature(rest);
  if (!is_key_scheme(scheme) || (scheme.empty() && is_key_scheme(rest))) return std::nullopt;
  return from_token(rest);
}

std::optional<Caller> HeaderCredentialReader::from_aws_signature(
    std::string_view parameters) const {
  static constexpr std::string_view kCredential = "Credential=";
  while (!parameters.empty()) {
    std::string_view parameter = trimmed(take_until(parameters, ','));
    if (!parameter.starts_with(kCredential)) continue;
    parameter.remove_prefix(kCredential.size());
    return keyed(CredentialKind::kAwsSigv4, take_until(parameter, '/'));
  }
  return std::nullopt;
}

std::optional<Caller> HeaderCredentialReader::from_query(std::string_view target) const {
  take_until(target, '?');
  target = take_until(target, '#');
  while (!target.empty()) {
    std::string_view value = take_until(target, '&');
    const std::string_view name = take_until(value, '=');
    for (const std::string_view key : kQueryKeys) {
      if (name == key && !value.empty()) return from_token(QueryValue(value).text());
    }
  }
  return std::nullopt;
}

std::optional<Caller> HeaderCredentialReader::from_token(std::string_view token) const {
  if (const auto caller = from_jwt(token)) return caller;
  return keyed(opaque_kind(token), token);
}

std::optional<Caller> HeaderCredentialReader::from_jwt(std::string_view token) const {
  if (token.size() > kJwtBytesMax || std::count(token.begin(), token.end(), '.') != 2) {
    return std::nullopt;
  }
  std::string_view rest = token;
  if (!is_json_object(take_until(rest, '.'))) return std::nullopt;
  ClaimsReader claims;
  const auto feed = [&](std::string_view json) { return claims.feed(json); };
  if (!decode_base64url(take_until(rest, '.'), feed) || !claims.finish()) return std::nullopt;

  Caller caller;
  caller.kind = CredentialKind::kJwt;
  caller.subject = guard_.subject<256>(claims.value(Claim::kSubject));
  caller.issuer.assign(claims.value(Claim::kIssuer));
  caller.audience.assign(claims.value(Claim::kAudience));
  caller.tenant.assign(claims.value(Claim::kTenant));
  caller.application = guard_.application<128>(
      first_known(claims, {Claim::kAppId, Claim::kAuthorizedParty, Claim::kClientId, Claim::kCid}));
  if (caller.subject.empty() && caller.application.empty()) caller.key_id = key_hash_.hex(token);
  return caller;
}

std::optional<Caller> HeaderCredentialReader::keyed(CredentialKind kind,
                                                    std::string_view credential) const {
  if (credential.empty()) return std::nullopt;
  Caller caller;
  caller.kind = kind;
  caller.key_id = key_hash_.hex(credential);
  return caller;
}

}  // namespace wiretally::identity
