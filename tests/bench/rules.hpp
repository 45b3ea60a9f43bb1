// Other rules than the scheduler's, over the same jobs and devices, and what a run is measured by. All take jobs by
// priority, then by age, and pass over those that fit nowhere.
#pragma once

#include <functional>
#include <limits>
#include <queue>

#include "scenes.hpp"
#include "scheduler/core/fleet/balance.hpp"

namespace fieldwork::bench {

struct Figures {
  double makespan_s = 0, missed = 0, wait_s = 0, variation = 0;  // missed: share of the jobs
};

// What a run looks like from outside: fed with beginnings and ends, whoever decided them.
class Meter {
 public:
  explicit Meter(const Scene& scene) : scene_(scene), used_(scene.devices.size()) {}
  void begin(double now, std::size_t work, std::size_t device) {
    advance(now);
    const auto& of = scene_.works[work];
    used_[device] += of.cpu;
    waited_ += now - of.arrives;
    late_ += now + of.takes > of.due ? 1 : 0;
    last_ = std::max(last_, now + of.takes);
  }
  void end(double now, std::size_t work, std::size_t device) {
    advance(now);
    used_[device] -= scene_.works[work].cpu;
  }
  [[nodiscard]] Figures figures() const {
    const auto jobs = static_cast<double>(scene_.works.size());
    return {last_, late_ / jobs, waited_ / jobs, measured_ > 0 ? variation_ / measured_ : 0};
  }

 private:
  // While jobs arrive: the coefficient of variation of the devices' use, in the mean over time.
  void advance(double now) {
    const double until = std::min(now, scene_.works.back().arrives), span = until - at_;
    if (span > 0 && at_ > scene_.works.back().arrives / 10) {
      scheduler::Balance balance;
      for (std::size_t i = 0; i < used_.size(); ++i) balance.add(used_[i], scene_.devices[i].cpu);
      if (balance.mean() > 0) {
        variation_ += span * balance.variation();
        measured_ += span;
      }
    }
    at_ = std::max(at_, now);
  }

  const Scene& scene_;
  std::vector<std::int64_t> used_;
  double at_ = 0, waited_ = 0, last_ = 0, late_ = 0, variation_ = 0, measured_ = 0;
};

using Choose = std::function<int(const std::vector<Room>& free, const std::vector<Room>& all, const Work& work)>;

[[nodiscard]] inline Figures by_rule(const Scene& scene, const Choose& choose) {
  Meter meter(scene);
  auto free = scene.devices;
  const auto behind = [&](std::size_t a, std::size_t b) {
    return std::pair(-scene.works[a].priority, a) < std::pair(-scene.works[b].priority, b);
  };
  std::vector<std::size_t> waiting;
  using End = std::pair<double, std::pair<std::size_t, std::size_t>>;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  for (std::size_t next = 0; next < scene.works.size() || !ends.empty();) {
    double now = 0;
    if (next < scene.works.size() && (ends.empty() || scene.works[next].arrives <= ends.top().first)) {
      now = scene.works[next].arrives;
      waiting.insert(std::upper_bound(waiting.begin(), waiting.end(), next, behind), next);
      ++next;
    } else {
      const auto [at, which] = ends.top();
      ends.pop();
      now = at;
      free[which.second].cpu += scene.works[which.first].cpu;
      free[which.second].memory += scene.works[which.first].memory;
      meter.end(now, which.first, which.second);
    }
    std::erase_if(waiting, [&](std::size_t one) {
      const auto& work = scene.works[one];
      const int device = choose(free, scene.devices, work);
      if (device < 0) return false;
      auto& on = free[static_cast<std::size_t>(device)];
      on.cpu -= work.cpu;
      on.memory -= work.memory;
      meter.begin(now, one, static_cast<std::size_t>(device));
      ends.push({now + work.takes, {one, static_cast<std::size_t>(device)}});
      return true;
    });
  }
  return meter.figures();
}

[[nodiscard]] inline Choose by_chance(std::mt19937& random) {
  return [&random](const auto& free, const auto&, const Work& work) {
    std::vector<int> good;
    for (std::size_t i = 0; i < free.size(); ++i) {
      if (fits(free[i], work)) good.push_back(static_cast<int>(i));
    }
    return good.empty() ? -1 : good[random() % good.size()];
  };
}
[[nodiscard]] inline int first_fit(const std::vector<Room>& free, const std::vector<Room>&, const Work& work) {
  const auto it = std::find_if(free.begin(), free.end(), [&](const auto& one) { return fits(one, work); });
  return it == free.end() ? -1 : static_cast<int>(it - free.begin());
}
[[nodiscard]] inline int least_allocated(const std::vector<Room>& free, const std::vector<Room>& all,
                                         const Work& work) {
  int best = -1;
  double best_score = -1;
  for (std::size_t i = 0; i < free.size(); ++i) {
    if (!fits(free[i], work)) continue;
    const double score = share(free[i].cpu - work.cpu, all[i].cpu) + share(free[i].memory - work.memory, all[i].memory);
    if (score > best_score) best = static_cast<int>(i), best_score = score;
  }
  return best;
}
// What spreading reaches that knows the use of all devices, but moves no job.
[[nodiscard]] inline int least_variation(const std::vector<Room>& free, const std::vector<Room>& all,
                                         const Work& work) {
  double sum = 0, squares = 0, least = std::numeric_limits<double>::infinity();
  const auto use = [&](std::size_t i) { return 1 - share(free[i].cpu, all[i].cpu); };
  for (std::size_t i = 0; i < free.size(); ++i) sum += use(i), squares += use(i) * use(i);
  int best = -1;
  for (std::size_t i = 0; i < free.size(); ++i) {
    if (!fits(free[i], work)) continue;
    const double before = use(i), after = before + share(work.cpu, all[i].cpu), total = sum + after - before;
    const double variation = (squares + after * after - before * before) / total / total;
    if (variation < least) best = static_cast<int>(i), least = variation;
  }
  return best;
}

}  // namespace fieldwork::bench
