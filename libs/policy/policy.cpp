#include "policy/policy.hpp"

#include <algorithm>

#include "model/limits.hpp"

namespace fieldwork::policy {
namespace {

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return matches(pattern, text); });
}

bool package_matches(const Rule& rule, const std::string& package) {
  switch (rule.packages) {
    case Packages::any: return true;
    case Packages::none: return package.empty();
    case Packages::required: return !package.empty();
    case Packages::listed: return std::find(rule.digests.begin(), rule.digests.end(), package) != rule.digests.end();
  }
  return false;
}

bool device_matches(const Rule& rule, const DeviceId& device) {
  if (!device.empty()) return any_matches(rule.devices, device.value);
  return rule.effect == Effect::allow || std::find(rule.devices.begin(), rule.devices.end(), "*") != rule.devices.end();
}

Miss first_miss(const Rule& rule, const Question& question) {
  if (!any_matches(rule.submitters, question.submitter)) return Miss::submitter;
  const std::string_view program = question.command.empty() ? std::string_view() : question.command.front();
  if (!any_matches(rule.commands, program)) return Miss::command;
  if (!package_matches(rule, question.package)) return Miss::package;
  if (!device_matches(rule, question.device)) return Miss::device;
  return Miss::none;
}

// Cuts to at most 64 bytes, between two characters of UTF-8.
std::string shortened(const std::string& text) {
  if (text.size() <= 64) return text;
  std::size_t end = 61;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string nothing_allows(const Question& question) {
  std::string out = "no rule allows " + shortened(question.submitter) + " to run ";
  out += question.command.empty() ? "nothing" : shortened(question.command.front());
  if (!question.device.empty()) out += " on " + question.device.value;
  return out;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Evaluation evaluate(const std::vector<Rule>& rules, const Question& question) {
  Evaluation out;
  out.misses.reserve(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    out.misses.push_back(first_miss(rules[i], question));
    if (out.misses.back() != Miss::none) continue;
    const bool stronger = out.decides && rules[*out.decides].effect == Effect::allow && rules[i].effect == Effect::deny;
    if (!out.decides || stronger) out.decides = i;
  }
  if (!out.decides) {
    out.reason = nothing_allows(question);
    return out;
  }
  const auto& rule = rules[*out.decides];
  out.allow = rule.effect == Effect::allow;
  out.reason = (out.allow ? "allowed by rule " : "denied by rule ") + rule.name;
  return out;
}

std::string trace_text(const std::vector<Rule>& rules, const Evaluation& evaluation) {
  if (!evaluation.decides) return "none of " + std::to_string(evaluation.misses.size()) + " rules matched";
  auto out = rules[*evaluation.decides].name + " decides";
  std::size_t told = 1, more = 0;
  for (std::size_t i = 0; i < evaluation.misses.size(); ++i) {
    if (evaluation.misses[i] != Miss::none || i == *evaluation.decides) continue;
    const auto next = "; " + rules[i].name + " matched";
    if (more > 0 || told == limits::trace_rules_max || out.size() + next.size() > limits::trace_bytes_max) {
      ++more;
      continue;
    }
    out += next;
    ++told;
  }
  if (more > 0) out += "; " + std::to_string(more) + " more matched";
  return out;
}

}  // namespace fieldwork::policy
