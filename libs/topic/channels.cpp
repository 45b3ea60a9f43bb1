#include "topic/channels.hpp"

#include <algorithm>
#include <array>

namespace fieldwork {
namespace {

using enum Channel::Class;

constexpr std::size_t services_size() {
  std::size_t size = service_names.size() - 1;
  for (const auto service : service_names) size += service.size();
  return size;
}

constexpr auto with_blanks() {
  std::array<char, services_size()> out{};
  std::size_t at = 0;
  for (const auto service : service_names) {
    if (at > 0) out[at++] = ' ';
    for (const char c : service) out[at++] = c;
  }
  return out;
}

// The names of all services.
constexpr auto services_text = with_blanks();
constexpr std::string_view services(services_text.data(), services_text.size());
// Operators and dashboards hear all state and all events.
constexpr std::string_view everybody = "operator dashboard";

constexpr std::array all{
    Channel{"device/{device}/up/presence", fact, 1, true, "device", "registry scheduler"},
    Channel{"device/{device}/up/enrol", effect, 1, false, "device", "registry"},
    Channel{"device/{device}/up/heartbeat", fact, 1, false, "device", "registry scheduler"},
    Channel{"device/{device}/up/report", effect, 1, false, "device", "scheduler"},
    Channel{"device/{device}/up/progress", fact, 1, false, "device", "scheduler"},
    Channel{"device/{device}/up/message", ephemera, 0, false, "device", "scheduler operator"},
    Channel{"device/{device}/up/log", ephemera, 0, false, "device", "operator"},
    Channel{"device/{device}/up/want", effect, 1, false, "device", "transfer"},
    Channel{"device/{device}/up/received", fact, 1, false, "device", "transfer"},
    Channel{"device/{device}/up/offer", effect, 1, false, "device", "transfer"},
    Channel{"device/{device}/up/frame", piece, 1, false, "device", "transfer"},
    Channel{"device/{device}/up/output", effect, 1, false, "device", "transfer"},
    Channel{"device/{device}/up/stage", effect, 1, false, "device", "transfer"},
    Channel{"device/{device}/up/configured", effect, 1, false, "device", "registry"},

    Channel{"device/{device}/down/enrolled", answer, 1, false, "registry", "device"},
    Channel{"device/{device}/down/echo", ephemera, 0, false, "registry", "device"},
    Channel{"device/{device}/down/configure", effect, 1, false, "registry", "device"},
    Channel{"device/{device}/down/command", effect, 1, false, "scheduler", "device"},
    Channel{"device/{device}/down/message", ephemera, 0, false, "scheduler", "device"},
    Channel{"device/{device}/down/ack", answer, 1, false, "scheduler", "device"},
    Channel{"device/{device}/down/want", effect, 1, false, "transfer", "device"},
    Channel{"device/{device}/down/offer", effect, 1, false, "transfer", "device"},
    Channel{"device/{device}/down/frame", piece, 1, false, "transfer", "device"},
    Channel{"device/{device}/down/received", fact, 1, false, "transfer", "device"},
    Channel{"device/{device}/down/output", answer, 1, false, "transfer", "device"},
    Channel{"device/{device}/down/stage", effect, 1, false, "transfer", "device"},
    Channel{"device/{device}/down/rejected", answer, 1, false, "registry scheduler transfer", "device"},

    Channel{"content/{id}/frame", piece, 0, false, "transfer", "device"},

    Channel{"service/scheduler/submit/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/cancel/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/retry/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/logs/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/show/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/explain/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/try/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/scenarios/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/template/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/templates/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/list/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/result/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/reset/{from}", question, 1, false, "operator", "scheduler"},
    Channel{"service/scheduler/uses/{from}", question, 1, false, "transfer", "scheduler"},
    Channel{"service/scheduler/authorised/{from}", answer, 1, false, "security-policy", "scheduler"},
    Channel{"service/registry/show/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/health/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/history/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/list/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/stats/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/group/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/groups/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/activate/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/drain/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/deactivate/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/retire/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/remove/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/configure/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/prune/{from}", question, 1, false, "operator", "registry"},
    Channel{"service/registry/certificate/{from}", answer, 1, false, "security-policy", "registry"},
    Channel{"service/security-policy/authorise/{from}", question, 1, false, "scheduler", "security-policy"},
    Channel{"service/security-policy/certificate/{from}", question, 1, false, "registry", "security-policy"},
    Channel{"service/security-policy/permit/{from}", question, 1, false, "transfer", "security-policy"},
    Channel{"service/transfer/offer/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/start/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/frame/{from}", piece, 1, false, "operator", "transfer"},
    Channel{"service/transfer/fetch/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/received/{from}", fact, 1, false, "operator", "transfer"},
    Channel{"service/transfer/show/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/list/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/transfer/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/transfers/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/pause/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/resume/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/cancel/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/stage/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/stages/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/unstage/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/permitted/{from}", answer, 1, false, "security-policy", "transfer"},
    Channel{"service/transfer/remove/{from}", question, 1, false, "operator", "transfer"},
    Channel{"service/transfer/used/{from}", answer, 1, false, "scheduler", "transfer"},

    Channel{"service/alerting/list/{from}", question, 1, false, "operator", "alerting"},
    Channel{"service/alerting/show/{from}", question, 1, false, "operator", "alerting"},
    Channel{"service/alerting/ack/{from}", question, 1, false, "operator", "alerting"},
    Channel{"service/alerting/silence/{from}", question, 1, false, "operator", "alerting"},
    Channel{"service/alerting/silences/{from}", question, 1, false, "operator", "alerting"},
    Channel{"service/alerting/rules/{from}", question, 1, false, "operator", "alerting"},

    Channel{"reply/{client}/{channel}", answer, 1, false, services, "operator"},

    Channel{"state/device/{device}", fact, 1, true, "registry", "scheduler transfer security-policy alerting"},
    Channel{"state/health/{device}", fact, 1, true, "registry", ""},
    Channel{"state/fleet/summary", fact, 1, true, "registry", ""},
    Channel{"state/job/{job}", fact, 1, true, "scheduler", "alerting"},
    Channel{"state/execution/{job}.{n}", fact, 1, true, "scheduler", "alerting"},
    Channel{"state/placement/{device}", fact, 1, true, "scheduler", "alerting"},
    Channel{"state/package/{digest}", fact, 1, true, "transfer", "scheduler"},
    Channel{"state/transfer/{transfer}", fact, 1, true, "transfer", "alerting"},
    Channel{"state/stage/{stage}", fact, 1, true, "transfer", ""},
    Channel{"state/alert/{alert}", fact, 1, true, "alerting", ""},
    Channel{"state/audit/head", fact, 1, true, "security-policy", "security-policy alerting"},
    Channel{"state/service/{from}", fact, 1, true, services, "alerting"},

    Channel{"event/job/changed", event, 1, false, "scheduler", "alerting"},
    Channel{"event/execution/moved", event, 1, false, "scheduler", "alerting"},
    Channel{"event/device/{device}", event, 1, false, "registry", "alerting"},
    Channel{"event/transfer/{transfer}", event, 1, false, "transfer", ""},
};

bool holds(std::string_view names, std::string_view name) {
  while (!names.empty()) {
    const auto end = names.find(' ');
    if (names.substr(0, end) == name) return true;
    if (end == names.npos) return false;
    names.remove_prefix(end + 1);
  }
  return false;
}

// The topic as an MQTT filter: the level `field` ({from}, {device} or {client}) becomes `own`, every other {…} becomes
// '+'.
std::string filter_of(std::string_view topic, std::string_view field, std::string_view own) {
  std::string out = "@ROOT@";
  while (!topic.empty()) {
    const auto end = std::min(topic.find('/'), topic.size());
    const auto level = topic.substr(0, end);
    out += '/';
    if (level == field) {
      out += own;
    } else {
      out += level.find('{') == level.npos ? level : std::string_view("+");
    }
    topic.remove_prefix(std::min(end + 1, topic.size()));
  }
  return out;
}

std::string lines_of_devices() {
  std::string out = "# A device speaks and hears in its own tree alone; besides, it hears frames that are for many.\n";
  for (const auto& one : all) {
    const bool says = holds(one.from, "device");
    if (says || holds(one.to, "device"))
      out += std::string("pattern ") + (says ? "write " : "read ") + filter_of(one.topic, "{device}", "%u") + "\n";
  }
  return out;
}

std::string lines_of_operators() {
  std::string out =
      "# Operators ask services under their own name, read answers of their own connection, and see all state.\n";
  for (const auto& one : all) {
    if (holds(one.from, "operator")) out += "pattern write " + filter_of(one.topic, "{from}", "%u") + "\n";
  }
  for (const auto& one : all) {
    if (holds(one.to, "operator")) out += "pattern read " + filter_of(one.topic, "{client}", "%c") + "\n";
  }
  return out + "pattern read @ROOT@/state/#\npattern read @ROOT@/event/#\n";
}

std::string lines_of_services() {
  std::string out = "# Each service reads what it owns or needs, and writes what it owns.\n";
  for (const auto service : service_names) {
    out.append("\nuser ").append(service).append("\n");
    for (const auto& one : all) {
      if (holds(one.to, service)) out += "topic read " + filter_of(one.topic, "", "") + "\n";
      if (holds(one.from, service)) out += "topic write " + filter_of(one.topic, "{from}", service) + "\n";
    }
    if (service == "alerting") out += "topic read $SYS/broker/#\n";  // the broker's own figures
  }
  return out;
}

}  // namespace

std::span<const Channel> channels() { return all; }

std::string_view name(Channel::Class kind) {
  static constexpr std::array<std::string_view, 7> names{"fact",  "effect", "question", "answer",
                                                         "piece", "event",  "ephemera"};
  return names.at(static_cast<std::size_t>(kind));
}

std::string channels_table() {
  std::string out = "| topic | class | QoS | said by | heard by |\n|---|---|---|---|---|\n";
  for (const auto& one : all) {
    const bool of_all = one.topic.starts_with("state/") || one.topic.starts_with("event/");
    std::string heard(one.to);
    if (of_all) heard.append(heard.empty() ? "" : " ").append(everybody);
    const auto listed = [](std::string_view names) {
      std::string text;
      for (const char c : names) c == ' ' ? text += ", " : text += c;
      return text;
    };
    out.append("| `").append(one.topic).append("` | ").append(name(one.kind)).append(one.retained ? ", retained" : "");
    out.append(" | ").append(std::to_string(one.qos)).append(" | ").append(listed(one.from)).append(" | ");
    out.append(listed(heard)).append(" |\n");
  }
  return out;
}

std::string door_rights(std::string_view door) {
  const std::string made = "# Made from libs/topic/channels.cpp (tests/unit/libs/topic/channels_test.cpp --rewrite).\n";
  if (door == "devices") return made + lines_of_devices();
  if (door == "operators") return made + lines_of_operators();
  if (door == "services") return made + lines_of_services();
  if (door == "dashboards") return made + "user dashboard\ntopic read @ROOT@/state/#\ntopic read @ROOT@/event/#\n";
  return {};
}

}  // namespace fieldwork
