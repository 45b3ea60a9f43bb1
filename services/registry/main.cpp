#include "registry/shell/service.hpp"
#include "runtime/program.hpp"

int main(int argc, char** argv) {
  using namespace fieldwork;
  return runtime::service_main(
      argc, argv,
      {.name = "registry",
       .description = "Knows the devices: who they are, what they have and how they are.",
       .migrations = "registry",
       .make = [](runtime::Config& config, const std::string& root,
                  runtime::Post post) -> Result<std::unique_ptr<runtime::Service>> {
         registry::Limits limits;
         limits.heartbeat = seconds{config.integer("registry.heartbeat_s", 5, 1, 3600)};
         limits.suspect_after = seconds{config.integer("registry.suspect_after_s", 15, 1, 86'400)};
         limits.lost_after = seconds{config.integer("registry.lost_after_s", 45, 2, 604'800)};
         limits.beats_per_s_max = static_cast<int>(config.integer("registry.beats_per_s_max", 200, 1, 1'000'000));
         limits.devices_max = static_cast<std::size_t>(config.integer("registry.devices_max", 100'000, 1, 10'000'000));
         limits.activate_new = config.boolean("registry.activate_new", true);
         for (std::size_t i = 0; i < limits.weights.size(); ++i)
           limits.weights[i] = config.number("health.weight_" + std::string(registry::component_names[i]), 1, 0, 10);
         auto& thresholds = limits.thresholds;
         for (std::size_t i = 0; i < resource_names.size(); ++i)
           thresholds.percent[i] =
               config.number("pressure." + std::string(resource_names[i]) + "_percent", thresholds.percent[i], 1, 100);
         thresholds.hysteresis = config.number("pressure.hysteresis_points", thresholds.hysteresis, 0, 50);
         limits.pressed_after = seconds{config.integer("pressure.pressed_after_s", 30, 0, 86'400)};
         limits.relieved_after = seconds{config.integer("pressure.relieved_after_s", 60, 0, 86'400)};
         for (std::size_t i = 0; i < resource_names.size(); ++i) {
           if (thresholds.hysteresis < thresholds.percent[i]) continue;
           return Error{Code::invalid,
                        "must be less than each threshold, also than " + std::string(resource_names[i]) + "_percent",
                        config.origin("pressure.hysteresis_points")};
         }
         if (limits.suspect_after <= limits.heartbeat || limits.lost_after <= limits.suspect_after) {
           return Error{Code::invalid, "must be ordered: heartbeat_s < suspect_after_s < lost_after_s",
                        config.origin("registry.suspect_after_s")};
         }
         limits.history_rows_per_s =
             static_cast<int>(config.integer("registry.history_rows_per_s", limits.history_rows_per_s, 1, 1'000'000));
         const registry::HistoryKept kept{
             .raw = std::chrono::hours{config.integer("registry.history_raw_hours", 1, 1, 24 * 366)},
             .minute = std::chrono::hours{24 * config.integer("registry.history_minute_days", 2, 1, 366)},
             .hour = std::chrono::hours{24 * config.integer("registry.history_hour_days", 90, 1, 3'660)}};
         return std::unique_ptr<runtime::Service>(
             new registry::RegistryService(root, limits, kept, std::move(post.reads)));
       }});
}
