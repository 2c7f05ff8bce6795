// Errors of the control path: start-up, configuration, attach, files.
// The hot path never uses these; it returns verdict enums and counts drops (drop_reasons.def).
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace wiretally {

// One sentence that names the thing that failed and the remedy. `main` prints it once.
struct Error {
  std::string message;
};

// Either a value or an Error. Check with `if (!result)` before taking the value.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : held_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit on purpose
  Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  explicit operator bool() const { return held_.index() == 0; }
  T& operator*() & { return std::get<0>(held_); }
  const T& operator*() const& { return std::get<0>(held_); }
  T&& operator*() && { return std::get<0>(std::move(held_)); }
  T* operator->() { return &std::get<0>(held_); }
  const T* operator->() const { return &std::get<0>(held_); }
  const Error& error() const { return std::get<1>(held_); }

 private:
  std::variant<T, Error> held_;
};

// A call that yields nothing but success or an Error.
struct Done {};
using Status = Result<Done>;

}  // namespace wiretally
