// Where two vehicles that keep their velocities come closest: with distance r and velocity v of one as seen from the
// other, at t = -(r . v) / (v . v), and then |r + v t| apart (D. Sunday, "Distance between 3D lines and segments:
// closest point of approach", 2001).
#pragma once

#include <cmath>
#include <numbers>
#include <optional>
#include <vector>

#include "mail.hpp"

namespace vehicle {

struct Danger {
  double distance_m = 5, horizon_s = 5;  // closer than this, within this time
  double max_age_ms = 1500;              // what was heard longer ago says nothing
};

struct Warning {
  double start_ms = 0, end_ms = 0;
  double ahead_s = 0;     // to the closest approach when it began
  double closest_m = 0;   // predicted, lowest
  double distance_m = 0;  // lowest while it lasted
};

class Judge {
 public:
  explicit Judge(Danger danger) : danger_(danger) {}

  // One moment: the own state, and the peer's newest, carried on in a straight line.
  void judge(const State& own, const std::optional<State>& peer) {
    const double age_ms = peer ? own.ms - peer->ms : 0;
    if (!peer || age_ms > danger_.max_age_ms) {
      ++unknown_;
      return calm(own.ms);
    }
    const double age_s = age_ms / 1000;
    double vx = east(*peer), vy = north(*peer);
    const double rx = peer->x_m + vx * age_s - own.x_m, ry = peer->y_m + vy * age_s - own.y_m;
    vx -= east(own);
    vy -= north(own);
    const double vv = vx * vx + vy * vy;
    const bool apart_for_good = vv <= 0.01;  // side by side: now
    const double t = apart_for_good ? 0 : -(rx * vx + ry * vy) / vv;
    const double now = std::sqrt(rx * rx + ry * ry);
    const double apart = t > 0 ? std::sqrt((rx + vx * t) * (rx + vx * t) + (ry + vy * t) * (ry + vy * t)) : now;
    lowest_m_ = std::min(lowest_m_.value_or(now), now);
    const bool soon = t <= danger_.horizon_s && (t > 0 || apart_for_good);
    if (soon && apart < danger_.distance_m)
      danger(own.ms, t, apart, now);
    else
      calm(own.ms);
  }

  std::int64_t unknown() const { return unknown_; }
  std::optional<double> lowest_m() const { return lowest_m_; }
  const std::vector<Warning>& warnings() const { return warnings_; }

 private:
  static double rad(const State& state) { return state.heading_deg * std::numbers::pi / 180; }
  static double east(const State& state) { return state.speed_mps * std::sin(rad(state)); }
  static double north(const State& state) { return state.speed_mps * std::cos(rad(state)); }

  // A warning begins with the second moment in a row that is dangerous, and ends when two seconds were without danger.
  void calm(double ms) {
    dangers_ = 0;
    if (warning_ && ms - warnings_.back().end_ms > 2000) warning_ = false;
  }

  void danger(double ms, double t, double apart, double now) {
    if (dangers_++ == 0) first_ = {.start_ms = ms, .end_ms = ms, .ahead_s = t, .closest_m = apart, .distance_m = now};
    if (!warning_) {
      if (dangers_ < 2) return;
      warning_ = true;
      first_.distance_m = now;
      warnings_.push_back(first_);
    }
    auto& warning = warnings_.back();
    warning.end_ms = ms;
    warning.closest_m = std::min(warning.closest_m, apart);
    warning.distance_m = std::min(warning.distance_m, now);
  }

  Danger danger_;
  std::int64_t unknown_ = 0, dangers_ = 0;
  std::optional<double> lowest_m_;
  bool warning_ = false;
  Warning first_;
  std::vector<Warning> warnings_;
};

}  // namespace vehicle
