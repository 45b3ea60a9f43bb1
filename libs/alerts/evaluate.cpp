#include "alerts/evaluate.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"

namespace fieldwork::alerts {
namespace {

constexpr Duration pass_every = seconds{1};

std::string text_of(const fleet::Attribute& attribute, const fleet::Values& values) {
  return fleet::has_value(attribute, values) ? fleet::value_text(attribute, values) : "";
}

Finding cleared(const Rule& rule, std::string subject, Finding::Is is = Finding::Is::clear) {
  Finding out;
  out.rule = rule.name;
  out.subject = std::move(subject);
  out.is = is;
  return out;
}

// A condition that must hold for long holds for a moment often: then it is not told as pending yet.
Duration shown_after(const Rule& rule) {
  return rule.hold <= seconds{60} ? Duration{} : std::min<Duration>(rule.hold / 10, seconds{60});
}

std::string percent_text(double share) { return std::to_string(static_cast<int>(share * 100)) + " %"; }

}  // namespace

Evaluator::Evaluator(RuleBook book, std::size_t subjects_max)
    : book_(std::move(book)), subjects_max_(subjects_max), memory_(book_.rules.size()) {}

void Evaluator::resume(const Finding& finding) {
  for (std::size_t i = 0; i < book_.rules.size(); ++i) {
    const auto& rule = book_.rules[i];
    if (rule.name != finding.rule || !rule.enabled) continue;
    const auto& memory = memory_[i];
    const auto known = memory.held.size() + memory.counted.size() + memory.watched.size();
    if (known >= subjects_max_) return;
    if (rule.hold > Duration{}) memory_[i].held[finding.subject] = {finding};
    if (finding.is != Finding::Is::firing) return;
    if (rule.count > 0) {
      auto& one = memory_[i].counted[finding.subject];
      one.finding = finding;
      one.firing = true;
      for (int n = 0; n < rule.count; ++n) one.seen.emplace_back(finding.since, "");
    }
    if (rule.absent > Duration{}) {
      memory_[i].watched[finding.subject] = finding;
      memory_[i].absent.insert(finding.subject);
    }
  }
}

Finding Evaluator::make(const Rule& rule, const Sample& sample, Time since) const {
  Finding out;
  out.rule = rule.name;
  out.subject = sample.subject;
  out.is = Finding::Is::firing;
  out.since = since;
  const auto& values = *sample.values;
  if (rule.value) {
    const double value = values.number(*rule.value);
    out.value = std::isfinite(value) ? value : 1;
  }
  out.reason = rule.text.empty() ? condition(rule) : rule.text.of(values, sample.subject);
  out.next = rule.next.of(values, sample.subject);
  out.labels = rule.labels;
  for (const auto& [label, attribute] : rule.label) {
    if (auto text = text_of(attribute, values); !text.empty()) out.labels[label] = clamp_text(text, label_bytes_max);
  }
  return out;
}

void Evaluator::see(const Sample& sample, Time now, std::vector<Finding>& out) {
  for (std::size_t i = 0; i < book_.rules.size(); ++i) {
    const auto& rule = book_.rules[i];
    if (!rule.enabled || rule.over != sample.over) continue;
    auto& memory = memory_[i];
    if (rule.is_state()) {
      see_state(rule, memory, sample, now, out);
    } else if (rule.absent > Duration{}) {
      see_watched(rule, memory, sample, now, out);
    } else if (rule.count > 0) {
      see_counted(rule, memory, sample, now, out);
    } else {
      see_member(rule, memory, sample);
    }
  }
}

void Evaluator::see_state(const Rule& rule, Memory& memory, const Sample& sample, Time now,
                          std::vector<Finding>& out) const {
  if (!sample.values) {
    memory.held.erase(sample.subject);
    // A failure stays one when its state is cleared, because it is long over.
    if (rule.forget == Duration{} || sample.over == Over::device) out.push_back(cleared(rule, sample.subject));
    return;
  }
  auto since = sample.since;
  if (rule.since) {
    const double ms = sample.values->number(*rule.since);
    if (std::isfinite(ms)) since = from_ms(static_cast<std::int64_t>(ms));
  }
  const bool old = rule.forget > Duration{} && since != Time{} && now - since >= rule.forget;
  if (rule.when && !fleet::matches(*rule.when, *sample.values)) {
    memory.held.erase(sample.subject);
    const bool ends = !rule.until || fleet::matches(*rule.until, *sample.values);
    return out.push_back(cleared(rule, sample.subject, ends ? Finding::Is::clear : Finding::Is::calm));
  }
  if (old) return;  // what fires about it ends by its age
  hold(rule, memory, make(rule, sample, since), now, out);
}

// Passes on a finding that fires, once it has held for long enough.
void Evaluator::hold(const Rule& rule, Memory& memory, Finding finding, Time now, std::vector<Finding>& out) const {
  if (rule.hold == Duration{}) {
    if (finding.since == Time{}) finding.since = now;
    return out.push_back(std::move(finding));
  }
  const auto found = memory.held.find(finding.subject);
  const bool known = found != memory.held.end();
  const bool dated = finding.since != Time{};
  if (!dated) finding.since = known ? found->second.finding.since : now;
  // What fires goes on: after a restart `since` is when it began to fire.
  const bool fires = known && found->second.finding.is == Finding::Is::firing;
  if (now - finding.since < rule.hold && (dated || !fires)) finding.is = Finding::Is::pending;
  const bool pends = finding.is == Finding::Is::pending;
  // The thing itself says that it changed: what fired is over.
  if (pends && fires) out.push_back(cleared(rule, finding.subject));
  if (!known && memory.held.size() >= subjects_max_) return;
  const bool said = !pends || now - finding.since >= shown_after(rule);
  memory.held[finding.subject] = {finding, said};
  if (said) out.push_back(std::move(finding));
}

void Evaluator::see_watched(const Rule& rule, Memory& memory, const Sample& sample, Time now,
                            std::vector<Finding>& out) const {
  const bool counts = sample.values && (!rule.when || fleet::matches(*rule.when, *sample.values));
  if (!counts) {
    memory.watched.erase(sample.subject);
  } else if (memory.watched.contains(sample.subject) || memory.watched.size() < subjects_max_) {
    memory.watched[sample.subject] = make(rule, sample, now);
  }
  memory.absent.erase(sample.subject);
  out.push_back(cleared(rule, sample.subject));
}

void Evaluator::see_counted(const Rule& rule, Memory& memory, const Sample& sample, Time now,
                            std::vector<Finding>& out) const {
  if (!sample.values || !rule.when || !fleet::matches(*rule.when, *sample.values)) return;
  const auto at = sample.since == Time{} ? now : std::min(sample.since, now);
  if (now - at >= rule.within) return;
  auto finding = make(rule, sample, at);
  if (rule.by) finding.subject = clamp_text(text_of(*rule.by, *sample.values), label_bytes_max);
  if (finding.subject.empty()) return;
  auto found = memory.counted.find(finding.subject);
  if (found == memory.counted.end()) {
    if (memory.counted.size() >= subjects_max_) return;
    found = memory.counted.try_emplace(finding.subject).first;
  }
  auto& one = found->second;
  // Each event counts; of states, each thing once.
  const bool happens = sample.over == Over::event || sample.over == Over::move || sample.over == Over::refusal;
  const auto thing = happens ? std::string() : sample.subject;
  if (!thing.empty() && std::any_of(one.seen.begin(), one.seen.end(), [&](const auto& s) { return s.second == thing; }))
    return;
  // By time: states are heard in any order.
  const auto place =
      std::upper_bound(one.seen.begin(), one.seen.end(), at, [](Time time, const auto& s) { return time < s.first; });
  one.seen.emplace(place, at, thing);
  if (one.seen.size() > static_cast<std::size_t>(rule.count)) one.seen.pop_front();
  one.finding = std::move(finding);
  if (one.seen.size() < static_cast<std::size_t>(rule.count) || now - one.seen.front().first >= rule.within) return;
  one.firing = true;
  if (!rule.value) one.finding.value = rule.count;
  one.finding.since = now;
  out.push_back(one.finding);
}

void Evaluator::leave(Memory& memory, const std::string& thing) {
  const auto member = memory.members.find(thing);
  if (member == memory.members.end()) return;
  auto& group = memory.groups[member->second.group];
  --group.members;
  group.matching -= member->second.matches ? 1 : 0;
  group.changed = true;
  if (group.members == 0 && !group.said) memory.groups.erase(member->second.group);
  memory.members.erase(member);
}

void Evaluator::see_member(const Rule& rule, Memory& memory, const Sample& sample) const {
  auto group =
      sample.values && rule.by ? clamp_text(text_of(*rule.by, *sample.values), label_bytes_max) : std::string();
  const bool matches = !group.empty() && rule.when && fleet::matches(*rule.when, *sample.values);
  const auto found = memory.members.find(sample.subject);
  if (found != memory.members.end() && found->second.group == group && found->second.matches == matches) return;
  leave(memory, sample.subject);
  if (group.empty() || memory.members.size() >= subjects_max_) return;
  auto& one = memory.groups[group];
  ++one.members;
  one.matching += matches ? 1 : 0;
  one.changed = true;
  one.labels = make(rule, sample, Time{}).labels;
  memory.members[sample.subject] = {std::move(group), matches};
}

void Evaluator::judge(const Rule& rule, Memory& memory, Time now, std::vector<Finding>& out) const {
  for (auto it = memory.groups.begin(); it != memory.groups.end();) {
    const auto& name = it->first;
    auto& group = it->second;
    if (!group.changed) {
      ++it;
      continue;
    }
    group.changed = false;
    const double share =
        group.members == 0 ? 0 : static_cast<double>(group.matching) / static_cast<double>(group.members);
    if (group.matching < rule.at_least || share < rule.share) {
      memory.held.erase(name);
      group.said = false;
      out.push_back(cleared(rule, name));
    } else {
      group.said = true;
      Finding finding = cleared(rule, name, Finding::Is::firing);
      finding.value = share;
      finding.labels = group.labels;
      const fleet::NamedValues none;
      finding.reason =
          std::to_string(group.matching) + " of " + std::to_string(group.members) + " (" + percent_text(share) + ")";
      if (const auto text = rule.text.of(none, name); !text.empty()) finding.reason = text + ": " + finding.reason;
      finding.next = rule.next.of(none, name);
      hold(rule, memory, std::move(finding), now, out);
    }
    it = group.members == 0 ? memory.groups.erase(it) : std::next(it);
  }
}

void Evaluator::pass_held(const Rule& rule, Memory& memory, Time now, std::vector<Finding>& out) const {
  for (auto it = memory.held.begin(); it != memory.held.end();) {
    auto& [finding, said] = it->second;
    const auto lasted = now - finding.since;
    const bool pends = finding.is == Finding::Is::pending;
    if (pends && lasted >= rule.hold && rule.forget > Duration{} && lasted >= rule.forget) {
      out.push_back(cleared(rule, it->first));
      it = memory.held.erase(it);
      continue;
    }
    const bool due = pends && lasted >= rule.hold;
    if (due) finding.is = Finding::Is::firing;
    if (due || (!said && lasted >= shown_after(rule))) {
      said = true;
      out.push_back(finding);
    }
    ++it;
  }
}

void Evaluator::pass(Time now, std::vector<Finding>& out) {
  if (now - passed_at_ < pass_every) return;
  passed_at_ = now;
  for (std::size_t i = 0; i < book_.rules.size(); ++i) {
    const auto& rule = book_.rules[i];
    auto& memory = memory_[i];
    judge(rule, memory, now, out);
    pass_held(rule, memory, now, out);
    for (const auto& [subject, finding] : memory.watched) {
      if (now - finding.since < rule.absent || !memory.absent.insert(subject).second) continue;
      out.push_back(finding);
      out.back().since = now;
    }
    for (auto it = memory.counted.begin(); it != memory.counted.end();) {
      auto& one = it->second;
      const bool over =
          one.seen.size() < static_cast<std::size_t>(rule.count) || now - one.seen.front().first >= rule.within;
      if (one.firing && over) {
        one.firing = false;
        out.push_back(cleared(rule, it->first));
      }
      it = now - one.seen.back().first >= rule.within ? memory.counted.erase(it) : std::next(it);
    }
  }
}

bool Evaluator::has_group(const std::string& rule, const std::string& group) const {
  for (std::size_t i = 0; i < book_.rules.size(); ++i) {
    if (book_.rules[i].name == rule) return memory_[i].groups.contains(group);
  }
  return false;
}

void Evaluator::deaf_until(Time now) {
  for (auto& memory : memory_) {
    for (auto& [subject, finding] : memory.watched) finding.since = now;
  }
}

}  // namespace fieldwork::alerts
