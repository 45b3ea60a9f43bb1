// Alert rules as data: what people are told, whom, and what mutes what. A file is TOML; docs/alerts.md describes it
// with examples. An Error's path is `FILE:LINE key`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/limits.hpp"
#include "alerts/sample.hpp"
#include "base/result.hpp"
#include "fleet/expression.hpp"

namespace fieldwork::alerts {

enum class Severity { info, warning, critical };
[[nodiscard]] std::string_view name(Severity severity);
[[nodiscard]] std::optional<Severity> severity(std::string_view text);
[[nodiscard]] std::vector<std::string_view> severity_names();

using Labels = std::map<std::string, std::string>;

// A text with values in it: `{reason|no reason}` is the attribute's value, or `no reason` where it is absent;
// `{subject}` is the thing's id.
class Text {
 public:
  [[nodiscard]] static Result<Text> parse(std::string_view text, fleet::Vocabulary vocabulary);
  [[nodiscard]] std::string of(const fleet::Values& values, const std::string& subject) const;
  [[nodiscard]] bool empty() const { return parts_.empty(); }
  [[nodiscard]] bool has_attributes() const;  // beside {subject}

 private:
  struct Part {
    std::string text;  // as it stands, or instead of an absent value
    std::optional<fleet::Attribute> attribute{};
    bool subject = false;
  };
  std::vector<Part> parts_;
};

// Exactly one condition: a state (none of `absent`, `count`, `share` is set), an absence, a rate or a share.
struct Rule {
  std::string name;
  Over over = Over::device;
  bool enabled = true;
  std::optional<fleet::Expression> when;   // none: every one (of an absence)
  std::optional<fleet::Expression> until;  // it resolves when this is true; none: when `when` is false
  Duration hold{};                         // `for`: `when` must be true for so long
  Duration absent{};                       // fires when a thing that matched was not seen for so long
  int count = 0;                           // fires when so many events, or so many things that match, were seen …
  Duration within{};                       // … within so long
  double share = 0;                        // fires when so much of those with the same `by` match, 0 to 1 …
  int at_least = 1;                        // … and at least so many
  std::optional<fleet::Attribute> by;      // of a rate or share: the subject is this attribute's value
  Duration forget{};                       // resolves when its reason is so old; an older one does not fire
  std::optional<fleet::Attribute> since;   // since when it is so, a Unix time in ms; none: as the thing itself says
  std::optional<fleet::Attribute> value;   // the alert's value; none: 1, or the number that was counted
  Severity severity = Severity::warning;
  Text text;         // the reason, for people
  Text next;         // a command that shows more
  std::string all;   // a command that shows all subjects
  std::string many;  // of the alert of the many, after their number: `more devices are lost`
  std::vector<std::pair<std::string, fleet::Attribute>> label;  // names and attributes whose values are labels
  Labels labels;                                                // fixed ones

  [[nodiscard]] bool is_state() const { return absent == Duration{} && count == 0 && share == 0; }
};

// When it fires and ends, in one line: `presence == lost, for 90% and at least 3 of the same site, for 30s`.
[[nodiscard]] std::string condition(const Rule& rule);

struct Target {
  enum class Type { webhook, alertmanager, smtp, ntfy };
  std::string name;
  Type type = Type::webhook;
  std::string url;
  std::optional<fleet::Expression> when;  // over alerts; none: all of them
  Duration after{};                       // an escalation: told when it has fired for so long and nobody acknowledged
  Duration repeat{};                      // told again while it fires; zero: once
  std::string from;                       // smtp
  std::vector<std::string> to;            // smtp
  std::string user, password_file;        // smtp, ntfy (a token without a user)
  int timeout_s = 10;
  bool operator==(const Target&) const = default;
};
[[nodiscard]] std::string_view name(Target::Type type);

struct Inhibition {
  fleet::Expression when;          // over alerts that fire
  fleet::Expression mutes;         // over the others
  std::vector<std::string> equal;  // labels that both have with the same value
};

struct RuleBook {
  std::vector<Rule> rules;
  std::vector<Target> targets;
  std::vector<Inhibition> inhibitions;
  std::vector<std::string> group_by{"rule"};  // `rule`, `severity` or a label
  Duration wait = seconds{10};                // before the first message of a group
  Duration interval = seconds{60};            // between two messages of a group
  Duration give_up = std::chrono::hours{6};   // a message that no target took for so long is a dead letter

  [[nodiscard]] const Rule* find(std::string_view name) const;
};

// The rules that come with the program.
[[nodiscard]] std::string_view shipped_rules();
// One of them as TOML; empty: there is none of this name.
[[nodiscard]] std::string shipped_text(std::string_view rule);
[[nodiscard]] const RuleBook& shipped();
// Reads a file's text on top of the shipped rules: a rule of the same name changes the keys that it has of a shipped
// one; `when` without `until` drops the latter, another `over` drops all.
[[nodiscard]] Result<RuleBook> read_rules(std::string_view text, const std::string& file);

}  // namespace fieldwork::alerts
