// Filter and score: a pure function of the job and a snapshot of the devices. Every device that is not chosen has a
// reason.
//
// score = 0.35 fit + 0.25 health + 0.15 link + 0.15 locality + 0.10 spread, each 0 to 1:
//   fit       mean over cpu, memory and disk (those asked for) of used-after / capacity: best fit, fullest first
//   health    as the registry says
//   link      1 / (1 + round_trip_ms / 100)
//   locality  1 when the package ran there before, or the job has none
//   spread    1 - attempts / attempts_per_device_max
#pragma once

#include <set>
#include <unordered_map>

#include "scheduler/core/state.hpp"

namespace fieldwork::scheduler {

using Devices = std::unordered_map<DeviceId, DeviceView>;

// `target`: only this device, when not empty. `avoid`: this device only if no other fits. `taken`: other
// replicas of the job are there.
[[nodiscard]] Placement place(const JobSpec& job, const DeviceId& target, const DeviceId& avoid,
                              const std::set<DeviceId>& taken, const Devices& devices, const Limits& limits);

// The reason why this job can not run on this device now, if there is one.
[[nodiscard]] std::optional<Filtered> unfit(const JobSpec& job, const DeviceView& view, const Limits& limits);

}  // namespace fieldwork::scheduler
