// The alert rule._many: of a rule's subjects beyond the room for alerts of their own.
#include <utility>

#include "alerting/core/alerting.hpp"

namespace fieldwork::alerting {

using alerts::Finding;

void Alerting::overflow(const Finding& finding, Time now, Output& out) {
  auto& one = many_[finding.rule];
  if (one.subjects.contains(finding.subject)) return;
  if (one.subjects.size() < limits_.many_max) {
    one.subjects.emplace(finding.subject, now);
  } else {
    ++one.untold;
  }
  one.changed = true;
  const auto* alert = find(alert_id(finding.rule, many));
  if (alert == nullptr || !alert->firing()) tell_many(finding.rule, now, out);
}

// Tells at once when the alert begins or ends, otherwise with the sweep, so that a flood of subjects is no flood of
// messages.
void Alerting::tell_many(const std::string& name, Time now, Output& out) {
  auto& one = many_[name];
  one.changed = false;
  const auto id = alert_id(name, many);
  const auto count = one.subjects.size() + one.untold;
  if (count == 0) {
    one.told = 0;
    return resolve(name, many, "none of them any more", now, out);
  }
  const auto* rule = book().find(name);
  if (rule == nullptr) return;
  const Finding finding{name,
                        many,
                        Finding::Is::firing,
                        static_cast<double>(count),
                        std::to_string(count) + " " + rule->many,
                        rule->all,
                        rule->labels,
                        now};
  auto& alert = alerts_[id];
  if (alert.id.empty()) alert = Alert{.id = id, .rule = name, .subject = many, .state = Alert::State::resolved};
  const bool more = finding.value >= 2 * one.told;
  if (more) one.told = finding.value;
  if (!alert.firing()) return fire(alert, finding, now, out);
  alert.value = finding.value;
  alert.reason = finding.reason;
  // Twice as many are worth telling again.
  for (auto& [target, told] : alert.told) told.at = more ? Time{} : told.at;
  changed(alert, now);
}

void Alerting::leave_many(const std::string& rule, const std::string& subject, Time now, Output& out) {
  const auto more = many_.find(rule);
  if (more == many_.end() || more->second.subjects.erase(subject) == 0) return;
  more->second.changed = true;
  if (more->second.subjects.empty() && more->second.untold == 0) tell_many(rule, now, out);
}

void Alerting::sweep_many(Time now, Output& out) {
  const bool forget = now - forgot_at_ >= seconds{60};
  if (forget) forgot_at_ = now;
  std::vector<std::string> tell;
  for (auto& [name, one] : many_) {
    const auto* rule = book().find(name);
    if (forget && rule != nullptr && rule->forget > Duration{}) {
      if (std::erase_if(one.subjects, [&](const auto& s) { return now - s.second >= rule->forget; }) > 0) {
        one.changed = true;
        one.untold = 0;
      }
    }
    // After a restart the states name the subjects beyond the room again. An alert rule._many for which none was named
    // ends.
    const bool unnamed = forget && linked_at_ && now - *linked_at_ >= limits_.many_keep && one.subjects.empty();
    if (one.changed || unnamed) tell.push_back(name);
  }
  for (const auto& name : tell) tell_many(name, now, out);
}

}  // namespace fieldwork::alerting
