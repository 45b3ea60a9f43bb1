// Answers that were given, by the key of their question: so a repeat gets the same one. Beyond `max` the oldest key is
// forgotten; a key that is kept again keeps its place.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace fieldwork::security_policy {

template <class T>
class Memory {
 public:
  explicit Memory(std::size_t max) : max_(max) {}

  [[nodiscard]] const T* find(const std::string& key) const {
    const auto it = all_.find(key);
    return it == all_.end() ? nullptr : &it->second;
  }
  void keep(std::string key, T answer) {
    if (!all_.insert_or_assign(key, std::move(answer)).second) return;
    order_.push_back(std::move(key));
    if (order_.size() <= max_) return;
    all_.erase(order_.front());
    order_.pop_front();
  }

 private:
  std::size_t max_;
  std::unordered_map<std::string, T> all_;
  std::deque<std::string> order_;
};

}  // namespace fieldwork::security_policy
