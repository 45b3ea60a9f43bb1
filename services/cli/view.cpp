#include "view.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "follow.hpp"
#include "output.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

// What was set aside for each execution though the job does not say it.
std::string needs_text(const Json& estimated) {
  std::string out;
  if (const auto cpu = integer_of(estimated, "cpu_millis"); cpu > 0)
    out = decimal(static_cast<double>(cpu) / 1000, 2) + " cores";
  if (const auto memory = integer_of(estimated, "memory_bytes"); memory > 0)
    out += (out.empty() ? "" : ", ") + human_bytes(memory) + " of memory";
  return out + ", by what such work used";
}

std::string executions_table(const Json& executions) {
  Table table(
      {"EXECUTION", "DEVICE", "ATTEMPT", "FENCE", "STATE", "EXIT", "ELAPSED", "CPU", "MEMORY", "OUTPUT", "REASON"});
  for (const auto& one : executions) {
    const bool exited = member(one, "exit_code").is_number();
    const auto& use = member(one, "use");
    const auto& progress = member(one, "progress");
    auto state = or_dash(text_of(one, "state"));
    if (const auto& far = member(progress, "fraction"); far.is_number() && state != "succeeded")
      state += " at " + std::to_string(whole_percent(far.get<double>())) + " %";
    auto reason = text_of(one, "reason");
    if (member(one, "confirmed") == false)
      reason += (reason.empty() ? "" : "; ") + std::string("its device has not said yet that it ended");
    if (reason.empty() && state != "succeeded") reason = amount_of(progress);
    table.add({std::to_string(integer_of(one, "execution")), or_dash(text_of(one, "device")),
               std::to_string(integer_of(one, "attempt")), std::to_string(integer_of(one, "fence")), state,
               exited ? std::to_string(integer_of(one, "exit_code")) : "-",
               exited ? std::to_string(integer_of(one, "elapsed_ms")) + " ms" : "-",
               use.is_object() ? std::to_string(integer_of(use, "cpu_ms")) + " ms" : "-",
               use.is_object() ? human_bytes(integer_of(use, "memory_peak_bytes")) : "-",
               exited ? human_bytes(integer_of(one, "stdout_bytes") + integer_of(one, "stderr_bytes")) : "-", reason});
  }
  return table.text();
}

std::string bar(double value, double whole) {
  constexpr double cells = 20;
  const auto full = whole > 0 ? std::clamp(std::lround(cells * value / whole), 0L, static_cast<long>(cells)) : 0L;
  return full == 0 ? "-" : std::string(static_cast<std::size_t>(full), '#');
}

std::string candidates_table(const Json& candidates, const std::string& chosen) {
  if (candidates.empty()) return "";
  std::set<std::string> names;  // of all parts of the score
  for (const auto& candidate : candidates) {
    const auto& components = member(candidate, "components");
    if (!components.is_object()) continue;
    for (const auto& part : components.items()) names.insert(part.key());
  }
  double best = 0;
  for (const auto& candidate : candidates) best = std::max(best, number_of(candidate, "score"));
  std::vector<std::string> header{" ", "CANDIDATE", "SCORE", "OF THE BEST"};
  header.insert(header.end(), names.begin(), names.end());
  Table table(header);
  for (const auto& candidate : candidates) {
    const auto device = text_of(candidate, "device");
    const auto score = number_of(candidate, "score");
    std::vector<std::string> row{device == chosen ? "*" : " ", device, decimal(score, 3), bar(score, best)};
    for (const auto& part : names) {
      const auto& value = member(member(candidate, "components"), part.c_str());
      row.push_back(value.is_number() ? decimal(value.get<double>(), 3) : "-");
    }
    table.add(std::move(row));
  }
  return table.text();
}

}  // namespace

const Json& member(const Json& value, const char* field) {
  static const Json nothing;
  if (!value.is_object()) return nothing;
  const auto it = value.find(field);
  return it == value.end() ? nothing : *it;
}

const Json& list_of(const Json& value, const char* field) {
  static const Json empty = Json::array();
  const auto& list = member(value, field);
  return list.is_array() ? list : empty;
}

