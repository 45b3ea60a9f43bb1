// How evenly the devices that get work are used.
#pragma once

#include <algorithm>
#include <cmath>

#include "scheduler/core/fleet/fleet.hpp"

namespace fieldwork::scheduler {

// The load of a device: the share of its processor that is set aside, 0 to 1.
class Balance {
 public:
  void add(std::int64_t used, std::int64_t capacity) {
    if (capacity <= 0) return;
    const auto load = share_of(used, capacity);
    sum_ += load;
    squares_ += load * load;
    ++count_;
  }
  [[nodiscard]] double mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // The coefficient of variation: the standard deviation as a share of the mean. 0 where nothing is used.
  [[nodiscard]] double variation() const {
    if (sum_ <= 0) return 0;
    return std::sqrt(std::max(0.0, squares_ / static_cast<double>(count_) - mean() * mean())) / mean();
  }

 private:
  double sum_ = 0, squares_ = 0;
  std::size_t count_ = 0;
};

[[nodiscard]] inline Balance balance_of(const Fleet& fleet) {
  Balance out;
  for (const auto& [id, number] : fleet.all()) {
    const auto& view = fleet.view(number);
    if (gets_work(view.device)) out.add(view.used.cpu_millis, view.device.about.capacity.cpu_millis);
  }
  return out;
}

}  // namespace fieldwork::scheduler
