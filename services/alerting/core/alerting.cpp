#include "alerting/core/alerting.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/id.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::alerting {
namespace {

using alerts::Finding;

// What sort of thing the rule's subjects are.
std::string about(const Rule& rule) {
  return std::string(alerts::name(rule.over)) + (rule.by ? " by " + fleet::to_text(*rule.by) : "");
}

// What is too little to be worth a message.
bool is_near(double a, double b) { return std::abs(a - b) < 0.05 * std::max(1.0, std::abs(a)); }

}  // namespace

std::string alert_id(const std::string& rule, const std::string& subject) {
  auto id = rule + "." + subject;
  return is_id(id) ? id : rule + "." + crypto::to_hex(crypto::sha256(subject)).substr(0, 32);
}

Alerting::Alerting(Limits limits, RuleBook book, Saved saved)
    : limits_(limits), evaluator_(std::move(book), limits.many_max) {
  limits_.rule_max = std::max<std::size_t>(1, std::min(limits_.rule_max, limits_.alerts_max / 8));
  for (auto& alert : saved.alerts) {
    const auto id = alert.id;
    alerts_.emplace(id, std::move(alert));
  }
  sources_.resize(this->book().inhibitions.size());
  for (auto& silence : saved.silences) {
    const auto id = silence.id;
    silences_.emplace(id, std::move(silence));
  }
  for (const auto& [id, alert] : alerts_) {
    if (alert.state == Alert::State::resolved) continue;
    if (alert.subject == many) {
      many_[alert.rule].told = alert.value;
      continue;
    }
    ++active_[alert.rule];
  }
  resume();
}

// The evaluator goes on with what is pending and fires.
void Alerting::resume() {
  for (const auto& [id, alert] : alerts_) {
    if (alert.state == Alert::State::resolved || alert.subject == many) continue;
    const auto is = alert.firing() ? Finding::Is::firing : Finding::Is::pending;
    evaluator_.resume(
        {alert.rule, alert.subject, is, alert.value, alert.reason, alert.next, alert.labels, alert.since});
  }
}

const Alert* Alerting::find(const std::string& id) const {
  const auto it = alerts_.find(id);
  return it == alerts_.end() ? nullptr : &it->second;
}

std::string_view Alerting::over_of(const Alert& alert) const {
  const auto* rule = book().find(alert.rule);
  return rule == nullptr ? std::string_view() : alerts::name(rule->over);
}

std::vector<const Alert*> Alerting::list(const std::optional<fleet::Expression>& expression, const std::string& after,
                                         std::size_t limit) const {
  std::vector<const Alert*> out;
  for (auto it = alerts_.upper_bound(after); it != alerts_.end() && out.size() < limit; ++it) {
    if (!expression || fleet::matches(*expression, AlertValues(it->second, over_of(it->second))))
      out.push_back(&it->second);
  }
  return out;
}

void Alerting::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& one) { apply(one, now, out); }, input);
}

void Alerting::apply(const Seen& input, Time now, Output& out) {
  if (!reconciled_) named_.emplace(input.sample.over, input.sample.subject);
  std::vector<Finding> findings;
  evaluator_.see(input.sample, now, findings);
  hear(findings, now, out);
}

void Alerting::hear(const std::vector<Finding>& findings, Time now, Output& out) {
  for (const auto& one : findings) hear(one, now, out);
}

void Alerting::changed(Alert& alert, Time now) {
  alert.changed = now;
  changed_.insert(alert.id);
  mute_due_ = true;
}

