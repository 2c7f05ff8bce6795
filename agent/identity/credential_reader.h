// Reads who calls from a request's credentials. The first carrier that holds one counts, in this
// order: Authorization, the providers' key headers, the query's key, a WebSocket's protocol list,
// and last the gateways' own keys, which travel beside the provider's.
//
//   Authorization: Bearer a.b.c          jwt if a and b are base64url of JSON objects; claims, not
//                                        verified. A JWT changes with each refresh, so it has a
//                                        key_id only if neither subject nor application was read
//   … Bearer ya29.… or sk-ant-oat…       oauth, key_id
//   … Bearer/Token/Key/Basic x, or x     api_key, key_id
//   … AWS4-HMAC-SHA256 Credential=ID/…   aws_sigv4, key_id of the access key id (also
//   AWS4-ECDSA-P256-SHA256)
//
// key_id depends on the credential alone, not on its carrier: one key sent in two ways is one key.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "key_secret.h"
#include "subject_guard.h"
#include "wiretally/identity.h"

namespace wiretally::identity {

// Names of request headers, in lower case: of several the first that is there counts.
struct MarkHeaders {
  std::vector<std::string> end_user;
  std::vector<std::string> session;
  std::vector<std::string> marks;  // at most kMarksMax; RequestMarks::marks in this order
};

// Thread-safe. Borrows during `read`, keeps nothing of a credential afterwards.
class HeaderCredentialReader final : public CredentialReader {
 public:
  static constexpr size_t kJwtBytesMax = 64 * 1024;  // a longer token is an opaque key

  HeaderCredentialReader(const KeySecret& secret, SubjectPrivacy privacy, MarkHeaders marks = {});

  Caller read(const Headers& request_headers, std::string_view target) const override;
  RequestMarks marks(const Headers& request_headers) const override;
  Text<256> shown_end_user(const Text<256>& name) const override;

 private:
  std::optional<Caller> from_authorization(std::string_view value) const;
  std::optional<Caller> from_aws_signature(std::string_view parameters) const;
  std::optional<Caller> from_query(std::string_view target) const;
  std::optional<Caller> from_token(std::string_view token) const;
  std::optional<Caller> from_jwt(std::string_view token) const;
  std::optional<Caller> keyed(CredentialKind kind, std::string_view credential) const;

  KeyedHash key_hash_;
  SubjectGuard guard_;
  MarkHeaders marks_;
};

}  // namespace wiretally::identity
