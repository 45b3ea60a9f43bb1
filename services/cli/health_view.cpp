// The health report of a device as text for people.
#include <nlohmann/json.hpp>

#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

std::string percent(const Json& of, const char* resource) {
  return member(of, resource).is_number() ? decimal(number_of(of, resource), 0) + " %" : "-";
}

std::string free_percent(const Json& of, const char* name) {
  return member(of, name).is_number() ? decimal(100 * number_of(of, name), 0) + " %" : "-";
}

std::string about_text(const Json& report, std::int64_t now) {
  const auto &heartbeat = member(report, "heartbeat"), &jobs = member(report, "jobs");
  std::string out = "device " + printable(text_of(report, "device")) + ": health " +
                    decimal(number_of(report, "score"), 2) + ", " + printable(text_of(report, "lifecycle")) + " and " +
                    printable(text_of(report, "presence"));
  if (const auto reason = text_of(report, "reason"); !reason.empty()) out += " (" + printable(reason) + ")";
  out += "\nheartbeat: every " + std::to_string(integer_of(heartbeat, "every_s")) + " s";
  if (const auto heard = integer_of(heartbeat, "heard_ms"); heard > 0)
    out += ", heard " + human_age(heard, now) + " ago; use and load are of then";
  out += "\njobs: " + std::to_string(integer_of(jobs, "running")) + " running; since its agent started " +
         std::to_string(integer_of(jobs, "succeeded")) + " succeeded and " +
         std::to_string(integer_of(jobs, "failed")) + " failed\n\n";
  return out;
}

// The mean, and the worst in brackets where it is another number.
std::string measured(const Json& item, const char* name, int digits) {
  const auto &mean = member(item, "mean"), &worst = member(item, "worst");
  if (!member(mean, name).is_number()) return "-";
  auto out = decimal(number_of(mean, name), digits);
  if (!member(worst, name).is_number()) return out;
  const auto most = decimal(number_of(worst, name), digits);
  return most == out ? out : out + " (" + most + ")";
}

}  // namespace

std::string history_table(const Json& items, std::int64_t period_ms) {
  Table table({"FROM", "BEATS", "HEALTH", "CPU %", "MEMORY %", "STORAGE %", "NETWORK %", "TEMPERATURE C",
               "ROUND TRIP ms", "LOSS %"});
  std::int64_t next = 0;  // the period behind the one before
  for (const auto& one : items) {
    const auto from = integer_of(one, "from_ms");
    if (next > 0 && period_ms > 0 && from > next)
      table.add({"  nothing for " + human_duration(std::chrono::seconds((from - next) / 1000)), "0"});
    next = from + period_ms;
    table.add({human_time(from), std::to_string(integer_of(one, "beats")), measured(one, "health", 2),
               measured(one, "cpu", 0), measured(one, "memory", 0), measured(one, "storage", 0),
               measured(one, "network", 0), measured(one, "temperature", 0), measured(one, "round_trip", 1),
               measured(one, "loss", 1)});
  }
  return table.text();
}

std::string health_text(const Json& report, std::int64_t now) {
  auto out = about_text(report, now);
  Table resources({"RESOURCE", "USED", "AVAILABLE", "THRESHOLD", "PRESSURE"});
  const auto &use = member(report, "use_percent"), &available = member(report, "availability");
  const auto& threshold = member(report, "threshold_percent");
  for (const char* name : {"cpu", "memory", "storage", "network"}) {
    bool pressed = false;
    for (const auto& one : list_of(report, "pressure")) pressed = pressed || one == name;
    const auto at = member(threshold, name).is_number() ? percent(threshold, name) : "off";
    resources.add({name, percent(use, name), free_percent(available, name), at, pressed ? "yes" : ""});
  }
  resources.add({"least", "", free_percent(available, "score"), "", ""});
  out += resources.text() + "\n";
  Table components({"COMPONENT", "VALUE", "WEIGHT", "REASON"});
  for (const auto& one : list_of(report, "components"))
    components.add({text_of(one, "component"), decimal(number_of(one, "value"), 2),
                    decimal(number_of(one, "weight"), 2), text_of(one, "reason")});
  out += components.text();
  const auto& recommendations = list_of(report, "recommendations");
  if (!recommendations.empty()) out += "\nto do:\n";
  for (const auto& one : recommendations) {
    out += "  " + printable(text_of(one, "text")) + "\n";
    if (const auto command = text_of(one, "command"); !command.empty()) out += "    " + printable(command) + "\n";
  }
  return out;
}

}  // namespace fieldwork::cli
