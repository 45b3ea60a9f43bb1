#include "agent/core/agent.hpp"

#include <algorithm>
#include <utility>

namespace fieldwork::agent {
namespace {

constexpr const char* deactivated = "this device was deactivated";
constexpr const char* no_more_wanted = "another attempt has its place, or the scheduler does not know its job";

// How an attempt settles that was killed here on purpose, whatever its program said in the end.
std::optional<AttemptReport> ended_here(const Attempt& attempt) {
  if (attempt.cancelled) return AttemptReport{.state = AttemptState::cancelled, .reason = "cancelled on request"};
  if (attempt.stale) return AttemptReport{.state = AttemptState::lost, .reason = no_more_wanted};
  if (attempt.deactivated) return AttemptReport{.state = AttemptState::lost, .reason = deactivated};
  if (!attempt.stopped) return std::nullopt;
  return AttemptReport{.state = AttemptState::lost,
                       .reason = "its contract stopped it: no contact for " +
                                 std::to_string(attempt.assign.contract.stop_after_s.value_or(0)) + " s"};
}

}  // namespace

Agent::Agent(Limits limits, DeviceId device, Saved saved, Time now)
    : limits_(limits),
      device_(std::move(device)),
      session_(saved.session),
      attempts_(std::move(saved.attempts)),
      reports_(limits.reports, std::move(saved.stream), now),
      enrol_due_(now),
      heartbeat_due_(now),
      // Other numbers than in other sessions: a late confirmation of an older session's heartbeat must confirm none of
      // these.
      configuration_(std::move(saved.configuration)),
      beat_((session_ & 0xFFFFF) << 32),
      contact_(now),
      away_since_(now) {
  std::vector<std::pair<std::int64_t, AttemptKey>> ended;
  for (auto& [key, attempt] : attempts_) {
    order_ = std::max(order_, attempt.order);
    attempt.came = attempt.since = now;
    attempt.staged = attempt.waited = false;
    attempt.progress.reset();
    if (attempt.phase == Phase::settled) {
      ended.emplace_back(attempt.order, key);
    } else {
      live_.insert(key);
    }
  }
  std::sort(ended.begin(), ended.end());
  for (auto& [order, key] : ended) settled_.push_back(std::move(key));
}

void Agent::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& fact) { on(fact, now, out); }, input);
  const bool somebody_spoke =
      std::holds_alternative<EnrolAnswered>(input) || std::holds_alternative<AssignArrived>(input) ||
      std::holds_alternative<CancelArrived>(input) || std::holds_alternative<InquireArrived>(input) ||
      std::holds_alternative<StaleArrived>(input) || std::holds_alternative<TailArrived>(input) ||
      std::holds_alternative<AckArrived>(input);
  if (somebody_spoke) reports_.heard(now);
}

const Attempt* Agent::find(const AttemptKey& key) const {
  const auto it = attempts_.find(key);
  return it == attempts_.end() ? nullptr : &it->second;
}

std::vector<AttemptKey> Agent::live() const {
  std::vector<AttemptKey> out;
  for (const auto& key : live_) {
    if (!attempts_.at(key).stale) out.push_back(key);
  }
  return out;
}

void Agent::on(const Started& input, Time now, Output& out) {
  wall_ = {input.wall_ms, now};
  const auto live = live_;
  for (const auto& key : live) {
    auto& attempt = attempts_.at(key);
    const bool ran = attempt.phase == Phase::running;
    if (auto ended = ended_here(attempt); ran && ended) {
      settle(attempt, std::move(*ended), now, out);
      continue;
    }
    if (ran && (attempt.stale || !attempt.assign.contract.restart_on_reboot)) {
      if (!attempt.stale) decide(attempt, "the agent was restarted: it failed, as its contract says", now, out);
      settle(attempt, {.state = AttemptState::failed, .reason = "the agent was restarted while it ran"}, now, out);
      continue;
    }
    if (ran) {
      out.notices.push_back({"the agent was restarted; its contract starts it again: " + key.job.value});
      attempt.phase = Phase::fetching;
      attempt.since = now;
      decide(attempt, "the agent was restarted: it begins again, as its contract says", now, out);
    }
    // How long there was no contact before this start is not known: the attempt may be another device's by now.
    if (attempt.assign.contract.stop_after_s)
      hold(key, now);
    else
      resume(attempt, now, out);
  }
}

