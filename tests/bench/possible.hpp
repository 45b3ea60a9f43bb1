// How evenly the devices could be used, whatever was before: at moments of a run in which nobody waits, all jobs that
// run are put on the devices anew. Then the jobs that run at a moment are the same whatever the rule.
//
// What is found is possible; that it is the least is not proven. (A Lagrangian relaxation of "each job on one device"
// proved next to nothing: no less than 0.003, of 0.11 found.)
#pragma once

#include "scenes.hpp"

namespace fieldwork::bench {

// Largest first, each to the device that is the least used after it, then single moves and swaps of two, as long as
// the variation falls.
class Anew {
 public:
  Anew(const std::vector<Room>& devices, std::vector<Work> works)
      : devices_(devices), free_(devices), works_(std::move(works)) {
    std::stable_sort(works_.begin(), works_.end(), [](const auto& a, const auto& b) { return a.cpu > b.cpu; });
    for (const auto& work : works_) fits_ = fits_ && put(work);
    for (int pass = 0; fits_ && pass < passes_max && improve(); ++pass) {
    }
  }
  // False: one of the jobs found no room.
  [[nodiscard]] bool fits() const { return fits_; }
  [[nodiscard]] double variation() const {
    return sum_ <= 0 ? 0
                     : std::sqrt(std::max(0.0, static_cast<double>(devices_.size()) * spread_of(sum_, squares_) - 1));
  }

 private:
  static constexpr int passes_max = 50;
  // The variation of n numbers is sqrt(n * this - 1).
  static double spread_of(double sum, double squares) { return squares / sum / sum; }
  [[nodiscard]] double use(std::size_t device) const { return 1 - share(free_[device].cpu, devices_[device].cpu); }

  bool put(const Work& work) {
    std::size_t best = devices_.size();
    double least = 2;
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      const double after = use(i) + share(work.cpu, devices_[i].cpu);
      if (bench::fits(free_[i], work) && after < least) best = i, least = after;
    }
    if (best == devices_.size()) return false;
    on_.push_back(best);
    const double before = use(best);
    free_[best].cpu -= work.cpu;
    free_[best].memory -= work.memory;
    sum_ += least - before;
    squares_ += least * least - before * before;
    return true;
  }

  // Moves so much from one device to another, if there is room and the variation falls.
  bool shift(std::size_t from, std::size_t to, std::int64_t cpu, std::int64_t memory) {
    if (from == to || cpu == 0) return false;
    const Room give{free_[from].cpu + cpu, free_[from].memory + memory};
    const Room take{free_[to].cpu - cpu, free_[to].memory - memory};
    if (std::min({give.cpu, give.memory, take.cpu, take.memory}) < 0) return false;
    const double a = use(from), b = use(to);
    const double c = a - share(cpu, devices_[from].cpu), d = b + share(cpu, devices_[to].cpu);
    const double sum = sum_ + c + d - a - b, squares = squares_ + c * c + d * d - a * a - b * b;
    if (spread_of(sum, squares) >= spread_of(sum_, squares_) * (1 - 1e-12)) return false;
    free_[from] = give;
    free_[to] = take;
    sum_ = sum;
    squares_ = squares;
    return true;
  }
  bool improve() {
    bool better = false;
    for (std::size_t i = 0; i < works_.size(); ++i) {
      for (std::size_t to = 0; to < devices_.size(); ++to) {
        if (shift(on_[i], to, works_[i].cpu, works_[i].memory)) on_[i] = to, better = true;
      }
      for (std::size_t j = i + 1; j < works_.size(); ++j) {
        if (shift(on_[i], on_[j], works_[i].cpu - works_[j].cpu, works_[i].memory - works_[j].memory))
          std::swap(on_[i], on_[j]), better = true;
      }
    }
    return better;
  }

  const std::vector<Room>& devices_;
  std::vector<Room> free_;
  std::vector<Work> works_;
  std::vector<std::size_t> on_;  // devices of the works
  double sum_ = 0, squares_ = 0;
  bool fits_ = true;
};

struct Possible {
  double variation = 0;  // in the mean over `moments` of the time that Meter looks at
  int moments = 0;       // at which Anew found room for all
};
[[nodiscard]] inline Possible possible(const Scene& scene) {
  constexpr int moments = 500;
  Possible out;
  for (int i = 0; i < moments; ++i) {
    const double now = scene.works.back().arrives * (0.1 + 0.9 * (i + 0.5) / moments);
    std::vector<Work> running;
    for (const auto& one : scene.works) {
      if (one.arrives <= now && now < one.arrives + one.takes) running.push_back(one);
    }
    const Anew anew(scene.devices, std::move(running));
    if (!anew.fits()) continue;
    out.variation += anew.variation();
    ++out.moments;
  }
  out.variation /= std::max(out.moments, 1);
  return out;
}

}  // namespace fieldwork::bench
