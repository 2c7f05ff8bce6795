// Unpacks a compressed capture file while it is read: gzip (RFC 1952, several members) and zstd
// (RFC 8878, several frames). Memory is bounded by the format's window (32 KiB; 128 MiB, what zstd
// itself accepts unasked), however much the file unpacks to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "wiretally/bytes.h"

namespace wiretally::pcap {

class Unpacker {
 public:
  // For a file that begins so; nothing if it is not compressed in a known way. Four bytes tell.
  static std::unique_ptr<Unpacker> for_magic(ByteView start);

  virtual ~Unpacker() = default;

  struct Step {
    size_t consumed = 0;
    size_t produced = 0;
  };
  // Unpacks as much as there is room for. Call again, at the end with nothing, until nothing moves:
  // the library may hold output back. Nothing moves once error() is set.
  virtual Step unpack(ByteView packed, std::span<uint8_t> output) = 0;
  // Whether the input may end here.
  virtual bool at_border() const = 0;

  const std::string& error() const { return error_; }

 protected:
  std::string error_;
};

}  // namespace wiretally::pcap
