// What one run is like: how large the fleet is, what is wanted of it, and how bad its world is. All of it follows from
// a seed.
#pragma once

#include "upsets.hpp"

namespace fieldwork::sim {

inline constexpr int devices_max = 30;

struct Plan {
  int devices = 3;
  Faults faults;
  Upset upset;
  Duration faults_end = seconds(60);
  Duration deadline{};  // the run must be over by then
  bool losses = false;  // attempts may be lost: a party forgets, or a device stays away longer than a contract
  std::vector<Wish> wishes;
};

[[nodiscard]] Plan plan_of(std::uint64_t seed, Time start, const std::vector<Released>& packages);
// The plan in a few words.
[[nodiscard]] std::string text(const Plan& plan);

}  // namespace fieldwork::sim
