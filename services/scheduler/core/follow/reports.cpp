// Inputs from devices: reports, in the order of their stream (docs/decisions/0011), and heartbeats.
#include <algorithm>
#include <cmath>

#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// To a device that speaks of an attempt which is not, or no longer, its own. `job`: the attempt's job; null: unknown
// here.
TellStale tell_stale(const DeviceId& device, const AttemptKey& key, const Job* job, const std::string& traceparent) {
  return {device, {key, job != nullptr ? std::string(name(job->state)) : "unknown", traceparent}};
}

// By the kind of its failure: retry_words (model/job.hpp).
bool is_tried_again(const Retry& retry, const Attempt& attempt) {
  if (retry.on.empty()) return true;
  const auto names = [&](const std::string& kind) {
    return std::find(retry.on.begin(), retry.on.end(), kind) != retry.on.end();
  };
  if (attempt.state == AttemptState::timed_out) return names("timed_out");
  const auto* result = attempt.result.get();
  if (result != nullptr && result->signal) return names("signal");
  if (result != nullptr && result->exit_code > 0)
    return names("exit") || names("exit:" + std::to_string(result->exit_code));
  return names("other");
}

}  // namespace

void add_end(Attempt& attempt, const AttemptReport& report) {
  if (report.result) attempt.result = std::make_shared<RunResult>(*report.result);
  if (report.progress) attempt.progress = report.progress;
  attempt.decided = report.decided;
}

// Number and tag say whether device and scheduler speak of the same history. Every message is answered.
void Scheduler::on(const ReportArrived& input, Time now, Output& out) {
  const auto found = streams_.try_emplace(input.device);
  const bool fresh = found.second;
  auto& stream = found.first->second;
  const auto before = stream;
  const auto answer = [&](std::int64_t begin) {
    if (fresh || stream != before) out.streams.push_back({input.device, stream, false});
    out.acknowledgements.push_back({.device = input.device, .stream = stream, .begin = begin});
  };
  const auto begin_anew = [&](const char* why) {
    out.notices.push_back({std::string("a device begins a new report stream: ") + why, input.device, {}});
    answer(stream.epoch + 1);
  };
  if (!fresh && input.epoch < stream.epoch) return begin_anew("its journal is older than what was heard of it");
  if (fresh || input.epoch > stream.epoch) stream = Stream{input.epoch, input.first - 1, 0};
  // With tag 0 the report of this number was never heard: the stream only began behind it. If the device still holds
  // that report, the stream begins there.
  if (stream.tag == 0 && input.first <= stream.seq) stream.seq = input.first - 1;
  if (stream.seq + 1 < input.first) {
    reports_lost_ += static_cast<std::size_t>(input.first - 1 - stream.seq);
    out.notices.push_back({"reports are gone on both sides: " + std::to_string(input.first - 1 - stream.seq) +
                               " (the database is older than the device's journal)",
                           input.device,
                           {}});
    stream = Stream{input.epoch, input.first - 1, 0};
  }
  // Tag 0: the report of this number was never heard, so its tag is not known.
  const auto differs = [&](std::int64_t tag) { return stream.tag != 0 && tag != 0 && tag != stream.tag; };
  if (input.seq == stream.seq + 1 && differs(input.after)) return begin_anew("it was restored from a copy");
  auto seq = input.seq;
  for (const auto& item : input.items) {
    if (seq > stream.seq + 1) break;  // a gap: the device repeats from the acknowledged number on
    if (seq == stream.seq && differs(item.tag)) return begin_anew("it was restored from a copy");
    if (seq == stream.seq + 1) {
      apply(input.device, item.report, input.at, now, out);
      stream.seq = seq;
      stream.tag = item.tag;
    }
    ++seq;
  }
  answer(0);
}

void Scheduler::on(const StreamReset& input, Time /*now*/, Output& out) {
  streams_.erase(input.device);
  out.streams.push_back({input.device, {}, true});
}

