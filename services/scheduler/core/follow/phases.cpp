// The phases of an execution. Only the functions of this file change a phase or a state, so that queue, room, counts,
// timers and the states to publish follow each change.
#include <algorithm>

#include "base/check.hpp"
#include "base/fnv.hpp"
#include "base/timestamp.hpp"
#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

std::size_t at(ExecutionState state) { return static_cast<std::size_t>(state); }

constexpr std::uint32_t spread_steps = 1024;

// 0 to spread_steps - 1, the same for the same try.
std::uint32_t spread_of(const JobId& job, int execution, int times) {
  return fnv1a_32(job.value + ':' + std::to_string(execution) + ':' + std::to_string(times)) % spread_steps;
}

// Whether the newest attempt's row says all about the execution: the attempt lives or succeeded, and nothing else has
// happened to the execution.
bool follows_from_attempt(const Execution& execution) {
  if (!execution.attempt || execution.failures + execution.losses + execution.rounds > 0) return false;
  if (!execution.reason.empty() || !execution.excluded.empty() || !execution.avoid.empty()) return false;
  if (execution.original) return false;
  return execution.is<Live>() ||
         (execution.state == ExecutionState::succeeded && execution.attempt->state == AttemptState::succeeded);
}

}  // namespace

ExecutionState seen_as(AttemptState state) {
  switch (state) {
    case AttemptState::assigned: return ExecutionState::assigned;
    case AttemptState::fetching: return ExecutionState::fetching;
    case AttemptState::running: return ExecutionState::running;
    case AttemptState::unreachable: return ExecutionState::unreachable;
    case AttemptState::succeeded: return ExecutionState::succeeded;
    default: return ExecutionState::queued;
  }
}

void follow_attempt(Execution& execution) {
  const auto& attempt = *execution.attempt;
  execution.fence = attempt.key.fence;
  execution.attempts = attempt.number;
  execution.version = attempt.version;
  execution.shown = attempt.shown;
  execution.changed_ms = attempt.changed_ms;
  execution.state = seen_as(attempt.state);
  if (settled(execution.state)) {
    execution.phase = Settled{};
  } else if (execution.state != ExecutionState::queued) {
    execution.phase = Live{};
  }
}

void Scheduler::touch(const Job& job, const Execution& execution) {
  touched_.emplace(job.id, execution.index);
  touched_jobs_.insert(job.id);
}

void Scheduler::set_state(Job& job, Execution& execution, ExecutionState state, Time now) {
  if (execution.state == state) return;
  FIELDWORK_CHECK(may_follow(execution.state, state));
  --job.counts[at(execution.state)];
  ++job.counts[at(state)];
  execution.state = state;
  ++execution.version;
  execution.changed_ms = to_ms(now);
  touch(job, execution);
}

void Scheduler::set_attempt_state(Job& job, Execution& execution, AttemptState state, Time now) {
  auto& attempt = *execution.attempt;
  if (attempt.state == state) return;
  FIELDWORK_CHECK(may_follow(attempt.state, state));
  attempt.state = state;
  attempt.changed_ms = to_ms(now);
  if (!settled(state)) set_state(job, execution, seen_as(state), now);
  touch(job, execution);
}

// Counts the executions of a job that have the device: two replicas of one job run on two devices.
void Scheduler::occupy(Job& job, const DeviceId& device, int sign) {
  if (device.empty()) return;
  auto& count = job.taken[device];
  count += sign;
  if (count <= 0) job.taken.erase(device);
}

// The room of an attempt or of a proposal: of the device, and of the submitter's share.
void Scheduler::reserve(const Job& job, const DeviceId& device, int sign) {
  const auto& spec = *job.spec;
  fleet_.reserve(device, {spec.requirements, class_of(spec.priority), may_be_preempted(spec), spec.name}, sign);
  auto& given = shares_.given[job.submitter];
  given.add(spec.requirements, sign);
  if (given == Use{}) shares_.given.erase(job.submitter);
}

void Scheduler::enqueue(Job& job, Execution& execution, Time now) {
  if (const auto from = placed_from(job); job.authorised && from > now) {
    execution.phase = Waiting{from};
    execution.reason = "starts at " + timestamp(start_of(job));
    set_state(job, execution, ExecutionState::waiting, now);
    return set_timer(job, execution, from);
  }
  execution.phase = Queued{.since = now};
  // Of a job that is not authorised yet only the first execution enters a lane: its question decides for all.
  if (job.authorised || execution.index == 0) {
    std::get<Queued>(execution.phase).lane = queue_.add(shape_of(job, execution), entry_of(job, execution));
    place_ = true;
  }
  set_state(job, execution, ExecutionState::queued, now);
  set_timer(job, execution, now + seconds(job.spec->timeouts.queued_s));
}

void Scheduler::dequeue(Job& job, Execution& execution) {
  const auto* queued = std::get_if<Queued>(&execution.phase);
  if (queued == nullptr) return;
  if (queued->lane != 0) queue_.remove(queued->lane, entry_of(job, execution));
  std::vector<Fleet::Number> held;
  for (const auto& [number, hold] : holds_) {
    if (hold.job == job.id && hold.execution == execution.index) held.push_back(number);
  }
  for (const auto number : held) pass_on(number);
}

