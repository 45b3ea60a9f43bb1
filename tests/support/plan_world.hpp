// A fleet, a queue and running attempts of which plans are made: by hand, or at random from a seed.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "scheduler/core/plan/plan.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {

// What becomes known in the opposite order.
struct Turned {
  bool devices = false, jobs = false;
};

class PlanWorld {
 public:
  // small: 2 to 9 devices. large: 300 to 2,000, of which few are of the kinds that much asks for; there a plan rates a
  // selection, and walks the whole fleet only where that has nothing.
  enum class Size { small, large };
  PlanWorld() { queue.age(now); }
  PlanWorld(Size size, unsigned seed, Turned turned = {}) : random_(seed), queue(seconds(600)) {
    queue.age(now);
    auto devices = some_devices(size);
    auto all = some_jobs(size, devices);
    if (turned.devices) std::reverse(devices.begin(), devices.end());
    for (const auto& one : devices) fleet.seen(one);
    if (size == Size::large) know_packages(devices);
    std::vector<Some> waiting;
    int running = 0;
    for (auto& one : all) {
      // Of more devices with work that may be preempted not all would be weighed.
      if (running < static_cast<int>(weighed_max) && runs(*one.spec, one.device)) {
        add(one);
        ++running;
      } else {
        one.device = {};
        waiting.push_back(one);
      }
    }
    if (turned.jobs) std::reverse(waiting.begin(), waiting.end());
    for (const auto& one : waiting) add(one);
  }

