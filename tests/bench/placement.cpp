// scripts/bench placement: the µs that the scheduler's core takes to place one execution, and to carry its job from
// submission to its end, by the size of the fleet. Meanwhile as many jobs wait as there are devices; they fit nowhere,
// each in a lane of its own. For comparison the plainest walk over the same fleet, which reads one number for each
// device: the least that a scheduler without indexes would do.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "percentile.hpp"
#include "plans.hpp"
#include "scheduler/core/scheduler.hpp"
#include "walk.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr int sizes[] = {100, 1'000, 10'000};
constexpr int rounds = 9;   // rounds of each size, the sizes in turn
constexpr int batch = 200;  // jobs of a round, one after the other
constexpr int walks = 20;   // walks of a round
constexpr std::int64_t gib = std::int64_t{1} << 30;

double now_us() {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

class Bed {
 public:
  explicit Bed(int devices) : core_(limits()) {
    for (int i = 0; i < devices; ++i) {
      Device device;
      device.id = DeviceId("edge-" + std::to_string(i));
      device.lifecycle = Lifecycle::active;
      device.presence = i % 10 == 0 ? Presence::suspect : Presence::online;
      device.about.capacity = {4000 + i % 7 * 100, 4 * gib, 4 * gib};
      device.labels = {{"zone", i % 2 == 0 ? "a" : "b"}};
      step(DeviceSeen{device});
    }
    for (int i = 0; i < devices; ++i) {
      submit("waits-" + std::to_string(i), {{"needs", std::to_string(i)}});
      for (const auto& one : std::exchange(said_.questions, {})) allow(one);  // were there a device
    }
    if (core_.queued() != static_cast<std::size_t>(devices)) std::abort();
    step(LinkBack{});
    now_ += seconds(60);
    step(TimePassed{});
  }

  struct Cost {
    double place_us = 0;  // from the submission to the question about a device
    double job_us = 0;    // from the submission to the end
  };
  Cost run() {
    Cost out;
    for (int i = 0; i < batch; ++i) {
      now_ += milliseconds(1);
      const auto id = "job-" + std::to_string(++number_);
      const auto begin = now_us();
      submit(id, {{"zone", "a"}});
      out.place_us += now_us() - begin;
      const auto question = said_.questions.at(0);
      allow(question);
      for (const auto state : {AttemptState::fetching, AttemptState::running, AttemptState::succeeded})
        report(question.device, {.key = question.key, .state = state});
      out.job_us += now_us() - begin;
    }
    return {out.place_us / batch, out.job_us / batch};
  }

  // The µs of one walk that finds the device with the least free CPU that is enough.
  double walk_us() const {
    const auto begin = now_us();
    for (int i = 0; i < walks; ++i) {
      if (bench::walk(core_.fleet()) == nullptr) std::abort();
    }
    return (now_us() - begin) / walks;
  }

 private:
  static Limits limits() {
    Limits out;
    out.hear_first = {};  // nothing ran on the devices before
    return out;
  }
  void step(const Input& input) {
    said_ = {};
    core_.step(input, now_, said_);
    core_.step(BatchEnded{}, now_, said_);
  }
  void allow(const Question& question) {
    step(DecisionMade{{.key = question.key, .device = question.device, .allow = true, .grant = "g"}});
  }
  void submit(const std::string& id, Labels labels) {
    JobSpec spec;
    spec.command = {"./go"};
    spec.requirements = {1000, gib, 0, std::move(labels)};
    spec.timeouts.queued_s = 86'400;
    step(JobSubmitted{.reply = 1,
                      .job = JobId(id),
                      .submitter = "bench",
                      .request = id,
                      .spec = std::move(spec),
                      .spec_digest = "d"});
  }
  void report(const DeviceId& device, const AttemptReport& report) {
    const auto seq = ++seqs_[device];
    step(ReportArrived{.device = device,
                       .epoch = 1,
                       .first = seq,
                       .seq = seq,
                       .after = seq - 1,
                       .items = {{.tag = seq, .report = report}},
                       .at = now_});
  }

  Scheduler core_;
  Time now_ = from_ms(1'000'000);
  Output said_;
  std::map<DeviceId, std::int64_t> seqs_;
  int number_ = 0;
};

}  // namespace
}  // namespace fieldwork::scheduler

namespace {

// Passes over a full queue: `wants` different requirements among the executions, of eight submitters.
nlohmann::json plans() {
  struct Case {
    int devices, executions, wants;
  };
  constexpr Case cases[] = {
      {1'000, 20'000, 16}, {1'000, 20'000, 1'000}, {10'000, 100'000, 16}, {10'000, 100'000, 1'000}};
  constexpr int times = 5;
  nlohmann::json out = nlohmann::json::array();
  std::printf("\n%8s %11s %6s %13s %13s %11s %11s\n", "devices", "executions", "wants", "placements/s", "all rated/s",
              "mean score", "worst score");
  for (const auto& one : cases) {
    fieldwork::bench::PlanBed bed(one.devices, one.executions, one.wants);
    std::vector<double> plans, walks;
    fieldwork::bench::PlanCost cost;
    for (int i = 0; i < times; ++i) {
      cost = bed.run();
      plans.push_back(cost.placements_per_s);
      walks.push_back(cost.walks_per_s);
    }
    const auto plan = fieldwork::bench::percentile(plans, 0.5), walk = fieldwork::bench::percentile(walks, 0.5);
    std::printf("%8d %11zu %6d %13.0f %13.0f %11.4f %11.4f\n", one.devices, cost.placed, one.wants, plan, walk,
                cost.mean_share, cost.worst_share);
    out.push_back({{"devices", one.devices},
                   {"placed", cost.placed},
                   {"wants", one.wants},
                   {"placements_per_s", plan},
                   {"all_rated_per_s", walk},
                   {"mean_share", cost.mean_share},
                   {"worst_share", cost.worst_share}});
  }
  return out;
}

}  // namespace

int main() {
  using namespace fieldwork::scheduler;
  std::map<int, std::unique_ptr<Bed>> beds;
  std::map<int, std::vector<double>> place, job, walk;
  for (const int devices : sizes) beds.emplace(devices, std::make_unique<Bed>(devices));
  for (int round = 0; round <= rounds; ++round) {
    for (auto& [devices, bed] : beds) {
      const auto cost = bed->run();
      if (round == 0) continue;  // the first round warms up
      place[devices].push_back(cost.place_us);
      job[devices].push_back(cost.job_us);
      walk[devices].push_back(bed->walk_us());
    }
  }
  nlohmann::json out = nlohmann::json::array();
  std::printf("%8s %8s %14s %10s %14s %10s\n", "devices", "lanes", "us/placement", "growth", "us/whole job",
              "walk, us");
  for (const int devices : sizes) {
    const auto us = fieldwork::bench::percentile(place[devices], 0.5);
    const auto growth = us / fieldwork::bench::percentile(place[sizes[0]], 0.5);
    std::printf("%8d %8d %14.1f %10.2f %14.1f %10.1f\n", devices, devices, us, growth,
                fieldwork::bench::percentile(job[devices], 0.5), fieldwork::bench::percentile(walk[devices], 0.5));
    out.push_back({{"devices", devices},
                   {"lanes", devices},
                   {"place_us", us},
                   {"growth", growth},
                   {"job_us", fieldwork::bench::percentile(job[devices], 0.5)},
                   {"walk_us", fieldwork::bench::percentile(walk[devices], 0.5)}});
  }
  const auto made = plans();
  std::printf("%s\n", nlohmann::json{{"placement", out}, {"plans", made}}.dump().c_str());
  return 0;
}
