#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/device.hpp"
#include "device_parts.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {

Json encode(const HealthReport& report) {
  Json out{
      {"v", 1},
      {"device", report.device.value},
      {"at_ms", report.at_ms},
      {"score", report.score},
      {"lifecycle", name(report.lifecycle)},
      {"presence", name(report.presence)},
      {"reason", clamp_text(report.reason, limits::reason_bytes_max)},
      {"heartbeat", {{"every_s", report.heartbeat_s}, {"heard_ms", report.heard_ms}, {"missed", report.missed}}},
      {"jobs",
       {{"running", report.attempts}, {"succeeded", report.outcomes.succeeded}, {"failed", report.outcomes.failed}}},
      {"pressure", report.pressure}};
  Json use = Json::object(), thresholds = Json::object(), available{{"score", report.availability}};
  for (std::size_t i = 0; i < resource_names.size(); ++i) {
    if (report.use_percent[i]) use[resource_names[i]] = *report.use_percent[i];
    if (report.threshold_percent[i]) thresholds[resource_names[i]] = *report.threshold_percent[i];
    available[resource_names[i]] = report.available[i];
  }
  out["use_percent"] = std::move(use);
  out["threshold_percent"] = std::move(thresholds);
  out["availability"] = std::move(available);
  out["components"] = Json::array();
  for (const auto& one : report.components)
    out["components"].push_back(
        {{"component", one.name}, {"value", one.value}, {"weight", one.weight}, {"reason", one.reason}});
  out["recommendations"] = Json::array();
  for (const auto& one : report.recommendations) {
    Json item{{"about", one.about}, {"text", one.text}};
    if (!one.command.empty()) item["command"] = one.command;
    out["recommendations"].push_back(std::move(item));
  }
  return out;
}

}  // namespace fieldwork::codec
