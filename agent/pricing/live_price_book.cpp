#include "live_price_book.h"

#include <sys/stat.h>

namespace wiretally::pricing {

Result<std::unique_ptr<LivePriceBook>> LivePriceBook::open(PriceFiles files) {
  std::unique_ptr<LivePriceBook> book(new LivePriceBook(std::move(files)));
  if (Status status = book->reload(); !status) return status.error();
  return book;
}

Status LivePriceBook::reload() {
  // Before reading: a change while it is read is then seen as a change.
  seen_ = states();
  auto catalog = Catalog::load(files_.list, files_.overrides);
  if (!catalog) return catalog.error();
  auto fresh = std::make_shared<const Catalog>(*std::move(catalog));
  {
    const std::lock_guard lock(mutex_);
    book_.swap(fresh);
  }
  return Done{};  // the old one goes here, or with its last reader
}

bool LivePriceBook::files_changed() const { return states() != seen_; }

std::shared_ptr<const Catalog> LivePriceBook::book() const {
  const std::lock_guard lock(mutex_);
  return book_;
}

LivePriceBook::FileState LivePriceBook::state_of(const std::string& path) {
  struct stat file {};
  if (path.empty() || ::stat(path.c_str(), &file) != 0) return {};
  return {.modified_ns = file.st_mtim.tv_sec * 1'000'000'000LL + file.st_mtim.tv_nsec,
          .size = file.st_size,
          .inode = file.st_ino};
}

std::array<LivePriceBook::FileState, 2> LivePriceBook::states() const {
  return {state_of(files_.list), state_of(files_.overrides)};
}

}  // namespace wiretally::pricing
