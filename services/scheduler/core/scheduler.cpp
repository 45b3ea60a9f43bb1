#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {

std::string assign_key(const AttemptKey& key) {
  return "assign:" + key.job.value + ":" + std::to_string(key.execution) + ":" + std::to_string(key.fence);
}

std::string cancel_key(const AttemptKey& key) {
  return "cancel:" + key.job.value + ":" + std::to_string(key.execution) + ":" + std::to_string(key.fence);
}

Scheduler::Scheduler(Limits limits, Saved saved, Time now)
    : limits_(limits), streams_(std::move(saved.streams)), packages_(saved.packages.begin(), saved.packages.end()) {
  for (auto& loaded : saved.jobs) {
    auto& job = jobs_.emplace(loaded.id, std::move(loaded)).first->second;
    job.order = ++order_;
    if (settled(job.state)) {
      finished_.push_back(job.id);
      continue;
    }
    ++live_;
    if (job.spec.deadline_s) deadlines_.emplace(from_ms(job.submitted_ms) + seconds(*job.spec.deadline_s), job.id);
    for (auto& execution : job.executions) {
      if (execution.phase == Phase::live) {
        // Counted from now: giving up later than the device does is safe, earlier is not.
        execution.attempt->lease_until = now + limits_.lease + limits_.lease_grace;
        timeline_.emplace(execution.attempt->lease_until, execution.attempt->key);
        reserve(job, execution.attempt->device, 1);
        on_device_[execution.attempt->device].insert(execution.attempt->key);
      } else if (execution.phase != Phase::done) {
        enqueue(job, execution);
      }
    }
  }
  finished_saved_ = finished_.size();
}

void Scheduler::step(const Input& input, Time now, Effects& out) {
  std::visit([&](const auto& fact) { on(fact, now, out); }, input);
}

const Job* Scheduler::find(const JobId& job) const {
  const auto it = jobs_.find(job);
  return it == jobs_.end() ? nullptr : &it->second;
}

Execution* Scheduler::find(const AttemptKey& key, Job*& job) {
  const auto it = jobs_.find(key.job);
  if (it == jobs_.end() || static_cast<std::size_t>(key.execution) >= it->second.executions.size()) return nullptr;
  job = &it->second;
  return &it->second.executions[static_cast<std::size_t>(key.execution)];
}

Stream Scheduler::stream(const DeviceId& device) const {
  const auto it = streams_.find(device);
  return it == streams_.end() ? Stream{} : it->second;
}

Placement Scheduler::placement_for(const Job& job, const Execution& execution, const Limits& limits) const {
  const auto avoid = execution.failures > 0 && execution.attempt ? execution.attempt->device : DeviceId();
  return place(job.spec, execution.target, avoid, taken_by_siblings(job, execution), devices_, limits);
}

Placement Scheduler::explain(const Job& job, const Execution& execution) const {
  auto limits = limits_;
  limits.explained_max = 1000;
  return placement_for(job, execution, limits);
}

// The job's state follows from its executions; JobChanged is said whenever one of them moved.
void Scheduler::refresh(Job& job, Time now, Effects& out) {
  if (settled(job.state)) return;
  bool all_done = true;
  bool all_good = true;
  bool running = false;
  bool assigned = false;
  for (const auto& execution : job.executions) {
    all_done = all_done && execution.phase == Phase::done;
    const bool good = execution.attempt && execution.attempt->state == AttemptState::succeeded;
    all_good = all_good && good;
    if (execution.phase != Phase::live) continue;
    assigned = true;
    running = running || execution.attempt->state == AttemptState::running;
  }
  if (all_done) {
    for (const auto& execution : job.executions) {
      if (execution.attempt && execution.attempt->state != AttemptState::succeeded && job.reason.empty()) {
        job.reason = execution.attempt->reason;
      }
    }
    finish(job, all_good ? JobState::succeeded : JobState::failed, now, out);
    return;
  }
  job.state = running          ? JobState::running
              : assigned       ? JobState::assigned
              : job.authorised ? JobState::queued
                               : JobState::submitted;
  job.changed_ms = to_ms(now);
  out.push_back(JobChanged{job.id});
}

void Scheduler::finish(Job& job, JobState state, Time now, Effects& out) {
  job.state = state;
  job.changed_ms = to_ms(now);
  --live_;
  if (state == JobState::succeeded) job.reason.clear();
  out.push_back(SaveJob{job.id});
  out.push_back(JobChanged{job.id});
  answer(job.id, out);
  finished_.push_back(job.id);
}

// At the end of a batch, so that a job that was there when it began stays until then. Never one that this batch
// finished: the shell is yet to write it.
void Scheduler::forget_finished(Effects& out) {
  for (; finished_.size() > limits_.jobs_finished_max && finished_saved_ > 0; --finished_saved_) {
    const auto it = jobs_.find(finished_.front());
    if (it != jobs_.end()) {
      out.push_back(ForgetJob{it->first, it->second.bulk});
      jobs_.erase(it);
    }
    finished_.pop_front();
  }
  finished_saved_ = finished_.size();
}

}  // namespace fieldwork::scheduler