std::string text_of(const Json& value, const char* field) {
  const auto& found = member(value, field);
  return found.is_string() ? found.get<std::string>() : "";
}

std::int64_t integer_of(const Json& value, const char* field, std::int64_t fallback) {
  const auto& found = member(value, field);
  return found.is_number_integer() ? found.get<std::int64_t>() : fallback;
}

double number_of(const Json& value, const char* field, double fallback) {
  const auto& found = member(value, field);
  return found.is_number() ? found.get<double>() : fallback;
}

std::string devices_of(const Json& job) {
  std::set<std::string> devices;
  for (const auto& one : list_of(job, "executions")) {
    if (auto device = text_of(one, "device"); !device.empty()) devices.insert(std::move(device));
  }
  if (const auto device = text_of(job, "device"); !device.empty()) devices.insert(device);  // STATE_JOB's own
  std::string out;
  for (const auto& device : devices) out += (out.empty() ? "" : ", ") + device;
  if (const auto width = integer_of(job, "width"); out.empty() && width > 1)
    return std::to_string(width) + " executions";
  return out;
}

std::string job_table(const Json& jobs, std::int64_t now) {
  Table table({"JOB", "NAME", "STATE", "DEVICE", "AGE", "REASON"});
  for (const auto& job : jobs) {
    const auto waits = waits_line(job);
    table.add({text_of(job, "job"), or_dash(text_of(job, "name")), or_dash(text_of(job, "state")),
               or_dash(devices_of(job)), human_age(integer_of(job, "submitted_ms"), now),
               waits.empty() ? text_of(job, "reason") : waits});
  }
  return table.text();
}

std::string job_text(const Json& job, std::int64_t now) {
  Fields fields;
  fields.add("job", text_of(job, "job"));
  fields.add("name", text_of(job, "name"));
  fields.add("state", text_of(job, "state"));
  if (!text_of(job, "reason").empty()) fields.add("reason", text_of(job, "reason"));
  if (const auto waits = waits_line(job); !waits.empty()) fields.add("waits", waits);
  fields.add("submitter", text_of(job, "submitter"));
  const auto submitted = integer_of(job, "submitted_ms");
  fields.add("submitted", human_time(submitted) + " (" + human_age(submitted, now) + " ago)");
  fields.add("changed", human_age(integer_of(job, "changed_ms"), now) + " ago");
  fields.add("version", std::to_string(integer_of(job, "changed_ms")));
  if (const auto of = text_of(job, "template"); !of.empty()) fields.add("template", of);
  if (const auto of = text_of(job, "retry_of"); !of.empty()) fields.add("retry of", of);
  if (const auto& estimated = member(job, "estimated"); estimated.is_object())
    fields.add("estimated", needs_text(estimated));
  std::string counts;
  const auto& by_state = member(job, "counts");
  if (by_state.is_object() && integer_of(job, "width") > 1) {
    for (const auto& [word, count] : by_state.items())
      counts += (counts.empty() ? "" : ", ") + count.dump() + " " + word;
    fields.add("executions", counts);
  }
  fields.add("traceparent", text_of(job, "traceparent"));
  std::string out = fields.text();
  const auto& executions = list_of(job, "executions");
  if (!executions.empty()) out += "\n" + executions_table(executions);
  for (const auto& one : executions) {
    for (const auto& decided : list_of(one, "decided"))
      out += "\n" + human_time(integer_of(decided, "at_ms")) + "  " + printable(text_of(one, "device")) +
             ", execution " + std::to_string(integer_of(one, "execution")) + ": " + printable(text_of(decided, "what"));
  }
  if (out.back() != '\n') out += "\n";
  return out;
}

std::string it_is(const std::string& state) {
  if (state == "succeeded" || state == "failed" || state == "expired") return state;
  const bool past = state == "denied" || state == "cancelled" || state == "quarantined" || state == "lost";
  return (past ? "was " : "is ") + printable(state);
}

