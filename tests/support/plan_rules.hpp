// What a plan promises, read plainly and not by the planner's own functions. Each rule says what is broken; empty:
// nothing is.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/plan_world.hpp"

namespace fieldwork::scheduler::rules {

using Rooms = std::vector<Use>;  // what is taken, by the device's number
using Names = std::map<Fleet::Number, std::set<std::string>>;

[[nodiscard]] inline Rooms rooms_of(const PlanWorld& world) {
  Rooms out;
  for (Fleet::Number number = 0; number < world.fleet.numbers(); ++number) out.push_back(world.fleet.view(number).used);
  return out;
}

// What keeps the job from the device, where `used` is taken and jobs of these names are; empty: nothing.
[[nodiscard]] inline std::string missing(const PlanWorld& world, const Job& job, Fleet::Number number, const Use& used,
                                         const Names& names) {
  const auto& device = world.fleet.view(number).device;
  const auto& need = job.spec->requirements;
  const auto& has = device.about.capacity;
  if (need.memory_bytes > 0 && used.memory_bytes + need.memory_bytes > has.memory_bytes) return "memory";
  if (need.cpu_millis > 0 && used.cpu_millis + need.cpu_millis > has.cpu_millis) return "cpu";
  if (need.storage_bytes > 0 && used.storage_bytes + need.storage_bytes > has.storage_bytes) return "storage";
  if (device.lifecycle != Lifecycle::active || device.presence != Presence::online) return "online";
  const auto attempts = world.limits.attempts_per_device_max;
  if (used.attempts >= device.configuration.attempts_max.value_or(attempts)) return "attempts";
  if (device.health < need.health_min.value_or(0.3)) return "health";
  if (need.latency_ms_max && device.link.round_trip_ms.value_or(1e9) > *need.latency_ms_max) return "latency";
  for (const auto& [key, value] : need.labels) {
    if (!device.labels.contains(key) || device.labels.at(key) != value) return "label " + key;
  }
  if (job.where && !fleet::matches(*job.where, device)) return "expression";
  if (const auto there = names.find(number); there != names.end()) {
    for (const auto& name : job.spec->placement.apart_from) {
      if (there->second.contains(name)) return "apart from " + name;
    }
  }
  return job.taken.contains(device.id) ? "replicas" : "";
}

// What is given out, step by step.
struct Told {
  Rooms rooms;
  Names names;
  std::map<JobId, std::set<Fleet::Number>> taken{};

