// Devices, groups of them and the fleet as text for people.
#include <nlohmann/json.hpp>

#include "fleet/attribute.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

std::string labels_text(const Json& labels) {
  std::string out;
  if (!labels.is_object()) return "-";
  for (const auto& [key, value] : labels.items()) {
    out += (out.empty() ? "" : ",") + key + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return or_dash(out);
}

}  // namespace

std::string device_table(const Json& devices, std::int64_t now) {
  Table table(
      {"DEVICE", "LIFECYCLE", "PRESENCE", "HEALTH", "CPU", "MEMORY", "STORAGE", "SITE", "LABELS", "CHANGED", "REASON"});
  for (const auto& device : devices) {
    const auto& capacity = member(device, "capacity");
    table.add({text_of(device, "device"), or_dash(text_of(device, "lifecycle")), or_dash(text_of(device, "presence")),
               decimal(number_of(device, "health"), 2), std::to_string(integer_of(capacity, "cpu_millis")) + "m",
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

namespace {
// Whether it has answered that it follows what is wanted of it.
bool follows(const Json& device) {
  return integer_of(member(device, "configuration"), "version") == integer_of(device, "configured");
}
}  // namespace

std::string verb_text(const std::string& verb, const Json& device) {
  const auto id = printable(text_of(device, "device"));
  if (verb == "remove") return "device " + id + " is removed; if it connects again, it enrols anew\n";
  if (verb == "prune") return "device " + id + " is asked to delete the cached packages that nothing needs\n";
  if (verb == "retire") return "device " + id + " is retired: it cannot enrol any more\n";
  const auto lifecycle = text_of(device, "lifecycle");
  auto out = "device " + id + " is " + printable(lifecycle) + " and " + printable(text_of(device, "presence"));
  const auto wanted = text_of(member(device, "configuration"), "lifecycle");
  if (wanted != lifecycle) return out + "; it will be " + printable(wanted) + " when it has answered\n";
  if (lifecycle != "draining") return out + "\n";
  if (!follows(device)) return out + "; it has not answered yet\n";
  const bool drained = text_of(device, "reason").starts_with("drained");
  return out + (drained ? "; nothing runs there\n" : "; it says when nothing runs there any more\n");
}

std::string waited_text(const std::string& verb, const Json& device) {
  auto out = verb_text(verb == "set" ? "" : verb, device);
  out.pop_back();
  if (!follows(device) && out.find("answered") == out.npos) out += "; it has not answered yet";
  return out + ". It will follow when it is heard: nothing more is to be done";
}

std::string configured_text(const Json& device) {
  const auto version = integer_of(member(device, "configuration"), "version");
  auto out =
      "device " + printable(text_of(device, "device")) + ": its configuration is version " + std::to_string(version);
  if (follows(device)) return out + ", which it follows\n";
  return out + "; it follows version " + std::to_string(integer_of(device, "configured")) + " until it answers\n";
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

namespace {
// `512 MiB`, where the attribute has a unit.
std::string in_unit(const std::string& attribute, double value) {
  const auto found = fleet::attribute(attribute);
  if (!found || found->of().type == fleet::Type::number) return decimal(value, 2);
  fleet::NamedValues values;
  values.set(attribute, value);
  return fleet::value_text(*found, values);
}
}  // namespace

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
      if (!of.empty()) row.push_back(one.contains(name) ? in_unit(of, number_of(one, name)) : "-");
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
    if (name == "version" || name == "labels" || name == "prune") continue;  // of prune: how often it was asked
    text += ", " + name + " " + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  fields.add("configured", text);
  if (const auto& labels = member(wanted, "labels"); labels.is_object() && !labels.empty())
    fields.add("given labels", labels_text(labels));
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
  const auto machine = integer_of(device, "cores");
  fields.add("cpu", std::to_string(integer_of(capacity, "cpu_millis")) + "m for jobs" +
                        (machine > 0 ? ", " + std::to_string(machine) + " cores" : "") + ", load " +
                        decimal(number_of(resources, "cpu_load"), 2));
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

}  // namespace fieldwork::cli