void Scheduler::apply(const DeviceId& device, const AttemptReport& report, Time at, Time now, Output& out) {
  Job* job = nullptr;
  Execution* execution = find(report.key, job);
  const bool current = execution != nullptr && execution->is<Live>() && execution->attempt->key == report.key &&
                       execution->attempt->device == device;
  if (!current && (apply_late(device, report, now, out) || original_reports(device, report, now, out))) return;
  if (!current && claim(device, report.key, out)) return;
  if (settled(report.state) && !report.part) out.outbox.emplace_back(CloseCommand{cancel_key(report.key)});
  if (!current) {
    out.outbox.emplace_back(CloseCommand{assign_key(report.key)});
    out.outbox.emplace_back(CloseCommand{inquire_key(report.key)});
    if (!settled(report.state)) out.stale.push_back(tell_stale(device, report.key, job, report.traceparent));
    return;
  }
  auto& attempt = *execution->attempt;
  auto& live = std::get<Live>(execution->phase);
  live.contact = std::max(live.contact, at);
  if (execution->original && execution->original->device == device) {  // its device speaks under the new fence
    execution->original.reset();
    touch(*job, *execution);
  }
  if (report.part) return out.parts.push_back({report.key, *report.part});
  if (attempt.reported == AttemptState::assigned) out.outbox.emplace_back(CloseCommand{assign_key(report.key)});
  if (live.inquired) out.outbox.emplace_back(CloseCommand{inquire_key(report.key)});
  live.inquired = false;
  if (!may_follow(attempt.state, report.state)) return;
  const bool began = report.state == AttemptState::succeeded || report.state == AttemptState::failed ||
                     report.state == AttemptState::timed_out;
  if (began) device_works(device, out);
  if (!settled(report.state)) {
    if (attempt.reported != report.state) live.phase_since = now;
    attempt.reported = report.state;
    if (attempt.reason != report.reason) touch(*job, *execution);
    attempt.reason = report.reason;
    set_attempt_state(*job, *execution, report.state, now);
    rearm(*job, *execution);
    return refresh(*job, now, out);
  }
  ended(*job, *execution, report, now, out);
}

// The device has settled the live attempt.
void Scheduler::ended(Job& job, Execution& execution, const AttemptReport& report, Time now, Output& out) {
  auto& attempt = *execution.attempt;
  attempt.reported = report.state;
  if (report.state == AttemptState::rejected)
    return refused(job, execution, report.reason, !report.work_fault, now, out);
  if (report.state == AttemptState::lost) {
    attempt.decided = report.decided;
    return lose(job, execution, report.reason.empty() ? "the device does not know it" : report.reason, now, out);
  }
  const bool was_told = is_told_to_end(attempt) && report.state == AttemptState::cancelled;
  attempt.reason = report.reason;
  add_end(attempt, report);
  if (was_told) {
    attempt.reason = attempt.preempted_by.empty()
                         ? "left its device: " + attempt.moves
                         : "made room for job " + attempt.preempted_by.value + ", which has a higher priority";
    if (attempt.progress && attempt.progress->fraction)
      attempt.reason += "; it was at " + std::to_string(std::lround(*attempt.progress->fraction * 100)) + " %";
    settle_attempt(job, execution, report.state, now, out);
    return back_in_queue(job, execution, now, out);
  }
  // After a silence nobody knows how long it took.
  const auto began_at = std::max(from_ms(attempt.created_ms), start_of(job));  // it may have been staged
  if (report.state == AttemptState::succeeded && attempt.state != AttemptState::unreachable && !attempt.went_on &&
      from_ms(attempt.created_ms) >= hears_since_)
    durations_.add(job.durations, now - began_at, used_by(attempt.device, report, now - began_at));
  settle_attempt(job, execution, report.state, now, out);
  attempt_ended(job, execution, report.state, now, out);
}

// In the mean from assignment to end. No more than its device has: a device may say anything.
std::optional<Demand> Scheduler::used_by(const DeviceId& device, const AttemptReport& report, Duration took) const {
  const auto* view = fleet_.find(device);
  const auto ms = std::chrono::duration_cast<milliseconds>(took).count();
  if (!report.result || !report.result->use || view == nullptr || ms <= 0) return std::nullopt;
  const auto& use = *report.result->use;
  const auto& has = view->device.about.capacity;
  const auto cpu = 1000 * static_cast<double>(use.cpu_ms) / static_cast<double>(ms);
  return Demand{static_cast<std::int64_t>(std::min(cpu, static_cast<double>(has.cpu_millis))),
                std::min(use.memory_peak_bytes, has.memory_bytes)};
}

// A fence that is greater than the execution's newest is one that this memory gave out and forgot
// (docs/decisions/0011). A claim proves nothing: so the execution is proposed to that device first, in the regular way
// with a grant, and the device then says what became of the attempt. True: the attempt is such a one.
bool Scheduler::claim(const DeviceId& device, const AttemptKey& key, Output& out) {
  Job* job = nullptr;
  Execution* execution = find(key, job);
  if (execution == nullptr || settled(execution->state) || execution->is<Live>() || key.fence <= execution->fence)
    return false;
  if (!execution->target.empty() && execution->target != device) return false;
  if (execution->claimed == device) return true;
  execution->claimed = device;
  out.notices.push_back({"a device has an attempt that is forgotten here (the database went back)", device, key.job});
  return true;
}

