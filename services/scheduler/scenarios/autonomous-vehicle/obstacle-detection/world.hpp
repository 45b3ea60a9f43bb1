// A made world: a road with posts, walls and planted encounters, as a lidar sees it, and what is true of it. The same
// seed makes the same world. Memory does not grow with the number of scans.
//
// Encounters follow each other. Dangerous: something slow or standing ahead, somebody who crosses, somebody who cuts
// in, some only just dangerous, some that reflect badly. Harmless: the same, but with time enough or passing beside;
// parked and oncoming cars; a car ahead that keeps its distance. Over it lie noise, returns that are missing, dust, and
// the ground when the vehicle nods.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "scan.hpp"

namespace obstacles {

class Random {  // the engine is specified exactly, the standard's distributions are not
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double uniform() { return (static_cast<double>(engine_() >> 11U) + 0.5) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double part) { return uniform() < part; }
  double side() { return chance(0.5) ? 1 : -1; }
  double gauss() {  // G. Box and M. Muller, 1958
    return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::mt19937_64 engine_;
};

// How one obstacle moves, relative to the vehicle and along its path: it comes nearer until brake_s (seconds after it
// began), then the closing speed falls to `pull` (below 0: it draws away). At walk_s it begins to move across, until d
// is `to`.
struct Encounter {
  const char* kind = "";
  double start_s = 0;
  double from_m = 70, closing = 10, brake_s = 1e9, brake = 5, pull = -3;
  double d = 0, walk_s = 1e9, walk = 0, to = 0;
  double length = 4, width = 1.8, lost = 0.02;

  double s_at(double t) const {
    const double u = std::max(0.0, t - brake_s), long_brake = (closing - pull) / brake, v = std::min(u, long_brake);
    return from_m - closing * (t - u) - closing * v + brake * v * v / 2 - pull * (u - v);
  }
  double d_at(double t) const {
    if (t <= walk_s) return d;
    return walk > 0 ? std::min(to, d + walk * (t - walk_s)) : std::max(to, d + walk * (t - walk_s));
  }
  bool is_over(double t) const {
    const double s = s_at(t);
    return t > 40 || s < -6 || s > 75 || (walk_s < t && std::abs(to) > 6 && d_at(t) == to);
  }
};

class World {
 public:
  World(std::uint64_t seed, std::int64_t count, Need need)
      : count_(count), need_(need), plan_(seed), noise_(seed + 0x9e3779b97f4a7c15U), seed_(seed) {
    speed_phase_ = plan_.between(0, 6.28);
    bend_phase_ = plan_.between(0, 6.28);
    begin_encounter(plan_.between(2, 4));
  }

  // Sets the next scan; false when there is none.
  bool next(Scan& scan) {
    if (!step()) return false;
    scan.number = number_;
    scan.time_s = time_s_;
    scan.speed_mps = std::round((speed_ + 0.05 * noise_.gauss()) * 100) / 100;
    scan.yaw_rate_rad_s = std::round((bend_ * speed_ + 0.002 * noise_.gauss()) * 10000) / 10000;
    build();
    cast(scan);
    return true;
  }

  // One scan further, without what is seen. True in `dangerous` is what would collide within ttc_s if nobody changed
  // speed.
  bool step() {
    if (++number_ >= count_) return false;
    time_s_ = static_cast<double>(number_) * scan_s;
    speed_ = 10 + 1.5 * std::sin(time_s_ / 17 + speed_phase_);
    bend_ = 0.004 * std::sin(time_s_ / 23 + bend_phase_);
    driven_m_ += speed_ * scan_s;
    const double age = time_s_ - encounter_.start_s;
    if (age > 0 && encounter_.is_over(age)) begin_encounter(time_s_ + plan_.between(1, 3));
    return true;
  }

  // In small steps, unlike the detector: does the obstacle's front reach the bumper while it is in the corridor?
  bool dangerous() const {
    const double age = time_s_ - encounter_.start_s, h = 0.02;
    if (age <= h) return false;
    const double s = encounter_.s_at(age), d = encounter_.d_at(age);
    const double vs = (s - encounter_.s_at(age - h)) / h, vd = (d - encounter_.d_at(age - h)) / h;
    if (s < 0) return false;
    for (double t = 0; t < need_.ttc_s; t += 0.01) {
      if (s + vs * t <= 0) return std::abs(d + vd * t) < (need_.corridor_m + encounter_.width) / 2;
    }
    return false;
  }

  std::int64_t number() const { return number_; }
  const char* kind() const { return encounter_.kind; }

 private:
  struct Box {
    double near, far, right, left, lost;
  };

  void begin_encounter(double at) {
    encounter_ = {};
    const double kind = plan_.uniform();
    if (kind < 0.3)
      plan_ahead(plan_.chance(0.65));
    else if (kind < 0.55)
      plan_crossing(plan_.chance(0.6));
    else if (kind < 0.75)
      plan_cut_in(plan_.chance(0.7));
    else
      plan_harmless(plan_.uniform());
    encounter_.start_s = at;
    if (plan_.chance(0.2)) encounter_.lost = 0.3;
  }

  void plan_ahead(bool danger) {
    auto& e = encounter_;
    e.kind = "ahead";
    e.closing = plan_.between(3.5, 11.5);
    e.d = plan_.between(-0.7, 0.7);
    if (plan_.chance(0.3)) e.width = 0.6, e.length = 1.8;  // a bicycle
    const double ttc_s = danger ? plan_.between(0.9, 3.2) : plan_.between(4.8, 8);
    const double brake_m = std::max(ttc_s * e.closing, e.closing * e.closing / 2 / e.brake + 1);
    e.from_m = std::min(70.0, brake_m + 6 * e.closing);
    e.brake_s = (e.from_m - brake_m) / e.closing;
  }

