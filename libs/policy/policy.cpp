#include "policy/policy.hpp"

#include <algorithm>

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

const char* text(Miss miss) {
  switch (miss) {
    case Miss::none: return "matched";
    case Miss::submitter: return "submitter does not match";
    case Miss::command: return "command does not match";
    case Miss::package: return "package does not match";
    case Miss::device: return "device does not match";
  }
  return "";
}

// Whole characters of UTF-8 only.
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
  const Rule* decides = nullptr;
  for (const auto& rule : rules) {
    out.misses.push_back(first_miss(rule, question));
    if (out.misses.back() != Miss::none) continue;
    if (decides == nullptr || (decides->effect == Effect::allow && rule.effect == Effect::deny)) decides = &rule;
  }
  out.allow = decides != nullptr && decides->effect == Effect::allow;
  if (decides == nullptr) {
    out.reason = nothing_allows(question);
  } else {
    out.reason = (out.allow ? "allowed by rule " : "denied by rule ") + decides->name;
  }
  return out;
}

std::string trace_text(const std::vector<Rule>& rules, const Evaluation& evaluation) {
  std::string out;
  for (std::size_t i = 0; i < evaluation.misses.size(); ++i) {
    if (i > 0) out += "; ";
    out += rules[i].name;
    out += ": ";
    out += text(evaluation.misses[i]);
  }
  return out;
}

}  // namespace fieldwork::policy
