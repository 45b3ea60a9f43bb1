// scripts/bench quality: how good placements are. The scheduler's core in virtual time beside four other rules, over
// the same jobs and devices: any device that fits by chance, the first that fits, the one of which the least is
// allocated (as Kubernetes' LeastAllocated scores), and the one after which the use of all varies least. All take jobs
// by priority, then by age, and pass over those that fit nowhere. Beside that how evenly the devices could be used if
// jobs could move, and, on small instances, the largest value that can be packed at all.
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "possible.hpp"
#include "rules.hpp"
#include "scheduler/core/scheduler.hpp"

namespace fieldwork::bench {
namespace {

using namespace scheduler;

class Core {
 public:
  Core(const Scene& scene, bool spread) : scene_(scene), meter_(scene), spread_(spread), core_(limits()) {
    for (std::size_t i = 0; i < scene.devices.size(); ++i) {
      Device device{.id = id_of(i), .lifecycle = Lifecycle::active, .presence = Presence::online};
      device.about.capacity = {scene.devices[i].cpu, scene.devices[i].memory, std::int64_t{1} << 40};
      step(DeviceSeen{device});
    }
  }
  Figures run() {
    for (std::size_t next = 0; next < scene_.works.size() || !ends_.empty();) {
      if (next < scene_.works.size() && (ends_.empty() || scene_.works[next].arrives <= ends_.top().first)) {
        now_ = scene_.works[next].arrives;
        submit(next++);
      } else {
        end();
      }
    }
    return meter_.figures();
  }
  // All at once and without an end: which of the works have a device.
  std::vector<std::size_t> pack() {
    for (std::size_t i = 0; i < scene_.works.size(); ++i) core_.step(submission(i), time(), said_);
    core_.step(BatchEnded{}, time(), said_);
    allow();
    return placed_;
  }

