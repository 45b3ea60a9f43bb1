#include "scheduler/core/fleet/measures.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace fieldwork::scheduler {
namespace {

constexpr const char* health_field = "requirements/health_min";
constexpr const char* latency_field = "requirements/latency_ms_max";
constexpr const char* bandwidth_field = "requirements/bandwidth_mbit_min";
constexpr const char* loss_field = "requirements/loss_max";

constexpr double unknown_bandwidth_mbit = 10;

std::string text(double value, const char* unit = "") {
  char out[48];
  std::snprintf(out, sizeof out, value >= 1000 ? "%.0f%s" : "%.3g%s", value, unit);
  return out;
}

}  // namespace

Measures measures_of(const Device& device) {
  const auto& link = device.link;
  Measures out{.health = device.health,
               .latency_ms = link.round_trip_ms.value_or(std::numeric_limits<double>::infinity()),
               .bandwidth_mbit = -1,
               .loss = link.loss.value_or(0)};
  if (device.about.uplink.bit_per_s > 0) out.bandwidth_mbit = static_cast<double>(device.about.uplink.bit_per_s) / 1e6;
  if (link.goodput_bit_per_s) out.bandwidth_mbit = static_cast<double>(*link.goodput_bit_per_s) / 1e6;
  return out;
}

bool meets(const Requirements& need, const Measures& has) {
  return has.health >= need.health_min.value_or(health_min_default) &&
         (!need.latency_ms_max || has.latency_ms <= *need.latency_ms_max) &&
         (!need.bandwidth_mbit_min || has.bandwidth_mbit >= *need.bandwidth_mbit_min) &&
         (!need.loss_max || has.loss <= *need.loss_max);
}

Unmet unmet(const Requirements& need, const Measures& has) {
  if (const auto min = need.health_min.value_or(health_min_default); has.health < min)
    return {health_field, "is " + text(has.health) + ", wanted at least " + text(min)};
  if (need.latency_ms_max && has.latency_ms > *need.latency_ms_max) {
    const auto wanted = ", wanted at most " + text(*need.latency_ms_max, " ms");
    if (has.latency_ms == std::numeric_limits<double>::infinity())
      return {latency_field, "the round trip is not measured" + wanted};
    return {latency_field, "the round trip is " + text(has.latency_ms, " ms") + wanted + ": " +
                               text(has.latency_ms - *need.latency_ms_max, " ms") + " above"};
  }
  if (need.bandwidth_mbit_min && has.bandwidth_mbit < *need.bandwidth_mbit_min) {
    const auto wanted = ", wanted at least " + text(*need.bandwidth_mbit_min, " Mbit/s");
    if (has.bandwidth_mbit < 0) return {bandwidth_field, "what the link carries is not known" + wanted};
    return {bandwidth_field, "the link carries " + text(has.bandwidth_mbit, " Mbit/s") + wanted};
  }
  if (need.loss_max && has.loss > *need.loss_max)
    return {loss_field, "the link loses " + text(has.loss) + " of the frames, wanted at most " + text(*need.loss_max)};
  return {};
}

double serves(const Requirements& need, const Measures& has, std::int64_t fetch_bytes) {
  double out = 1;
  if (need.latency_ms_max && *need.latency_ms_max > 0)
    out *= std::clamp(1 - has.latency_ms / (2 * *need.latency_ms_max), 0.0, 1.0);
  if (need.bandwidth_mbit_min && *need.bandwidth_mbit_min > 0)
    out *= std::clamp(has.bandwidth_mbit / (2 * *need.bandwidth_mbit_min), 0.0, 1.0);
  if (need.loss_max && *need.loss_max > 0) out *= std::clamp(1 - has.loss / (2 * *need.loss_max), 0.0, 1.0);
  if (fetch_bytes <= 0) return out;
  const auto bit_per_s = 1e6 * (has.bandwidth_mbit > 0 ? has.bandwidth_mbit : unknown_bandwidth_mbit);
  return out / (1 + 8 * static_cast<double>(fetch_bytes) / bit_per_s / 60);
}

bool is_measured(const std::string& requirement) {
  return requirement == health_field || requirement == latency_field || requirement == bandwidth_field ||
         requirement == loss_field;
}

void Thresholds::change(const Requirements& need, bool in) {
  const auto apply = [&](std::multiset<double>& all, double value) {
    if (in) {
      all.insert(value);
    } else if (const auto it = all.find(value); it != all.end()) {
      all.erase(it);
    }
  };
  apply(health_, need.health_min.value_or(health_min_default));
  if (need.latency_ms_max) apply(latency_, *need.latency_ms_max);
  if (need.bandwidth_mbit_min) apply(bandwidth_, *need.bandwidth_mbit_min);
  if (need.loss_max) apply(loss_, *need.loss_max);
}

bool Thresholds::crossed(const Measures& before, const Measures& now) const {
  // The least value above `before` is reached; the greatest below `before` is reached from above.
  const auto up = [](const std::multiset<double>& all, double from, double to) {
    const auto it = all.upper_bound(from);
    return it != all.end() && *it <= to;
  };
  const auto down = [](const std::multiset<double>& all, double from, double to) {
    const auto it = all.lower_bound(to);
    return it != all.end() && *it < from;
  };
  return up(health_, before.health, now.health) || down(latency_, before.latency_ms, now.latency_ms) ||
         up(bandwidth_, before.bandwidth_mbit, now.bandwidth_mbit) || down(loss_, before.loss, now.loss);
}

}  // namespace fieldwork::scheduler