void Alerting::hear(const Finding& finding, Time now, Output& out) {
  const auto id = alert_id(finding.rule, finding.subject);
  const auto found = alerts_.find(id);
  auto* alert = found == alerts_.end() ? nullptr : &found->second;
  const bool active = alert != nullptr && alert->state != Alert::State::resolved;
  const bool pending = finding.is == Finding::Is::pending;
  if (!pending && soon_.erase(id) > 0) mute_due_ = true;
  if (finding.is == Finding::Is::clear)
    return resolve(finding.rule, finding.subject, "it is not so any more", now, out);
  if (finding.is == Finding::Is::calm) {
    if (active && !alert->firing()) resolve(finding.rule, finding.subject, "", now, out);
    return;
  }
  if (pending && alert != nullptr) {  // its end is still news
    if (!active) describe(soon_[id] = Alert{.id = id, .rule = finding.rule, .subject = finding.subject}, finding);
    mute_due_ = true;
    return;
  }
  const auto more = many_.find(finding.rule);
  if (!active && more != many_.end() && more->second.subjects.contains(finding.subject) &&
      this->active(finding.rule) >= limits_.rule_max)
    return;  // it is counted already
  if (!active && (this->active(finding.rule) >= limits_.rule_max || (alert == nullptr && !make_room(out)))) {
    if (!pending) overflow(finding, now, out);
    return;
  }
  if (active && alert->firing()) {
    const auto* rule = book().find(finding.rule);
    const auto severity = rule == nullptr ? alert->severity : rule->severity;
    auto labels = finding.labels;  // an event says less of a job than its state
    labels.insert(alert->labels.begin(), alert->labels.end());
    const bool same = severity == alert->severity && labels == alert->labels && finding.next == alert->next;
    if (same && is_near(alert->value, finding.value)) return;
    alert->severity = severity;
    alert->labels = std::move(labels);
    alert->next = finding.next;
    alert->value = finding.value;  // worth showing, but no message
    alert->reason = finding.reason;
    return changed(*alert, now);
  }
  leave_many(finding.rule, finding.subject, now, out);
  if (!active) ++active_[finding.rule];
  auto& one = alerts_[id];
  if (one.id.empty()) one = Alert{.id = id, .rule = finding.rule, .subject = finding.subject};
  if (!pending) return fire(one, finding, now, out);
  one.state = Alert::State::pending;
  one.since = finding.since;
  describe(one, finding);
  changed(one, now);
}

void Alerting::describe(Alert& alert, const Finding& finding) const {
  if (const auto* rule = book().find(alert.rule)) {
    alert.severity = rule->severity;
    alert.about = about(*rule);
  }
  alert.ended.clear();
  alert.value = finding.value;
  alert.reason = finding.reason;
  alert.next = finding.next;
  alert.labels = finding.labels;
}

void Alerting::fire(Alert& alert, const Finding& finding, Time now, Output& out) {
  describe(alert, finding);
  alert.state = Alert::State::firing;
  alert.since = now;
  if (alert.count++ == 0) alert.first = now;
  alert.acked.reset();
  alert.muted = muted_by(alert);
  changed(alert, now);
  out.begun.push_back(alert);
}

void Alerting::resolve(const std::string& rule, const std::string& subject, const std::string& reason, Time now,
                       Output& out) {
  leave_many(rule, subject, now, out);
  const auto found = alerts_.find(alert_id(rule, subject));
  if (found == alerts_.end() || found->second.state == Alert::State::resolved) return;
  auto& alert = found->second;
  if (subject != many) --active_[rule];
  const bool fired = alert.firing();
  if (!fired && alert.count == 0) return remove(std::string(found->first));
  alert.state = Alert::State::resolved;
  alert.ended = reason;
  changed(alert, now);
  if (fired) out.ended.push_back(alert);
}

// Removes the oldest resolved alert, one whose end a target must still hear last. Active alerts stay. False: all are
// active.
bool Alerting::make_room(Output& out) {
  if (alerts_.size() < limits_.alerts_max) return true;
  const auto rank = [&](const Alert& alert) { return std::pair(is_told(alert), alert.changed); };
  auto oldest = alerts_.end();
  for (auto it = alerts_.begin(); it != alerts_.end(); ++it) {
    if (it->second.state != Alert::State::resolved) continue;
    if (oldest == alerts_.end() || rank(it->second) < rank(oldest->second)) oldest = it;
  }
  if (oldest == alerts_.end()) return false;
  forget(std::string(oldest->first), "there are too many alerts", out);
  return true;
}

// Removes it; targets that must still hear that it is resolved will not.
void Alerting::forget(const std::string& id, const std::string& reason, Output& out) {
  const auto& alert = alerts_.at(id);
  for (const auto& target : book().targets) {
    if (alert.told.contains(target.name)) out.dead.push_back({target.name, alert, reason});
  }
  remove(id);
}

void Alerting::remove(const std::string& id) {
  changed_.insert(id);
  alerts_.erase(id);
}

void Alerting::apply(const RulesChanged& input, Time now, Output& out) {
  // Whoever carried a message to a target that changed is gone, and with it the answer.
  for (const auto& before : book().targets) {
    const auto& now_there = input.book.targets;
    if (std::find(now_there.begin(), now_there.end(), before) == now_there.end()) targets_[before.name].sending.reset();
  }
  evaluator_ = alerts::Evaluator(input.book, limits_.many_max);
  resume();
  soon_.clear();
  end_strange(now, out);
  mute();
}

