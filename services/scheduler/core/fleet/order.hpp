// Ready devices by free processor, roughly, and within that by potential: the score that an execution would get there
// that wants nearly nothing. So the devices that are best for an execution with little wants come first among those
// with room for it.
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <vector>

namespace fieldwork::scheduler {

class Order {
 public:
  using Number = std::uint32_t;
  struct Place {
    int bucket = 0;  // of free processor
    double potential = 0;
  };

  // Four for each doubling. Grows with `cpu_millis`.
  [[nodiscard]] static int bucket(std::int64_t cpu_millis) {
    if (cpu_millis <= 0) return 0;
    const int log = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(cpu_millis))) - 1;
    const auto next = log >= 2 ? cpu_millis >> (log - 2) & 3 : cpu_millis << (2 - log) & 3;
    return 1 + 4 * log + static_cast<int>(next);
  }

  void insert(const Place& at, Number number) {
    size_ += buckets_[at.bucket].emplace(at.potential, number).second ? 1 : 0;
  }
  void erase(const Place& at, Number number) {
    const auto it = buckets_.find(at.bucket);
    if (it == buckets_.end()) return;
    size_ -= it->second.erase({at.potential, number});
    if (it->second.empty()) buckets_.erase(it);
  }
  [[nodiscard]] bool contains(const Place& at, Number number) const {
    const auto it = buckets_.find(at.bucket);
    return it != buckets_.end() && it->second.contains({at.potential, number});
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  // Goes through the devices that may have so much free processor, the highest potential first. The order must not
  // change meanwhile.
  class Walk;

 private:
  using Bucket = std::set<std::pair<double, Number>, std::greater<>>;
  std::map<int, Bucket> buckets_;
  std::size_t size_ = 0;
};

class Order::Walk {
 public:
  Walk() = default;
  Walk(const Order& order, std::int64_t cpu_millis) {
    for (auto it = order.buckets_.lower_bound(bucket(cpu_millis)); it != order.buckets_.end(); ++it)
      fronts_.push({it->second.begin(), it->second.end()});
  }
  [[nodiscard]] bool over() const { return fronts_.empty(); }
  [[nodiscard]] double potential() const { return fronts_.top().at->first; }
  [[nodiscard]] Number number() const { return fronts_.top().at->second; }
  void next() {
    auto front = fronts_.top();
    fronts_.pop();
    if (++front.at != front.end) fronts_.push(front);
  }

 private:
  struct Front {
    Bucket::const_iterator at, end;
    bool operator<(const Front& other) const { return *at < *other.at; }
  };
  std::priority_queue<Front> fronts_;
};

}  // namespace fieldwork::scheduler
