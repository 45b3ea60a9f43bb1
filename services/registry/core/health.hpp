// The health of a device, from 0 (given up) to 1 (nothing is known against it).
//
//   health = memory * disk * cpu * link * beats, where each factor is 1 while fine:
//     memory  available / capacity: 1 from 10 % up, falling in a straight line to 0.4 at nothing left
//     disk    available / capacity: 1 from  5 % up, falling in a straight line to 0.4 at nothing left
//     cpu     load per core:        1 up to 1.5, falling in a straight line to 0.5 at 4 and more
//     link    1 - 0.1 per recent reconnect, at least 0.5
//     beats   1 - 0.05 per recently missed heartbeat, at least 0.5
//   A suspect device has at most 0.5; lost and refused devices have 0. What was not measured counts as fine.
//
// Recent counts fade: each event counts 1, and its weight falls to 1/e in ten minutes (faded()).
#pragma once

#include "base/time.hpp"
#include "model/device.hpp"

namespace fieldwork::registry {

struct Signs {
  bool measured = false;  // a heartbeat has brought measurements
  double reconnects = 0;  // recent, faded
  double missed = 0;      // heartbeats, recent, faded
};

[[nodiscard]] double health(const Device& device, const Signs& signs);
// What is left of a recent count after `since`.
[[nodiscard]] double faded(double count, Duration since);

}  // namespace fieldwork::registry