// Waits until the next try: backoff_s * 2^(times - 1) seconds, at most backoff_max, and up to half as much again, so
// that executions which failed together do not come back together.
void Scheduler::back_off(Job& job, Execution& execution, int times, Time now) {
  const auto backoff = seconds(job.spec->retry.backoff_s) * (1 << std::clamp(times - 1, 0, 20));
  const auto most = std::min<Duration>(backoff, backoff_max);
  const auto chance = limits_.backoff_spread * spread_of(job.id, execution.index, times) / spread_steps;
  const auto until = now + most + std::chrono::duration_cast<Duration>(most * chance);
  execution.phase = Waiting{until};
  set_state(job, execution, ExecutionState::waiting, now);
  set_timer(job, execution, until);
}

// Takes the execution out of the queue, or back from its proposal; afterwards nothing is reserved for it.
void Scheduler::withdraw(Job& job, Execution& execution) {
  dequeue(job, execution);
  if (const auto* asking = std::get_if<Asking>(&execution.phase)) {
    asking_.erase({job.id, execution.index});
    place_ = true;
    if (!asking->device.empty()) {
      reserve(job, asking->device, -1);
      occupy(job, asking->device, -1);
      if (const auto* view = fleet_.find(asking->device)) wake_all_of(*view);
    }
  }
  clear_timer(job, execution);
}

// Settles the attempt and gives its room back. What becomes of the execution is the caller's next step.
void Scheduler::settle_attempt(Job& job, Execution& execution, AttemptState state, Time now, Output& out) {
  auto& attempt = *execution.attempt;
  set_attempt_state(job, execution, state, now);
  reserve(job, attempt.device, -1);
  if (const auto there = on_device_.find(attempt.device); there != on_device_.end()) {
    there->second.erase(attempt.key);
    if (there->second.empty()) on_device_.erase(there);
  }
  if (state != AttemptState::succeeded) occupy(job, attempt.device, -1);
  clear_timer(job, execution);
  execution.phase = Settled{};
  out.outbox.emplace_back(CloseCommand{assign_key(attempt.key)});
  out.outbox.emplace_back(CloseCommand{inquire_key(attempt.key)});
  if (is_told_to_end(attempt)) out.outbox.emplace_back(CloseCommand{cancel_key(attempt.key)});
  wake_for_room(attempt.device);
}

// Only lanes that the returned room could serve are tried again.
void Scheduler::wake_for_room(const DeviceId& device) {
  place_ = true;
  if (const auto* view = fleet_.find(device)) {
    const auto& has = view->device.about.capacity;
    queue_.wake(groups_of(*view), [&](const Queue::Shape& shape) {
      const auto& need = shape.need;
      return view->used.cpu_millis + std::min(need.cpu_millis, has.cpu_millis) <= has.cpu_millis &&
             view->used.memory_bytes + std::min(need.memory_bytes, has.memory_bytes) <= has.memory_bytes &&
             view->used.storage_bytes + need.storage_bytes <= has.storage_bytes;
    });
  }
}

void Scheduler::settle(Job& job, Execution& execution, ExecutionState state, const std::string& reason, Time now) {
  withdraw(job, execution);
  execution.phase = Settled{};
  execution.reason = reason;
  execution.original.reset();
  set_state(job, execution, state, now);
  if (reason.empty()) return;
  auto text = execution.attempt ? execution.attempt->device.value + ": " + reason : reason;
  if (std::find(job.reasons.begin(), job.reasons.end(), text) != job.reasons.end()) return;
  job.reasons.insert(job.reasons.begin(), std::move(text));
  if (job.reasons.size() > reasons_max) job.reasons.pop_back();
}

void Scheduler::list(const Job& job) { live_in_[job.state].emplace(job.submitted_ms, job.id); }

void Scheduler::set_state(Job& job, JobState state, Time now) {
  FIELDWORK_CHECK(may_follow(job.state, state));
  live_in_[job.state].erase({job.submitted_ms, job.id});
  job.state = state;
  job.changed_ms = std::max(to_ms(now), job.changed_ms + 1);
  if (!settled(state)) list(job);
}

JobState live_state_of(const Job& job) {
  const auto count = [&](ExecutionState state) { return job.counts[at(state)]; };
  if (count(ExecutionState::running) > 0) return JobState::running;
  if (count(ExecutionState::assigned) + count(ExecutionState::fetching) + count(ExecutionState::unreachable) > 0)
    return JobState::assigned;
  return job.authorised ? JobState::queued : JobState::submitted;
}

