#include "policy/policy.hpp"

#include <algorithm>

#include "model/limits.hpp"

namespace fieldwork::policy {
namespace {

constexpr std::size_t digest_shown = 19;  // sha256: and 12 digits

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

// What is asked, of either sort of question.
struct Asked {
  const std::string& principal;
  std::string_view action;
  std::optional<std::string_view> program{};  // none: the action has none
  const std::string& package;
  const DeviceId& device;
};

bool device_matches(const Rule& rule, const DeviceId& device) {
  if (!device.empty()) return any_matches(rule.devices, device.value);
  return rule.effect == Effect::allow || std::find(rule.devices.begin(), rule.devices.end(), "*") != rule.devices.end();
}

bool action_matches(const Rule& rule, std::string_view action) {
  return std::any_of(rule.actions.begin(), rule.actions.end(),
                     [&](const auto& one) { return one == "*" || one == action; });
}

Miss first_miss(const Rule& rule, const Asked& asked) {
  if (!any_matches(rule.submitters, asked.principal)) return Miss::submitter;
  if (asked.program && !any_matches(rule.commands, *asked.program)) return Miss::command;
  if (!package_matches(rule, asked.package)) return Miss::package;
  if (!device_matches(rule, asked.device)) return Miss::device;
  if (!action_matches(rule, asked.action)) return Miss::action;
  return Miss::none;
}

// Cuts to at most 64 bytes, between two characters of UTF-8.
std::string shortened(const std::string& text) {
  if (text.size() <= 64) return text;
  std::size_t end = 61;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string nothing_allows(const std::vector<Rule>& rules, const std::vector<Miss>& misses, const Asked& asked) {
  std::string out = "no rule allows " + shortened(asked.principal) + " to " + std::string(asked.action) + " ";
  if (asked.program) {
    out += asked.program->empty() ? "nothing" : shortened(std::string(*asked.program));
  } else {
    out += asked.package.substr(0, digest_shown);
  }
  if (!asked.device.empty()) out += " on " + asked.device.value;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (misses[i] != Miss::action || rules[i].effect != Effect::allow) continue;
    return out + "; the actions of rule " + rules[i].name + " do not include \"" + std::string(asked.action) + "\"";
  }
  return out;
}

Evaluation evaluated(const std::vector<Rule>& rules, const Asked& asked) {
  Evaluation out;
  out.misses.reserve(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    out.misses.push_back(first_miss(rules[i], asked));
    if (out.misses.back() != Miss::none) continue;
    const bool stronger = out.decides && rules[*out.decides].effect == Effect::allow && rules[i].effect == Effect::deny;
    if (!out.decides || stronger) out.decides = i;
  }
  if (!out.decides) {
    out.reason = nothing_allows(rules, out.misses, asked);
    return out;
  }
  const auto& rule = rules[*out.decides];
  out.allow = rule.effect == Effect::allow;
  out.reason = (out.allow ? "allowed by rule " : "denied by rule ") + rule.name;
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
  const std::string_view program = question.command.empty() ? std::string_view() : question.command.front();
  return evaluated(rules, {question.submitter, "run", program, question.package, question.device});
}

Evaluation evaluate(const std::vector<Rule>& rules, const PermitQuestion& question) {
  return evaluated(rules, {question.principal, question.action, std::nullopt, question.package, question.device});
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
