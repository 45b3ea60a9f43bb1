// From an assigned attempt to its running program, and what the program says then.
#include <utility>

#include "agent/core/agent.hpp"

namespace fieldwork::agent {

// All that it needs is here.
void Agent::begin(Attempt& attempt, Time now, Output& out) {
  if (!is_before_its_time(attempt, now)) return start(attempt, now, out);
  if (std::exchange(attempt.staged, true)) return;
  attempt.waited = true;
  attempt.since = now;
  report({.key = attempt.assign.key,
          .state = AttemptState::fetching,
          .reason = "all that it needs is here; it waits for its time"});
}

bool Agent::is_before_its_time(const Attempt& attempt, Time now) const {
  const auto& at = attempt.assign.contract.start_at_ms;
  return at && clock_ms(now) < *at;
}

// The newest limits::decided_max are kept; they are in the journal, and in the report of how the attempt ended.
void Agent::decide(Attempt& attempt, std::string what, Time now, Output& out) {
  attempt.decided.push_back({clock_ms(now), std::move(what)});
  if (attempt.decided.size() > limits::decided_max) attempt.decided.erase(attempt.decided.begin());
  save(attempt, out);
}

void Agent::start(Attempt& attempt, Time now, Output& out) {
  if (attempt.waited)
    decide(attempt, std::string("its time has come: it begins") + (connected_ ? "" : ", without a link"), now, out);
  attempt.staged = false;
  attempt.phase = Phase::running;
  attempt.runs_as = 0;
  attempt.since = now;
  report({.key = attempt.assign.key, .state = AttemptState::running});
  save(attempt, out);
  out.acts.emplace_back(Run{attempt.assign});
}

void Agent::on(const PackageReady& input, Time now, Output& out) {
  const auto live = live_;
  for (const auto& key : live) {
    auto& attempt = attempts_.at(key);
    if (attempt.phase != Phase::fetching || attempt.assign.package != input.digest || held_.contains(key)) continue;
    begin(attempt, now, out);
  }
}

void Agent::on(const PackageRefused& input, Time now, Output& out) {
  const auto live = live_;
  for (const auto& key : live) {
    auto& attempt = attempts_.at(key);
    if (attempt.phase != Phase::fetching || attempt.assign.package != input.digest) continue;
    settle(attempt,
           {.state = AttemptState::rejected, .reason = "package: " + input.reason, .work_fault = input.work_fault}, now,
           out);
  }
}

void Agent::on(const TailArrived& input, Time /*now*/, Output& out) {
  const auto known = attempts_.find(input.tail.key);
  if (known == attempts_.end() || known->second.phase == Phase::settled) return;
  out.acts.emplace_back(Follow{program(known->second), seconds(input.tail.for_s), input.tail.begin});
}

void Agent::on(const ProgressMade& input, Time /*now*/, Output& /*out*/) {
  auto* attempt = of_program(input.key);
  if (attempt == nullptr) return;
  attempt->progress = input.progress;
  progressed_.insert(attempt->assign.key);
}

}  // namespace fieldwork::agent