// The job's state follows from the states of its executions.
void Scheduler::refresh(Job& job, Time now, Output& out) {
  if (settled(job.state)) return;
  const auto count = [&](ExecutionState state) { return job.counts[at(state)]; };
  const auto all = job.executions.size();
  // Not saved with each attempt: after a restart, too, job.device is taken from the attempt's row.
  if (all > 1) job.device = {};
  if (all == 1 && job.executions.front().attempt) job.device = job.executions.front().attempt->device;
  std::size_t over = 0;
  for (std::size_t i = at(ExecutionState::succeeded); i < job.counts.size(); ++i) over += job.counts[i];
  if (over == all && !is_continuous(*job.spec)) {  // else more devices may join
    const auto needed = successes_needed(job.spec->success, all);
    const auto end = count(ExecutionState::succeeded) >= needed ? JobState::succeeded
                     : count(ExecutionState::denied) == all     ? JobState::denied
                     : count(ExecutionState::expired) == all    ? JobState::expired
                                                                : JobState::failed;
    if (job.reason.empty() && !job.reasons.empty())
      job.reason = job.executions.size() == 1 && job.executions.front().attempt ? job.executions.front().reason
                                                                                : job.reasons.front();
    if (end == JobState::failed && job.spec->success != Success{})
      job.reason = std::to_string(count(ExecutionState::succeeded)) + " of " + std::to_string(all) + " succeeded, " +
                   std::to_string(needed) + " must; the newest reason: " + job.reason;
    return settle(job, end, now, out);
  }
  if (job.spec->success.any && count(ExecutionState::succeeded) > 0)
    return end_job(job, JobState::succeeded, "another execution succeeded", now, out);
  if (over == all) {
    job.reason = no_target_yet;
  } else if (job.reason == no_target_yet) {
    job.reason.clear();
  }
  const auto state = live_state_of(job);
  if (state != job.state) set_state(job, state, now);
  touched_jobs_.insert(job.id);
}

void Scheduler::settle(Job& job, JobState state, Time now, Output& out) {
  set_state(job, state, now);
  continuous_.erase(job.id);
  --live_;
  live_executions_ -= job.executions.size();
  if (state == JobState::succeeded) job.reason.clear();
  if (job.spec->deadline_s) timers_.clear(deadline_of(job), DeadlineDue{job.id});
  touched_jobs_.insert(job.id);
  unsaved_jobs_.insert(job.id);
  answer(job, out);
  settled_jobs_.push_back(job.id);
}

// Saves the newest attempt as it is now.
void Scheduler::save_attempt(Execution& execution, Output& out) {
  auto& attempt = *execution.attempt;
  attempt.version = execution.version;
  attempt.shown = execution.shown;
  out.attempts.push_back(attempt);
  attempt.stored = true;
}

// Puts out each job and execution that changed in this batch: once, as it is now.
void Scheduler::say_changes(Time now, Output& out) {
  for (const auto& [id, index] : touched_) {
    const auto it = jobs_.find(id);
    if (it == jobs_.end()) continue;
    auto& job = it->second;
    auto& execution = job.executions[static_cast<std::size_t>(index)];
    const bool never_left =
        execution.fence == 0 && !settled(execution.state) && execution.excluded.empty() && execution.rounds == 0;
    if (!never_left) {
      if (!job.bulk && !execution.shown && !settled(execution.state) && shown_ < limits_.executions_shown_max) {
        execution.shown = true;
        ++shown_;
      }
      if (execution.attempt) save_attempt(execution, out);
      const bool by_itself = execution.stored || !follows_from_attempt(execution);
      execution.stored = by_itself;
      if (by_itself) out.executions.push_back({job.id, job.spec, job.traceparent, job.bulk, execution});
      if (execution.shown) out.execution_states.push_back({job.id, job.spec, job.traceparent, job.bulk, execution});
    }
    if (execution.shown && settled(execution.state)) {
      const auto until = from_ms(to_ms(now + limits_.shown_after_end));
      if (timers_.set(until, ShownToTheEnd{job.id, index})) out.shown.push_back({job.id, index, to_ms(until), false});
    }
  }
  for (const auto& id : touched_jobs_) {
    const auto it = jobs_.find(id);
    if (it != jobs_.end()) out.job_states.push_back(it->second);
  }
  for (const auto& id : unsaved_jobs_) {
    const auto it = jobs_.find(id);
    if (it == jobs_.end()) continue;
    out.jobs.push_back(it->second);
    it->second.stored = true;
    // Questions about a settled job are answered from the database: the executions of wide jobs must not stay in
    // memory.
    if (settled(it->second.state)) it->second.executions = {};
  }
  out.durations = durations_.changed(durations_saved_max);
  out.failures = fleet_.failures().changed(failures_saved_max);
  say_progress(now, out);
  touched_.clear();
  touched_jobs_.clear();
  unsaved_jobs_.clear();
}

void Scheduler::forget_settled(Time now, Output& out) {
  while (!settled_jobs_.empty()) {
    const auto it = jobs_.find(settled_jobs_.front());
    const bool old = it == jobs_.end() || from_ms(it->second.changed_ms) + limits_.jobs_kept <= now;
    if (!old && settled_jobs_.size() <= limits_.jobs_settled_max) return;
    if (it != jobs_.end()) {
      if (unsaved_jobs_.contains(it->first)) return;  // settled in this batch: the job is saved first
      out.forgotten_jobs.push_back({it->first, it->second.bulk});
      jobs_.erase(it);
    }
    settled_jobs_.pop_front();
  }
}

}  // namespace fieldwork::scheduler