// What fires by a rule that is no more, is switched off, or is about another sort of thing by now, ends.
void Alerting::end_strange(Time now, Output& out) {
  std::vector<std::pair<std::string, std::string>> strange;
  for (const auto& [id, alert] : alerts_) {
    const auto* rule = book().find(alert.rule);
    const bool other = rule != nullptr && !alert.about.empty() && alert.about != about(*rule);
    if (alert.state != Alert::State::resolved && (rule == nullptr || !rule->enabled || other))
      strange.emplace_back(alert.rule, alert.subject);
  }
  for (const auto& [rule, subject] : strange) {
    if (subject == many) many_.erase(rule);
    resolve(rule, subject, "its rule is gone, or another one", now, out);
  }
}

void Alerting::apply(const LinkBack&, Time now, Output&) {
  say_all_ = true;
  linked_at_ = now;
  reconciled_ = false;
  named_.clear();
  evaluator_.deaf_until(now);
}

// Each alert's last row and last state of the batch.
void Alerting::apply(const BatchEnded&, Time, Output& out) {
  const auto record = [&](const std::string& id) {
    const auto* alert = find(id);
    return AlertRecord{id, alert == nullptr ? std::nullopt : std::optional(*alert)};
  };
  for (const auto& id : changed_) out.alerts.push_back(record(id));
  out.states = out.alerts;
  if (std::exchange(say_all_, false)) {
    for (const auto& [id, alert] : alerts_) {
      if (!changed_.contains(id)) out.states.push_back(record(id));
    }
  }
  changed_.clear();
}

void Alerting::apply(const TimePassed&, Time now, Output& out) {
  if (now - swept_at_ < limits_.sweep_every) return;
  swept_at_ = now;
  std::vector<Finding> findings;
  evaluator_.pass(now, findings);
  hear(findings, now, out);
  sweep(now, out);
  end_silences(now, out);
  if (std::exchange(mute_due_, false)) mute();
  tell(now, out);
}

// What went while nothing was heard is never said again: some time after the link is back, what was not named is gone.
// A failure stays one (`forget`), and so does what is no retained state.
void Alerting::reconcile(Time now, Output& out) {
  if (reconciled_ || !linked_at_ || now - *linked_at_ < limits_.many_keep) return;
  reconciled_ = true;
  std::vector<alerts::Sample> gone;
  std::vector<std::pair<std::string, std::string>> left;  // of rules with a share
  for (const auto& [id, alert] : alerts_) {
    const auto* rule = book().find(alert.rule);
    if (alert.state == Alert::State::resolved || alert.subject == many || rule == nullptr) continue;
    if (rule->share > 0 && !evaluator_.has_group(rule->name, alert.subject))
      left.emplace_back(rule->name, alert.subject);
    if (!rule->is_state()) continue;
    using enum alerts::Over;
    const bool retained = rule->over == device || rule->over == placement || rule->over == job ||
                          rule->over == execution || rule->over == transfer || rule->over == service;
    if (retained && !named_.contains({rule->over, alert.subject}))
      gone.push_back(alerts::gone(rule->over, alert.subject));
  }
  named_.clear();
  for (auto& one : gone) apply(Seen{std::move(one)}, now, out);
  for (const auto& [rule, group] : left) resolve(rule, group, "nobody is left", now, out);
}

void Alerting::sweep(Time now, Output& out) {
  reconcile(now, out);
  end_strange(now, out);
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    const Alert& alert = it->second;
    ++it;
    if (alert.subject == many && alert.firing()) continue;
    const auto* rule = book().find(alert.rule);
    const bool fades = rule != nullptr && rule->forget > Duration{};
    if (alert.firing() && fades && now - alert.since >= rule->forget) {
      resolve(alert.rule, alert.subject, "it is long ago", now, out);
    } else if (alert.state == Alert::State::resolved && now - alert.changed >= limits_.resolved_keep &&
               (!is_told(alert) || now - alert.changed >= book().give_up)) {
      forget(std::string(alert.id), "the target took nothing for too long", out);
    }
  }
  sweep_many(now, out);
}

}  // namespace fieldwork::alerting
