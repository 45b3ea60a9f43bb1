// One scan of a lidar at the middle of the front bumper, and the coordinates in which everything here is said.
// x points forward, y to the left, in metres. The vehicle's path is taken as an arc, near enough as y = k x^2 / 2 with
// k = yaw rate / speed; along that path, s = x is how far ahead something is and d = y - k x^2 / 2 how far to the left.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace obstacles {

constexpr int rays = 360;  // over half a turn, from the right (-90 degrees) to the left
constexpr double ray_rad = std::numbers::pi / rays;
constexpr double reach_m = 80;  // nothing is seen beyond
constexpr double scan_s = 0.1;  // ten scans a second

struct Scan {
  std::int64_t number = 0;
  double time_s = 0;
  double speed_mps = 0;
  double yaw_rate_rad_s = 0;           // to the left
  std::array<double, rays> range_m{};  // 0: nothing came back
};

inline double angle_rad(double ray) { return (ray + 0.5) * ray_rad - std::numbers::pi / 2; }

// What the driver needs to know: the same for what is decided and for what is true.
struct Need {
  double ttc_s = 4;         // a time to collision below this is dangerous
  double corridor_m = 2.5;  // the width that the vehicle needs
};

}  // namespace obstacles
