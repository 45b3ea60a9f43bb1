// What a job does not say that it needs is taken from what such work used before (docs/decisions/0026).
#include <algorithm>
#include <bit>

#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// Up to the next of four steps for each doubling: estimates that drift a little must not make each job one of a kind.
std::int64_t in_steps(std::int64_t amount) {
  const auto step =
      std::max<std::int64_t>(1, std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(amount, 1))) / 4);
  return (amount + step - 1) / step * step;
}

Capacity least(const Capacity& a, const Capacity& b) {
  return {std::min(a.cpu_millis, b.cpu_millis), std::min(a.memory_bytes, b.memory_bytes),
          std::min(a.storage_bytes, b.storage_bytes)};
}

}  // namespace

// What each of some devices has that could run it: each of its targets; else the first ones, more than it has
// executions. So no estimate keeps a job from them.
std::optional<Capacity> Scheduler::had_by_all(const Job& job) const {
  std::optional<Capacity> out;
  const auto want = want_of(job, job.executions.front(), {});
  const auto most = demand_devices_max + job.executions.size();
  std::size_t looked = 0, found = 0;
  const auto look = [&](Fleet::Number number, bool is_meant) {
    const auto& view = fleet_.view(number);
    ++looked;
    if (!is_meant && (!could_ever(want, fleet_, number) || !matches(want, view.device))) return;
    ++found;
    out = out ? least(*out, view.device.about.capacity) : view.device.about.capacity;
  };
  for (const auto& target : job.targets) {
    if (const auto number = fleet_.number_of(target)) look(*number, true);
  }
  if (!job.targets.empty()) return out;
  const auto* ready = fleet_.ready(job.spec->requirements.labels);
  if (ready == nullptr) return out;
  for (Order::Walk walk(*ready, 0); !walk.over() && found < most && looked < demand_looked_max; walk.next())
    look(walk.number(), false);
  return out;
}

void Scheduler::estimate(Job& job) const {
  const auto& need = job.spec->requirements;
  if (!limits_.learn_demand || job.executions.empty() || (need.cpu_millis > 0 && need.memory_bytes > 0)) return;
  const auto used = durations_.demand(job.durations);
  if (!used) return;
  const auto most = had_by_all(job);
  if (!most) return;
  if (need.cpu_millis == 0) job.estimated.cpu_millis = std::min(in_steps(used->cpu_millis), most->cpu_millis);
  if (need.memory_bytes == 0) job.estimated.memory_bytes = std::min(in_steps(used->memory_bytes), most->memory_bytes);
  auto spec = std::make_shared<JobSpec>(*job.spec);
  spec->requirements.cpu_millis += job.estimated.cpu_millis;
  spec->requirements.memory_bytes += job.estimated.memory_bytes;
  job.spec = std::move(spec);
}

}  // namespace fieldwork::scheduler
