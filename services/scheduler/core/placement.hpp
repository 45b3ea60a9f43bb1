// Filter and score: a pure function of what an execution wants and the fleet. Every device that is not chosen has a
// reason; they are put into words on demand.
//
// score = the sum of its parts, each kept with the decision:
//   fit       0.35 * mean over cpu, memory and disk (those asked for) of used-after / capacity: best fit, fullest first
//   health    0.25 * as the registry says, 0 to 1
//   link      0.15 / (1 + round_trip_ms / 100)
//   locality  0.15 when the package ran there before, or the job has none
//   spread    0.10 * (1 - attempts / attempts_per_device_max)
//   history   -1 when it failed or was lost there: only if nobody else can
#pragma once

#include <functional>

#include "scheduler/core/fleet.hpp"

namespace fieldwork::scheduler {

// What an execution wants.
struct Want {
  const JobSpec& spec;
  const DeviceId& target;  // only this device, when not empty
  const std::set<DeviceId>& avoid;
  const std::map<DeviceId, Exclusion>& excluded;
  const std::map<DeviceId, int>& taken;  // other executions of the job are there
  Fleet::Hold self;                      // a device held for this one is not held against it
  Time now{};
};
[[nodiscard]] Want want_of(const Job& job, const Execution& execution, Time now);

// The best of at most examined_max devices that fit; at most explained_max of those that do not say why.
[[nodiscard]] Placement place(const Want& want, const Fleet& fleet, const Limits& limits);
// All devices: every reason counted, the explained_max nearest to fitting named.
[[nodiscard]] Placement explain(const Want& want, const Fleet& fleet, const Limits& limits);

// The reason why it can not run on this device now, if there is one.
[[nodiscard]] std::optional<Filtered> unfit(const Want& want, const Fleet& fleet, Fleet::Number number,
                                            const Limits& limits);
// Whether it could ever run there: labels and whole capacity, whatever runs there now; not where it is excluded.
[[nodiscard]] bool could_ever(const Want& want, const DeviceView& view);

}  // namespace fieldwork::scheduler
