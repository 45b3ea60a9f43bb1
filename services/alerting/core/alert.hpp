// What alerting keeps: alerts, silences, and the bounds of both.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "alerts/rules.hpp"
#include "base/time.hpp"
#include "fleet/expression.hpp"

namespace fieldwork::alerting {

using alerts::Labels;
using alerts::Rule;
using alerts::RuleBook;
using alerts::Severity;
using alerts::Target;

struct Limits {
  std::size_t alerts_max = 10'000;  // of all rules together, pending and resolved ones too
  std::size_t rule_max = 1'000;     // pending and firing alerts of one rule; at most an eighth of alerts_max
  std::size_t many_max = 100'000;   // subjects of one rule beyond rule_max that are known by name
  std::size_t message_max = 64;     // alerts in one message
  std::size_t silences_max = 100;
  Duration resolved_keep = seconds{3600};  // of a resolved alert
  Duration retry_first = seconds{1};       // backoff of a target; doubles up to retry_last
  Duration retry_last = seconds{60};
  // Of rule._many after a restart, from LinkBack on, until the states have named the subjects again.
  Duration many_keep = seconds{600};
  Duration sweep_every = seconds{1};  // between looks at what is old and what is owed
};

struct Ack {
  std::string by, comment;
  Time at{};
  bool operator==(const Ack&) const = default;
};

// That a target was told that the alert fires, or may have been: this is saved before the message leaves, so that the
// end is told also if the answer was lost.
struct Told {
  Time since{};       // the `since` of that firing
  Time at{};          // when it was told last; Time{}: it must still be told
  bool dead = false;  // it did not take the message: given up then
  bool operator==(const Told&) const = default;
};

struct Alert {
  enum class State { pending, firing, resolved };
  std::string id;  // rule.subject: its fingerprint
  std::string rule;
  std::string subject;
  State state = State::firing;
  Severity severity = Severity::warning;
  double value = 1;
  std::string reason;
  std::string ended;  // why it is resolved
  std::string
      about;  // what sort of thing its subject is, as the rule said: `device`, `job by submitter`; empty: not known
  std::string next;        // a command that shows more
  Labels labels;           // without rule and severity
  Time since{};            // of the current firing (pending: since when it waits); when resolved: of the one that ended
  Time changed{};          // when state or value changed
  Time first{};            // of its first firing; Time{}: it has not fired yet
  std::int64_t count = 0;  // of its firings
  std::optional<Ack> acked{};          // of this firing
  std::map<std::string, Told> told{};  // by target
  std::string muted{};                 // why nobody is told; not stored
  [[nodiscard]] bool firing() const { return state == State::firing; }
  bool operator==(const Alert&) const = default;
};
[[nodiscard]] std::string_view name(Alert::State state);
[[nodiscard]] std::optional<Alert::State> alert_state(std::string_view text);

// While it lasts, nobody is told of alerts that it matches.
struct Silence {
  std::string id;
  fleet::Expression matcher;  // over alerts
  std::string by, comment;
  Time since{}, until{};
  bool operator==(const Silence&) const = default;
};

// The alert's attributes, for expressions. It must not outlive the alert.
class AlertValues final : public fleet::Values {
 public:
  explicit AlertValues(const Alert& alert, std::string_view over = {}) : alert_(alert), over_(over) {}
  [[nodiscard]] std::span<const std::string> texts(const fleet::Attribute& attribute) const override;
  [[nodiscard]] double number(const fleet::Attribute& attribute) const override;

 private:
  const Alert& alert_;
  std::string over_;
};

// The value of `rule`, `severity`, `subject` or a label; empty: absent.
[[nodiscard]] std::string label_of(const Alert& alert, const std::string& label);

}  // namespace fieldwork::alerting
