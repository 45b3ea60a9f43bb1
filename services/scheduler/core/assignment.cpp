// From waiting to assigned: propose a device, ask, assign; and give up what is lost.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {
namespace {
constexpr const char* unasked =
    "?\n";  // lanes of jobs that security-policy has not yet allowed: all of them are asked about
}

void Scheduler::enqueue(Job& job, Execution& execution) {
  execution.phase = Phase::queued;
  execution.lane = (job.authorised ? "" : unasked) + lane_of(job, execution);
  queue_.add(execution.lane, {9 - job.spec.priority, job.order, job.id, execution.index});
  try_again_ = true;
}

void Scheduler::dequeue(Job& job, Execution& execution) {
  queue_.remove(execution.lane, {9 - job.spec.priority, job.order, job.id, execution.index});
}

void Scheduler::reserve(const Job& job, const DeviceId& device, int sign) {
  auto& view = devices_[device];
  if (view.device.id.empty()) view.device.id = device;  // after a restart: its state arrives later
  view.cpu_millis_used += sign * job.spec.requirements.cpu_millis;
  view.memory_bytes_used += sign * job.spec.requirements.memory_bytes;
  view.disk_bytes_used += sign * job.spec.requirements.disk_bytes;
  view.attempts += sign;
  if (sign < 0) try_again_ = true;
}

// Out of the queue, or back from a proposal; nothing is reserved after it.
void Scheduler::withdraw(Job& job, Execution& execution) {
  if (execution.phase == Phase::queued) dequeue(job, execution);
  if (execution.phase == Phase::asking && !execution.proposed.empty()) reserve(job, execution.proposed, -1);
  execution.proposed = DeviceId();
}

// Two replicas of one job want two devices.
std::set<DeviceId> Scheduler::taken_by_siblings(const Job& job, const Execution& execution) {
  std::set<DeviceId> out;
  if (job.executions.size() == 1 || !execution.target.empty()) return out;
  for (const auto& sibling : job.executions) {
    if (sibling.index == execution.index) continue;
    if (sibling.phase == Phase::asking && !sibling.proposed.empty()) out.insert(sibling.proposed);
    const bool counts = sibling.phase == Phase::live || sibling.phase == Phase::done;
    if (counts && sibling.attempt) out.insert(sibling.attempt->device);
  }
  return out;
}

void Scheduler::place_waiting(Time now, Effects& out) {
  forget_finished(out);
  if (!try_again_) return;
  try_again_ = false;
  std::vector<QueueEntry> proposed;
  std::set<Queue::Lane> full;
  Queue::Pass pass(queue_);
  while (const auto entry = pass.next()) {
    auto& job = jobs_.at(entry->job);
    auto& execution = job.executions[static_cast<std::size_t>(entry->execution)];
    auto lane = lane_of(job, execution);
    Placement placement;
    if (!full.contains(lane)) placement = placement_for(job, execution, limits_);
    if (!placement.chosen) {
      full.insert(std::move(lane));
      if (job.authorised) {
        pass.skip();
        continue;
      }
      if (execution.index > 0) continue;  // one question is enough to know whether the job may run at all
    }
    proposed.push_back(*entry);
    execution.placement = std::move(placement);
    execution.proposed = execution.placement.chosen.value_or(DeviceId());
    execution.phase = Phase::asking;
    if (!execution.proposed.empty()) reserve(job, execution.proposed, 1);
    ask(job, execution, now, out);
  }
  for (const auto& entry : proposed) {
    auto& job = jobs_.at(entry.job);
    dequeue(job, job.executions[static_cast<std::size_t>(entry.execution)]);
  }
}

void Scheduler::ask(Job& job, Execution& execution, Time now, Effects& out) {
  const AttemptKey key{job.id, execution.index, execution.fence + 1};
  execution.ask_again = now + limits_.ask_again;
  timeline_.emplace(execution.ask_again, key);
  out.push_back(Ask{{.key = key,
                     .submitter = job.submitter,
                     .command = job.spec.command,
                     .package = job.spec.package,
                     .device = execution.proposed,
                     .limits = job.spec.limits,
                     .traceparent = job.traceparent}});
}

// Security-policy may be waiting for a device that has left us meanwhile.
void Scheduler::ask_again(Job& job, Execution& execution, Time now, Effects& out) {
  if (execution.proposed.empty() || is_ready(execution.proposed)) return ask(job, execution, now, out);
  withdraw(job, execution);
  enqueue(job, execution);
}

bool Scheduler::is_ready(const DeviceId& device) const {
  const auto it = devices_.find(device);
  return it != devices_.end() && it->second.device.state == DeviceState::ready;
}

