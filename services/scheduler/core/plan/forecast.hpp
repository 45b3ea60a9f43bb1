// When executions that wait will start, as far as it is known (docs/decisions/0020).
#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "scheduler/core/follow/durations.hpp"
#include "scheduler/core/plan/plan.hpp"

namespace fieldwork::scheduler {

// Who would wait, and stands in no lane: behind all others of its level.
struct Extra {
  const Job& job;
  const std::vector<Fleet::Number>& placed;  // devices that the job's first executions would get now
  const std::vector<int>& left;              // executions that would get none
};

class Forecast {
 public:
  struct Start {
    std::size_t position = 0;  // in the queue: 1 is tried first
    std::optional<Time> at{};  // nothing: it depends on what is not known
  };
  // `in_lane`: its place in its lane, 1 is the first; 0: not known. Nothing: it does not stand in the queue, or came
  // after the forecast and nobody of its lane was looked at.
  [[nodiscard]] std::optional<Start> of(const JobId& job, int execution, Queue::Lane lane, std::size_t in_lane) const;
  // Of Extra: when the last of its executions starts.
  [[nodiscard]] const Start& extra() const { return extra_; }

 private:
  friend class Forecasting;
  struct Lane {
    std::size_t looked = 0;    // at entries, the first ones
    std::size_t position = 0;  // of the last one looked at
    std::optional<Time> first, last;
    std::size_t started = 0;
  };
  std::map<std::pair<JobId, int>, Start> starts_;
  std::unordered_map<Queue::Lane, Lane> lanes_;
  Start extra_;
};

[[nodiscard]] Forecast forecast(const Snapshot& snapshot, const Durations& durations, Time now,
                                const Extra* extra = nullptr);

}  // namespace fieldwork::scheduler
