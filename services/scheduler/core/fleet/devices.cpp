// Inputs from the registry and the transfer service, and which devices take work.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {

void Scheduler::on(const DeviceSeen& input, Time now, Output& out) {
  const auto& id = input.device.id;
  const auto* known = fleet_.find(id);
  const auto measured = known != nullptr ? measures_of(known->device) : Measures{};
  const auto before = known != nullptr && queue_.has_expressions() ? std::optional(known->device) : std::nullopt;
  const bool came = known == nullptr;
  const bool changed = fleet_.seen(input.device) || came;
  // What it measures is news where a requirement begins to be met, or an expression to match.
  const auto measures = measures_of(input.device);
  const bool crossed = queue_.thresholds().crossed(measured, measures);
  const auto fits = [&](const Queue::Shape& shape) {
    return changed || (crossed && meets(shape.need, measures) && !meets(shape.need, measured)) ||
           (shape.where && before && fleet::matches(*shape.where, input.device) &&
            !fleet::matches(*shape.where, *before));
  };
  if (changed || crossed || before) place_ = queue_.wake(groups_of(*fleet_.find(id)), fits) || changed || place_;
  ask_what_it_has(input.device, out);
  join(input.device, now, out);
  const bool gone = barred(input.device.lifecycle);
  if (gone) end_rounds_without(id);
  const auto there = on_device_.find(id);
  if (there == on_device_.end()) return;
  // The attempts of a refused device are given to other devices; those of a silent device wait for their contract.
  if (gone) {
    const auto is = "the device is " + std::string(name(input.device.lifecycle));
    return lose_all(id, input.device.reason.empty() ? is : is + ": " + input.device.reason, now, out);
  }
  if (input.device.presence == Presence::online) return look_at_health(id, now, out);
  if (input.device.presence == Presence::starting) return;
  for (const auto& key : there->second) {
    Job* job = nullptr;
    Execution* execution = find(key, job);
    if (execution == nullptr || execution->attempt->state == AttemptState::unreachable) continue;
    execution->attempt->reason = "the device is " + std::string(name(input.device.presence));
    set_attempt_state(*job, *execution, AttemptState::unreachable, now);
    refresh(*job, now, out);
  }
}

void Scheduler::on(const DeviceGone& input, Time now, Output& out) {
  lose_all(input.device, "the device was removed", now, out);
  if (const auto number = fleet_.number_of(input.device)) stop_holding(*number);
  end_rounds_without(input.device);
  fleet_.gone(input.device);
}

// The device takes no work any more. Executions that every other device refused waited for this one: they are tried
// again, so that their round ends.
void Scheduler::end_rounds_without(const DeviceId& device) {
  const auto* view = fleet_.find(device);
  if (view == nullptr) return;
  wake_all_of(*view);
  place_ = true;
}

void Scheduler::lose_all(const DeviceId& device, const std::string& reason, Time now, Output& out) {
  const auto there = on_device_.find(device);
  if (there == on_device_.end()) return;
  const auto keys = there->second;
  for (const auto& key : keys) {
    Job* job = nullptr;
    if (Execution* execution = find(key, job)) lose(*job, *execution, reason, now, out);
  }
}

void Scheduler::on(const DeviceReturned& input, Time /*now*/, Output& out) {
  out.outbox.emplace_back(HastenCommands{input.device});
  if (const auto* view = fleet_.find(input.device)) ask_what_it_has(view->device, out);
}

// This memory may be older than the devices' journals: after a database was restored, or failed over with loss. So the
// device is asked for a heartbeat at once. By that heartbeat the device claims the attempts that this memory forgot,
// before their executions are given to another device.
void Scheduler::ask_what_it_has(const Device& device, Output& out) {
  if (!hearing_ || heard_.contains(device.id)) return;
  if (!trusted(device.lifecycle) || device.presence != Presence::online) {
    unheard_.erase(device.id);
    return;
  }
  unheard_.insert(device.id);
  out.acknowledgements.push_back({.device = device.id, .stream = stream(device.id), .ask = true});
}

void Scheduler::heard(const DeviceId& device) {
  if (!hearing_) return;  // an answer that came after the hearing had ended
  heard_.insert(device);
  unheard_.erase(device);
}

bool Scheduler::hears_first(Time now) {
  if (!hearing_) return false;
  if (!hearing_since_) return true;
  const auto passed = now - *hearing_since_;
  if (passed < limits_.hear_least || (!unheard_.empty() && passed < limits_.hear_first)) return true;
  hearing_ = false;
  heard_.clear();
  unheard_.clear();
  return false;
}