std::string waits_line(const Json& job) {
  const auto& waits = member(job, "waits");
  const bool late = member(job, "meets_deadline") == false;
  if (!waits.is_object()) return late ? "such work takes longer than there is time before its deadline" : "";
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : ", ") + text; };
  if (const auto position = integer_of(waits, "position"); position > 0)
    add("number " + std::to_string(position) + " in the queue");
  const bool known = member(waits, "wait_s").is_number();
  const std::chrono::seconds wait(std::lround(number_of(waits, "wait_s")));
  add(known ? "starts in about " + human_duration(wait) : "nobody knows yet when it starts");
  if (const auto& meets = member(waits, "meets_deadline"); meets.is_boolean())
    add(meets.get<bool>() ? "in time for its deadline" : "too late for its deadline");
  const auto reason = text_of(waits, "reason");
  return reason.empty() ? out : out + ": " + reason;
}

namespace {

// The candidates of one execution, and why other devices are not possible.
std::string placement_text(const Json& one, const std::string& chosen) {
  auto out = candidates_table(list_of(one, "candidates"), chosen);
  const auto& reasons = member(one, "reasons");
  if (reasons.is_object() && !reasons.empty()) {
    std::string line;
    for (const auto& [requirement, count] : reasons.items())
      line += (line.empty() ? "" : ", ") + count.dump() + " by " + printable(requirement);
    out += "devices not possible: " + line + "\n";
  }
  const auto& filtered = list_of(one, "filtered");
  if (filtered.empty()) return out;
  Table table({" ", "NOT POSSIBLE", "REQUIREMENT", "REASON"});
  for (const auto& device : filtered) {
    table.add({"", text_of(device, "device"), text_of(device, "requirement"), text_of(device, "reason")});
  }
  return out + table.text();
}

}  // namespace

std::string explain_text(const Json& answer) {
  std::string out = "job " + printable(text_of(answer, "job")) + " " + it_is(text_of(answer, "state")) + "\n";
  if (const auto reason = text_of(answer, "reason"); !reason.empty()) out += printable(reason) + "\n";
  if (const auto waits = waits_line(answer); !waits.empty()) out += printable(waits) + "\n";
  for (const auto& one : list_of(answer, "executions")) {
    const auto chosen = text_of(one, "chosen");
    out += "\nexecution " + std::to_string(integer_of(one, "execution")) + " " + it_is(text_of(one, "state")) +
           (chosen.empty() ? ": no device chosen" : ": " + printable(chosen) + " was chosen") + "\n";
    if (const auto reason = text_of(one, "reason"); !reason.empty()) out += printable(reason) + "\n";
    out += placement_text(one, chosen);
  }
  if (answer.contains("more")) out += "\nThere are more executions: --json lists all of them.\n";
  return out;
}

std::string trial_text(const Json& answer) {
  std::string devices;
  for (const auto& one : list_of(answer, "devices")) {
    if (one.is_string()) devices += (devices.empty() ? "" : ", ") + printable(one.get<std::string>());
  }
  const auto placed = integer_of(answer, "placed"), width = integer_of(answer, "width");
  std::string out;
  if (placed > 0) {
    out += (width > 1 ? std::to_string(placed) + " of " + std::to_string(width) + " executions" : "It") +
           " would run now, on " + devices + (placed > 16 ? ", …" : "") + "\n";
  }
  if (const auto waits = waits_line(answer); !waits.empty() && !member(answer, "waits").is_object())
    out += "Too late: " + waits + "\n";
  else if (!waits.empty())
    out += (placed > 0 ? "The others would wait: " : "It would wait: ") + printable(waits) + "\n";
  out += "Nothing was submitted, and security-policy was not asked.\n\n";
  const auto& first = list_of(answer, "devices");
  const auto chosen = first.empty() || !first.front().is_string() ? "" : first.front().get<std::string>();
  return out + placement_text(member(answer, "placement"), chosen);
}

