#include "agent/core/round_trips.hpp"

#include <algorithm>

namespace fieldwork::agent {

bool RoundTrips::ask(Time now) {
  if (asked_at_ && now - *asked_at_ < every) return false;
  asked_at_ = now;
  return true;
}

void RoundTrips::sent(std::int64_t beat, Time at) {
  waiting_.emplace_back(beat, at);
  if (waiting_.size() > waiting_max) waiting_.pop_front();
}

void RoundTrips::heard(std::int64_t beat, Duration held, Time at) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& one) { return one.first == beat; });
  if (found == waiting_.end()) return;  // heard before, or of an earlier connection
  trips_.emplace_back(at, std::max(at - found->second - held, Duration{}));
  if (trips_.size() > kept_max) trips_.pop_front();
  waiting_.erase(found);
}

// Sorted.
std::vector<Duration> RoundTrips::newest(Time now) const {
  std::vector<Duration> out;
  for (auto it = trips_.rbegin(); it != trips_.rend(); ++it) {
    const auto age = now - it->first;
    if (age >= known_for || (age >= recent && out.size() >= least)) break;
    out.push_back(it->second);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<double> RoundTrips::percentile_ms(Time now) const {
  const auto trips = newest(now);
  if (trips.empty()) return std::nullopt;
  const auto rank = (trips.size() * 95 + 99) / 100;
  return static_cast<double>(trips[rank - 1].count()) / 1000;
}

std::optional<double> RoundTrips::shortest_ms(Time now) const {
  const auto trips = newest(now);
  if (trips.empty()) return std::nullopt;
  return static_cast<double>(trips.front().count()) / 1000;
}

}  // namespace fieldwork::agent