bool Scheduler::knows(const PackageSeen& package) const {
  const auto it = packages_.find(package.digest);
  return it != packages_.end() && it->second == package;
}

void Scheduler::on(const PackageSeen& input, Time /*now*/, Output& /*out*/) {
  if (knows(input)) return;
  packages_.insert_or_assign(input.digest, input);
  if (fleet_.released(input.digest, {input.size_bytes, input.name, input.names, input.architecture, input.needs}))
    wake_for(input);
}

void Scheduler::on(const PackageGone& input, Time /*now*/, Output& /*out*/) {
  packages_.erase(input.digest);
  fleet_.removed(input.digest);
  package_gone_ = true;
}

// Jobs point to what is known of their packages. So there are never more removed ones than jobs.
void Scheduler::forget_contents() {
  if (!std::exchange(package_gone_, false)) return;
  std::set<const Content*> named;
  for (const auto& [id, job] : jobs_) {
    if (job.content != nullptr && job.content->removed) named.insert(job.content);
  }
  fleet_.forget_removed(named);
}

// Jobs of packages with these names may fit on devices now for which there was no variant.
void Scheduler::wake_for(const PackageSeen& input) {
  const auto shares = [&](const Content& content) {
    return std::any_of(content.names.begin(), content.names.end(), [&](const auto& name) {
      return std::find(input.names.begin(), input.names.end(), name) != input.names.end();
    });
  };
  for (const auto& [id, job] : jobs_) {
    if (job.content == nullptr || !shares(*job.content)) continue;
    for (const auto& execution : job.executions) {
      const auto* queued = std::get_if<Queued>(&execution.phase);
      if (queued == nullptr || queued->lane == 0) continue;
      queue_.wake(queued->lane);
      place_ = true;
    }
  }
}

// The device did not begin: this is not the job's failure. Another device is asked.
void Scheduler::refused(Job& job, Execution& execution, const std::string& reason, bool device_fault, Time now,
                        Output& out) {
  const auto device = execution.attempt->device;
  // Its connection is metered, and the package is not there any more: that is nobody's fault.
  if (reason == metered_reason) {
    device_fault = false;
    const auto& variant = execution.attempt->package;
    fleet_.evicted(device, variant.empty() ? job.spec->package : variant);
  }
  execution.attempt->reason = reason;
  settle_attempt(job, execution, AttemptState::rejected, now, out);
  execution.reason = reason;
  // A device that was drained or deactivated while the assignment was on its way is not to blame, and may come back.
  const auto* view = fleet_.find(device);
  const bool put_aside = device_fault && view != nullptr && view->device.lifecycle != Lifecycle::active;
  if (!put_aside) execution.excluded[device] = {false, reason};
  if (device_fault && !put_aside) device_refused(device, job.id, reason, now, out);
  enqueue(job, execution, now);
  refresh(job, now, out);
}

// After refusals_max refusals of different jobs in a row the device gets no work for a while: it would refuse
// executions that other devices can run.
void Scheduler::device_refused(const DeviceId& device, const JobId& job, const std::string& reason, Time now,
                               Output& out) {
  fleet_.update(device, [&](DeviceView& view) {
    const auto most = static_cast<std::size_t>(limits_.refusals_max);
    if (view.refused_jobs.size() < most) view.refused_jobs.insert(job);
    if (view.refused_jobs.size() < most) return;
    if (view.unplaceable_until > now) return;  // assigned before the device became unplaceable: the same fault
    const auto wait = std::min<Duration>(limits_.unplaceable_first * (1 << std::min(view.unplaceable_times, 20)),
                                         limits_.unplaceable_last);
    if (view.unplaceable_times == 0) view.unplaceable_since_ms = to_ms(now);
    ++view.unplaceable_times;
    view.unplaceable_until = now + wait;
    timers_.set(view.unplaceable_until, RestOver{device});
    view.unplaceable_reason = "refused " + std::to_string(most) + " jobs in a row, the last because of " + reason;
    out.placeable.push_back({device, false, view.unplaceable_reason, view.unplaceable_times, view.unplaceable_since_ms,
                             to_ms(view.unplaceable_until)});
  });
}

void Scheduler::device_works(const DeviceId& device, Output& out) {
  const auto* view = fleet_.find(device);
  if (view == nullptr || (view->refused_jobs.empty() && view->unplaceable_times == 0)) return;
  if (view->unplaceable_times > 0) out.placeable.push_back({.device = device});
  fleet_.update(device, [](DeviceView& change) {
    change.refused_jobs.clear();
    change.unplaceable_times = 0;
    change.unplaceable_until = {};
    change.unplaceable_reason.clear();
  });
}

}  // namespace fieldwork::scheduler
