// A fleet, a queue and running attempts of which plans are made: by hand, or at random from a seed.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "scheduler/core/plan/plan.hpp"

namespace fieldwork::scheduler {

class PlanWorld {
 public:
  PlanWorld() { queue.age(now); }
  // `turned`: devices and jobs become known in the opposite order.
  explicit PlanWorld(unsigned seed, bool turned = false) : random_(seed), queue(seconds(600)) {
    queue.age(now);
    std::vector<Device> devices;
    for (int i = 2 + draw(8); i > 0; --i) devices.push_back(some_device(static_cast<int>(devices.size())));
    std::vector<std::shared_ptr<JobSpec>> specs;
    const int jobs_count = 3 + draw(20);
    for (int i = 0; i < jobs_count; ++i) specs.push_back(some_spec());
    std::vector<std::string> submitters;
    std::vector<int> waits;
    for (int i = 0; i < jobs_count; ++i) {
      submitters.push_back("s" + std::to_string(draw(3)));
      waits.push_back(draw(4) == 0 ? draw(4000) : 0);
    }
    std::vector<int> runs_on;
    std::vector<int> for_s;
    for (int i = 0; i < jobs_count; ++i) {
      runs_on.push_back(draw(2) == 0 ? draw(static_cast<int>(devices.size())) : -1);
      for_s.push_back(draw(1000));
    }
    if (turned) std::reverse(devices.begin(), devices.end());
    for (const auto& one : devices) fleet.seen(one);
    const auto known = [&](std::size_t i, const DeviceId& device) {
      add(static_cast<int>(i), submitters[i], specs[i], seconds(waits[i]), device, seconds(for_s[i]));
    };
    std::vector<std::size_t> waiting;
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const auto device = runs_on[i] < 0 ? DeviceId() : DeviceId("d" + std::to_string(runs_on[i]));
      if (runs(*specs[i], device)) {
        known(i, device);
      } else {
        waiting.push_back(i);
      }
    }
    if (turned) std::reverse(waiting.begin(), waiting.end());
    for (const auto i : waiting) known(i, {});
  }

  void device(const std::string& id, Capacity capacity) {
    fleet.seen({.id = DeviceId(id),
                .lifecycle = Lifecycle::active,
                .presence = Presence::online,
                .about = {.capacity = capacity}});
  }
  void add_device() { fleet.seen(some_device(100)); }
  void job(const std::string& submitter, Requirements need, int priority) {
    JobSpec spec{.requirements = std::move(need), .priority = priority};
    add(static_cast<int>(jobs.size()), submitter, std::make_shared<JobSpec>(spec), {}, {}, {});
  }
  // Of all that wait only the first execution of the job that was added first.
  void keep_one_waiter() {
    bool kept = false;
    for (auto& [id, job] : std::map(jobs.begin(), jobs.end())) {
      for (const auto& execution : job.executions) {
        if (!execution.is<Queued>()) continue;
        if (kept) queue.remove(std::get<Queued>(execution.phase).lane, entry_of(job, execution));
        kept = true;
      }
    }
  }

  [[nodiscard]] Plan plan() const {
    Shares shares{given, fleet.capacity(), static_cast<std::int64_t>(fleet.size()) * limits.attempts_per_device_max};
    return scheduler::plan({.fleet = fleet,
                            .queue = queue,
                            .jobs = jobs,
                            .holds = holds,
                            .on_device = on_device,
                            .shares = shares,
                            .limits = limits},
                           now);
  }
  [[nodiscard]] std::string text(const Plan& plan) const {
    std::string out;
    for (const auto& step : plan.steps) {
      std::visit([&](const auto& one) { out += one.who.job.value + "." + std::to_string(one.who.execution); }, step);
      if (const auto* place = std::get_if<Place>(&step)) out += " on " + fleet.view(place->number).device.id.value;
      if (const auto* one = std::get_if<Preempt>(&step)) {
        out += " preempts on " + fleet.view(one->number).device.id.value;
        for (const auto& key : one->victims) out += " " + key.job.value;
      }
      out += "; ";
    }
    return out;
  }
  [[nodiscard]] std::map<std::string, int> placed_by_submitter() const {
    std::map<std::string, int> out;
    for (const auto& step : plan().steps) {
      if (const auto* place = std::get_if<Place>(&step)) ++out[jobs.at(place->who.job).submitter];
    }
    return out;
  }