void Agent::resume(Attempt& attempt, Time now, Output& out) {
  if (attempt.assign.package.empty())
    begin(attempt, now, out);
  else
    out.acts.emplace_back(Fetch{attempt.assign.package, attempt.assign.priority, attempt.assign.executions});
}

// --- commands -------------------------------------------------------------------------------------------------------

std::optional<std::string> Agent::refuse(const AssignArrived& input, bool goes_on, Time now) const {
  if (!input.grant) return "grant: " + describe(input.grant.error());
  const auto& grant = *input.grant;
  const auto& assign = input.assign;
  if (grant.key != assign.key) return "grant: is for another attempt";
  if (grant.device != device_) return "grant: is for device " + grant.device.value;
  if (grant.package != assign.package) return "grant: is for another package";
  if (grant.work_digest != input.work_digest) return "grant: is for another command, environment, outputs or contract";
  if (grant.limits != assign.limits) return "grant: is for other limits";
  const auto now_ms = trusted_ms(input.wall_ms, now);
  if (now_ms > grant.expires_ms) {
    return "grant: has expired " + std::to_string((now_ms - grant.expires_ms) / 1000) +
           " s ago by the registry's clock";
  }
  if (refused_) return "this device's enrolment was refused: " + *refused_;
  if (configuration_.lifecycle != Lifecycle::active)
    return "this device is " + std::string(name(configuration_.lifecycle));
  if (goes_on) return std::nullopt;  // with a program that is counted already
  const bool moves = input.fetches || !assign.outputs.empty() || assign.limits.log_bytes > 0;
  if (input.metered && moves && !assign.metered) return metered_reason;
  if (configuration_.attempts_max && live_.size() > static_cast<std::size_t>(*configuration_.attempts_max))
    return "this device is to have at most " + std::to_string(*configuration_.attempts_max) + " attempts";
  if (live_.size() > limits_.live_max)
    return "this device has " + std::to_string(live_.size() - 1) + " attempts already";
  return std::nullopt;
}

void Agent::on(const AssignArrived& input, Time now, Output& out) {
  const auto& key = input.assign.key;
  if (const auto known = attempts_.find(key); known != attempts_.end()) return tell_again(known->second);
  // The device's clock was not compared with the registry's yet, so it cannot judge that a grant has expired. The
  // assignment comes again after the comparison.
  if (!registry_clock_ && !enrolled_ && input.grant && input.wall_ms > (*input.grant).expires_ms) return;
  wall_ = {input.wall_ms, now};
  auto& attempt = attempts_[key];
  attempt.assign = input.assign;
  attempt.number = input.assign.attempt;
  attempt.order = ++order_;
  attempt.came = attempt.since = now;
  live_.insert(key);
  auto* const earlier = same_try(input);
  if (auto reason = refuse(input, earlier != nullptr, now))
    return settle(attempt, {.state = AttemptState::rejected, .reason = std::move(*reason)}, now, out);
  // An older attempt of this execution has lost its lease: two must not run side by side here.
  const auto next = attempts_.upper_bound(key);
  if (next != attempts_.end() && next->first.job == key.job && next->first.execution == key.execution) {
    attempt.stale = true;  // this attempt is the older one, and comes late
    return settle(attempt, {.state = AttemptState::cancelled, .reason = "a newer attempt came first"}, now, out);
  }
  if (earlier != nullptr) return go_on_with(*earlier, attempt, now, out);
  std::vector<AttemptKey> older;
  for (auto it = attempts_.lower_bound({key.job, key.execution, 0}); it->first != key; ++it) older.push_back(it->first);
  for (const auto& other : older) on(StaleArrived{{.key = other}}, now, out);
  report({.key = key, .state = AttemptState::fetching});
  const auto& contract = attempt.assign.contract;
  if (contract.stop_after_s || contract.start_at_ms || !attempt.assign.package.empty()) save(attempt, out);
  if (contract.stop_after_s)
    hold(key, now);
  else
    resume(attempt, now, out);
  heartbeat_due_ = std::min(heartbeat_due_, now + beat_interval(contract));
}

// The try that this device had already under an older fence. The scheduler that assigns it again has forgotten that.
Attempt* Agent::same_try(const AssignArrived& input) {
  const auto& key = input.assign.key;
  Attempt* found = nullptr;
  for (auto it = attempts_.lower_bound({key.job, key.execution, 0}); it->first != key; ++it) {
    auto& one = it->second;
    if (one.number < input.assign.attempt) continue;
    const bool ran = one.phase == Phase::running ||
                     (one.phase == Phase::settled && one.outcome && one.outcome->state != AttemptState::rejected);
    if (ran) found = &one;
  }
  return found;
}

