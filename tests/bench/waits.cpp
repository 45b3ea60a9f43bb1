// scripts/bench waits: how far the estimated wait of a submission is from the wait that follows. The scheduler's core
// in virtual time, three workloads. Beside it, in the same run, what people do without a forecast: they take what the
// newest 32 that began had waited.
#include <cmath>
#include <cstdio>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "percentile.hpp"
#include "scheduler/core/plan/why.hpp"
#include "scheduler/core/scheduler.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr int devices = 50;
constexpr int jobs = 3'000;
constexpr std::size_t newest = 32;

struct Workload {
  const char* name;
  const char* what;
  int commands;
  double sigma;         // of the logarithm of the durations of one command
  bool needs;           // cpu_millis differ
  bool priorities;      // a fifth is of a higher level, and comes all the time
  double arrive_every;  // seconds between submissions, in the mean; 0: all at once
};
constexpr Workload workloads[] = {
    {"steady", "8 commands that take 1 to 10 minutes, somewhat more than the fleet can do", 8, 0.3, false, false, 3.9},
    {"mixed", "20 commands that want half a core to all four, somewhat more than the fleet can do", 20, 0.5, true,
     false, 2.6},
    {"light", "the same, a tenth fewer: short waits beside long runs", 20, 0.5, true, false, 2.9},
    {"burst", "all at once; later a fifth with a higher priority", 20, 0.3, true, true, 0},
};

class Bed {
 public:
  explicit Bed(const Workload& of) : of_(of), random_(7), core_(limits()) {
    for (int i = 0; i < devices; ++i) {
      Device device{
          .id = DeviceId("edge-" + std::to_string(i)), .lifecycle = Lifecycle::active, .presence = Presence::online};
      device.about.capacity = {4000, std::int64_t{1} << 32, std::int64_t{1} << 32};
      step(DeviceSeen{device});
    }
    for (int i = 0; i < of.commands; ++i) {
      medians_.push_back(std::exp(std::uniform_real_distribution<>(std::log(60), std::log(600))(random_)));
      needs_.push_back(of.needs ? 500 * (1 + static_cast<int>(random_() % 8)) : 4000);
    }
  }

  nlohmann::json run() {
    for (int i = 0; i < of_.commands; ++i) submit(i, i);  // so that each has run once
    while (!ends_.empty()) end();
    auto next = now_;
    for (int made = 0; made < jobs || !ends_.empty();) {
      if (made < jobs && (ends_.empty() || next <= ends_.top().first)) {
        now_ = std::max(now_, next);
        submit(1000 + made++);
        next = now_ + between(made);
      } else {
        end();
      }
    }
    const auto error = [](const std::vector<std::pair<double, double>>& pairs) {
      std::vector<double> out;
      for (const auto& [told, was] : pairs) out.push_back(std::abs(told - was) / was);
      return bench::percentile(out, 0.5);
    };
    return {{"workload", of_.name},
            {"what", of_.what},
            {"waited", waited_},
            {"known", forecast_.size()},
            {"median_error", error(forecast_)},
            {"median_error_of_recent", error(recent_)},
            {"mean_wait_s", sum_ / std::max(1, waited_)}};
  }

