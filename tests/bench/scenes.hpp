// Devices and jobs by chance, for the bench of placements.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace fieldwork::bench {

inline constexpr std::int64_t mib = 1 << 20;

struct Work {
  double arrives = 0, takes = 0, due = 0;  // seconds
  std::int64_t cpu = 0, memory = 0;        // thousandths of a core; bytes
  int priority = 5;
};
struct Room {
  std::int64_t cpu = 0, memory = 0;
};
struct Scene {
  const char* name;
  std::vector<Room> devices;
  std::vector<Work> works;
};
[[nodiscard]] inline double share(std::int64_t part, std::int64_t of) {
  return static_cast<double>(part) / static_cast<double>(of);
}
[[nodiscard]] inline bool fits(const Room& free, const Work& work) {
  return free.cpu >= work.cpu && free.memory >= work.memory;
}

[[nodiscard]] inline std::vector<Room> fleet(std::mt19937& random, int count) {
  std::vector<Room> out;
  for (int i = 0; i < count; ++i) {
    const auto size = std::int64_t{1} << (random() % 3);
    out.push_back({2000 * size, (1024 << (random() % 2)) * mib * size});
  }
  return out;
}

[[nodiscard]] inline Work work_of(std::mt19937& random) {
  Work out;
  out.cpu = 250 * (std::int64_t{1} << (random() % 4)) * (1 + static_cast<int>(random() % 2));
  out.memory = 64 * mib * (std::int64_t{1} << (random() % 5));
  out.takes = std::exp(std::uniform_real_distribution<>(std::log(60), std::log(600))(random));
  return out;
}

// `load`: of the fleet's processors; 0: all at once. `part`: jobs are so many times smaller.
[[nodiscard]] inline Scene scene(const char* name, double load, bool urgent, unsigned seed, int part = 1) {
  std::mt19937 random(seed);
  Scene out{name, fleet(random, 40), {}};
  double capacity = 0, at = 0;
  for (const auto& one : out.devices) capacity += static_cast<double>(one.cpu);
  for (int i = 0; i < 2'000 * part; ++i) {
    auto work = work_of(random);
    work.cpu /= part;
    work.memory /= part;
    if (load > 0)
      at += std::exponential_distribution<>(1.0)(random) * static_cast<double>(work.cpu) * work.takes / capacity / load;
    work.arrives = at;
    const bool hurries = urgent && random() % 5 == 0;
    work.priority = hurries ? 7 : 5;
    work.due = work.arrives + work.takes * (hurries ? 1.2 : 3) + (hurries ? 20 : load > 0 ? 120 : 1800);
    out.works.push_back(work);
  }
  return out;
}

}  // namespace fieldwork::bench
