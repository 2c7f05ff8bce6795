// The secret behind every hash that wiretally writes (key_id, hashed subjects), and the keyed hash
// itself.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "wiretally/bytes.h"
#include "wiretally/result.h"

namespace wiretally::identity {

// 32 bytes that are wiped when they die.
class KeySecret {
 public:
  static constexpr size_t kBytes = 32;

  KeySecret() = default;
  explicit KeySecret(const std::array<uint8_t, kBytes>& bytes) : bytes_(bytes) {}
  KeySecret(const KeySecret&) = default;
  KeySecret& operator=(const KeySecret&) = default;
  ~KeySecret();

  const uint8_t* data() const { return bytes_.data(); }
  friend bool operator==(const KeySecret&, const KeySecret&) = default;

 private:
  std::array<uint8_t, kBytes> bytes_{};
};

// Reads the secret from `path`; where no file is, makes one of 32 random bytes with mode 0600. Of
// several agents that start at once, one makes it and all read that one. A file holds either 32 raw
// bytes or 64 hexadecimal digits and a line end; one that others may read or change is refused.
Result<KeySecret> load_or_create_key(const std::string& path);

// What `replay` uses without a key file: hashes are equal everywhere, and protect nothing.
KeySecret public_replay_key();

// HMAC-SHA256 (RFC 2104) under a key derived for one purpose, so that hashes made for different
// purposes never coincide. Thread-safe.
class KeyedHash {
 public:
  KeyedHash(const KeySecret& secret, std::string_view purpose);

  // The first 16 bytes of the hash, as 32 hexadecimal digits.
  Text<32> hex(std::string_view value) const;

 private:
  KeySecret key_;
};

}  // namespace wiretally::identity
