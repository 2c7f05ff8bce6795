// What may be shown of a name that may belong to a person (docs/security.md: privacy.subjects).
#pragma once

#include <cstdint>
#include <string_view>

#include "key_secret.h"

namespace wiretally::identity {

enum class SubjectPrivacy : uint8_t {
  kAuto,   // values with an @ in them are hashed: they are addresses of people
  kPlain,  // shown as they are
  kHash,   // always hashed
};

// Thread-safe. A hashed value is "h:" and 32 hexadecimal digits of a keyed hash that is not the one
// behind key_id.
class SubjectGuard {
 public:
  SubjectGuard(const KeySecret& secret, SubjectPrivacy privacy)
      : hash_(secret, "wiretally subject v1"), privacy_(privacy) {}

  // For a subject, or an end user's name.
  template <size_t Capacity>
  Text<Capacity> subject(std::string_view value) const {
    return shown<Capacity>(value, privacy_ == SubjectPrivacy::kHash || is_personal(value));
  }

  // For what normally names a program: hashed only if it names a person all the same.
  template <size_t Capacity>
  Text<Capacity> application(std::string_view value) const {
    return shown<Capacity>(value, is_personal(value));
  }

 private:
  bool is_personal(std::string_view value) const {
    return privacy_ != SubjectPrivacy::kPlain && value.find('@') != std::string_view::npos;
  }

  template <size_t Capacity>
  Text<Capacity> shown(std::string_view value, bool hashed) const {
    if (!hashed || value.empty()) return Text<Capacity>(value);
    const Text<32> digits = hash_.hex(value);
    char text[2 + Text<32>::kCapacity] = {'h', ':'};
    digits.view().copy(text + 2, Text<32>::kCapacity);
    return Text<Capacity>({text, sizeof text});
  }

  KeyedHash hash_;
  SubjectPrivacy privacy_;
};

}  // namespace wiretally::identity