 private:
  static Limits limits() {
    Limits out;
    out.hear_first = {};
    return out;
  }
  static DeviceId id_of(std::size_t device) { return DeviceId("edge-" + std::to_string(1000 + device)); }
  [[nodiscard]] Time time() const {
    return from_ms(1'000'000'000) + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(now_));
  }
  void step(const Input& input) {
    core_.step(input, time(), said_);
    core_.step(BatchEnded{}, time(), said_);
    allow();
  }
  void allow() {
    while (!said_.questions.empty()) {
      for (const auto& one : std::exchange(said_.questions, {}))
        core_.step(DecisionMade{{.key = one.key, .device = one.device, .allow = true, .reason = "", .grant = "g"}},
                   time(), said_);
      core_.step(BatchEnded{}, time(), said_);
    }
    for (const auto& change : said_.outbox) {
      const auto* put = std::get_if<PutCommand>(&change);
      const auto* assign = put == nullptr ? nullptr : std::get_if<Assign>(&put->command);
      if (assign == nullptr) continue;
      const auto work = std::stoul(assign->key.job.value.substr(1));
      const auto device = std::stoul(put->device.value.substr(5)) - 1000;
      placed_.push_back(work);
      meter_.begin(now_, work, device);
      ends_.push({now_ + scene_.works[work].takes, {assign->key, device}});
    }
    said_ = {};
  }
  [[nodiscard]] JobSubmitted submission(std::size_t number) const {
    const auto& work = scene_.works[number];
    const JobId id("j" + std::to_string(number));
    JobSpec spec{.command = {"work"}, .priority = work.priority};
    spec.requirements = {.cpu_millis = work.cpu, .memory_bytes = work.memory};
    spec.placement.spread = spread_;
    spec.preemptible = false;  // nobody else here preempts
    return {.reply = 1, .job = id, .submitter = "ops", .request = id.value, .spec = spec, .spec_digest = "d"};
  }
  void submit(std::size_t number) { step(submission(number)); }
  void end() {
    const auto [at, which] = ends_.top();
    ends_.pop();
    now_ = std::max(now_, at);
    meter_.end(now_, std::stoul(which.first.job.value.substr(1)), which.second);
    const auto seq = ++seqs_[which.second];
    const AttemptReport report{.key = which.first, .state = AttemptState::succeeded};
    step(ReportArrived{.device = id_of(which.second),
                       .epoch = 1,
                       .first = seq,
                       .seq = seq,
                       .after = seq - 1,
                       .items = {{.tag = seq, .report = report}},
                       .at = time()});
  }

  using End = std::pair<double, std::pair<AttemptKey, std::size_t>>;
  const Scene& scene_;
  Meter meter_;
  bool spread_;
  Scheduler core_;
  double now_ = 0;
  Output said_;
  std::vector<std::size_t> placed_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::map<std::size_t, std::int64_t> seqs_;
};

// `calm`: nobody waits.
nlohmann::json compare(const Scene& of, bool calm) {
  std::mt19937 random(11);
  const std::pair<const char*, Figures> rows[] = {
      {"Fieldwork", Core(of, false).run()},
      {"Fieldwork, strategy spread", Core(of, true).run()},
      {"by chance", by_rule(of, by_chance(random))},
      {"first fit", by_rule(of, first_fit)},
      {"least allocated", by_rule(of, least_allocated)},
      {"least variation after it", by_rule(of, least_variation)},
  };
  const double chance = rows[2].second.variation;
  const auto ratio = [&](double variation) { return chance > 0 ? variation / chance : 0; };
  auto out = nlohmann::json::object();
  for (const auto& [name, got] : rows) {
    std::printf("%-16s %-28s %9.0f s %8.1f %% %9.0f s %10.2f %9.0f %%\n", of.name, name, got.makespan_s,
                100 * got.missed, got.wait_s, got.variation, 100 * ratio(got.variation));
    out[name] = {{"makespan_s", got.makespan_s},
                 {"missed", got.missed},
                 {"mean_wait_s", got.wait_s},
                 {"load_variation", got.variation},
                 {"of_chance", ratio(got.variation)}};
  }
  if (!calm) return out;
  const auto got = possible(of);
  std::printf("%-16s %-28s %11s %10s %11s %10.2f %9.0f %%\n", of.name, "possible: all put anew", "", "", "",
              got.variation, 100 * ratio(got.variation));
  out["possible"] = {{"load_variation", got.variation}, {"of_chance", ratio(got.variation)}, {"moments", got.moments}};
  return out;
}

// What it takes; with priorities, times what its class counts.
double value_of(const Work& work) {
  constexpr double of_class[] = {1, 4, 16};
  return of_class[static_cast<int>(class_of(work.priority))] *
         (static_cast<double>(work.cpu) / 1000 + static_cast<double>(work.memory) / static_cast<double>(1024 * mib));
}

// The largest value: each work on one of the devices or nowhere.
double most(const std::vector<Work>& works, std::vector<Room>& free, std::size_t at, double so_far, double left,
            double best) {
  if (at == works.size() || so_far + left <= best) return std::max(best, so_far);
  const auto& work = works[at];
  const double value = value_of(work);
  for (std::size_t i = 0; i < free.size(); ++i) {
    if (!fits(free[i], work)) continue;
    const auto same = [&](const Room& one) { return one.cpu == free[i].cpu && one.memory == free[i].memory; };
    if (std::any_of(free.begin(), free.begin() + static_cast<std::ptrdiff_t>(i), same)) continue;
    free[i].cpu -= work.cpu;
    free[i].memory -= work.memory;
    best = most(works, free, at + 1, so_far + value, left - value, best);
    free[i].cpu += work.cpu;
    free[i].memory += work.memory;
  }
  return most(works, free, at + 1, so_far, left - value, best);
}

nlohmann::json packed(bool priorities) {
  constexpr int instances = 300;
  double sum = 0, worst = 1, sum_first = 0;
  for (unsigned seed = 0; seed < instances; ++seed) {
    std::mt19937 random(seed);
    Scene of{"packed", fleet(random, 3), {}};
    double all = 0;
    for (int i = 0; i < 12; ++i) {
      auto work = work_of(random);
      while (std::none_of(of.devices.begin(), of.devices.end(), [&](const auto& one) { return fits(one, work); }))
        work = work_of(random);
      work.priority = priorities ? static_cast<int>(random() % 10) : 0;
      all += value_of(work);
      of.works.push_back(work);
    }
    auto free = of.devices;
    const double exact = most(of.works, free, 0, 0, all, 0);
    double ours = 0, first = 0;
    for (const auto one : Core(of, false).pack()) ours += value_of(of.works[one]);
    std::stable_sort(of.works.begin(), of.works.end(),
                     [](const auto& a, const auto& b) { return a.priority > b.priority; });
    for (const auto& work : of.works) {
      const int device = first_fit(free, of.devices, work);
      if (device < 0) continue;
      free[static_cast<std::size_t>(device)].cpu -= work.cpu;
      free[static_cast<std::size_t>(device)].memory -= work.memory;
      first += value_of(work);
    }
    sum += ours / exact;
    sum_first += first / exact;
    worst = std::min(worst, ours / exact);
  }
  std::printf("packed %-16s of the largest value: mean %.1f %%, worst %.1f %%; first fit: mean %.1f %%\n",
              priorities ? "with priorities," : "of one priority,", 100 * sum / instances, 100 * worst,
              100 * sum_first / instances);
  return {
      {"instances", instances}, {"mean", sum / instances}, {"worst", worst}, {"first_fit_mean", sum_first / instances}};
}

}  // namespace
}  // namespace fieldwork::bench

int main() {
  using namespace fieldwork::bench;
  std::printf("%-16s %-28s %11s %10s %11s %10s %11s\n", "", "", "makespan", "missed", "mean wait", "variation",
              "of chance's");
  auto out = nlohmann::json::object();
  const std::pair<Scene, bool> scenes[] = {{scene("steady, 85 %", 0.85, false, 1), false},
                                           {scene("urgent, 95 %", 0.95, true, 2), false},
                                           {scene("all at once", 0, true, 3), false},
                                           {scene("calm, 50 %", 0.5, false, 4), true},
                                           {scene("calm, small", 0.5, false, 5, 10), true}};
  for (const auto& [one, calm] : scenes) out[one.name] = compare(one, calm);
  std::printf("\n300 instances of 12 jobs on 3 devices\n");
  out["packed"] = {{"one_priority", packed(false)}, {"priorities", packed(true)}};
  std::printf("%s\n", nlohmann::json{{"quality", out}}.dump().c_str());
  return 0;
}
