#include "agent/core/round_trips.hpp"

#include <algorithm>
#include <vector>

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

std::optional<double> RoundTrips::percentile_ms(Time now) const {
  std::vector<Duration> newest;
  for (auto it = trips_.rbegin(); it != trips_.rend(); ++it) {
    const auto age = now - it->first;
    if (age >= known_for || (age >= recent && newest.size() >= least)) break;
    newest.push_back(it->second);
  }
  if (newest.empty()) return std::nullopt;
  std::sort(newest.begin(), newest.end());
  const auto rank = (newest.size() * 95 + 99) / 100;
  return static_cast<double>(newest[rank - 1].count()) / 1000;
}

}  // namespace fieldwork::agent
