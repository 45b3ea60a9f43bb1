// May this submitter run this command, from this package, on this device? May this principal do something else there?
// Evaluation of rules, as a pure function.
//
// A rule matches when all of its conditions hold. If a deny rule matches, the answer is deny; else if an allow rule
// matches, allow; else deny. The order of the rules decides only which of several matching rules is named.
//
// Before a job is placed, its question names no device. Then the device condition of an allow rule holds (the question
// is asked again for the chosen device), and that of a deny rule does not, unless the rule names every device ("*").
//
// A rule is about the actions that it names: "run" (of a job), "stage" (of a package), or "*". Commands are of jobs
// alone: no other action looks at that condition.
//
// Patterns: `*` stands for any text, also none; `?` for one byte; everything else for itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/policy.hpp"

namespace fieldwork::policy {

enum class Effect { allow, deny };
enum class Packages { any, none, required, listed };

struct Rule {
  std::string name;
  Effect effect = Effect::deny;
  std::vector<std::string> submitters{"*"};  // patterns
  std::vector<std::string> commands{"*"};    // patterns for command[0]
  Packages packages = Packages::any;
  std::vector<std::string> digests{};       // when listed
  std::vector<std::string> devices{"*"};    // patterns
  std::vector<std::string> actions{"run"};  // of action_words, or "*"
};

// The first condition of a rule that does not hold. `action` is looked at last: all others hold.
enum class Miss { none, submitter, command, package, device, action };

struct Evaluation {
  bool allow = false;
  // Names the rule. No rule matched: who wanted to do what; and the first allow rule that only lacks the action.
  std::string reason;
  std::vector<Miss> misses;            // one per rule, in the rules' order
  std::optional<std::size_t> decides;  // index of the rule that is named; none: no rule matched
};

[[nodiscard]] bool matches(std::string_view pattern, std::string_view text);
[[nodiscard]] Evaluation evaluate(const std::vector<Rule>& rules, const Question& question);
[[nodiscard]] Evaluation evaluate(const std::vector<Rule>& rules, const PermitQuestion& question);

// The rules that matched as a text for people, the one that decides first: "no-shell decides; operators matched".
// Beyond trace_rules_max rules or trace_bytes_max bytes the text says how many more matched; when no rule matched,
// among how many.
[[nodiscard]] std::string trace_text(const std::vector<Rule>& rules, const Evaluation& evaluation);

}  // namespace fieldwork::policy