  // --- the rules, read plainly ---
  // What is taken on each device, also by what the plan places.
  [[nodiscard]] std::map<DeviceId, Use> rooms(const Plan& plan = {}) const {
    std::map<DeviceId, Use> out;
    for (const auto& [id, number] : fleet.all()) out[id] = fleet.view(number).used;
    for (const auto& step : plan.steps) {
      if (const auto* place = std::get_if<Place>(&step))
        out.at(fleet.view(place->number).device.id).add(jobs.at(place->who.job).spec->requirements);
    }
    return out;
  }
  using Names = std::map<DeviceId, std::set<std::string>>;
  // Of the jobs that the plan places there.
  [[nodiscard]] Names names(const Plan& plan) const {
    Names out;
    for (const auto& step : plan.steps) {
      if (const auto* place = std::get_if<Place>(&step))
        out[fleet.view(place->number).device.id].insert(jobs.at(place->who.job).spec->name);
    }
    return out;
  }
  // What keeps the job from the device of which `used` is taken; empty: nothing.
  // `placed`: names of jobs that the plan has placed there.
  [[nodiscard]] std::string missing(const Job& job, const DeviceId& id, const Use& used,
                                    const std::set<std::string>& placed = {}) const {
    for (const auto& name : job.spec->placement.apart_from) {
      if (placed.contains(name) || fleet.has_job(*fleet.number_of(id), name)) return "apart from " + name;
    }
    const auto& device = fleet.find(id)->device;
    const auto& need = job.spec->requirements;
    const auto& has = device.about.capacity;
    if (device.lifecycle != Lifecycle::active || device.presence != Presence::online) return "online";
    for (const auto& [key, value] : need.labels) {
      if (!device.labels.contains(key) || device.labels.at(key) != value) return "label " + key;
    }
    if (job.where && !fleet::matches(*job.where, device)) return "expression";
    if (device.health < need.health_min.value_or(0.3)) return "health";
    if (need.latency_ms_max && device.link.round_trip_ms.value_or(1e9) > *need.latency_ms_max) return "latency";
    if (need.cpu_millis > 0 && used.cpu_millis + need.cpu_millis > has.cpu_millis) return "cpu";
    if (need.memory_bytes > 0 && used.memory_bytes + need.memory_bytes > has.memory_bytes) return "memory";
    if (need.storage_bytes > 0 && used.storage_bytes + need.storage_bytes > has.storage_bytes) return "storage";
    if (used.attempts >= device.configuration.attempts_max.value_or(limits.attempts_per_device_max)) return "attempts";
    if (job.taken.contains(id)) return "replicas";
    return "";
  }
  [[nodiscard]] int level(const Waiter& who) const {
    const auto& job = jobs.at(who.job);
    const auto waited = now - from_ms(job.submitted_ms);
    return std::min<int>(9, job.spec->priority + static_cast<int>(waited / limits.age_every));
  }
  [[nodiscard]] Duration ran(const AttemptKey& key) const {
    const auto& execution = jobs.at(key.job).executions[static_cast<std::size_t>(key.execution)];
    return now - from_ms(execution.attempt->changed_ms);
  }
  // The least run time whose loss makes room for the job: over every set of victims on every device.
  // `without`: devices on which the plan places others of the job.
  [[nodiscard]] std::optional<Duration> cheapest(const Job& job, const std::map<DeviceId, Use>& rooms,
                                                 const std::set<DeviceId>& without, Names placed) const {
    std::optional<Duration> least;
    for (const auto& [id, used] : rooms) {
      if (without.contains(id)) continue;
      const auto there = on_device.find(id);
      if (there == on_device.end()) continue;
      std::vector<AttemptKey> may;
      for (const auto& key : there->second) {
        const auto& victim = *jobs.at(key.job).spec;
        if (class_of(victim.priority) < class_of(job.spec->priority) && victim.retry.attempts_max > 1)
          may.push_back(key);
      }
      for (unsigned set = 1; set < (1U << may.size()); ++set) {
        auto left = used;
        Duration lost{};
        for (std::size_t i = 0; i < may.size(); ++i) {
          if ((set >> i & 1U) == 0) continue;
          left.add(jobs.at(may[i].job).spec->requirements, -1);
          lost += ran(may[i]);
        }
        if (missing(job, id, left, placed[id]).empty() && (!least || lost < *least)) least = lost;
      }
    }
    return least;
  }

