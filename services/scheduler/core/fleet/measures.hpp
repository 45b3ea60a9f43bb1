// What is measured of a device, and what jobs require of it.
#pragma once

#include <set>
#include <string>

#include "model/device.hpp"
#include "model/job.hpp"

namespace fieldwork::scheduler {

struct Measures {
  double health = 0;
  double latency_ms = 0;      // infinite: not known
  double bandwidth_mbit = 0;  // of the newest transfer, else what its uplink is said to carry; -1: not known
  double loss = 0;            // 0 where it is not known
};
[[nodiscard]] Measures measures_of(const Device& device);
[[nodiscard]] bool meets(const Requirements& need, const Measures& has);
// The first requirement that is not met, and why; empty: all are.
struct Unmet {
  const char* requirement = "";
  std::string reason{};
};
[[nodiscard]] Unmet unmet(const Requirements& need, const Measures& has);
[[nodiscard]] bool is_measured(const std::string& requirement);
[[nodiscard]] inline bool asks_of_link(const Requirements& need) {
  return need.latency_ms_max || need.bandwidth_mbit_min || need.loss_max;
}
// How well the link serves a job that is to fetch so many bytes first, 0 to 1: the product of
//   1 - latency / (2 latency_ms_max), bandwidth / (2 bandwidth_mbit_min) up to 1, and 1 - loss / (2 loss_max), where
//   the job requires it: a device just within what is required counts half;
//   1 / (1 + fetch / 60 s), with fetch = bytes / bandwidth: a minute counts half. Where the bandwidth is not known,
//   unknown_bandwidth_mbit is taken.
[[nodiscard]] double serves(const Requirements& need, const Measures& has, std::int64_t fetch_bytes);

// The values that executions in the queue require: what a device measures is news only where it crosses one of them.
class Thresholds {
 public:
  void add(const Requirements& need) { change(need, true); }
  void remove(const Requirements& need) { change(need, false); }
  // Whether something that was not met by `before` is met by `now`.
  [[nodiscard]] bool crossed(const Measures& before, const Measures& now) const;

 private:
  void change(const Requirements& need, bool in);
  std::multiset<double> health_, latency_, bandwidth_, loss_;
};

}  // namespace fieldwork::scheduler
