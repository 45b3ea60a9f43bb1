// Filter and score: pure functions of what an execution wants and of the fleet. Every device that does not fit has a
// reason: place() keeps some of the reasons, explain() counts all.
//
// The score is the sum of its parts, each of which is kept with the decision:
//   fit       0.35 * mean of (used + wanted) / capacity over the wanted ones of cpu, memory and disk: the fullest first
//   health    0.25 * the device's health, 0 to 1, as the registry says it
//   link      0.15 / (1 + round_trip_ms / 100)
//   locality  0.15 when the package ran on the device before, or the job has no package
//   spread    0.10 * (1 - attempts / attempts_per_device_max)
//   history   -1 when an attempt of the execution failed or was lost there: such a device is the last choice
#pragma once

#include <functional>

#include "scheduler/core/fleet.hpp"

namespace fieldwork::scheduler {

// What one execution wants.
struct Want {
  const JobSpec& spec;
  const DeviceId& target;  // not empty: this device only
  const std::set<DeviceId>& avoid;
  const std::map<DeviceId, Exclusion>& excluded;
  const std::map<DeviceId, int>& taken;  // devices of the job's other executions
  Fleet::Hold self;                      // a hold for this execution does not count against it
  Time now{};
  const fleet::Expression* where = nullptr;  // of the requirements
};
[[nodiscard]] Want want_of(const Job& job, const Execution& execution, Time now);

// Chooses the best device that fits, of at most examined_max. Keeps at most explained_max devices that do not fit, with
// the reason.
[[nodiscard]] Placement place(const Want& want, const Fleet& fleet, const Limits& limits);
// Looks at all devices: counts every reason, and names the explained_max devices that are nearest to fitting.
[[nodiscard]] Placement explain(const Want& want, const Fleet& fleet, const Limits& limits);

// Whether it is a device that the requirements' expression asks for, as it is now.
[[nodiscard]] bool matches(const Want& want, const Device& device);
// Why the execution cannot run on this device now; nullopt: it can.
[[nodiscard]] std::optional<Filtered> unfit(const Want& want, const Fleet& fleet, Fleet::Number number,
                                            const Limits& limits);
// Whether the execution could ever run on this device, whatever runs there now: labels and whole capacity suffice, and
// the device is neither refused nor excluded.
[[nodiscard]] bool could_ever(const Want& want, const DeviceView& view);

}  // namespace fieldwork::scheduler
