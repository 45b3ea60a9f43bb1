// A random fleet and a full queue, of which plans are made: how fast, and how close to the best each placement is.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "scheduler/core/plan/plan.hpp"

namespace fieldwork::bench {

struct PlanCost {
  double placements_per_s = 0;
  double walks_per_s = 0;  // placements of a planner that rates every device for each
  double mean_share = 0;   // score of the placement / that of the best device at that moment
  double worst_share = 1;
  std::size_t placed = 0;
};

class PlanBed {
 public:
  // `wants`: how many different requirements there are among the executions.
  PlanBed(int devices, int executions, int wants) {
    for (int i = 0; i < devices; ++i) {
      Device device{.id = DeviceId("edge-" + std::to_string(i)),
                    .lifecycle = Lifecycle::active,
                    .presence = draw(20) == 0 ? Presence::suspect : Presence::online,
                    .health = draw(4) == 0 ? draw(100) / 100.0 : 1.0,
                    .about = {.capacity = {1000 * (2 + draw(15)), gib * (1 + draw(16)), 16 * gib}},
                    .labels = {{"zone", "z" + std::to_string(draw(4))}}};
      device.link.round_trip_ms = draw(200);
      fleet_.seen(device);
    }
    for (int i = 0; i < executions; ++i) add(i, wants);
    queue_.age(now_);
    shares_.total = fleet_.capacity();
    shares_.attempts = devices * 256;
  }

  PlanCost run() {
    const auto begin = seconds_now();
    const auto made = scheduler::plan(snapshot(), now_);
    PlanCost out;
    const auto took = seconds_now() - begin;
    replay(made, out);
    out.placements_per_s = static_cast<double>(out.placed) / took;
    return out;
  }

 private:
  static constexpr std::int64_t gib = std::int64_t{1} << 30;
  static constexpr std::size_t samples = 200;

  static double seconds_now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  int draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  [[nodiscard]] scheduler::Snapshot snapshot() const {
    return {fleet_, queue_, jobs_, holds_, on_device_, shares_, limits_};
  }

  void add(int number, int wants) {
    const int want = number % wants;
    JobSpec spec;
    spec.command = {"./go"};
    spec.priority = want % 10;
    spec.requirements = {100 + want * 900 / wants, (1 + want % 7) * gib / 32, 0};
    if (want % 4 == 0) spec.requirements.labels = {{"zone", "z" + std::to_string(want / 4 % 4)}};
    scheduler::Job job;
    job.id = JobId("job-" + std::to_string(number));
    job.submitter = "team-" + std::to_string(number % 8);
    job.spec = std::make_shared<JobSpec>(spec);
    job.authorised = true;
    job.order = static_cast<std::uint64_t>(number);
    job.submitted_ms = to_ms(now_);
    job.executions.resize(1);
    auto& stored = jobs_.emplace(job.id, std::move(job)).first->second;
    auto& execution = stored.executions[0];
    execution.phase =
        scheduler::Queued{queue_.add(scheduler::shape_of(stored, execution), scheduler::entry_of(stored, execution))};
  }

  // The best device of all, as things are.
  [[nodiscard]] std::optional<double> best(const scheduler::Want& want, const scheduler::Overlay& overlay) const {
    std::optional<double> out;
    for (const auto& [id, number] : fleet_.all()) {
      const auto& used = overlay.used(number);
      if (!scheduler::fits(want, fleet_, number, used, limits_)) continue;
      const auto score = scheduler::rate(want, fleet_, number, used, limits_).score;
      if (!out || score > *out) out = score;
    }
    return out;
  }

  void replay(const scheduler::Plan& made, PlanCost& out) const {
    scheduler::Overlay overlay(fleet_);
    double sum = 0, walked = 0;
    std::size_t looked = 0;
    const auto every = std::max<std::size_t>(1, made.steps.size() / samples);
    for (const auto& step : made.steps) {
      const auto* place = std::get_if<scheduler::Place>(&step);
      if (place == nullptr) continue;
      const auto& job = jobs_.at(place->who.job);
      if (out.placed++ % every == 0) {
        const auto begin = seconds_now();
        const auto most = best(scheduler::want_of(job, job.executions[0], now_), overlay);
        walked += seconds_now() - begin;
        const auto share = place->score.score / most.value();
        sum += share;
        out.worst_share = std::min(out.worst_share, share);
        ++looked;
      }
      overlay.reserve(place->number, job.spec->requirements);
    }
    if (looked == 0) return;
    out.mean_share = sum / static_cast<double>(looked);
    out.walks_per_s = static_cast<double>(looked) / walked;
  }

  std::mt19937 random_{1};
  Time now_ = from_ms(1'000'000);
  scheduler::Limits limits_;
  scheduler::Fleet fleet_;
  scheduler::Queue queue_;
  std::unordered_map<JobId, scheduler::Job> jobs_;
  scheduler::Holds holds_;
  scheduler::OnDevice on_device_;
  scheduler::Shares shares_;
};

}  // namespace fieldwork::bench
