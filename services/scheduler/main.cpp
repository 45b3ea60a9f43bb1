#include "runtime/program.hpp"
#include "scheduler/shell/service.hpp"

using namespace fieldwork;

int main(int argc, char** argv) {
  return runtime::service_main(
      argc, argv,
      {.name = "scheduler",
       .description = "Places jobs on devices, explains why, and follows them to their end",
       .make = [](runtime::Config& config, const std::string& root,
                  runtime::Post post) -> Result<std::unique_ptr<runtime::Service>> {
         scheduler::Limits limits;
         limits.lease_s = static_cast<int>(config.integer("scheduler.lease_s", limits.lease_s, 2, 86'400));
         limits.unreachable_after = seconds(config.integer("scheduler.unreachable_after_s", 60, 1, 86'400));
         limits.attempts_per_device_max = static_cast<int>(
             config.integer("scheduler.attempts_per_device_max", 256, 1, fieldwork::limits::attempts_per_device_max));
         limits.questions_open_max =
             static_cast<std::size_t>(config.integer("scheduler.questions_open_max", 1'024, 1, 100'000));
         limits.jobs_live_max =
             static_cast<std::size_t>(config.integer("scheduler.jobs_live_max", 200'000, 1, 10'000'000));
         limits.jobs_settled_max =
             static_cast<std::size_t>(config.integer("scheduler.jobs_settled_max", 1'000, 1, 1'000'000));
         limits.jobs_kept = std::chrono::hours(24 * config.integer("scheduler.jobs_kept_days", 30, 1, 3'650));
         limits.jobs_kept_max = config.integer("scheduler.jobs_kept_max", limits.jobs_kept_max, 1'000, 1'000'000'000);
         limits.learn_demand = config.boolean("scheduler.learn_demand", true);
         limits.age_every = seconds(config.integer("scheduler.age_every_s", 600, 1, 604'800));
         limits.exact = config.boolean("scheduler.exact", false);
         auto& weights = limits.weights;
         for (const auto& [key, weight] : {std::pair{"scheduler.weight_fit", &weights.fit},
                                           {"scheduler.weight_health", &weights.health},
                                           {"scheduler.weight_link", &weights.link},
                                           {"scheduler.weight_locality", &weights.locality},
                                           {"scheduler.weight_spread", &weights.spread},
                                           {"scheduler.weight_affinity", &weights.affinity},
                                           {"scheduler.weight_history", &weights.history}})
           *weight = config.number(key, *weight, 0, 10);
         auto scenarios = scheduler::Scenarios::load(
             config.text("scheduler.scenarios", runtime::beside_program("edge-scenarios").string()));
         if (!scenarios) return scenarios.error();
         return std::unique_ptr<runtime::Service>(
             std::make_unique<scheduler::SchedulerService>(root, limits, post.reads, std::move(*scenarios)));
       }});
}