void Agent::go_on_with(Attempt& earlier, Attempt& attempt, Time now, Output& out) {
  out.notices.push_back({"it was given out again by a scheduler that forgot it: " + attempt.assign.key.job.value});
  if (earlier.phase == Phase::settled) return settle(attempt, *earlier.outcome, now, out);
  if (earlier.stale) return settle(attempt, *ended_here(earlier), now, out);  // its program is being killed
  attempt.phase = Phase::running;
  attempt.runs_as = program(earlier).fence;
  attempt.cancelled = earlier.cancelled;
  attempt.stopped = earlier.stopped;
  attempt.deactivated = earlier.deactivated;
  attempt.progress = earlier.progress;
  attempt.decided = earlier.decided;
  if (attempt.progress) progressed_.insert(attempt.assign.key);
  earlier.stale = true;  // its program belongs to the new attempt now
  settle(earlier, {.state = AttemptState::cancelled, .reason = "it goes on as another attempt"}, now, out);
  report({.key = attempt.assign.key, .state = AttemptState::running});
  save(attempt, out);
}

AttemptKey Agent::program(const Attempt& attempt) {
  auto key = attempt.assign.key;
  if (attempt.runs_as != 0) key.fence = attempt.runs_as;
  return key;
}

Attempt* Agent::of_program(const AttemptKey& key) {
  for (auto it = attempts_.lower_bound(key); it != attempts_.end(); ++it) {
    if (it->first.job != key.job || it->first.execution != key.execution) break;
    if (it->second.phase == Phase::running && program(it->second) == key) return &it->second;
  }
  return nullptr;
}

// This was answered before, but the scheduler has lost the answer.
void Agent::tell_again(const Attempt& attempt) {
  const auto& key = attempt.assign.key;
  if (reports_.owes(key)) return;  // a report of the stream answers
  if (attempt.phase == Phase::settled) {
    report(attempt.outcome.value_or(AttemptReport{
        .key = key, .state = AttemptState::cancelled, .reason = "it ended here; how is no longer known"}));
  } else if (!attempt.stale) {
    report({.key = key, .state = attempt.phase == Phase::running ? AttemptState::running : AttemptState::fetching});
  }
}

void Agent::on(const CancelArrived& input, Time now, Output& out) {
  const auto& key = input.cancel.key;
  AttemptReport last{.state = AttemptState::cancelled, .reason = "cancelled on request"};
  const auto known = attempts_.find(key);
  if (known == attempts_.end()) return settle_unseen(key, input.cancel.traceparent, std::move(last), now, out);
  auto& attempt = known->second;
  if (attempt.phase == Phase::settled) return tell_again(attempt);
  if (attempt.phase == Phase::fetching) return settle(attempt, std::move(last), now, out);
  if (attempt.cancelled) return;
  attempt.cancelled = true;
  save(attempt, out);
  out.acts.emplace_back(Kill{program(attempt)});
}

void Agent::on(const InquireArrived& input, Time now, Output& out) {
  const auto& key = input.inquire.key;
  if (const auto known = attempts_.find(key); known != attempts_.end()) return tell_again(known->second);
  settle_unseen(key, input.inquire.traceparent,
                {.state = AttemptState::lost, .reason = "this device does not know it: its journal is new"}, now, out);
}

// The assignment of this attempt was never seen. The attempt is remembered as settled, so that a late copy of its
// assignment does not run.
void Agent::settle_unseen(const AttemptKey& key, const std::string& traceparent, AttemptReport last, Time now,
                          Output& out) {
  auto& attempt = attempts_[key];
  attempt.assign.key = key;
  attempt.assign.traceparent = traceparent;
  attempt.number = 0;  // which try of the execution this was is not known
  attempt.order = ++order_;
  settle(attempt, std::move(last), now, out);
}

void Agent::on(const StaleArrived& input, Time now, Output& out) {
  const auto it = attempts_.find(input.stale.key);
  if (it == attempts_.end() || it->second.phase == Phase::settled) return;
  auto& attempt = it->second;
  const bool told = attempt.stale;
  attempt.stale = true;
  if (attempt.phase == Phase::fetching)
    return settle(attempt, {.state = AttemptState::cancelled, .reason = no_more_wanted}, now, out);
  if (told) return;
  save(attempt, out);
  out.acts.emplace_back(Kill{program(attempt)});
}

