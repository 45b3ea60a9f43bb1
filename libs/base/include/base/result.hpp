// What an operation returns when the world may refuse it: a value, or an Error that says what is wrong and where.
// (std::expected is not in g++ 12's C++20 mode.) Our own bugs are not Errors: they end the process, see check.hpp.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace fieldwork {

enum class Code { invalid, unknown, conflict, denied, unavailable };

[[nodiscard]] constexpr const char* name(Code code) {
  switch (code) {
    case Code::invalid: return "invalid";
    case Code::unknown: return "unknown";
    case Code::conflict: return "conflict";
    case Code::denied: return "denied";
    case Code::unavailable: return "unavailable";
  }
  return "invalid";
}

struct Error {
  Code code = Code::invalid;
  std::string reason;  // a sentence for a person, no trailing full stop
  std::string path{};  // the field, as a JSON pointer; or the setting, file or line; empty where there is none
  bool operator==(const Error&) const = default;
};

[[nodiscard]] inline std::string describe(const Error& error) {
  return error.path.empty() ? error.reason : error.path + ": " + error.reason;
}

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  [[nodiscard]] const Error& error() const { return std::get<1>(state_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }  // a value: a range-for over it lives as long as the loop
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  [[nodiscard]] bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace fieldwork
