#include "input.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace wiretally::pcap {
namespace {

// A mapping is looked at in steps of this size; at each step the pages read past are given back.
constexpr size_t kViewStepBytes = 1 << 20;
constexpr size_t kReadAheadBytes = 256 << 10;

size_t page_bytes() {
  static const size_t bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

Result<std::unique_ptr<Input>> Input::open(const std::string& path, size_t peek_bytes_max) {
  std::unique_ptr<Input> input(new Input);
  if (path == "-") {
    input->fd_ = STDIN_FILENO;
  } else {
    input->fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (input->fd_ < 0) return Error{path + ": cannot be opened: " + std::strerror(errno)};
    input->owns_fd_ = true;
    struct stat status {};
    if (::fstat(input->fd_, &status) != 0)
      return Error{path + ": cannot be read: " + std::strerror(errno)};
    if (S_ISDIR(status.st_mode))
      return Error{path + ": is a directory; name the capture files in it"};
    if (S_ISREG(status.st_mode) && status.st_size > 0) {
      const size_t size = static_cast<size_t>(status.st_size);
      void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, input->fd_, 0);
      if (mapping != MAP_FAILED) {
        ::madvise(mapping, size, MADV_SEQUENTIAL);
        input->mapped_ = true;
        input->begin_ = input->cursor_ = input->released_ = static_cast<const uint8_t*>(mapping);
        input->end_ = input->begin_ + size;
        return unpacked(std::move(input), peek_bytes_max);
      }
      // Some file systems cannot map; reading works everywhere.
    }
  }
  input->buffer_.resize(peek_bytes_max + kReadAheadBytes);
  input->cursor_ = input->buffer_.data();
  return unpacked(std::move(input), peek_bytes_max);
}

std::unique_ptr<Input> Input::unpacked(std::unique_ptr<Input> packed, size_t peek_bytes_max) {
  constexpr size_t kMagicBytes = 4;
  std::unique_ptr<Unpacker> unpacker = Unpacker::for_magic(packed->peek(kMagicBytes));
  if (unpacker == nullptr) return packed;
  std::unique_ptr<Input> input(new Input);
  input->packed_ = std::move(packed);
  input->unpacker_ = std::move(unpacker);
  input->buffer_.resize(peek_bytes_max + kReadAheadBytes);
  input->cursor_ = input->buffer_.data();
  return input;
}

std::unique_ptr<Input> Input::over(ByteView memory) {
  std::unique_ptr<Input> input(new Input);
  input->begin_ = input->cursor_ = memory.data();
  input->end_ = memory.data() + memory.size();
  return input;
}

Input::~Input() {
  if (mapped_) ::munmap(const_cast<uint8_t*>(begin_), static_cast<size_t>(end_ - begin_));
  if (owns_fd_) ::close(fd_);
}

void Input::refill(size_t count) {
  if (buffer_.empty()) {
    extend_view(count);
    return;
  }
  if (ahead_ > 0) std::memmove(buffer_.data(), cursor_, ahead_);
  cursor_ = buffer_.data();
  while (ahead_ < std::min(count, buffer_.size()) && !at_end_) read_more();
}

void Input::extend_view(size_t count) {
  if (mapped_) release_pages();
  ahead_ = std::min(static_cast<size_t>(end_ - cursor_), std::max(count, kViewStepBytes));
  if (mapped_) populate();
}

// Maps the view's pages in one go: a fault each costs several times as much. Where the kernel
// cannot (before 5.14), they come by faults.
void Input::populate() {
#ifdef MADV_POPULATE_READ
  const size_t from = static_cast<size_t>(cursor_ - begin_) / page_bytes() * page_bytes();
  const size_t until = static_cast<size_t>(cursor_ + ahead_ - begin_);
  ::madvise(const_cast<uint8_t*>(begin_) + from, until - from, MADV_POPULATE_READ);
#endif
}

void Input::release_pages() {
  const size_t read = static_cast<size_t>(cursor_ - begin_);
  const size_t passed = (read - std::min(read, kept_behind_)) / page_bytes() * page_bytes();
  const uint8_t* const keep_from = begin_ + passed;
  // With several threads on the mapping each time interrupts the processors of all.
  const size_t step = std::max(page_bytes(), kept_behind_ / 8);
  if (keep_from < released_ + step) return;
  ::madvise(const_cast<uint8_t*>(released_), static_cast<size_t>(keep_from - released_),
            MADV_DONTNEED);
  released_ = keep_from;
}

// Appends to what is ahead; the buffer has room because peek() is bounded.
void Input::read_more() {
  const size_t used = static_cast<size_t>(cursor_ - buffer_.data()) + ahead_;
  if (unpacker_ != nullptr) {
    unpack_more(std::span(buffer_).subspan(used));
    return;
  }
  const ssize_t got = ::read(fd_, buffer_.data() + used, buffer_.size() - used);
  if (got > 0) {
    ahead_ += static_cast<size_t>(got);
    return;
  }
  if (got < 0 && errno == EINTR) return;
  if (got < 0) read_error_ = std::strerror(errno);
  at_end_ = true;
}

void Input::unpack_more(std::span<uint8_t> room) {
  const ByteView packed = packed_->peek(kReadAheadBytes / 4);
  const Unpacker::Step step = unpacker_->unpack(packed, room);
  packed_->skip(step.consumed);
  ahead_ += step.produced;
  if (!unpacker_->error().empty()) {
    read_error_ = unpacker_->error();
  } else if (step.consumed > 0 || step.produced > 0) {
    return;
  } else if (!packed_->read_error().empty()) {
    read_error_ = packed_->read_error();
  } else if (!unpacker_->at_border()) {
    read_error_ = "its compressed data is cut off";
  }
  at_end_ = true;
}

void Input::bring_in(uint64_t offset, size_t bytes_behind) {
  if (!mapped_) return;
  kept_behind_ = bytes_behind;
  while (offset_ < offset && !peek(1).empty()) skip(std::min<uint64_t>(offset - offset_, ahead_));
}

uint64_t Input::skip_far(uint64_t count) {
  if (buffer_.empty()) {
    const uint64_t there = std::min(count, static_cast<uint64_t>(end_ - cursor_));
    cursor_ += there;
    offset_ += there;
    ahead_ = 0;
    return there;
  }
  uint64_t left = count;
  while (left > 0) {
    if (ahead_ == 0) refill(1);
    if (ahead_ == 0) break;
    const size_t step = static_cast<size_t>(std::min<uint64_t>(left, ahead_));
    advance(step);
    left -= step;
  }
  return count - left;
}

}  // namespace wiretally::pcap