  void device(const std::string& id, Capacity capacity) {
    fleet.seen({.id = DeviceId(id),
                .lifecycle = Lifecycle::active,
                .presence = Presence::online,
                .about = {.capacity = capacity}});
  }
  void add_device(Size size) { fleet.seen(size == Size::small ? some_device(100) : of_a_kind(some_device(10'000))); }
  void job(const std::string& submitter, Requirements need, int priority) {
    JobSpec spec{.requirements = std::move(need), .priority = priority};
    add({static_cast<int>(jobs.size()), submitter, std::make_shared<JobSpec>(spec)});
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
  std::map<Fleet::Number, std::set<std::string>> names;  // of jobs that run there

 private:
  struct Some {
    int number = 0;
    std::string submitter;
    std::shared_ptr<const JobSpec> spec;
    Duration waited{};
    DeviceId device{};  // on which it runs, if it fits there
    Duration ran{};
  };
  std::vector<Device> some_devices(Size size) {
    std::vector<Device> out;
    const int count = size == Size::small ? 2 + draw(8) : 300 + draw(1'701);
    for (int i = 0; i < count; ++i) {
      auto one = some_device(i);
      out.push_back(size == Size::small ? std::move(one) : of_a_kind(std::move(one)));
    }
    return out;
  }
  std::vector<Some> some_jobs(Size size, const std::vector<Device>& devices) {
    const bool small = size == Size::small;
    std::vector<DeviceId> rare;
    for (const auto& one : devices) {
      if (small || one.labels.at("kind") >= "k2") rare.push_back(one.id);
    }
    std::vector<std::shared_ptr<const JobSpec>> known;  // of a large queue many want the same
    for (int i = small ? 0 : 5 + draw(40); i > 0; --i) known.push_back(wanting(some_spec()));
    // Of those that have just come a small fleet tries 17 orders, which takes nearly all of the time.
    const auto least = small && draw(8) > 0 ? 3 : 0;
    std::vector<Some> out;
    int left = small ? 3 + draw(20) : 50 + draw(451);
    while (left > 0) {
      const auto number = static_cast<int>(out.size());
      auto spec = known.empty() ? std::make_shared<const JobSpec>(some_spec())
                                : known[static_cast<std::size_t>(draw(static_cast<int>(known.size())))];
      left -= small ? 1 : spec->replicas;
      Some one{number, "s" + std::to_string(draw(3)), std::move(spec)};
      one.waited = seconds(draw(4) == 0 ? least + draw(4000) : least);
      if (!rare.empty() && draw(2) == 0)
        one.device = rare[static_cast<std::size_t>(draw(static_cast<int>(rare.size())))];
      one.ran = seconds(draw(1000));
      out.push_back(std::move(one));
    }
    return out;
  }
  // Of a large fleet: the rarer the kind, the more memory.
  Device of_a_kind(Device out) {
    const int by = draw(200);
    const int kind = by < 140 ? 0 : by < 190 ? 1 : by < 197 ? 2 : 3;
    out.labels["kind"] = "k" + std::to_string(kind);
    out.about.capacity.memory_bytes += 2000 * kind;
    if (draw(10) > 0) out.labels["rack"] = "r" + std::to_string(draw(20));
    if (draw(20) == 0) out.labels.erase("zone");
    return out;
  }
  std::shared_ptr<const JobSpec> wanting(JobSpec out) {
    auto& need = out.requirements;
    const auto kind = [&] { return "k" + std::to_string(draw(4)); };
    if (draw(3) == 0) need.memory_bytes = 4000 + 500 * draw(14);
    if (draw(5) == 0) need.labels["kind"] = kind();
    if (draw(8) == 0) need.expression = "label.kind == " + kind();
    if (draw(12) == 0) need.expression = "label.rack == r" + std::to_string(draw(20));
    if (draw(6) == 0) out.replicas = 1 + draw(20);
    if (draw(8) == 0) out.placement.spread_by = draw(2) == 0 ? "rack" : "kind";
    if (draw(8) == 0) out.placement.affinity.push_back({.expression = "label.kind == " + kind(), .weight = 30});
    if (draw(4) == 0) out.package = "p" + std::to_string(draw(3));
    return std::make_shared<const JobSpec>(std::move(out));
  }
  void know_packages(const std::vector<Device>& devices) {
    for (int i = 0; i < 3; ++i) fleet.released("p" + std::to_string(i), {.size_bytes = 1'000'000, .name = "p"});
    for (const auto& one : devices) {
      if (const auto by = std::stoi(one.id.value.substr(1)); by % 17 == 0)
        fleet.ran(one.id, "p" + std::to_string(by % 3));
    }
  }
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
  JobSpec some_spec() {
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
    return out;
  }
  // Whether there is room for it to run there already.
  [[nodiscard]] bool runs(const JobSpec& spec, const DeviceId& device) const {
    if (device.empty() || spec.replicas != 1) return false;
    Job job;
    job.spec = std::make_shared<JobSpec>(spec);
    read_expressions(job);
    const Execution none;
    const auto number = *fleet.number_of(device);
    return fits(want_of(job, none, now), fleet, number, fleet.view(number).used, limits);
  }
  // It waits, or runs on its device.
  void add(const Some& one) {
    Job job;
    job.id = JobId("j" + std::to_string(1000 + one.number));
    job.submitter = one.submitter;
    job.spec = one.spec;
    job.authorised = true;
    job.order = static_cast<std::uint64_t>(one.number);
    job.submitted_ms = to_ms(now - one.waited);
    read_expressions(job);
    job.executions.resize(static_cast<std::size_t>(job.spec->replicas));
    auto& stored = jobs.emplace(job.id, std::move(job)).first->second;
    for (std::size_t i = 0; i < stored.executions.size(); ++i) {
      auto& execution = stored.executions[i];
      execution.index = static_cast<int>(i);
      if (one.device.empty()) {
        execution.phase = Queued{.lane = queue.add(shape_of(stored, execution), entry_of(stored, execution))};
        continue;
      }
      const AttemptKey key{stored.id, execution.index, 1};
      execution.phase = Live{.contact = now, .phase_since = now - one.ran};
      execution.attempt = Attempt{.key = key, .device = one.device, .reported = AttemptState::running};
      execution.attempt->changed_ms = to_ms(now - one.ran);
      on_device[one.device].insert(key);
      fleet.reserve(one.device,
                    {stored.spec->requirements, class_of(stored.spec->priority), may_be_preempted(*stored.spec),
                     stored.spec->name},
                    1);
      given[one.submitter].add(stored.spec->requirements);
      if (!stored.spec->name.empty()) names[*fleet.number_of(one.device)].insert(stored.spec->name);
    }
  }
};

}  // namespace fieldwork::scheduler
