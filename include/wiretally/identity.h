// Side door: who calls. Credentials are read inside the call that delivers the request head; only a
// Caller travels on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "wiretally/bytes.h"
#include "wiretally/http_exchange.h"

namespace wiretally {

enum class CredentialKind : uint8_t { kNone, kJwt, kApiKey, kAwsSigv4, kOauth };

// What is kept of a credential: claims of a JWT (RFC 7519, not verified unless `verified` says so)
// or a keyed hash.
struct Caller {
  CredentialKind kind = CredentialKind::kNone;
  Text<32> key_id;  // hex of a keyed hash of the credential, or empty; never the credential
  Text<256> subject;
  Text<256> issuer;
  Text<128> application;  // appid, azp, client_id or cid
  Text<128> tenant;       // tid
  Text<256> audience;     // the first of aud
  std::optional<bool> verified;
};

inline constexpr size_t kMarksMax = 4;

// Values of request headers that the configuration names: who the end user and the session are, and
// what its rules for teams and services look at.
struct RequestMarks {
  Text<256> end_user;  // as it may be shown
  Text<128> session;
  std::array<Text<64>, kMarksMax> marks;  // for the rules alone: never written anywhere
};

class CredentialReader {
 public:
  virtual ~CredentialReader() = default;
  // Reads the credential headers and, of `target`, the query's `key`. Keeps nothing.
  virtual Caller read(const Headers& request_headers, std::string_view target) const = 0;
  virtual RequestMarks marks(const Headers& /*request_headers*/) const { return {}; }
  // An end user's name from a body, as it may be shown.
  virtual Text<256> shown_end_user(const Text<256>& name) const { return name; }
};

// What is known of a process; joined by the ledger.
struct ProcessIdentity {
  Text<64> name;         // comm
  Text<256> executable;  // path of /proc/PID/exe as the process sees it
  Text<64> container_id;
  Text<64> pod_uid;
  Text<128> pod;
  Text<64> namespace_name;
  Text<128> workload;
  Text<32> workload_kind;
};

class ProcessDirectory {
 public:
  virtual ~ProcessDirectory() = default;
  // Thread-safe. Nothing when the process is not known (or another with the same pid).
  virtual std::optional<ProcessIdentity> find(uint32_t pid, uint64_t process_start_ns) const = 0;
};

// Why a connection cannot be read: llm_connections_total{reason}.
enum class OpaqueReason : uint8_t {
  kGo,            // the process has Go's TLS compiled in
  kJava,          // Java's
  kRustls,        // rustls
  kUnknownBuild,  // a TLS library without symbols
  kQuic,
  kNotAttached,  // a library that could be probed, and no probes run
  kOther,        // none of these, or the process is not known
};
std::string_view opaque_reason_name(OpaqueReason reason);

// The process that holds a connection.
struct ConnectionOwner {
  uint32_t pid = 0;  // 0 = not found
  OpaqueReason reason = OpaqueReason::kOther;
};

class ConnectionOwners {
 public:
  virtual ~ConnectionOwners() = default;
  // Who on this host holds the connection now. Dear (milliseconds) and bounded in time.
  virtual ConnectionOwner owner_of(const Endpoint& client, const Endpoint& server) = 0;
};

}  // namespace wiretally
