// Who is told what, when: by level (0017).
#include <algorithm>
#include <tuple>

#include "alerting/core/alerting.hpp"

namespace fieldwork::alerting {
namespace {

Duration backoff(const Limits& limits, int failures) {
  auto wait = limits.retry_first;
  for (int i = 1; i < failures && wait < limits.retry_last; ++i) wait *= 2;
  return std::min(wait, limits.retry_last);
}

// Groups, waits and mutes of its own: it is told everything at once.
bool groups_itself(const Target& target) { return target.type == Target::Type::alertmanager; }

std::string key_of(const std::map<std::string, std::string>& group) {
  std::string out;
  for (const auto& [label, value] : group) out.append(label).append("=").append(value).append("\n");
  return out;
}

}  // namespace

std::map<std::string, std::string> Alerting::group_of(const Target& target, const Alert& alert) const {
  std::map<std::string, std::string> out;
  if (groups_itself(target)) return out;
  for (const auto& label : book().group_by) out[label] = label_of(alert, label);
  return out;
}

bool Alerting::owes(const Target& target, const Alert& alert, Time now) const {
  const auto told = alert.told.find(target.name);
  const bool knows = told != alert.told.end();
  if (alert.state == Alert::State::resolved) return knows;
  if (!alert.firing()) return false;
  const bool goes_on = knows && told->second.since == alert.since;  // it was told of this firing
  // What such a target does not hear of again ends there, and it would say so.
  if (!alert.muted.empty() && !(goes_on && groups_itself(target))) return false;
  if (goes_on) {
    const auto at = told->second.at;
    const bool repeats = target.repeat > Duration{} && (!alert.acked || groups_itself(target));
    return at == Time{} || (repeats && now - at >= target.repeat);
  }
  if (target.after > Duration{} && (alert.acked || now - alert.since < target.after)) return false;
  return !target.when || fleet::matches(*target.when, AlertValues(alert, over_of(alert)));
}

// Whether a target was told that it fires, or may have been.
bool Alerting::is_told(const Alert& alert) const {
  return std::any_of(book().targets.begin(), book().targets.end(),
                     [&](const Target& target) { return alert.told.contains(target.name); });
}

void Alerting::tell(Time now, Output& out) {
  std::erase_if(targets_, [&](const auto& one) {
    return std::none_of(book().targets.begin(), book().targets.end(),
                        [&](const Target& target) { return target.name == one.first; });
  });
  for (const auto& target : book().targets) tell(target, now, out);
}

void Alerting::tell(const Target& target, Time now, Output& out) {
  auto& state = targets_[target.name];
  if (state.sending || now < state.send_at) return;
  struct Due {
    std::map<std::string, std::string> group;
    std::vector<const Alert*> alerts;
    Severity worst = Severity::info;
    Time since = Time::max();  // of the one that has waited longest
  };
  std::map<std::string, Due> groups;
  std::map<std::string, Time> owed;
  for (const auto& [id, alert] : alerts_) {
    if (!owes(target, alert, now)) continue;
    const auto before = state.owed.find(id);
    const auto since = owed[id] = before == state.owed.end() ? now : before->second;
    auto group = group_of(target, alert);
    auto key = key_of(group);
    if (state.alone.contains(id)) key += "alone=" + id;
    auto& due = groups[key];
    due.group = std::move(group);
    due.alerts.push_back(&alert);
    due.since = std::min(due.since, since);
    due.worst = std::max(due.worst, alert.severity);
  }
  state.owed = std::move(owed);
  const bool waits = !groups_itself(target);
  std::erase_if(state.failed, [&](const auto& one) { return !groups.contains(one.first); });
  std::erase_if(state.sent, [&](const auto& one) { return now - one.second >= book().interval; });
  const std::string* next = nullptr;
  for (const auto& [key, due] : groups) {
    const bool early = now - due.since < book().wait || state.sent.contains(key);
    if (waits && early && !key.ends_with("alone=" + due.alerts.front()->id)) continue;
    const auto rank = [&](const std::string& one) {
      const auto failed = state.failed.find(one);
      return std::tuple(failed == state.failed.end() ? 0 : failed->second, -static_cast<int>(groups.at(one).worst),
                        groups.at(one).since);
    };
    if (next == nullptr || rank(key) < rank(*next)) next = &key;
  }
  if (next == nullptr) return;
  auto& due = groups.at(*next);
  Send send{next_number_++, target.name, *next, due.group, {}, 0};
  const auto most = waits ? limits_.message_max : 8 * limits_.message_max;
  for (const auto* alert : due.alerts) {
    if (send.alerts.size() < most) {
      send.alerts.push_back(*alert);
    } else {
      ++send.more;
    }
  }
  for (const auto& one : send.alerts) {
    auto& alert = alerts_.at(one.id);
    auto& told = alert.told[target.name];
    if (!alert.firing() || told.since == alert.since) continue;
    told = {.since = alert.since};
    changed_.insert(alert.id);
  }
  state.sending = send;
  out.sends.push_back(std::move(send));
}

// What the message said is told, or given up.
void Alerting::settle(const Target& target, const Send& send, bool taken, const std::string& reason, Time now,
                      Output& out) {
  for (const auto& sent : send.alerts) {
    targets_[target.name].alone.erase(sent.id);
    if (!taken) out.dead.push_back({target.name, sent, reason});
    const auto found = alerts_.find(sent.id);
    if (found == alerts_.end()) continue;
    auto& alert = found->second;
    if (sent.state == Alert::State::resolved) {
      const auto told = alert.told.find(target.name);
      // Told of this firing, or of one before whose end it did not hear either.
      // After a clock that went back, the told one may look later than the one that has ended.
      const bool last = alert.state == Alert::State::resolved && alert.since == sent.since;
      if (told != alert.told.end() && (last || told->second.since <= sent.since)) alert.told.erase(told);
    } else {
      auto& told = alert.told[target.name];
      if (told.since != sent.since) continue;  // it has ended, or fires anew, since
      const bool repeated = told.at != Time{};
      told.at = now;
      const bool was_dead = told.dead;
      told.dead = !taken && (was_dead || !repeated);
      // Each minute it is no news for row and state: after a restart it is repeated a little early.
      if (repeated && was_dead == told.dead && groups_itself(target)) continue;
    }
    changed_.insert(sent.id);
  }
}

void Alerting::apply(const Delivered& input, Time now, Output& out) {
  for (const auto& target : book().targets) {
    auto& state = targets_[target.name];
    if (!state.sending || state.sending->number != input.number) continue;
    const auto send = std::move(*state.sending);
    state.sending.reset();
    state.failures = 0;
    state.trouble.clear();
    state.send_at = now;
    if (send.more == 0) state.sent[send.key] = now;  // else what did not fit follows at once
    settle(target, send, true, "", now, out);
    return tell(target, now, out);
  }
}

void Alerting::apply(const Undelivered& input, Time now, Output& out) {
  for (const auto& target : book().targets) {
    auto& state = targets_[target.name];
    if (!state.sending || state.sending->number != input.number) continue;
    auto send = std::move(*state.sending);
    state.sending.reset();
    state.trouble = input.reason;
    ++state.failed[send.key];  // the others first
    if (input.for_good && send.alerts.size() > 1) {
      for (const auto& one : send.alerts) state.alone.insert(one.id);
      send.alerts.clear();
    } else if (!input.for_good) {
      std::erase_if(send.alerts, [&](const Alert& alert) {
        const auto since = state.owed.find(alert.id);
        return since == state.owed.end() || now - since->second < book().give_up;
      });
    }
    settle(target, send, false, input.reason, now, out);
    // A target that refuses does answer: the others need not wait.
    state.failures = input.for_good ? 0 : state.failures + 1;
    state.send_at = input.for_good ? now : now + backoff(limits_, state.failures);
    return tell(target, now, out);
  }
}

std::size_t Alerting::active(const std::string& rule) const {
  const auto found = active_.find(rule);
  return found == active_.end() ? 0 : found->second;
}

std::size_t Alerting::owed(const std::string& target) const {
  const auto found = targets_.find(target);
  return found == targets_.end() ? 0 : found->second.owed.size();
}

std::string Alerting::trouble(const std::string& target) const {
  const auto found = targets_.find(target);
  return found == targets_.end() ? "" : found->second.trouble;
}

}  // namespace fieldwork::alerting
