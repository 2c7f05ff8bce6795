// What a TLS client says in clear before everything is encrypted: the server's name and its random.
//
//   record      = type(22) version(3.x) length(1..2^14) fragment          RFC 8446 section 5.1
//   handshake   = msg_type(1) length(3 bytes) body                        section 4
//   ClientHello = legacy_version(3.x) random(32) session_id<0..32>        section 4.1.2
//                 cipher_suites<2..> compression<1..> [ extensions<..> ]
//   extension   = type length data;   type 0 = server_name                section 4.2
//   server_name = list length, { name_type, length, name };  0 = host     RFC 6066 section 3
//
// One message may come in several records and any number of segments (hellos with post-quantum key
// shares do). Fields are counted through, not held: kept are the name and 8 bytes of the random.
// Limits: a hello of kClientHelloBytesMax, a name of 255 bytes of letters, digits, '-', '.', '_'.
// Behind an encrypted hello (ECH) stands a public name; that is the one read. QUIC carries its
// hello encrypted in UDP and is not read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "wiretally/bytes.h"

namespace wiretally::http {

inline constexpr size_t kClientHelloBytesMax = 16 * 1024;
// The first byte of each handshake record.
inline constexpr uint8_t kTlsHandshake = 22;

class ClientHelloReader {
 public:
  enum class State : uint8_t {
    kOpen,
    kDone,  // a ClientHello, read as far as its name or its end
    kBad,   // this is no ClientHello; so it stays until reset
  };

  // Returns how many bytes were taken: all, unless the reader is done or bad.
  size_t feed(ByteView bytes);
  void reset() { *this = ClientHelloReader(); }

  State state() const { return state_; }
  // Once done. Empty if the hello has none, or one that is no host name.
  std::string_view server_name() const { return {name_.data(), name_bytes_}; }
  // The beginning of the client's random: two observations of one hello agree in it.
  uint64_t random() const { return random_; }

 private:
  // The field that is being read.
  enum class Field : uint8_t {
    kMessageHead,
    kVersion,
    kRandomHead,
    kRandomRest,
    kSessionLength,
    kSession,
    kSuitesLength,
    kSuites,
    kCompressionLength,
    kCompression,
    kExtensionsLength,
    kExtensionHead,
    kExtension,
    kNamesLength,
    kNameHead,
    kHostName,
    kOtherName,
  };

  size_t take_record_head(ByteView bytes);
  size_t take_field(ByteView bytes);
  void keep(ByteView part);
  void expect(Field field, uint64_t bytes);
  void expect_vector(Field field, uint64_t bytes_min);
  void expect_extension();
  void expect_name();
  void end_of_field();
  void end_of_host_name();
  void require(bool holds) {
    if (!holds) state_ = State::kBad;
  }

  State state_ = State::kOpen;
  uint8_t record_head_bytes_ = 0;
  uint16_t record_length_ = 0;
  uint32_t record_left_ = 0;

  Field field_ = Field::kMessageHead;
  uint64_t field_left_ = 4;
  uint64_t number_ = 0;        // the field's last 8 bytes
  uint64_t message_left_ = 0;  // behind the field
  uint64_t names_left_ = 0;    // of the server_name extension, behind the field
  uint64_t random_ = 0;
  size_t name_bytes_ = 0;
  std::array<char, 255> name_{};
};

// Readers for the flows whose hello has begun and not ended, at most one a direction.
class ClientHelloPool {
 public:
  explicit ClientHelloPool(size_t readers_max) : readers_max_(readers_max) {}

  // Nothing if too many are out.
  std::unique_ptr<ClientHelloReader> borrow() {
    if (borrowed_ >= readers_max_) return nullptr;
    ++borrowed_;
    if (spares_.empty()) return std::make_unique<ClientHelloReader>();
    std::unique_ptr<ClientHelloReader> reader = std::move(spares_.back());
    spares_.pop_back();
    return reader;
  }
  void give_back(std::unique_ptr<ClientHelloReader> reader) {
    if (reader == nullptr) return;
    --borrowed_;
    if (spares_.size() >= kSparesMax) return;
    reader->reset();
    spares_.push_back(std::move(reader));
  }

 private:
  static constexpr size_t kSparesMax = 256;
  const size_t readers_max_;
  size_t borrowed_ = 0;
  std::vector<std::unique_ptr<ClientHelloReader>> spares_;
};

}  // namespace wiretally::http
