// The health of a device, from 0 (given up) to 1 (nothing is known against it), the report that says why, and the
// resources under pressure (decision 0016; docs/health.md is the manual).
//
//   health = product of value ^ weight over the components:
//     beats       1 - 0.05 per recently missed heartbeat, at least 0.5
//     cpu         load per core:         1 up to 1.5, falling in a straight line to 0.5 at 4 and more
//     memory      available / capacity:  1 from 10 % up, falling in a straight line to 0.4 at nothing left
//     storage     available / capacity:  1 from  5 % up, falling in a straight line to 0.4 at nothing left
//     network     use of the uplink:     1 up to 80 %, falling in a straight line to 0.6 at 100 %
//     executions  1 - 0.5 * failed / (failed + succeeded + 2), both recent
//     link        (1 - 0.1 per recent reconnect, at least 0.5) * loss of frames: 1 up to 5 %, falling to 0.5 at 50 %
//     flaps       1 - 0.1 per recent return from a silence, at least 0.5
//   A suspect device has at most 0.5; lost, refused and retired devices have 0. What was not measured counts as fine.
//
// Recent counts fade: each event counts 1, and its weight falls to 1/e in ten minutes (faded()); of executions, in six
// hours.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "model/health.hpp"

namespace fieldwork::registry {

enum class Component { beats, cpu, memory, storage, network, executions, link, flaps };
inline constexpr std::array<std::string_view, 8> component_names{"beats",   "cpu",        "memory", "storage",
                                                                 "network", "executions", "link",   "flaps"};
using Values = std::array<double, component_names.size()>;  // by Component

struct Signs {
  bool measured = false;  // a heartbeat has brought measurements
  double reconnects = 0;  // recent, faded, as all that follow
  double missed = 0;      // heartbeats
  double flaps = 0;       // returns from a silence
  double succeeded = 0;   // executions
  double failed = 0;
  bool operator==(const Signs&) const = default;
};

struct Thresholds {
  std::array<double, resource_names.size()> percent{80, 85, 90, 70};  // of use, by Resource
  double hysteresis = 5;                                              // below the threshold, in points
};

inline constexpr Values equal_weights{1, 1, 1, 1, 1, 1, 1, 1};

// Percent, as expressions see it (`cpu.use`); none: not measured.
[[nodiscard]] std::optional<double> use(const Device& device, Resource resource);
// The cores that its load is shared by: the machine's; where they are not known, those that jobs may have.
[[nodiscard]] double load_cores(const Device& device);
[[nodiscard]] Values components(const Device& device, const Signs& signs);
[[nodiscard]] double health(const Device& device, const Signs& signs, const Values& weights = equal_weights);
// Without its times and heartbeat_s.
[[nodiscard]] HealthReport report(const Device& device, const Signs& signs, const Values& weights = equal_weights,
                                  const Thresholds& thresholds = {});
// What is under pressure, given that device.pressure was: over its threshold, and until it is more than the hysteresis
// below it. What is not measured is not.
[[nodiscard]] std::vector<std::string> pressure(const Device& device, const Thresholds& thresholds);

// Fades the counts by what passed.
void fade(Signs& signs, Duration since);
// What is left of a recent count after `since`.
[[nodiscard]] double faded(double count, Duration since, Duration to_one_eth = std::chrono::minutes(10));

}  // namespace fieldwork::registry
