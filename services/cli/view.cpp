#include "view.hpp"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "codec/transfer.hpp"
#include "crypto/jws.hpp"
#include "output.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

// When the package was signed, as its signer says; 0: that cannot be read.
std::int64_t released_ms(const Json& package) {
  const auto payload = crypto::jws_payload_unverified(text_of(package, "release"));
  if (!payload) return 0;
  const auto release = codec::decode_release(*payload);
  return release ? release->released_ms : 0;
}

std::string executions_table(const Json& executions) {
  Table table({"EXECUTION", "DEVICE", "ATTEMPT", "FENCE", "STATE", "EXIT", "ELAPSED", "OUTPUT", "REASON"});
  for (const auto& one : executions) {
    const bool exited = member(one, "exit_code").is_number();
    table.add({std::to_string(integer_of(one, "execution")), or_dash(text_of(one, "device")),
               std::to_string(integer_of(one, "attempt")), std::to_string(integer_of(one, "fence")),
               or_dash(text_of(one, "state")), exited ? std::to_string(integer_of(one, "exit_code")) : "-",
               exited ? std::to_string(integer_of(one, "elapsed_ms")) + " ms" : "-",
               exited ? human_bytes(integer_of(one, "stdout_bytes") + integer_of(one, "stderr_bytes")) : "-",
               text_of(one, "reason")});
  }
  return table.text();
}

std::string candidates_table(const Json& candidates, const std::string& chosen) {
  if (candidates.empty()) return "";
  std::set<std::string> names;  // of all parts of the score
  for (const auto& candidate : candidates) {
    const auto& components = member(candidate, "components");
    if (!components.is_object()) continue;
    for (const auto& part : components.items()) names.insert(part.key());
  }
  std::vector<std::string> header{" ", "CANDIDATE", "SCORE"};
  header.insert(header.end(), names.begin(), names.end());
  Table table(header);
  for (const auto& candidate : candidates) {
    const auto device = text_of(candidate, "device");
    std::vector<std::string> row{device == chosen ? "*" : " ", device, decimal(number_of(candidate, "score"), 3)};
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
    table.add({text_of(job, "job"), or_dash(text_of(job, "name")), or_dash(text_of(job, "state")),
               or_dash(devices_of(job)), human_age(integer_of(job, "submitted_ms"), now), text_of(job, "reason")});
  }
  return table.text();
}

std::string job_text(const Json& job, std::int64_t now) {
  Fields fields;
  fields.add("job", text_of(job, "job"));
  fields.add("name", text_of(job, "name"));
  fields.add("state", text_of(job, "state"));
  if (!text_of(job, "reason").empty()) fields.add("reason", text_of(job, "reason"));
  fields.add("submitter", text_of(job, "submitter"));
  const auto submitted = integer_of(job, "submitted_ms");
  fields.add("submitted", human_time(submitted) + " (" + human_age(submitted, now) + " ago)");
  fields.add("changed", human_age(integer_of(job, "changed_ms"), now) + " ago");
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
  return out;
}

std::string it_is(const std::string& state) {
  if (state == "succeeded" || state == "failed" || state == "expired") return state;
  const bool past = state == "denied" || state == "cancelled" || state == "quarantined" || state == "lost";
  return (past ? "was " : "is ") + printable(state);
}

std::string explain_text(const Json& answer) {
  std::string out = "job " + printable(text_of(answer, "job")) + " " + it_is(text_of(answer, "state")) + "\n";
  if (const auto reason = text_of(answer, "reason"); !reason.empty()) out += printable(reason) + "\n";
  for (const auto& one : list_of(answer, "executions")) {
    const auto chosen = text_of(one, "chosen");
    out += "\nexecution " + std::to_string(integer_of(one, "execution")) + " " + it_is(text_of(one, "state")) +
           (chosen.empty() ? ": no device chosen" : ": " + printable(chosen) + " was chosen") + "\n";
    if (const auto reason = text_of(one, "reason"); !reason.empty()) out += printable(reason) + "\n";
    out += candidates_table(list_of(one, "candidates"), chosen);
    const auto& reasons = member(one, "reasons");
    if (reasons.is_object() && !reasons.empty()) {
      std::string line;
      for (const auto& [requirement, count] : reasons.items())
        line += (line.empty() ? "" : ", ") + count.dump() + " by " + printable(requirement);
      out += "devices not possible: " + line + "\n";
    }
    const auto& filtered = list_of(one, "filtered");
    if (filtered.empty()) continue;
    Table table({" ", "NOT POSSIBLE", "REQUIREMENT", "REASON"});
    for (const auto& device : filtered) {
      table.add({"", text_of(device, "device"), text_of(device, "requirement"), text_of(device, "reason")});
    }
    out += table.text();
  }
  if (answer.contains("more")) out += "\nThere are more executions: --json lists all of them.\n";
  return out;
}

std::string short_digest(const std::string& text) {
  const auto colon = text.find(':');
  return text.substr(0, (colon == std::string::npos ? 0 : colon + 1) + 12);
}

std::string package_table(const Json& packages, std::int64_t now) {
  Table table({"NAME", "VERSION", "SIZE", "AGE", "RELEASED BY", "DIGEST"});
  for (const auto& package : packages) {
    const auto add = [&](const Json& name, const std::string& age) {
      table.add({or_dash(text_of(name, "name")), or_dash(text_of(name, "version")),
                 human_bytes(integer_of(package, "size_bytes")), age,
                 or_dash(short_digest(text_of(package, "released_by"))), short_digest(text_of(package, "digest"))});
    };
    bool first = true;
    for (const auto& name : list_of(package, "names")) {
      add(name, first ? human_age(released_ms(package), now) : "-");  // the release belongs to the first name
      first = false;
    }
    if (first) add(package, human_age(released_ms(package), now));
  }
  return table.text();
}

std::string package_text(const Json& package, std::int64_t now) {
  Fields fields;
  fields.add("digest", text_of(package, "digest"));
  for (const auto& name : list_of(package, "names"))
    fields.add("name", text_of(name, "name") + "@" + text_of(name, "version"));
  fields.add("size", human_bytes(integer_of(package, "size_bytes")));
  if (const auto released = released_ms(package); released > 0)
    fields.add("released", human_time(released) + " (" + human_age(released, now) + " ago)");
  fields.add("released by", text_of(package, "released_by"));
  return fields.text();
}

}  // namespace fieldwork::cli
