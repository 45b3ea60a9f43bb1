// How far it is to the registry and back: some heartbeats ask for an echo, and its way is measured. Pure.
//
//   if (trips.ask(now)) ...       the heartbeat that is made now asks
//   trips.sent(beat, at)          it was published
//   trips.heard(beat, held, at)   its echo arrived, which the registry held for `held`
//   trips.percentile_ms(now)      of 95 % of the newest trips not more
//   trips.shortest_ms(now)        of the newest trips: the link without its queues
//
// The newest trips are those of the last minute, and at least five of the last ten minutes: a device that beats once a
// minute has as many. Nearest rank: of fewer than twenty it is the longest.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace fieldwork::agent {

class RoundTrips {
 public:
  [[nodiscard]] bool ask(Time now);
  void sent(std::int64_t beat, Time at);
  void heard(std::int64_t beat, Duration held, Time at);
  void disconnected() { waiting_.clear(); }  // what was on its way is lost
  // None: nothing is known.
  [[nodiscard]] std::optional<double> percentile_ms(Time now) const;
  [[nodiscard]] std::optional<double> shortest_ms(Time now) const;

 private:
  [[nodiscard]] std::vector<Duration> newest(Time now) const;

  static constexpr Duration every = seconds{4};  // at most, however often the device beats
  static constexpr Duration recent = seconds{60};
  static constexpr Duration known_for = seconds{600};
  static constexpr std::size_t least = 5;
  static constexpr std::size_t waiting_max = 16;
  static constexpr std::size_t kept_max = 64;

  std::optional<Time> asked_at_;
  std::deque<std::pair<std::int64_t, Time>> waiting_;  // number of the heartbeat, when it was published
  std::deque<std::pair<Time, Duration>> trips_;        // when its echo arrived, how long it took
};

}  // namespace fieldwork::agent