// Remembers where an execution of a job ended that is not in memory. If the job is submitted again, that device is
// asked first and tells the result, instead of another run.
void Scheduler::remember_ended(const DeviceId& device, const AttemptKey& key) {
  if (jobs_.contains(key.job)) return;
  const auto which = std::pair(key.job, key.execution);
  if (ended_there_.size() >= limits_.ended_there_max && !ended_there_.contains(which)) return;
  auto& known = ended_there_[which];
  if (key.fence > known.second) known = {device, key.fence};
}

// Takes a report of an attempt that is not live here. True: the report was taken.
bool Scheduler::apply_late(const DeviceId& device, const AttemptReport& report, Time now, Output& out) {
  if (const auto it = cancelled_.find(report.key); it != cancelled_.end() && it->second.attempt.device == device) {
    if (report.part) return out.parts.push_back({report.key, *report.part}), true;
    if (!settled(report.state)) return true;  // the outbox still repeats the cancel command
    out.outbox.emplace_back(CloseCommand{cancel_key(report.key)});
    out.outbox.emplace_back(CloseCommand{assign_key(report.key)});
    auto& of = it->second.attempt;
    add_end(of, report);
    of.reported = report.state;
    Job* job = nullptr;
    // An attempt that was cancelled in this batch is still to be saved: its row takes the result.
    Execution* execution = find(report.key, job);
    if (execution != nullptr && execution->attempt && execution->attempt->key == report.key) {
      execution->attempt->result = of.result;
      execution->attempt->progress = of.progress;
      execution->attempt->decided = of.decided;
      execution->attempt->reported = of.reported;
      touch(*job, *execution);
    } else {
      out.attempts.push_back(of);
      if (auto& shown = it->second.shown;
          shown && from_ms(shown->execution.changed_ms) + limits_.shown_after_end > now) {
        shown->execution.attempt = of;
        ++shown->execution.version;
        out.executions.push_back(*shown);
        out.execution_states.push_back(*shown);
      }
    }
    give_room_back(device, report.key);
    timers_.clear(it->second.until, CancelOver{report.key});
    cancelled_.erase(it);
    return true;
  }
  Job* job = nullptr;
  Execution* execution = find(report.key, job);
  const bool given_up = execution != nullptr && !execution->is<Settled>() && !execution->is<Live>() &&
                        execution->attempt && execution->attempt->key == report.key &&
                        execution->attempt->device == device && execution->attempt->state == AttemptState::lost;
  if (!given_up) return false;
  if (report.part) return out.parts.push_back({report.key, *report.part}), true;
  if (report.state != AttemptState::succeeded) return false;
  // The device was silent, not dead, and no other attempt has begun: this success counts like any other.
  auto& attempt = *execution->attempt;
  attempt.state = AttemptState::succeeded;
  occupy(*job, device, 1);
  attempt.reason = report.reason;
  add_end(attempt, report);
  attempt.changed_ms = to_ms(now);
  for (const auto& key : {assign_key(report.key), inquire_key(report.key)}) out.outbox.emplace_back(CloseCommand{key});
  attempt_ended(*job, *execution, AttemptState::succeeded, now, out);
  return true;
}

// It made room for another job, or left its device: neither its failure nor a loss. It goes back to its place in the
// queue.
void Scheduler::back_in_queue(Job& job, Execution& execution, Time now, Output& out) {
  execution.reason = execution.attempt->reason;
  if (!execution.attempt->preempted_by.empty()) ++execution.preempted;
  enqueue(job, execution, now);
  refresh(job, now, out);
}

// Settles the execution, or lets it wait out its backoff before the next try.
void Scheduler::attempt_ended(Job& job, Execution& execution, AttemptState state, Time now, Output& out) {
  const auto& attempt = *execution.attempt;
  if (state != AttemptState::cancelled)
    fleet_.failures().add(job.durations[0], attempt.device, state != AttemptState::succeeded);
  if (state == AttemptState::succeeded) {
    fleet_.ran(attempt.device, attempt.package.empty() ? job.spec->package : attempt.package);
    settle(job, execution, ExecutionState::succeeded, "", now);
  } else {
    execution.avoid.insert(attempt.device);
    ++execution.failures;
    const bool again = is_tried_again(job.spec->retry, attempt);
    if (again && execution.failures < job.spec->retry.attempts_max) {
      execution.reason = attempt.reason;
      back_off(job, execution, execution.failures, now);
    } else {
      const auto end = state == AttemptState::cancelled   ? ExecutionState::cancelled
                       : state == AttemptState::timed_out ? ExecutionState::timed_out
                                                          : ExecutionState::failed;
      settle(job, execution, end, attempt.reason + (again ? "" : "; retry/on does not name this failure"), now);
    }
  }
  refresh(job, now, out);
}

