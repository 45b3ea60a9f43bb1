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

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

std::string labels_text(const Json& labels) {
  std::string out;
  if (!labels.is_object()) return "-";
  for (const auto& [key, value] : labels.items()) {
    out += (out.empty() ? "" : ",") + key + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return or_dash(out);
}

// When the package was signed, as its signer says; 0: that cannot be read.
std::int64_t released_ms(const Json& package) {
  const auto payload = crypto::jws_payload_unverified(text_of(package, "release"));
  if (!payload) return 0;
  const auto release = codec::decode_release(*payload);
  return release ? release->released_ms : 0;
}

std::string cores(std::int64_t millis) { return decimal(static_cast<double>(millis) / 1000, 1); }

// Lines of "field  value"; the values begin in one column.
class Fields {
 public:
  void add(const std::string& name, const std::string& value) { table_.add({name, or_dash(value)}); }
  [[nodiscard]] std::string text() const { return table_.text().substr(1); }  // without the line of the empty header

 private:
  Table table_{{"", ""}};
};

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

std::string device_table(const Json& devices, std::int64_t now) {
  Table table({"DEVICE", "LIFECYCLE", "PRESENCE", "HEALTH", "CORES", "MEMORY", "STORAGE", "SITE", "LABELS", "CHANGED",
               "REASON"});
  for (const auto& device : devices) {
    const auto& capacity = member(device, "capacity");
    table.add({text_of(device, "device"), or_dash(text_of(device, "lifecycle")), or_dash(text_of(device, "presence")),
               decimal(number_of(device, "health"), 2), cores(integer_of(capacity, "cpu_millis")),
               human_bytes(integer_of(capacity, "memory_bytes")), human_bytes(integer_of(capacity, "storage_bytes")),
               or_dash(text_of(device, "site")), labels_text(member(device, "labels")),
               human_age(integer_of(device, "changed_ms"), now), text_of(device, "reason")});
  }
  return table.text();
}

std::string misses_table(const Json& misses) {
  std::string out;
  for (const auto& one : misses)
    out += "  column " + std::to_string(integer_of(one, "column")) + ": " + printable(text_of(one, "reason")) + "\n";
  return out;
}

std::string verb_text(const std::string& verb, const Json& device) {
  const auto id = printable(text_of(device, "device"));
  if (verb == "remove") return "device " + id + " is removed; if it connects again, it enrols anew\n";
  if (verb == "prune") return "device " + id + " is asked to delete the cached packages that nothing needs\n";
  if (verb == "retire") return "device " + id + " is retired: it cannot enrol any more\n";
  const auto lifecycle = text_of(device, "lifecycle");
  auto out = "device " + id + " is " + printable(lifecycle) + " and " + printable(text_of(device, "presence"));
  const auto wanted = text_of(member(device, "configuration"), "lifecycle");
  if (wanted != lifecycle) return out + "; it will be " + printable(wanted) + " when it has answered\n";
  const auto attempts = integer_of(device, "attempts");
  if (lifecycle == "draining")
    out += attempts > 0 ? "; " + std::to_string(attempts) + " attempts run there still" : "; nothing runs there";
  return out + "\n";
}

std::string configured_text(const Json& device) {
  const auto version = integer_of(member(device, "configuration"), "version");
  const auto follows = integer_of(device, "configured");
  auto out = "device " + printable(text_of(device, "device")) + ": version " + std::to_string(version);
  if (follows == version) return out + ", which it follows already\n";
  return out + "; it follows version " + std::to_string(follows) + " until it answers\n";
}

std::string group_table(const Json& groups, std::int64_t now) {
  Table table({"GROUP", "DEVICES", "KIND", "CHANGED", "EXPRESSION"});
  for (const auto& one : groups) {
    const auto expression = text_of(one, "expression");
    table.add({text_of(one, "group"), std::to_string(integer_of(one, "devices")),
               expression.empty() ? "static" : "dynamic", human_age(integer_of(one, "changed_ms"), now), expression});
  }
  return table.text();
}

std::string stats_table(const Json& groups, const std::string& by, const std::string& of) {
  std::vector<std::string> header{by.empty() ? "FLEET" : by, "DEVICES"};
  if (!of.empty()) {
    for (const char* name : {"MEASURED", "MIN", "P50", "P90", "P99", "MAX", "MEAN"}) header.emplace_back(name);
  }
  Table table(std::move(header));
  for (const auto& one : groups) {
    const auto value = text_of(one, "value");
    std::vector<std::string> row{by.empty() ? "all" : or_dash(value), std::to_string(integer_of(one, "devices"))};
    if (!of.empty()) row.push_back(std::to_string(integer_of(one, "count")));
    for (const char* name : {"min", "p50", "p90", "p99", "max", "mean"}) {
      if (!of.empty()) row.push_back(one.contains(name) ? decimal(number_of(one, name), 2) : "-");
    }
    table.add(std::move(row));
  }
  return table.text();
}

namespace {

std::string megabits(std::int64_t bit_per_s) { return decimal(static_cast<double>(bit_per_s) / 1e6, 2) + " Mbit/s"; }

std::string link_text(const Json& link) {
  std::string out = member(link, "round_trip_ms").is_number()
                        ? decimal(number_of(link, "round_trip_ms"), 1) + " ms round trip"
                        : "round trip not known";
  out += ", " + std::to_string(integer_of(link, "reconnects")) + " reconnects";
  if (const auto rate = integer_of(link, "goodput_bit_per_s"); rate > 0) out += ", newest transfer " + megabits(rate);
  if (member(link, "loss").is_number()) out += ", " + decimal(100 * number_of(link, "loss"), 1) + " % lost";
  return out;
}

void add_about(Fields& fields, const Json& device) {
  const auto& uplink = member(device, "uplink");
  for (const char* name : {"site", "os", "architecture", "agent"}) {
    if (const auto text = text_of(device, name); !text.empty()) fields.add(name, text);
  }
  for (const char* name : {"capabilities", "sandbox", "groups"}) {
    std::string all;
    for (const auto& one : list_of(device, name)) all += (all.empty() ? "" : ", ") + one.get<std::string>();
    if (!all.empty()) fields.add(name, all);
  }
  if (const auto rate = integer_of(uplink, "bit_per_s"); rate > 0) fields.add("uplink", megabits(rate));
}

void add_configuration(Fields& fields, const Json& device) {
  const auto& wanted = member(device, "configuration");
  const auto version = integer_of(wanted, "version"), follows = integer_of(device, "configured");
  if (version == 0) return;
  std::string text = "version " + std::to_string(version);
  if (version != follows) text += " (it follows " + std::to_string(follows) + " until it answers)";
  for (const auto& [name, value] : wanted.items()) {
    if (name == "version" || name == "labels") continue;
    text += ", " + name + " " + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  fields.add("configured", text);
}

}  // namespace

std::string device_text(const Json& device, std::int64_t now) {
  const auto& capacity = member(device, "capacity");
  const auto& resources = member(device, "resources");
  const auto& link = member(device, "link");
  Fields fields;
  fields.add("device", text_of(device, "device"));
  fields.add("lifecycle", text_of(device, "lifecycle"));
  fields.add("presence", text_of(device, "presence"));
  if (!text_of(device, "reason").empty()) fields.add("reason", text_of(device, "reason"));
  if (const auto back = integer_of(device, "back_ms"); back > 0) fields.add("back at", human_time(back));
  if (const auto at = integer_of(device, "claimed_ms"); at > 0) {
    fields.add("claimed", "by a device with another key, " + human_age(at, now) + " ago");
    fields.add("do",
               "if this device was replaced or set up anew: fieldwork device remove " + text_of(device, "device"));
  }
  if (const auto since = integer_of(device, "duplicated_since_ms"); since > 0) {
    fields.add("identity", "used by two devices for " + human_age(since, now) + ", each throws the other out");
    fields.add("do", "issue one of them its own: scripts/pki DIR --devices NEW-ID, then device.id there");
  }
  fields.add("health", decimal(number_of(device, "health"), 2));
  std::string pressure;
  for (const auto& one : list_of(device, "pressure"))
    pressure += (pressure.empty() ? "" : ", ") + (one.is_string() ? one.get<std::string>() : "-");
  if (!pressure.empty())
    fields.add("pressure", pressure + ": see fieldwork device health " + text_of(device, "device"));
  fields.add("cores",
             cores(integer_of(capacity, "cpu_millis")) + ", load " + decimal(number_of(resources, "cpu_load"), 2));
  fields.add("memory", human_bytes(integer_of(resources, "memory_available_bytes")) + " free of " +
                           human_bytes(integer_of(capacity, "memory_bytes")));
  fields.add("storage", human_bytes(integer_of(resources, "storage_available_bytes")) + " free of " +
                            human_bytes(integer_of(capacity, "storage_bytes")));
  add_about(fields, device);
  fields.add("labels", labels_text(member(device, "labels")));
  add_configuration(fields, device);
  fields.add("attempts", std::to_string(integer_of(device, "attempts")));
  fields.add("up for", human_duration(std::chrono::seconds(integer_of(resources, "uptime_s"))));
  fields.add("link", link_text(link));
  if (member(link, "clock_offset_ms").is_number())
    fields.add("clock", decimal(number_of(link, "clock_offset_ms") / 1000, 3) + " s off the registry's");
  fields.add("session", std::to_string(integer_of(device, "session")));
  fields.add("fingerprint", text_of(device, "fingerprint"));
  fields.add("changed", human_age(integer_of(device, "changed_ms"), now) + " ago");
  return fields.text();
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