 private:
  static Limits limits() {
    Limits out;
    out.hear_first = {};
    return out;
  }
  Duration between(int made) {
    double mean = of_.arrive_every;
    if (mean == 0) mean = made < jobs * 4 / 5 ? 0.01 : 20;  // then those of a higher priority
    return milliseconds(static_cast<std::int64_t>(1000 * std::exponential_distribution<>(1 / mean)(random_)));
  }
  void step(const Input& input) {
    core_.step(input, now_, said_);
    core_.step(BatchEnded{}, now_, said_);
    allow();
  }
  void allow() {
    while (!said_.questions.empty()) {
      for (const auto& one : std::exchange(said_.questions, {}))
        core_.step(DecisionMade{{.key = one.key, .device = one.device, .allow = true, .reason = "", .grant = "g"}},
                   now_, said_);
      core_.step(BatchEnded{}, now_, said_);
    }
    for (const auto& change : said_.outbox) {
      const auto* put = std::get_if<PutCommand>(&change);
      const auto* assign = put == nullptr ? nullptr : std::get_if<Assign>(&put->command);
      if (assign != nullptr) begin(*assign, put->device);
    }
    said_ = {};
  }
  void begin(const Assign& assign, const DeviceId& device) {
    const auto median = medians_.at(static_cast<std::size_t>(std::stoi(assign.command.at(1))));
    const auto takes = median * std::exp(std::normal_distribution<>(0, of_.sigma)(random_));
    ends_.push({now_ + milliseconds(static_cast<std::int64_t>(1000 * takes)), {assign.key, device}});
    const auto it = told_.find(assign.key.job);
    if (it == told_.end()) return;
    const auto wait = std::chrono::duration<double>(now_ - it->second.at).count();
    starts_.push_back(wait);
    if (starts_.size() > newest) starts_.pop_front();
    if (wait >= 1) {
      ++waited_;
      sum_ += wait;
      if (it->second.wait_s) {
        forecast_.emplace_back(*it->second.wait_s, wait);
        recent_.emplace_back(it->second.recent_s, wait);
      }
    }
    told_.erase(it);
  }
  void submit(int number, int first = -1) {
    const JobId id("j" + std::to_string(number));
    const auto command = first >= 0 ? static_cast<std::size_t>(first)
                                    : static_cast<std::size_t>(random_() % static_cast<unsigned>(of_.commands));
    JobSpec spec{.command = {"work", std::to_string(command)},
                 .requirements = {.cpu_millis = needs_.at(command)},
                 .priority = of_.priorities && number >= 1000 + jobs * 4 / 5 ? 6 : 5};
    double sum = 0;
    for (const auto one : starts_) sum += one;
    auto& told = told_[id] = {now_, std::nullopt, starts_.empty() ? 0 : sum / static_cast<double>(starts_.size())};
    step(
        JobSubmitted{.reply = 1, .job = id, .submitter = "ops", .request = id.value, .spec = spec, .spec_digest = "d"});
    const auto* job = core_.find(id);
    if (!told_.contains(id)) return;  // it began at once
    const auto seen = forecast(core_.snapshot(), core_.durations(), now_);
    Reasons reasons;
    const auto waits = waits_of(*job, core_.snapshot(), seen, core_.durations(), reasons, now_);
    if (waits && waits->until_start) told.wait_s = std::chrono::duration<double>(*waits->until_start).count();
  }
  void end() {
    const auto [at, which] = ends_.top();
    ends_.pop();
    now_ = std::max(now_, at);
    const auto seq = ++seqs_[which.second];
    const AttemptReport report{.key = which.first, .state = AttemptState::succeeded};
    step(ReportArrived{.device = which.second,
                       .epoch = 1,
                       .first = seq,
                       .seq = seq,
                       .after = seq - 1,
                       .items = {{.tag = seq, .report = report}},
                       .at = now_});
  }

  struct Told {
    Time at{};
    std::optional<double> wait_s;
    double recent_s = 0;
  };
  using End = std::pair<Time, std::pair<AttemptKey, DeviceId>>;
  Workload of_;
  std::mt19937 random_;
  Scheduler core_;
  Time now_ = from_ms(1'000'000);
  Output said_;
  std::vector<double> medians_;
  std::vector<std::int64_t> needs_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::map<DeviceId, std::int64_t> seqs_;
  std::map<JobId, Told> told_;
  std::deque<double> starts_;
  std::vector<std::pair<double, double>> forecast_, recent_;  // what was told, and what followed
  int waited_ = 0;
  double sum_ = 0;
};

}  // namespace
}  // namespace fieldwork::scheduler

int main() {
  auto all = nlohmann::json::array();
  std::printf("%-8s %8s %8s %12s %14s %22s\n", "", "waited", "known", "mean wait", "median error", "of the newest 32");
  for (const auto& one : fieldwork::scheduler::workloads) {
    const auto got = fieldwork::scheduler::Bed(one).run();
    std::printf("%-8s %8d %8zu %10.0f s %13.0f%% %21.0f%%\n", one.name, got["waited"].get<int>(),
                got["known"].get<std::size_t>(), got["mean_wait_s"].get<double>(),
                100 * got["median_error"].get<double>(), 100 * got["median_error_of_recent"].get<double>());
    all.push_back(got);
  }
  std::printf("%s\n", nlohmann::json{{"waits", all}}.dump().c_str());
  return 0;
}
