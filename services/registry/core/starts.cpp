#include "registry/core/starts.hpp"

#include <algorithm>

namespace fieldwork::registry {

void Starts::resume(Time now) {
  returns_ = {now};
  shared_ = true;
}

bool Starts::connected(const Start& start, Time now) {
  if (!known_.empty() && known_.back() == start) return false;
  const auto before = std::find(known_.begin(), known_.end(), start);
  if (before != known_.end()) {
    known_.erase(before);
    if (returns_.size() == returns_max) returns_.erase(returns_.begin());
    returns_.push_back(now);
  }
  if (known_.size() == known_max) known_.erase(known_.begin());
  known_.push_back(start);
  return true;
}

bool Starts::shared(Time now) {
  if (returns_.empty()) return false;
  if (returns_.size() == returns_max && returns_.back() - returns_.front() <= within) shared_ = true;
  if (now - returns_.back() >= quiet) {
    returns_.clear();
    shared_ = false;
  }
  return shared_;
}

}  // namespace fieldwork::registry
