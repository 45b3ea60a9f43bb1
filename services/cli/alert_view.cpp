// Alerts, silences and rules as text for people.
#include <nlohmann/json.hpp>

#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

// What keeps people from being told of it.
std::string quiet_text(const Json& alert) {
  const auto& acked = member(alert, "acked");
  if (!acked.is_null()) return "acknowledged by " + text_of(acked, "by");
  const auto muted = text_of(alert, "muted");
  return muted.substr(0, muted.find(':'));
}

// A pending one is not yet what its text says.
std::string reason_text(const Json& alert) {
  return (text_of(alert, "state") == "pending" ? "if it lasts: " : "") + text_of(alert, "reason");
}

std::string joined(const Json& texts) {
  std::string out;
  for (const auto& one : texts) {
    if (one.is_string()) out += (out.empty() ? "" : ", ") + one.get<std::string>();
  }
  return out;
}

std::string left(std::int64_t until_ms, std::int64_t now) {
  return human_duration(std::chrono::seconds(std::max<std::int64_t>(0, until_ms - now) / 1000));
}

}  // namespace

std::string alert_table(const Json& alerts, std::int64_t now) {
  Table table({"ALERT", "SUBJECT", "STATE", "SEVERITY", "SINCE", "QUIET", "REASON"});
  for (const auto& one : alerts)
    table.add({text_of(one, "alert"), text_of(one, "subject"), text_of(one, "state"), text_of(one, "severity"),
               human_age(integer_of(one, "since_ms"), now), quiet_text(one), reason_text(one)});
  return table.text();
}

std::string alert_text(const Json& alert, std::int64_t now) {
  std::string out = "alert " + printable(text_of(alert, "alert")) + " is " + printable(text_of(alert, "state")) + " (" +
                    printable(text_of(alert, "severity")) + ")\nsubject: " + printable(text_of(alert, "subject")) +
                    "\nreason:  " + printable(reason_text(alert)) +
                    "\nvalue:   " + decimal(number_of(alert, "value"), 2) +
                    "\nsince:   " + human_time(integer_of(alert, "since_ms")) + " (" +
                    human_age(integer_of(alert, "since_ms"), now) + " ago)\n";
  const bool resolved = text_of(alert, "state") == "resolved";
  if (resolved)
    out += "ended:   " + human_time(integer_of(alert, "changed_ms")) + " (" +
           human_age(integer_of(alert, "changed_ms"), now) + " ago): " + printable(text_of(alert, "ended")) + "\n";
  if (const auto count = integer_of(alert, "count"); count > 1)
    out += "fired:   " + std::to_string(count) + " times, first " + human_time(integer_of(alert, "first_ms")) + "\n";
  const auto& labels = member(alert, "labels");
  std::string pairs;
  if (labels.is_object()) {
    for (const auto& [name, value] : labels.items())
      pairs += (pairs.empty() ? "" : ", ") + name + "=" + (value.is_string() ? value.get<std::string>() : "");
  }
  if (!pairs.empty()) out += "labels:  " + printable(pairs) + "\n";
  if (const auto& acked = member(alert, "acked"); !acked.is_null())
    out += "acked:   by " + printable(text_of(acked, "by")) + ", " + human_age(integer_of(acked, "at_ms"), now) +
           " ago: " + printable(text_of(acked, "comment")) + "\n";
  if (const auto muted = text_of(alert, "muted"); !muted.empty()) out += "muted:   " + printable(muted) + "\n";
  const auto told = joined(list_of(alert, "told"));
  if (!resolved) out += "told:    " + (told.empty() ? std::string("nobody yet") : printable(told)) + "\n";
  if (resolved && !told.empty()) out += "untold:  " + printable(told) + " must still hear its end\n";
  if (const auto next = text_of(alert, "next"); !next.empty()) out += "next:    " + printable(next) + "\n";
  return out;
}

std::string silence_table(const Json& silences, std::int64_t now) {
  Table table({"SILENCE", "FOR", "BY", "MATCHER", "COMMENT"});
  for (const auto& one : silences)
    table.add({text_of(one, "silence"), left(integer_of(one, "until_ms"), now), text_of(one, "by"),
               text_of(one, "matcher"), text_of(one, "comment")});
  return table.text();
}

std::string rules_text(const Json& answer) {
  Table rules({"RULE", "OVER", "SEVERITY", "ACTIVE", "FIRES WHEN"});
  for (const auto& one : list_of(answer, "rules")) {
    const auto& enabled = member(one, "enabled");
    const bool on = !enabled.is_boolean() || enabled.get<bool>();
    rules.add({text_of(one, "rule"), text_of(one, "over"), text_of(one, "severity"),
               on ? std::to_string(integer_of(one, "active")) : "off", text_of(one, "when")});
  }
  Table targets({"TARGET", "TYPE", "WAITING", "TROUBLE"});
  for (const auto& one : list_of(answer, "targets"))
    targets.add({text_of(one, "target"), text_of(one, "type"), std::to_string(integer_of(one, "owed")),
                 text_of(one, "trouble")});
  auto out = rules.text() + "\n" + targets.text();
  if (const auto file = text_of(answer, "file"); !file.empty()) out += "\nrules file: " + printable(file) + "\n";
  if (list_of(answer, "targets").empty()) out += "nobody is told: the rules file has no [[target]]\n";
  if (const auto problem = text_of(answer, "problem"); !problem.empty())
    out += "\nthe rules file is not usable, the rules before stay: " + printable(problem) + "\n";
  return out;
}

}  // namespace fieldwork::cli
