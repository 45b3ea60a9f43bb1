// How far programs say that they are: facts, of which the newest counts (docs/decisions/0023).
#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {

void Scheduler::on(const ProgressArrived& input, Time /*now*/, Output& /*out*/) {
  for (const auto& [key, progress] : input.items) {
    Job* job = nullptr;
    auto* execution = find(key, job);
    if (execution == nullptr || !execution->is<Live>() || execution->attempt->key != key ||
        execution->attempt->device != input.device)
      continue;
    auto& live = std::get<Live>(execution->phase);
    live.contact = std::max(live.contact, input.at);
    if (execution->attempt->progress == progress) continue;
    execution->attempt->progress = progress;
    if (execution->shown) progressed_.emplace(job->id, execution->index);
  }
}

// Not saved: an attempt's row takes it along when it is written for another reason. Of many some in each turn.
void Scheduler::say_progress(Time now, Output& out) {
  if (progressed_.empty() || now < progress_said_at_ + progress_said_every) return;
  progress_said_at_ = now;
  auto next = progressed_.upper_bound(progress_last_);
  for (std::size_t said = 0; said < progress_said_max && !progressed_.empty(); ++said) {
    if (next == progressed_.end()) next = progressed_.begin();
    progress_last_ = *next;
    next = progressed_.erase(next);
    const auto it = jobs_.find(progress_last_.first);
    if (it == jobs_.end() || touched_.contains(progress_last_)) continue;  // a change of its state says it, too
    const auto& job = it->second;
    const auto at = static_cast<std::size_t>(progress_last_.second);
    if (at >= job.executions.size() || !job.executions[at].shown || !job.executions[at].is<Live>()) continue;
    out.execution_states.push_back({job.id, job.spec, job.traceparent, job.bulk, job.executions[at]});
  }
}

}  // namespace fieldwork::scheduler
