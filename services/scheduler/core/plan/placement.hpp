// Filter and score: pure functions of what an execution wants and of a device. Every device that does not fit has a
// reason.
//
// The score is the sum of its parts, each of which is kept with the decision. Each part is its weight (Weights), times
//   fit       mean of (used + wanted) / capacity over the wanted ones of cpu, memory and disk: the fullest first; with
//             placement/strategy spread 1 less the largest of (used + 3/4 wanted) / capacity: the emptiest first
//   health    the device's health, 0 to 1, as the registry says it
//   link      1 / (1 + round_trip_ms / 100), times how well the link serves the job (serves(), fleet/measures.hpp)
//   locality  1 when the package ran on the device before, or the job has no package; 0.5 when another version of it
//             did; else 0
//   spread    1 - attempts / attempts_per_device_max
//   affinity  sum of the weights of the job's affinities that the device meets / sum of the absolute weights of all
//   history   less by the share of the command's newest tries there that failed (fleet/failures.hpp); below all other
//             sums (Weights::last_choice) where an attempt of this execution failed or was lost: the last choice
#pragma once

#include "scheduler/core/fleet/fleet.hpp"

namespace fieldwork::scheduler {

// What one execution wants.
struct Want {
  const JobSpec& spec;
  const DeviceId& target;  // not empty: this device only
  const std::set<DeviceId>& avoid;
  const std::map<DeviceId, Exclusion>& excluded;
  const std::map<DeviceId, int>& taken;  // devices of the job's other executions
  std::uint64_t lane = 0;                // a hold for this lane does not count against it
  Time now{};
  const fleet::Expression* where = nullptr;                                 // of the requirements
  const std::vector<std::optional<fleet::Expression>>* affinity = nullptr;  // of the job
  bool measured = true;               // false: what is measured of a device does not count
  std::uint64_t work = 0;             // of Failures
  const Content* content = nullptr;   // what is known of the package; null: nothing
  const Demand* estimated = nullptr;  // what of the requirements is an estimate: at most the whole device
  // Only devices with this value of placement/spread_by; null: all.
  const std::string* value = nullptr;
};
// Fills in the expressions of the job: they were found good when it came.
void read_expressions(Job& job);
[[nodiscard]] std::optional<fleet::Expression> expression_of(const std::string& text);
[[nodiscard]] Want want_of(const Job& job, const Execution& execution, Time now);

// Looks at some devices, those of the highest potential first, and says which it saw: the best candidates, and devices
// that do not fit with the reason. Of a fleet of at most walk_max devices all are looked at.
[[nodiscard]] Placement describe(const Want& want, const Fleet& fleet, const Limits& limits);
// Looks at all devices: counts what they miss, and names the explained_max devices that are nearest to fitting, each
// with all that it misses. Nearer is who misses less that does not pass by itself, then who misses fewer things.
[[nodiscard]] Placement explain(const Want& want, const Fleet& fleet, const Limits& limits);

// The free processor that a device must have at least.
[[nodiscard]] inline std::int64_t least_cpu(const Want& want) {
  return want.estimated != nullptr && want.estimated->cpu_millis > 0 ? 0 : want.spec.requirements.cpu_millis;
}
// Whether it is a device that the requirements' expression asks for, as it is now.
[[nodiscard]] bool matches(const Want& want, const Device& device);
// Whether the execution can run now on a device of which `used` is taken.
[[nodiscard]] bool fits(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used,
                        const Limits& limits);
// The same of the amounts alone, which are all that changes within a plan.
[[nodiscard]] bool has_room(const Want& want, const DeviceView& view, const Use& used, const Limits& limits);
// Why not; nullopt: it can.
[[nodiscard]] std::optional<Filtered> unfit(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used,
                                            const Limits& limits);
// All that is missing, in the order in which unfit() looks.
[[nodiscard]] std::vector<Filtered> missing(const Want& want, const Fleet& fleet, Fleet::Number number,
                                            const Limits& limits);
[[nodiscard]] inline std::optional<Filtered> unfit(const Want& want, const Fleet& fleet, Fleet::Number number,
                                                   const Limits& limits) {
  return unfit(want, fleet, number, fleet.view(number).used, limits);
}
[[nodiscard]] Score rate(const Want& want, const Fleet& fleet, Fleet::Number number, const Use& used,
                         const Limits& limits);
// Whether Fleet::potential says nothing about the score.
[[nodiscard]] inline bool has_own_order(const JobSpec& spec) {
  return spec.placement.spread || !spec.placement.affinity.empty();
}
// Whether the execution could ever run on this device, whatever runs there now: labels and whole capacity suffice, its
// connection is one that the job allows, there is a package for its architecture, and the device is neither refused nor
// excluded.
[[nodiscard]] bool could_ever(const Want& want, const Fleet& fleet, Fleet::Number number);
// The package that the device would get; empty: the job has none. Null: there is none for its architecture.
[[nodiscard]] const std::string* package_on(const Want& want, const Fleet& fleet, Fleet::Number number);
// Calls visit(number) for devices that ran the package, at most others_max.
template <class Visit>
void each_with_package(const Want& want, const Fleet& fleet, Visit visit) {
  std::size_t count = 0;
  const auto look = [&](const std::string& digest) {
    const auto* there = fleet.with_package(digest);
    for (std::size_t i = 0; there != nullptr && i < there->size() && count < others_max; ++i, ++count)
      visit((*there)[i]);
  };
  if (want.content == nullptr) return look(want.spec.package);
  for (const auto& variant : want.content->variants) look(variant.digest);
}

}  // namespace fieldwork::scheduler