  explicit Told(const PlanWorld& world) : rooms(rooms_of(world)), names(world.names) {}
  Told(const PlanWorld& world, const Plan& plan) : Told(world) {
    for (const auto& step : plan.steps) {
      if (const auto* place = std::get_if<Place>(&step)) give(world.jobs.at(place->who.job), place->number);
    }
  }
  [[nodiscard]] bool has(const Job& job, Fleet::Number number) const {
    const auto it = taken.find(job.id);
    return it != taken.end() && it->second.contains(number);
  }
  void give(const Job& job, Fleet::Number number) {
    rooms[number].add(job.spec->requirements);
    if (!job.spec->name.empty()) names[number].insert(job.spec->name);
    taken[job.id].insert(number);
  }
};

// Nothing is given out twice, nothing that is asked for is missing, and who was passed over fits nowhere: a selection
// may miss the best device of a large fleet, but not the only one.
[[nodiscard]] inline std::string given_out(const PlanWorld& world, const Plan& plan) {
  Told told(world);
  for (const auto& step : plan.steps) {
    if (const auto* place = std::get_if<Place>(&step)) {
      const auto& job = world.jobs.at(place->who.job);
      const auto& id = world.fleet.view(place->number).device.id.value;
      const auto why = missing(world, job, place->number, told.rooms[place->number], told.names);
      if (!why.empty()) return job.id.value + " on " + id + ": " + why;
      if (told.has(job, place->number)) return job.id.value + ": two replicas on " + id;
      told.give(job, place->number);
    } else if (const auto* sleep = std::get_if<Sleep>(&step)) {
      const auto& job = world.jobs.at(sleep->who.job);
      for (Fleet::Number number = 0; number < told.rooms.size(); ++number) {
        if (!told.has(job, number) && missing(world, job, number, told.rooms[number], told.names).empty())
          return job.id.value + " would have fitted on " + world.fleet.view(number).device.id.value;
      }
    }
  }
  return "";
}

// The levels of a plan only fall, and each waiter is placed, or stands in a lane that sleeps.
[[nodiscard]] inline std::string in_turn(const PlanWorld& world, const Plan& plan) {
  int level = 9;
  std::set<std::pair<JobId, int>> done;
  std::set<Queue::Lane> sleeping;
  for (const auto& step : plan.steps) {
    if (const auto* place = std::get_if<Place>(&step)) {
      const auto& who = place->who;
      const auto& job = world.jobs.at(who.job);
      const auto waited = world.now - from_ms(job.submitted_ms);
      const auto its = std::min<int>(9, job.spec->priority + static_cast<int>(waited / world.limits.age_every));
      if (its > level) return who.job.value + " is of a higher level than one before it";
      level = its;
      if (!done.emplace(who.job, who.execution).second) return who.job.value + " is placed twice";
      if (sleeping.contains(who.lane)) return who.job.value + " is of a lane that sleeps";
    } else if (const auto* sleep = std::get_if<Sleep>(&step)) {
      sleeping.insert(sleep->who.lane);
    }
  }
  for (const auto& [id, job] : world.jobs) {
    for (const auto& execution : job.executions) {
      const auto* queued = std::get_if<Queued>(&execution.phase);
      if (queued != nullptr && !done.contains({id, execution.index}) && !sleeping.contains(queued->lane))
        return id.value + " had no turn";
    }
  }
  return "";
}

// Devices have other numbers, and lanes too, where they became known in another order.
[[nodiscard]] inline std::string same(const PlanWorld& one, const Plan& of_one, const PlanWorld& other,
                                      const Plan& of_other) {
  const auto text = one.text(of_one), same = other.text(of_other);
  return text == same ? "" : text + "\nis not\n" + same;
}

[[nodiscard]] inline Duration ran(const PlanWorld& world, const AttemptKey& key) {
  const auto& execution = world.jobs.at(key.job).executions[static_cast<std::size_t>(key.execution)];
  return world.now - from_ms(execution.attempt->changed_ms);
}

[[nodiscard]] inline bool may_end_for(const JobSpec& victim, const JobSpec& waiter) {
  return class_of(victim.priority) < class_of(waiter.priority) && victim.retry.attempts_max > 1;
}

// The least run time whose loss makes room for the job: over every set of victims on every device that the plan does
// not give to another of its executions.
[[nodiscard]] inline std::optional<Duration> cheapest(const PlanWorld& world, const Job& job, const Told& told) {
  std::optional<Duration> least;
  for (const auto& [id, there] : world.on_device) {
    const auto number = *world.fleet.number_of(id);
    if (told.has(job, number)) continue;
    std::vector<AttemptKey> may;
    for (const auto& key : there) {
      if (may_end_for(*world.jobs.at(key.job).spec, *job.spec)) may.push_back(key);
    }
    for (unsigned set = 1; set < (1U << may.size()); ++set) {
      auto left = told.rooms[number];
      Duration lost{};
      for (std::size_t i = 0; i < may.size(); ++i) {
        if ((set >> i & 1U) == 0) continue;
        left.add(world.jobs.at(may[i].job).spec->requirements, -1);
        lost += ran(world, may[i]);
      }
      if ((!least || lost < *least) && missing(world, job, number, left, told.names).empty()) least = lost;
    }
  }
  return least;
}

// Whoever is preempted is of a lower class, may be, and makes the waiter fit; and nobody would have been cheaper.
[[nodiscard]] inline std::string preempted(const PlanWorld& world, const Plan& plan) {
  std::optional<Told> told;
  std::set<Fleet::Number> promised;
  std::set<AttemptKey> ended;
  for (const auto& step : plan.steps) {
    const auto* one = std::get_if<Preempt>(&step);
    if (one == nullptr) continue;
    if (!told) told.emplace(world, plan);
    const auto& job = world.jobs.at(one->who.job);
    const auto who = job.id.value + " on " + world.fleet.view(one->number).device.id.value + ": ";
    if (!promised.insert(one->number).second) return who + "promised twice";
    auto left = told->rooms[one->number];
    Duration lost{};
    for (const auto& key : one->victims) {
      const auto& victim = *world.jobs.at(key.job).spec;
      if (!may_end_for(victim, *job.spec)) return who + "must not end " + key.job.value;
      if (!ended.insert(key).second) return who + key.job.value + " ends twice";
      left.add(victim.requirements, -1);
      lost += ran(world, key);
    }
    if (const auto why = missing(world, job, one->number, left, told->names); !why.empty()) return who + why;
    if (told->has(job, one->number)) return who + "another replica is there";
    if (one->lost != lost) return who + "another loss than it says";
    // The first had its choice of all devices.
    if (promised.size() == 1 && cheapest(world, job, *told) != lost) return who + "another would have lost less";
  }
  return "";
}

template <class Step>
[[nodiscard]] std::size_t count(const Plan& plan) {
  return static_cast<std::size_t>(std::count_if(plan.steps.begin(), plan.steps.end(),
                                                [](const auto& step) { return std::holds_alternative<Step>(step); }));
}

// One more device never makes a job unplaceable. Leaves the world with one waiter, and that device.
[[nodiscard]] inline std::string one_more(PlanWorld& world, PlanWorld::Size size) {
  world.keep_one_waiter();
  const auto before = count<Place>(world.plan());
  world.add_device(size);
  return count<Place>(world.plan()) < before ? "it fitted with one device less" : "";
}

struct Tally {
  std::size_t placed = 0, asleep = 0, preempted = 0;
};
// All of the above, of a world and its plan: the first that does not hold. Leaves the world as one_more() does.
[[nodiscard]] inline std::string hold(PlanWorld& world, const Plan& plan, PlanWorld::Size size, Tally& tally) {
  tally.placed += count<Place>(plan);
  tally.asleep += count<Sleep>(plan);
  tally.preempted += count<Preempt>(plan);
  for (const auto rule : {given_out, in_turn, preempted}) {
    if (auto why = rule(world, plan); !why.empty()) return why;
  }
  return one_more(world, size);
}

}  // namespace fieldwork::scheduler::rules
