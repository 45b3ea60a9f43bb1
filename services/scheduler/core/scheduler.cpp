#include "scheduler/core/scheduler.hpp"

#include <algorithm>

#include "model/key_text.hpp"

namespace fieldwork::scheduler {

std::string assign_key(const AttemptKey& key) { return "assign:" + key_text(key); }
std::string cancel_key(const AttemptKey& key) { return "cancel:" + key_text(key); }
std::string inquire_key(const AttemptKey& key) { return "inquire:" + key_text(key); }

Scheduler::Scheduler(Limits limits, Saved saved, Time now)
    : limits_(limits),
      fleet_(limits, std::move(saved.failures)),
      streams_(std::move(saved.streams)),
      queue_(limits.age_every),
      durations_(std::move(saved.durations)) {
  hears_since_ = now;
  hearing_ = limits_.hear_first > Duration{};
  link_ = false;  // before the first connection to the broker silence means nothing
  for (auto& one : saved.packages) {
    fleet_.released(one.digest, {one.size_bytes, one.name, one.names, one.architecture, one.needs});
    packages_.emplace(one.digest, std::move(one));
  }
  Output said;  // dropped: when the shell connects, it publishes the loaded states itself
  std::set<std::pair<JobId, int>> shown;
  for (const auto& one : saved.shown) shown.emplace(one.job, one.execution);
  for (auto& loaded : saved.jobs) {
    auto& job = jobs_.emplace(loaded.id, std::move(loaded)).first->second;
    job.order = ++order_;
    read_expressions(job);
    job.content = fleet_.content(job.spec->package);
    job.durations = duration_keys(job);
    if (settled(job.state)) {
      settled_jobs_.push_back(job.id);
      continue;
    }
    ++live_;
    // The stored fields of a live job lag behind its executions.
    job.authorised = job.authorised || std::any_of(job.executions.begin(), job.executions.end(),
                                                   [](const auto& execution) { return execution.fence > 0; });
    job.state = live_state_of(job);
    list(job);
    live_executions_ += job.executions.size();
    if (job.spec->deadline_s) timers_.set(deadline_of(job), DeadlineDue{job.id});
    remember_continuous(job);
    for (auto& execution : job.executions) resume(job, execution, shown, now);
    refresh(job, now, said);
  }
  for (const auto& one : saved.placeable) {
    fleet_.update(one.device, [&](DeviceView& view) {
      view.unplaceable_until = from_ms(one.until_ms);
      view.unplaceable_times = one.times;
      view.unplaceable_reason = one.reason;
      view.unplaceable_since_ms = one.since_ms;
    });
    timers_.set(from_ms(one.until_ms), RestOver{one.device});
  }
  for (const auto& one : saved.shown) {
    timers_.set(from_ms(one.until_ms), ShownToTheEnd{one.job, one.execution});
    ++shown_;
  }
}

// An execution of a live job as it was stored: it goes on where it was.
void Scheduler::resume(Job& job, Execution& execution, const std::set<std::pair<JobId, int>>& shown, Time now) {
  job.changed_ms = std::max(job.changed_ms, execution.changed_ms);
  // A settled execution keeps its state topic as long as it has a row in `shown`; these rows are counted below.
  if (settled(execution.state)) {
    execution.shown = shown.contains({job.id, execution.index});
  } else if (execution.shown) {
    ++shown_;
  }
  if (execution.is<Live>()) {
    // Contact counts from now: giving up later than the device is safe, giving up earlier is not.
    execution.phase = Live{.contact = now, .phase_since = now};
    const auto& device = execution.attempt->device;
    reserve(job, device, 1);
    occupy(job, device, 1);
    on_device_[device].insert(execution.attempt->key);
    rearm(job, execution);
  } else if (const auto* waiting = std::get_if<Waiting>(&execution.phase)) {
    set_timer(job, execution, waiting->until);
  } else if (execution.is<Settled>()) {
    if (execution.state == ExecutionState::succeeded && execution.attempt) occupy(job, execution.attempt->device, 1);
  } else {
    enqueue(job, execution, now);
  }
}

void Scheduler::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& fact) { on(fact, now, out); }, input);
}

const Job* Scheduler::find(const JobId& job) const {
  const auto it = jobs_.find(job);
  return it == jobs_.end() ? nullptr : &it->second;
}

std::vector<const Job*> Scheduler::live_in(JobState state, const std::optional<Position>& after,
                                           std::size_t count) const {
  std::vector<const Job*> out;
  const auto places = live_in_.find(state);
  if (places == live_in_.end()) return out;
  const auto& all = places->second;
  for (auto it = after ? all.lower_bound(*after) : all.end(); it != all.begin() && out.size() < count;)
    out.push_back(find((--it)->second));
  return out;
}

Execution* Scheduler::find(const AttemptKey& key, Job*& job) {
  const auto it = jobs_.find(key.job);
  if (it == jobs_.end()) return nullptr;
  job = &it->second;
  if (key.execution < 0 || static_cast<std::size_t>(key.execution) >= job->executions.size()) return nullptr;
  return &job->executions[static_cast<std::size_t>(key.execution)];
}

Stream Scheduler::stream(const DeviceId& device) const {
  const auto it = streams_.find(device);
  return it == streams_.end() ? Stream{} : it->second;
}

Scheduler::Executions Scheduler::shown_of_the_settled() const {
  Executions out;
  timers_.each<ShownToTheEnd>([&](const auto& one) {
    const auto* job = find(one.job);
    if (job == nullptr || job->executions.empty()) out[one.job].insert(one.execution);
  });
  return out;
}

Placement Scheduler::explain(const Job& job, const Execution& execution, Time now) const {
  return scheduler::explain(want_of(job, execution, now), fleet_, limits_);
}

}  // namespace fieldwork::scheduler
