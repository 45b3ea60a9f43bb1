// The devices for executions that want the same, the best first, while one plan is made (docs/decisions/0019).
#pragma once

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <vector>

#include "scheduler/core/plan/overlay.hpp"
#include "scheduler/core/plan/placement.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {

struct Choice {
  Fleet::Number number = 0;
  Score score;
};

class Choices {
 public:
  // `expected`: how many executions may ask. Where they are many beside the fleet, or it is small, or Limits::exact
  // says so, every device is rated, and best() is the best of all; else of a selection.
  // `seed`: of the sample, where the order of potential does not serve.
  Choices(const Overlay& overlay, const Limits& limits, std::size_t expected = 1, std::uint64_t seed = 0)
      : overlay_(overlay),
        limits_(limits),
        seed_(seed),
        all_(limits.exact || overlay.fleet().size() <= std::max(walk_max, all_per_execution * expected)) {}

  // The best of the devices that fit now; held devices are not among them. Nothing: none does.
  [[nodiscard]] std::optional<Choice> best(const Want& want);
  // The device that best() named is not to be named again, though it may have room left.
  void leave_out();

 private:
  struct Rated {
    double score = 0;
    Fleet::Number number = 0;
    std::size_t at = 0;  // Overlay::changed_at when it was rated
  };
  bool worse(const Rated& a, const Rated& b) const;
  void visit(const Want& want, Fleet::Number number);
  void push(const Want& want, Fleet::Number number);
  void pop();
  void begin(const Want& want);
  void sample(const Want& want);
  void fill(const Want& want, std::size_t enough);
  void follow(const Want& want);

  const Overlay& overlay_;
  const Limits& limits_;
  std::uint64_t seed_;
  bool all_;
  bool bounded_ = true;  // Fleet::potential is at least the score
  std::vector<Rated> heap_;
  static constexpr auto never = SIZE_MAX;
  std::unordered_map<Fleet::Number, std::size_t> known_;  // visited: Rated::at of its newest entry; never: left out
  Order::Walk walk_;
  std::size_t followed_ = 0;  // of Overlay::log
  bool begun_ = false, over_ = false;
};

}  // namespace fieldwork::scheduler
