// The bytes of a capture file, front to back: mapped where the file is a regular one (views point
// into the mapping, nothing is copied), through a bounded buffer where it is a pipe, or compressed
// (unpacker.h): then all that is said of bytes and offsets is about the unpacked ones.
//
// Memory stays bounded in both: a mapping's pages are given back once they are read past, so that
// a file of any size costs a few MiB of resident memory. A mapped file that somebody truncates
// while it is read raises SIGBUS, as with every reader that maps.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "unpacker.h"
#include "wiretally/bytes.h"
#include "wiretally/result.h"

namespace wiretally::pcap {

class Input {
 public:
  // `path` may be "-" for standard input. What is compressed is unpacked. `peek_bytes_max` is the
  // most that peek() will be asked for.
  static Result<std::unique_ptr<Input>> open(const std::string& path, size_t peek_bytes_max);
  // The memory must outlive the input. As it is: not unpacked.
  static std::unique_ptr<Input> over(ByteView memory);
  // The same bytes, or what they unpack to if they are compressed.
  static std::unique_ptr<Input> unpacked(std::unique_ptr<Input> input, size_t peek_bytes_max);

  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // The next `count` bytes without passing them, or fewer where the input ends. Valid until the
  // next peek() or skip() beyond it.
  ByteView peek(size_t count) {
    if (count > ahead_) refill(count);
    return {cursor_, std::min(count, ahead_)};
  }
  // What peek() gives without further work.
  ByteView at_hand() const { return {cursor_, ahead_}; }
  // Passes `count` bytes, or as many as there are; returns how many.
  [[gnu::always_inline]] uint64_t skip(uint64_t count) {
    if (count > ahead_) return skip_far(count);
    advance(static_cast<size_t>(count));
    return count;
  }
  uint64_t offset() const { return offset_; }
  // Whether views stay valid as long as the input lives: memory, mapped or given.
  bool bytes_last() const { return buffer_.empty(); }
  // Everything, where views last.
  ByteView all() const { return {begin_, end_}; }
  // Passes what lies before `offset`, for others who read the same mapping: its pages are mapped,
  // and given back only so many bytes behind.
  void bring_in(uint64_t offset, size_t bytes_behind);
  // Why reading stopped before the end of the input; empty if it did not.
  const std::string& read_error() const { return read_error_; }

 private:
  Input() = default;

  void advance(size_t count) {
    cursor_ += count;
    ahead_ -= count;
    offset_ += count;
  }
  void refill(size_t count);
  uint64_t skip_far(uint64_t count);
  void extend_view(size_t count);
  void populate();
  void release_pages();
  void read_more();
  void unpack_more(std::span<uint8_t> room);

  // Where reading stands: `ahead_` bytes at `cursor_` can be looked at without further work.
  const uint8_t* cursor_ = nullptr;
  size_t ahead_ = 0;
  uint64_t offset_ = 0;

  // Memory, mapped or given.
  const uint8_t* begin_ = nullptr;
  const uint8_t* end_ = nullptr;
  const uint8_t* released_ = nullptr;  // pages before this one were given back
  size_t kept_behind_ = 0;
  bool mapped_ = false;

  // A stream.
  int fd_ = -1;
  bool owns_fd_ = false;
  bool at_end_ = false;
  std::vector<uint8_t> buffer_;
  std::string read_error_;

  // A compressed input.
  std::unique_ptr<Input> packed_;
  std::unique_ptr<Unpacker> unpacker_;
};

}  // namespace wiretally::pcap