  const Time now = from_ms(100'000'000);
  Limits limits;
  Fleet fleet;

 private:
  std::mt19937 random_;

 public:
  Queue queue{seconds(600)};
  std::unordered_map<JobId, Job> jobs;
  Holds holds;
  OnDevice on_device;
  std::map<std::string, Use> given;

 private:
  int draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  Device some_device(int number) {
    Device out{.id = DeviceId("d" + std::to_string(number)),
               .lifecycle = Lifecycle::active,
               .presence = draw(10) == 0 ? Presence::suspect : Presence::online,
               .health = draw(3) == 0 ? draw(100) / 100.0 : 1.0,
               .about = {.capacity = {1000 * (1 + draw(4)), 1000 * (1 + draw(4)), 1000 * draw(3)}},
               .labels = {{"zone", draw(2) == 0 ? "a" : "b"}}};
    if (draw(10) > 0) out.link.round_trip_ms = draw(300);
    if (draw(4) == 0) out.configuration.attempts_max = 1 + draw(3);
    return out;
  }
  std::shared_ptr<JobSpec> some_spec() {
    JobSpec out{.requirements = {.cpu_millis = 500 * draw(5), .memory_bytes = 500 * draw(4)}, .priority = draw(10)};
    if (draw(5) == 0) out.requirements.storage_bytes = 500 * draw(4);
    if (draw(4) == 0) out.requirements.labels["zone"] = draw(2) == 0 ? "a" : "b";
    if (draw(8) == 0) out.requirements.expression = "health > 0.5";
    if (draw(8) == 0) out.requirements.latency_ms_max = draw(300);
    if (draw(12) == 0) out.requirements.health_min = draw(10) / 10.0;
    if (draw(6) == 0) out.replicas = 1 + draw(3);
    if (draw(4) == 0) out.retry.attempts_max = 1;
    auto& rules = out.placement;
    if (draw(3) == 0) out.name = "n" + std::to_string(draw(3));
    if (draw(8) == 0) rules.apart_from.push_back("n" + std::to_string(draw(3)));
    rules.spread = draw(4) == 0;
    if (draw(6) == 0) rules.spread_by = "zone";
    if (draw(8) == 0) rules.affinity.push_back({.expression = "label.zone == a", .weight = draw(2) == 0 ? -50 : 50});
    if (draw(8) == 0) rules.affinity.push_back({.job = "n0", .weight = draw(2) == 0 ? -100 : 20});
    return std::make_shared<JobSpec>(out);
  }
  [[nodiscard]] bool runs(const JobSpec& spec, const DeviceId& device) const {
    Job job;
    job.spec = std::make_shared<JobSpec>(spec);
    read_expressions(job);
    return !device.empty() && spec.replicas == 1 && missing(job, device, fleet.find(device)->used).empty();
  }
  // A job that waits, or that runs on `device`.
  void add(int number, const std::string& submitter, std::shared_ptr<const JobSpec> spec, Duration waited,
           const DeviceId& device, Duration ran) {
    Job job;
    job.id = JobId("j" + std::to_string(1000 + number));
    job.submitter = submitter;
    job.spec = std::move(spec);
    job.authorised = true;
    job.order = static_cast<std::uint64_t>(number);
    job.submitted_ms = to_ms(now - waited);
    read_expressions(job);
    job.executions.resize(static_cast<std::size_t>(job.spec->replicas));
    auto& stored = jobs.emplace(job.id, std::move(job)).first->second;
    for (std::size_t i = 0; i < stored.executions.size(); ++i) {
      auto& execution = stored.executions[i];
      execution.index = static_cast<int>(i);
      if (device.empty()) {
        execution.phase = Queued{.lane = queue.add(shape_of(stored, execution), entry_of(stored, execution))};
        continue;
      }
      const AttemptKey key{stored.id, execution.index, 1};
      execution.phase = Live{.contact = now, .phase_since = now - ran};
      execution.attempt = Attempt{.key = key, .device = device, .reported = AttemptState::running};
      execution.attempt->changed_ms = to_ms(now - ran);
      on_device[device].insert(key);
      fleet.reserve(device,
                    {stored.spec->requirements, class_of(stored.spec->priority), may_be_preempted(*stored.spec),
                     stored.spec->name},
                    1);
      given[submitter].add(stored.spec->requirements);
    }
  }
};

}  // namespace fieldwork::scheduler