// The device takes no part any more: what it has is given back.
void Agent::stop_all(Time now, Output& out) {
  const auto live = live_;
  for (const auto& key : live) {
    auto& attempt = attempts_.at(key);
    if (attempt.phase == Phase::fetching) {
      settle(attempt, {.state = AttemptState::lost, .reason = deactivated}, now, out);
    } else if (!attempt.deactivated && !attempt.stale && !attempt.cancelled) {
      attempt.deactivated = true;
      save(attempt, out);
      out.acts.emplace_back(Kill{program(attempt)});
    }
  }
}

void Agent::on(const BadCommandArrived& input, Time now, Output& out) {
  out.notices.push_back({"a command could not be read: " + input.reason});
  if (const auto known = attempts_.find(input.key); known != attempts_.end()) return tell_again(known->second);
  settle_unseen(
      input.key, "",
      {.state = AttemptState::rejected, .reason = "the command could not be read: " + input.reason, .work_fault = true},
      now, out);
}

void Agent::on(const RunEnded& input, Time now, Output& out) {
  auto* found = of_program(input.key);
  if (found == nullptr) return;
  auto& attempt = *found;
  if (input.by_contract && !std::exchange(attempt.stopped, true))
    decide(attempt, "no contact: stopped by its contract, while the agent stood still", now, out);
  AttemptReport last{.state = AttemptState::succeeded, .reason = input.reason, .result = input.result};
  if (auto ended = ended_here(attempt)) {
    last.state = ended->state;
    last.reason = std::move(ended->reason);
  } else if (input.refused) {
    last.state = AttemptState::rejected;
  } else if (!input.result || !input.reason.empty() || input.result->exit_code != 0) {
    last.state = input.timed_out ? AttemptState::timed_out : AttemptState::failed;
    if (last.reason.empty()) last.reason = "exit code " + std::to_string(input.result->exit_code);
  }
  settle(attempt, std::move(last), now, out);
}

// --- ends ---------------------------------------------------------------------------------------------------------

void Agent::settle(Attempt& attempt, AttemptReport last, Time now, Output& out) {
  const auto key = attempt.assign.key;
  const bool fetching = attempt.phase == Phase::fetching;
  const auto package = attempt.assign.package;
  Assign bare;
  bare.key = key;
  bare.traceparent = attempt.assign.traceparent;
  attempt.assign = std::move(bare);
  attempt.phase = Phase::settled;
  attempt.since = now;
  if (last.state == AttemptState::succeeded) ++outcomes_.succeeded;
  if (last.state == AttemptState::failed || last.state == AttemptState::timed_out) ++outcomes_.failed;
  last.key = key;
  last.traceparent = attempt.assign.traceparent;
  // Of a try that was over under an older fence the outcome has them.
  if (attempt.progress) last.progress = std::exchange(attempt.progress, std::nullopt);
  if (!attempt.decided.empty()) last.decided = std::exchange(attempt.decided, {});
  progressed_.erase(key);
  attempt.outcome = in_short(last);
  if (!attempt.stale) {
    for (auto& part : in_parts(std::move(last))) reports_.add(std::move(part));
  }
  live_.erase(key);
  held_.erase(key);
  save(attempt, out);
  settled_.push_back(key);
  if (fetching) leave(package, out);
  prune(out);
}

void Agent::leave(const std::string& digest, Output& out) {
  if (digest.empty()) return;
  const bool needed = std::any_of(live_.begin(), live_.end(), [&](const auto& key) {
    const auto& other = attempts_.at(key);
    return other.phase == Phase::fetching && other.assign.package == digest;
  });
  if (!needed) out.acts.emplace_back(Unfetch{digest});
}

void Agent::save(const Attempt& attempt, Output& out) { out.attempts.push_back({attempt.assign.key, attempt}); }

void Agent::prune(Output& out) {
  while (settled_.size() > limits_.settled_max) {
    attempts_.erase(settled_.front());
    out.attempts.push_back({settled_.front(), std::nullopt});
    settled_.pop_front();
  }
}

void Agent::report(AttemptReport report) {
  if (const auto of = attempts_.find(report.key); of != attempts_.end() && report.traceparent.empty())
    report.traceparent = of->second.assign.traceparent;
  reports_.add(std::move(report));
}

}  // namespace fieldwork::agent