void Scheduler::on(const DecisionMade& input, Time now, Effects& out) {
  const auto& decision = input.decision;
  Job* job = nullptr;
  Execution* execution = find(decision.key, job);
  // Only the answer to the question that is open: same fence, same device.
  if (execution == nullptr || execution->phase != Phase::asking || decision.key.fence != execution->fence + 1 ||
      decision.device != execution->proposed) {
    return;
  }
  if (!decision.allow) {
    stop(*job, JobState::denied, decision.reason, now, out);
    return;
  }
  if (!job->authorised) {
    job->authorised = true;
    for (auto& sibling : job->executions) {
      if (sibling.phase != Phase::queued) continue;
      dequeue(*job, sibling);
      enqueue(*job, sibling);
    }
  }
  // No device was asked about, or it was given up meanwhile.
  if (!is_ready(execution->proposed)) {
    withdraw(*job, *execution);
    enqueue(*job, *execution);
    refresh(*job, now, out);
    answer(job->id, out);
    return;
  }
  assign(*job, *execution, decision, now, out);
}

void Scheduler::assign(Job& job, Execution& execution, const Decision& decision, Time now, Effects& out) {
  Attempt attempt;
  attempt.key = decision.key;
  attempt.number = execution.attempts + 1;
  attempt.device = execution.proposed;
  attempt.grant = decision.grant;
  attempt.placement = std::move(execution.placement);
  attempt.created_ms = attempt.changed_ms = to_ms(now);
  attempt.lease_until = now + limits_.lease + limits_.lease_grace;
  timeline_.emplace(attempt.lease_until, attempt.key);
  on_device_[attempt.device].insert(attempt.key);

  execution.phase = Phase::live;
  execution.fence = decision.key.fence;
  execution.attempts = attempt.number;
  execution.proposed = DeviceId();
  out.push_back(Order{assign_key(attempt.key), attempt.device,
                      Assign{.key = attempt.key,
                             .attempt = attempt.number,
                             .lease_s = static_cast<int>(std::chrono::duration_cast<seconds>(limits_.lease).count()),
                             .command = job.spec.command,
                             .env = job.spec.env,
                             .limits = job.spec.limits,
                             .package = job.spec.package,
                             .outputs = job.spec.outputs,
                             .grant = decision.grant,
                             .traceparent = job.traceparent}});
  out.push_back(SaveAttempt{attempt.key});
  execution.attempt = std::move(attempt);
  refresh(job, now, out);
  answer(job.id, out);
}

void Scheduler::lose(Job& job, Execution& execution, const std::string& reason, Time now, Effects& out) {
  execution.attempt->reason = reason;
  settle_attempt(job, execution, AttemptState::lost, now, out);
  enqueue(job, execution);
  refresh(job, now, out);
}

void Scheduler::on(const DeviceSeen& input, Time now, Effects& out) {
  auto& view = devices_[input.device.id];
  const bool usable = input.device.state == DeviceState::ready;
  if (usable && view.device.state != DeviceState::ready) try_again_ = true;
  if (view.device.capacity != input.device.capacity || view.device.labels != input.device.labels) try_again_ = true;
  view.device = input.device;
  if (input.device.state != DeviceState::lost && input.device.state != DeviceState::refused) return;
  const auto there = on_device_.find(input.device.id);
  if (there == on_device_.end()) return;
  const auto keys = there->second;
  for (const auto& key : keys) {
    Job* job = nullptr;
    Execution* execution = find(key, job);
    if (execution != nullptr) lose(*job, *execution, "device is " + std::string(name(input.device.state)), now, out);
  }
}

void Scheduler::on(const DeviceReturned& input, Time /*now*/, Effects& out) { out.push_back(Remind{input.device}); }

void Scheduler::on(const PackageSeen& input, Time /*now*/, Effects& /*out*/) { packages_.insert(input.digest); }

void Scheduler::on(const TimePassed& /*input*/, Time now, Effects& out) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto it = jobs_.find(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
    if (it != jobs_.end() && !settled(it->second.state))
      stop(it->second, JobState::expired, "deadline passed", now, out);
  }
  while (!timeline_.empty() && timeline_.begin()->first <= now) {
    const auto key = timeline_.begin()->second;
    timeline_.erase(timeline_.begin());
    Job* job = nullptr;
    Execution* execution = find(key, job);
    if (execution == nullptr) continue;
    if (execution->phase == Phase::live && execution->attempt->key == key) {
      if (execution->attempt->lease_until <= now) {
        lose(*job, *execution, "its lease ran out", now, out);
      } else {
        timeline_.emplace(execution->attempt->lease_until, key);
      }
    } else if (execution->phase == Phase::asking && execution->fence + 1 == key.fence && execution->ask_again <= now) {
      ask_again(*job, *execution, now, out);
    } else if (execution->phase == Phase::waiting && execution->fence == key.fence && execution->retry_at <= now) {
      enqueue(*job, *execution);
    }
  }
}

}  // namespace fieldwork::scheduler