  void plan_crossing(bool danger) {
    auto& e = encounter_;
    e.kind = "crossing";
    e.width = e.length = plan_.between(0.5, 0.7);
    e.closing = plan_.between(6, 11);
    const double from = plan_.side(), pace = plan_.between(0.9, 1.5);
    e.walk = -from * pace;
    e.to = -from * 6.8;
    e.d = from * 6.8;
    const double arrival_s = e.from_m / e.closing;
    const double then =
        danger ? plan_.between(-0.9, 0.9) : plan_.side() * plan_.between(2.6, 4.5);  // d when it arrives
    e.walk_s = arrival_s - (e.d - then) / -e.walk;
    if (!danger) return;
    e.brake_s = arrival_s - plan_.between(1.2, 1.9);
    e.pull = 0;
  }

  void plan_cut_in(bool danger) {
    auto& e = encounter_;
    e.kind = "cut-in";
    e.closing = plan_.between(3, 6);
    e.from_m = e.closing * plan_.between(7, 8);
    e.d = plan_.side() * plan_.between(3.1, 3.6);
    if (!danger) return;  // it is overtaken
    const double arrival_s = e.from_m / e.closing, walk_s = plan_.between(2.6, 3.6);
    e.to = plan_.between(-0.4, 0.4);
    e.walk = (e.to - e.d) / walk_s;  // it would be in front of the vehicle when it arrives
    e.walk_s = arrival_s - walk_s;
    e.brake_s = arrival_s - plan_.between(1.0, 1.8);
  }

  void plan_harmless(double which) {
    auto& e = encounter_;
    if (which < 0.4) {
      e.kind = "parked";
      e.closing = plan_.between(8.5, 11.5);
      e.d = plan_.side() * plan_.between(2.75, 4);
    } else if (which < 0.7) {
      e.kind = "oncoming";
      e.closing = plan_.between(17, 24);
      e.d = plan_.between(2.9, 3.6);
    } else {
      e.kind = "leading";
      e.from_m = plan_.between(14, 30);
      e.closing = plan_.between(-0.3, 0.3);
      e.brake_s = plan_.between(8, 12);
      e.pull = -4;
    }
  }

  // Boxes in x and y; a curve shifts each by what the path has bent where it begins.
  void add(double s, double length, double d, double width, double lost) {
    if (s > reach_m || s + length < 0) return;
    const double shift = bend_ * std::max(0.0, s) * std::max(0.0, s) / 2;
    boxes_.push_back({s, s + length, d + shift - width / 2, d + shift + width / 2, lost});
  }

  void build() {
    boxes_.clear();
    const double age = time_s_ - encounter_.start_s;
    const auto& e = encounter_;
    if (age > 0) add(e.s_at(age), e.length, e.d_at(age), e.width, e.lost);
    constexpr double pitch_m = 9;  // a post or a piece of a wall on each side
    for (auto i = static_cast<std::int64_t>(driven_m_ / pitch_m);
         static_cast<double>(i) * pitch_m < driven_m_ + reach_m; ++i) {
      Random place(seed_ * 1000003 + static_cast<std::uint64_t>(i));
      for (const double side : {-1.0, 1.0}) {
        const double s = static_cast<double>(i) * pitch_m - driven_m_ + place.between(0, 4),
                     d = side * place.between(7.2, 9);
        const double what = place.uniform();
        if (what < 0.5)
          add(s, 0.25, d, 0.25, 0.02);
        else if (what < 0.7)
          add(s, 6, side * 8, 0.4, 0.05);
      }
    }
  }

  void cast(Scan& scan) {
    if (nod_scans_ == 0 && noise_.chance(0.007)) nod_scans_ = 2 + static_cast<int>(noise_.between(0, 4));
    const double ground_m = nod_scans_ > 0 ? noise_.between(6, 30) : 0, ground_half_rad = noise_.between(0.3, 0.8);
    nod_scans_ = std::max(0, nod_scans_ - 1);
    for (int i = 0; i < rays; ++i) {
      const double angle = angle_rad(i), x = std::cos(angle), y = std::sin(angle);
      double range = reach_m, lost = 0.02;
      for (const auto& box : boxes_) {
        const double hit = distance(box, x, y);
        if (hit < range) range = hit, lost = box.lost;
      }
      if (ground_m > 0 && std::abs(angle) < ground_half_rad && ground_m / x < range)
        range = ground_m / x + 0.1 * noise_.gauss();
      range = range < reach_m && !noise_.chance(lost) ? range + 0.03 * noise_.gauss() : 0;
      if (noise_.chance(0.002)) range = noise_.between(1, 40);  // dust
      scan.range_m[static_cast<std::size_t>(i)] = range > 0 ? std::max(1.0, std::round(range * 100)) / 100 : 0;
    }
  }

  // From the origin in direction (x, y) to the box: slabs, T. Kay and J. Kajiya, "Ray tracing complex scenes" (1986).
  static double distance(const Box& box, double x, double y) {
    const double x1 = box.near / x, x2 = box.far / x, y1 = box.right / y, y2 = box.left / y;  // x > 0: y is never 0
    const double in = std::max(x1, std::min(y1, y2)), out = std::min(x2, std::max(y1, y2));
    return in <= out && in > 0 ? in : reach_m;
  }

  std::int64_t count_;
  Need need_;
  Random plan_, noise_;
  std::uint64_t seed_;
  Encounter encounter_;
  std::vector<Box> boxes_;
  std::int64_t number_ = -1;
  double time_s_ = 0, speed_ = 0, bend_ = 0, driven_m_ = 0, speed_phase_ = 0, bend_phase_ = 0;
  int nod_scans_ = 0;
};

}  // namespace obstacles