void Scheduler::lose(Job& job, Execution& execution, const std::string& reason, Time now, Output& out) {
  const auto device = execution.attempt->device;
  execution.attempt->reason = reason;
  out.moved.push_back({Moved::What::lost, execution.attempt->key, device, {}, reason});
  settle_attempt(job, execution, AttemptState::lost, now, out);
  ++execution.losses;
  execution.avoid.insert(device);
  execution.reason = reason;
  if (!contract(job, execution).replace) {
    settle(job, execution, ExecutionState::lost, reason, now);
    return refresh(job, now, out);
  }
  if (execution.losses >= job.spec->retry.lost_max) {
    std::string devices;
    for (const auto& one : execution.avoid) {
      if (devices.size() > lost_devices_bytes_max) break;
      devices += (devices.empty() ? "" : ", ") + one.value;
    }
    const auto text = std::to_string(execution.losses) + " attempts were lost (" + devices +
                      "): it may be what takes its devices down; the last: " + reason;
    // The work of one device among many: it may be the device.
    const bool alone = execution.target.empty() || job.executions.size() == 1;
    out.notices.push_back({std::string(alone ? "a job" : "an execution") + " is quarantined: " + text, device, job.id});
    if (!alone) {
      settle(job, execution, ExecutionState::quarantined, text, now);
      return refresh(job, now, out);
    }
    return end_job(job, JobState::quarantined, text, now, out);
  }
  back_off(job, execution, execution.losses, now);
  refresh(job, now, out);
}

void Scheduler::on(const HeartbeatArrived& input, Time now, Output& out) {
  if (input.ended) {
    heard(input.device);
    for (const auto& key : *input.ended) {
      if (!claim(input.device, key, out)) remember_ended(input.device, key);
    }
  }
  const auto there = on_device_.find(input.device);
  bool confirm = false, undecided = false;
  std::size_t own = 0, stale = 0;
  for (const auto& key : input.attempts) {
    Job* job = nullptr;
    Execution* execution = find(key, job);
    if (there == on_device_.end() || !there->second.contains(key)) {
      if (cancelled_.contains(key) || claim(input.device, key, out)) continue;
      if (returned(input.device, key, now, out)) {
        undecided = true;
        continue;
      }
      // At most stale_max at once: the device's next heartbeats, without these, bring the others.
      if (++stale <= limits_.stale_max)
        out.stale.push_back(tell_stale(input.device, key, job, job != nullptr ? job->traceparent : ""));
      continue;
    }
    ++own;
    auto& live = std::get<Live>(execution->phase);
    live.contact = std::max(live.contact, input.at);
    if (live.inquired) out.outbox.emplace_back(CloseCommand{inquire_key(key)});
    live.inquired = false;
    confirm = confirm || job->spec->offline.stop_after_s.has_value();
    if (execution->attempt->state != AttemptState::unreachable) continue;
    execution->attempt->reason.clear();
    set_attempt_state(*job, *execution, execution->attempt->reported, now);
    rearm(*job, *execution);
    refresh(*job, now, out);
  }
  // A confirmed heartbeat lets attempts with stop_after_s begin. So a heartbeat is not confirmed while it lists an
  // attempt that is another device's by now, or may be, and that this device was not told of.
  if (confirm && !undecided && stale <= limits_.stale_max && input.beat > 0) {
    out.acknowledgements.push_back({.device = input.device, .stream = stream(input.device), .beat = input.beat});
  }
  if (there != on_device_.end() && there->second.size() != own) ask_for_missing(input, there->second, out);
}

// The device is in contact, but does not list an attempt that it had: what became of the attempt?
void Scheduler::ask_for_missing(const HeartbeatArrived& input, const std::set<AttemptKey>& keys, Output& out) {
  auto listed = input.attempts;
  std::sort(listed.begin(), listed.end());
  for (const auto& key : keys) {
    if (std::binary_search(listed.begin(), listed.end(), key)) continue;
    Job* job = nullptr;
    Execution* execution = find(key, job);
    if (execution == nullptr) continue;
    auto& live = std::get<Live>(execution->phase);
    const bool had_it = execution->attempt->reported != AttemptState::assigned;
    // A heartbeat with `ended` says all that the device has: no report of this attempt is on its way any more.
    const bool soon = !input.ended && input.at - live.contact < limits_.inquire_after;
    if (!had_it || live.inquired || soon) continue;
    live.inquired = true;
    out.outbox.emplace_back(PutCommand{.key = inquire_key(key),
                                       .device = input.device,
                                       .command = Inquire{key, job->traceparent},
                                       .life = command_life_max});
  }
}

}  // namespace fieldwork::scheduler
