// The identity claims of a JWT's payload (RFC 7519 section 4.1, RFC 9068 section 2.2), read from
// its JSON (RFC 8259) as the bytes come. Nothing is verified.
//
//   object = ws "{" ws [ member *( ws "," ws member ) ] ws "}" ws
//   member = string ws ":" ws value
//
//   state         takes                                    next
//   kStart        {                                        kNameOrEnd
//   kNameOrEnd    " / }                                    kString (name) / kEnd
//   kName         "                                        kString (name)
//   kColon        :                                        kValue
//   kValue        " / { [ / [ of aud / else                kString / kNested / kFirstOfArray /
//   kScalar kFirstOfArray " / else                                 kString / kNested kNested " /
//   brackets / else, unread              kString / itself, kCommaOrEnd at depth 0 kScalar       , /
//   } / white space                      kName / kEnd / kCommaOrEnd kCommaOrEnd   , / } kName /
//   kEnd kString       " / \ / else, kept if it is wanted       by where it stands / kEscape
//   kEscape       u / one of "\/bfnrt                      kUnicode / kString
//   kUnicode      four hexadecimal digits                  kString
//   kEnd          white space
//
// Only members of the outermost object are claims. Nested values are passed over: their brackets
// must match, the rest of them is not judged. Limits: kDepthMax levels (deeper is bad), kValueBytes
// of a claim (cut).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wiretally::identity {

enum class Claim : uint8_t {
  kSubject,          // sub
  kIssuer,           // iss
  kAudience,         // aud: a string, or the first of an array
  kAppId,            // appid (Entra v1)
  kAuthorizedParty,  // azp (OpenID Connect, Entra v2)
  kClientId,         // client_id (RFC 9068)
  kCid,              // cid (Okta)
  kTenant,           // tid (Entra)
  kCount,
};

class ClaimsReader {
 public:
  static constexpr size_t kDepthMax = 64;
  static constexpr size_t kValueBytes = 512;

  ClaimsReader() { reset(); }
  ClaimsReader(const ClaimsReader&) = delete;
  ClaimsReader& operator=(const ClaimsReader&) = delete;
  ~ClaimsReader();  // wipes what it read

  // Resumable at every byte. False once the text is not an object; bad until reset.
  bool feed(std::string_view json);
  // Whether exactly one object was read.
  bool finish() const { return state_ == State::kEnd; }
  void reset();

  // Empty where the claim is absent, not a string, or stated more than once: a claim that two
  // readers may read differently names nobody.
  std::string_view value(Claim claim) const;

 private:
  enum class State : uint8_t {
    kStart,
    kNameOrEnd,
    kName,
    kColon,
    kValue,
    kFirstOfArray,
    kNested,
    kScalar,
    kCommaOrEnd,
    kString,
    kEscape,
    kUnicode,
    kEnd,
    kBad,
  };
  enum class StringRole : uint8_t { kName, kClaim, kPassedOver };
  static constexpr size_t kNameBytes = 16;  // longer than any name that is looked for

  struct Value {
    std::array<char, kValueBytes> bytes;
    uint16_t size;
    uint8_t times_stated;
  };

  void step(char c);
  void begin_string(StringRole role);
  void end_string();
  void begin_value(char c);
  void begin_nested(char c);
  void nested(char c);
  void after_value(char c);
  void escape(char c);
  void unicode_digit(char c);
  void end_code_unit();
  void keep_code_point(uint32_t code_point);
  void keep(char c);
  void flush_surrogate();
  void end_name();
  bool claim_wanted() const { return claim_ != Claim::kCount; }
  Value& current() { return values_[static_cast<size_t>(claim_)]; }

  State state_;
  StringRole role_;
  Claim claim_;  // the member's; kCount = none of interest
  std::array<char, kNameBytes> name_;
  size_t name_size_;  // beyond kNameBytes: too long to be of interest
  uint64_t nesting_;  // a bit a level, 1 = object, lowest bit innermost
  size_t depth_;
  uint32_t code_unit_;
  unsigned code_unit_digits_;
  uint32_t high_surrogate_;  // waits for its other half, or 0
  std::array<Value, static_cast<size_t>(Claim::kCount)> values_;
};

}  // namespace wiretally::identity
