// How a command ends, and why: the exit codes of docs/cli.md with a sentence for a person.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/result.hpp"
#include "model/job.hpp"

namespace fieldwork::cli {

enum class Exit { ok = 0, failed = 1, usage = 2, unreachable = 3, denied = 4, timed_out = 5, interrupted = 130 };

struct Failure {
  Exit exit = Exit::failed;
  std::string reason;
};

// The exit code of a command that ends with a service's answer or a library's error.
[[nodiscard]] inline Exit exit_of(const Error& error) {
  if (error.code == Code::denied) return Exit::denied;
  return error.code == Code::unavailable ? Exit::unreachable : Exit::failed;
}

// `denied` has an exit code of its own; a job that is not settled is no failure.
[[nodiscard]] inline Exit exit_of(JobState state) {
  if (state == JobState::denied) return Exit::denied;
  return settled(state) && state != JobState::succeeded ? Exit::failed : Exit::ok;
}

// A value or a Failure.
template <class T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : value_(std::move(value)) {}
  Outcome(Failure failure) : failure_(std::move(failure)) {}
  explicit operator bool() const { return value_.has_value(); }
  T& operator*() { return *value_; }
  T* operator->() { return &*value_; }
  [[nodiscard]] const Failure& failure() const { return failure_; }

 private:
  std::optional<T> value_;
  Failure failure_;
};

}  // namespace fieldwork::cli