std::string scenario_table(const Json& scenarios, std::int64_t /*now*/) {
  Table table({"SCENARIO", "JOBS", "DESCRIPTION"});
  for (const auto& one : scenarios) {
    std::string jobs;
    for (const auto& job : list_of(one, "jobs")) jobs += (jobs.empty() ? "" : ", ") + text_of(job, "name");
    table.add({text_of(one, "scenario"), jobs, text_of(one, "title")});
  }
  return table.text();
}

std::string scenario_text(const Json& answer) {
  const auto shown = [](const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); };
  Fields fields;
  fields.add("scenario", text_of(answer, "scenario"));
  fields.add("description", text_of(answer, "description"));
  std::string out = fields.text() + "\n";
  Table needs({"NEED", "AS IT IS SAID"});
  for (const auto& [name, value] : member(answer, "needs").items()) needs.add({name, shown(value)});
  Table jobs({"JOB", "DESCRIPTION"});
  for (const auto& one : list_of(answer, "jobs")) jobs.add({text_of(one, "name"), text_of(one, "description")});
  return out + needs.text() + "\n" + jobs.text() +
         "\nWhat its jobs begin with, where an attempt succeeds with a probability of " +
         decimal(number_of(answer, "success"), 4) + " (docs/scenarios.md):\n" + member(answer, "job").dump(2) + "\n";
}

std::string template_table(const Json& templates, std::int64_t now) {
  Table table({"TEMPLATE", "VERSION", "AGE", "PUSHED BY", "DESCRIPTION"});
  for (const auto& one : templates) {
    table.add({text_of(one, "name"), std::to_string(integer_of(one, "version")),
               human_age(integer_of(one, "pushed_ms"), now), or_dash(text_of(one, "pushed_by")),
               text_of(one, "description")});
  }
  return table.text();
}

std::string template_text(const Json& answer, std::int64_t now) {
  const auto& document = member(answer, "template");
  Fields fields;
  fields.add("template", text_of(answer, "name") + "@" + std::to_string(integer_of(answer, "version")));
  if (const auto text = text_of(answer, "description"); !text.empty()) fields.add("description", text);
  const auto pushed = integer_of(answer, "pushed_ms");
  if (pushed == 0) {
    fields.add("scenario", text_of(answer, "pushed_by"));
  } else {
    fields.add("pushed",
               human_time(pushed) + " (" + human_age(pushed, now) + " ago) by " + text_of(answer, "pushed_by"));
  }
  std::string versions;
  for (const auto& one : list_of(answer, "versions")) versions += (versions.empty() ? "" : " ") + one.dump();
  fields.add("versions", versions);
  std::string out = fields.text();
  if (const auto& parameters = member(document, "parameters"); parameters.is_object() && !parameters.empty()) {
    Table table({"PARAMETER", "TYPE", "DEFAULT", "ALLOWED", "UNIT", "DESCRIPTION"});
    const auto shown = [](const Json& value) {
      if (!value.is_number_float()) return value.is_string() ? value.get<std::string>() : value.dump();
      std::array<char, 32> text{};
      std::snprintf(text.data(), text.size(), "%.10g", value.get<double>());
      return std::string(text.data());
    };
    for (const auto& [name, one] : parameters.items()) {
      std::string allowed;
      for (const auto& value : list_of(one, "enum")) allowed += (allowed.empty() ? "" : "|") + shown(value);
      const auto &min = member(one, "min"), &max = member(one, "max");
      if (allowed.empty() && (!min.is_null() || !max.is_null()))
        allowed = (min.is_null() ? "" : shown(min)) + " to " + (max.is_null() ? "" : shown(max));
      const auto& value = member(one, "default");
      table.add({name, text_of(one, "type"), value.is_null() ? "(required)" : shown(value), or_dash(allowed),
                 or_dash(text_of(one, "unit")), text_of(one, "description")});
    }
    out += "\n" + table.text();
  }
  return out + "\n" + document.value("job", Json::object()).dump(2) + "\n";
}

std::string short_digest(const std::string& text) {
  const auto colon = text.find(':');
  return text.substr(0, (colon == std::string::npos ? 0 : colon + 1) + 12);
}

}  // namespace fieldwork::cli
