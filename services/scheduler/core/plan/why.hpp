// Why a job waits, in one word and one sentence, and for how long (docs/decisions/0020).
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "scheduler/core/plan/forecast.hpp"

namespace fieldwork::scheduler {

struct Reason {
  // no_device: none is known. no_suitable_device: none could ever run it, as they are. no_device_ready: those that
  // could are offline or take no work. no_healthy_device, no_good_link: a measurement keeps the nearest ones away.
  // no_room: they are full. preempting: others end for it. in_turn: it is tried next. policy: security-policy is asked.
  // later: it waits for its time.
  std::string word;
  std::string text;
};
// Of an execution that stands in the queue. At most reason_devices_max suitable devices are looked at.
[[nodiscard]] Reason why(const Want& want, const Fleet& fleet, const Limits& limits);

struct Waits {
  Reason reason;
  std::optional<std::size_t> position{};  // of its first execution in the queue: 1 is tried first
  std::optional<Duration> until_start{};  // of that execution; nothing: not known
  std::optional<bool> meets_deadline{};   // nothing: not known, or it has none
};
using Reasons = std::unordered_map<Queue::Lane, Reason>;  // that are known already
// Whether an execution that starts then ends before the job's deadline, by how long the same command, or work of the
// same template, took; nothing: not known, or the job has none.
[[nodiscard]] std::optional<bool> meets_deadline(const Job& job, const std::optional<Time>& start,
                                                 const Durations& durations);
// Of a job that has executions which wait; nothing: none does, or reasons_looked_max others were looked at already.
[[nodiscard]] std::optional<Waits> waits_of(const Job& job, const Snapshot& snapshot, const Forecast& forecast,
                                            const Durations& durations, Reasons& known, Time now);

// What would become of a job if it came now. Nothing is changed, and security-policy is not asked.
struct Trial {
  std::vector<DeviceId> devices;  // that its executions would get now, at most explained_max are named
  std::size_t placed = 0;
  std::size_t width = 0;
  Placement placement;                   // of its first execution: the candidates, and why not others
  std::optional<Waits> waits;            // of those that would get none
  std::optional<bool> meets_deadline{};  // where all would get one
};
[[nodiscard]] Trial try_out(const Job& job, const Snapshot& snapshot, const Durations& durations, Time now);

}  // namespace fieldwork::scheduler
