// A file, or stdout, that lines are appended to.
//
// kAtOnce writes in the caller's call (replay). kBehind writes from a thread of its own behind a
// bounded queue: a slow disk or reader costs whole lines, which are counted, and never holds up the
// caller. Lines that cannot be written (disk full) are counted too, and writing goes on when it
// can.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "wiretally/result.h"

namespace wiretally::sinks {

class LineFile {
 public:
  enum class Mode { kAtOnce, kBehind };
  static constexpr size_t kQueueBytesMax = 16 << 20;
  static constexpr int kCloseWaitMs = 500;  // kBehind: what is not written by then is dropped

  // `path` "-" is stdout. Appends to a file that exists.
  static Result<std::unique_ptr<LineFile>> open(const std::string& path, Mode mode,
                                                size_t queue_bytes_max = kQueueBytesMax);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // `line` ends in a newline.
  void append(std::string_view line);
  // The path is opened anew, for log rotation (SIGHUP). Any thread; lines appended before go to the
  // old file.
  void reopen();
  // Everything appended is written or dropped; nothing may be appended after it.
  void close();

  // Any thread.
  uint64_t dropped_lines() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  LineFile(std::string path, int fd, Mode mode, size_t queue_bytes_max);
  void run();
  void reopen_now();
  void write_lines(std::string_view lines);
  size_t write_some(std::string_view bytes);

  const std::string path_;
  const Mode mode_;
  const size_t queue_bytes_max_;
  int fd_;
  bool regular_ = false;
  bool mid_line_ = false;  // a line was cut by an error: it gets its newline before the next one
  bool complained_ = false;
  std::atomic<uint64_t> dropped_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::string queue_;
  bool reopen_wanted_ = false;
  bool closing_ = false;
  std::atomic<bool> give_up_{false};
  std::condition_variable done_;
  bool ended_ = false;
  std::thread writer_;
};

}  // namespace wiretally::sinks
