#include "line_file.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "log.h"

namespace wiretally::sinks {
namespace {

constexpr int kPollMs = 50;

int open_for_append(const std::string& path) {
  if (path == "-") return ::dup(STDOUT_FILENO);
  return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

bool is_regular(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

uint64_t count_lines(std::string_view text) {
  return static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

Result<std::unique_ptr<LineFile>> LineFile::open(const std::string& path, Mode mode,
                                                 size_t queue_bytes_max) {
  const int fd = open_for_append(path);
  if (fd < 0) {
    return Error{"cannot open " + path + " for writing: " + std::strerror(errno) +
                 "; name a file in a directory that exists and is writable"};
  }
  return std::unique_ptr<LineFile>(new LineFile(path, fd, mode, queue_bytes_max));
}

LineFile::LineFile(std::string path, int fd, Mode mode, size_t queue_bytes_max)
    : path_(std::move(path)),
      mode_(mode),
      queue_bytes_max_(queue_bytes_max),
      fd_(fd),
      regular_(is_regular(fd)) {
  if (mode_ == Mode::kBehind) writer_ = std::thread([this] { run(); });
}

LineFile::~LineFile() {
  close();
  ::close(fd_);
}

void LineFile::append(std::string_view line) {
  if (mode_ == Mode::kAtOnce) return write_lines(line);
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() + line.size() > queue_bytes_max_) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    queue_.append(line);
  }
  wake_.notify_one();
}

void LineFile::reopen() {
  if (mode_ == Mode::kAtOnce) return reopen_now();
  {
    const std::lock_guard lock(mutex_);
    reopen_wanted_ = true;
  }
  wake_.notify_one();
}

void LineFile::close() {
  if (!writer_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    closing_ = true;
    wake_.notify_one();
    done_.wait_for(lock, std::chrono::milliseconds(kCloseWaitMs), [this] { return ended_; });
    give_up_ = true;
  }
  writer_.join();
}

void LineFile::run() {
  std::string lines;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return closing_ || reopen_wanted_ || !queue_.empty(); });
    lines.clear();
    lines.swap(queue_);
    const bool reopen_after = std::exchange(reopen_wanted_, false);
    const bool last = closing_;
    lock.unlock();
    write_lines(lines);
    if (reopen_after) reopen_now();
    lock.lock();
    if (last && queue_.empty()) break;
  }
  ended_ = true;
  done_.notify_one();
}

void LineFile::reopen_now() {
  if (path_ == "-") return;
  const int fd = open_for_append(path_);
  if (fd < 0) {
    log_line(LogLevel::kError, "cannot reopen " + path_ + ": " + std::strerror(errno) +
                                   "; records go on to the old file");
    return;
  }
  ::close(fd_);
  fd_ = fd;
  regular_ = is_regular(fd);
  mid_line_ = false;
  complained_ = false;
}

void LineFile::write_lines(std::string_view lines) {
  if (mid_line_ && !lines.empty() && write_some("\n") == 1) mid_line_ = false;
  const size_t written = write_some(lines);
  if (written == lines.size()) return;
  mid_line_ = mid_line_ || (written > 0 && lines[written - 1] != '\n');
  dropped_.fetch_add(count_lines(lines.substr(written)), std::memory_order_relaxed);
  if (!std::exchange(complained_, true)) {
    log_line(LogLevel::kError, "cannot write to " + path_ + ": " + std::strerror(errno) +
                                   "; records are dropped there until it works again");
  }
}

// A pipe that poll() calls writable takes PIPE_BUF bytes without blocking; so a reader that sleeps
// cannot keep the agent from stopping.
size_t LineFile::write_some(std::string_view bytes) {
  size_t written = 0;
  while (written < bytes.size()) {
    size_t size = bytes.size() - written;
    if (!regular_ && mode_ == Mode::kBehind) {
      pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};
      if (::poll(&writable, 1, kPollMs) == 0) {
        if (give_up_) {
          errno = ETIMEDOUT;
          return written;
        }
        continue;
      }
      size = std::min<size_t>(size, PIPE_BUF);
    }
    const ssize_t n = ::write(fd_, bytes.data() + written, size);
    if (n > 0) {
      written += static_cast<size_t>(n);
      complained_ = false;
    } else if (n == 0 || errno != EINTR) {
      return written;
    }
  }
  return written;
}

}  // namespace wiretally::sinks
