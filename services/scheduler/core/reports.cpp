// What devices say: reports in their stream's order, heartbeats that renew leases.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr std::size_t packages_per_device_max = 64;
constexpr Duration backoff_max = seconds(300);

// To a device that speaks of an attempt which is not, or no more, its own. `job`: its job, null when there is none.
TellStale tell_stale(const DeviceId& device, const AttemptKey& key, const Job* job, const std::string& traceparent) {
  return {device, {key, job != nullptr ? std::string(name(job->state)) : "unknown", traceparent}};
}

}  // namespace

void Scheduler::on(const ReportArrived& input, Time now, Effects& out) {
  auto& stream = streams_[input.device];
  if (input.epoch < stream.epoch) return;  // of a journal that is no more
  if (input.epoch > stream.epoch) stream = Stream{input.epoch, 0};
  bool moved = false;
  std::int64_t seq = input.seq;
  for (const auto& item : input.items) {
    if (seq > stream.seq + 1) break;  // a gap: the device repeats from what is acknowledged
    if (seq == stream.seq + 1) {
      apply(input.device, item, now, out);
      stream.seq = seq;
      moved = true;
    }
    ++seq;
  }
  if (moved) out.push_back(SaveStream{input.device});
  out.push_back(Acknowledge{input.device, stream});
}

void Scheduler::apply(const DeviceId& device, const AttemptReport& report, Time now, Effects& out) {
  if (settled(report.state)) out.push_back(Settle{cancel_key(report.key)});
  Job* job = nullptr;
  Execution* execution = find(report.key, job);
  const bool current = execution != nullptr && execution->phase == Phase::live &&
                       execution->attempt->key == report.key && execution->attempt->device == device;
  if (!current) {
    out.push_back(Settle{assign_key(report.key)});
    if (!settled(report.state)) out.push_back(tell_stale(device, report.key, job, report.traceparent));
    return;
  }
  auto& attempt = *execution->attempt;
  if (attempt.state == AttemptState::assigned) out.push_back(Settle{assign_key(report.key)});
  if (!may_follow(attempt.state, report.state)) return;
  attempt.lease_until = now + limits_.lease + limits_.lease_grace;
  attempt.reason = report.reason;
  if (settled(report.state)) {
    attempt.result = report.result;
    settle_attempt(*job, *execution, report.state, now, out);
    conclude(*job, *execution, now, out);
    return;
  }
  if (attempt.state == report.state) return;
  attempt.state = report.state;
  attempt.changed_ms = to_ms(now);
  out.push_back(SaveAttempt{attempt.key});
  refresh(*job, now, out);
}

// The attempt is over: its device is free of it. Whether the execution is, the caller says.
void Scheduler::settle_attempt(Job& job, Execution& execution, AttemptState state, Time now, Effects& out) {
  auto& attempt = *execution.attempt;
  attempt.state = state;
  attempt.changed_ms = to_ms(now);
  reserve(job, attempt.device, -1);
  on_device_[attempt.device].erase(attempt.key);
  execution.phase = Phase::done;
  out.push_back(Settle{assign_key(attempt.key)});
  out.push_back(SaveAttempt{attempt.key});
}

// Done, or tried again after backoff_s * 2^(failures - 1).
void Scheduler::conclude(Job& job, Execution& execution, Time now, Effects& out) {
  const auto& attempt = *execution.attempt;
  if (attempt.state == AttemptState::succeeded) {
    auto& packages = devices_[attempt.device].packages;
    if (!job.spec.package.empty() && std::find(packages.begin(), packages.end(), job.spec.package) == packages.end()) {
      packages.push_back(job.spec.package);
      if (packages.size() > packages_per_device_max) packages.erase(packages.begin());
    }
  } else {
    ++execution.failures;
    if (execution.failures < job.spec.retry.attempts_max) {
      execution.phase = Phase::waiting;
      const auto backoff = seconds(job.spec.retry.backoff_s) * (1 << std::min(execution.failures - 1, 20));
      execution.retry_at = now + std::min<Duration>(backoff, backoff_max);
      timeline_.emplace(execution.retry_at, attempt.key);
    }
  }
  refresh(job, now, out);
}

void Scheduler::on(const HeartbeatArrived& input, Time now, Effects& out) {
  const auto there = on_device_.find(input.device);
  for (const auto& key : input.attempts) {
    if (there != on_device_.end() && there->second.contains(key)) {
      Job* job = nullptr;
      if (auto* execution = find(key, job)) execution->attempt->lease_until = now + limits_.lease + limits_.lease_grace;
      continue;
    }
    Job* job = nullptr;
    (void)find(key, job);
    out.push_back(tell_stale(input.device, key, job, job != nullptr ? job->traceparent : ""));
  }
}

}  // namespace fieldwork::scheduler
