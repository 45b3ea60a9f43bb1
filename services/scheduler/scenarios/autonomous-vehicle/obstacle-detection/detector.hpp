// Finds what is in the vehicle's way: scan -> clusters -> tracks -> decision. Keeps nothing but its tracks, whose
// number is bounded.
//
// Clusters: neighbouring returns that are near each other, with a limit that grows with the range (adaptive
// breakpoints: G. Borges and M.-J. Aldon, "Line extraction in 2D range images for mobile robotics", 2004). Wide thin
// ones across the road are the ground or a wall. Tracks: one Kalman filter (constant velocity) each along and across
// the path, and the nearest cluster within a gate. A track is dangerous if it arrives within ttc_s and is then within
// the corridor.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "scan.hpp"

namespace obstacles {

// Place and speed in one direction. Noise: `accel` (m/s^2) is the standard deviation of what the filter does not know.
struct Axis {
  double place = 0, speed = 0;
  double pp = 0, ps = 0, ss = 0;  // covariance

  void predict(double dt, double accel) {
    const double q = accel * accel;
    place += speed * dt;
    pp += 2 * dt * ps + dt * dt * ss + q * dt * dt * dt * dt / 4;
    ps += dt * ss + q * dt * dt * dt / 2;
    ss += q * dt * dt;
  }

  void correct(double measured, double sigma) {
    const double total = pp + sigma * sigma, gain = pp / total, gain_speed = ps / total, miss = measured - place;
    place += gain * miss;
    speed += gain_speed * miss;
    ss -= gain_speed * ps;
    ps *= 1 - gain;
    pp *= 1 - gain;
  }
};

struct Cluster {
  double first = reach_m, second = reach_m, far = 0;  // the two nearest s, and the farthest
  double left = -reach_m, right = reach_m;            // the d of both sides
  int points = 0;
  bool used = false;

  // The nearest of three or more may be dust before it.
  double s() const { return points < 3 ? first : second; }
  double d() const { return (left + right) / 2; }
  double width() const { return left - right; }
};

struct Event {
  std::int64_t first_scan = 0, last_scan = 0;
  double first_time_s = 0, last_time_s = 0;
  double distance_m = 0, lateral_m = 0, closing_mps = 0;  // when it began
  double ttc_s = 0;                                       // lowest
};

struct Track {
  Axis along, across;
  double width = 0;
  int hits = 0, misses = 0;
  int danger = 0, calm = 0;  // scans in a row
  double ttc_s = 0;          // of the newest scan
  bool over = false;         // it is forgotten
  std::optional<Event> event;
};

class Detector {
 public:
  explicit Detector(Need need) : need_(need) {
    for (int i = 0; i < rays; ++i) {
      cos_[static_cast<std::size_t>(i)] = std::cos(angle_rad(i));
      sin_[static_cast<std::size_t>(i)] = std::sin(angle_rad(i));
    }
    clusters_.reserve(rays);
    tracks_.reserve(tracks_kept);
    ended_.reserve(tracks_kept);
  }

  // The decision for one scan: whether something dangerous is in the way.
  bool decide(const Scan& scan) {
    ended_.clear();
    const double dt = std::max(0.001, scan.time_s - last_time_s_);
    if (dt > 1) forget();  // what was known is too old
    last_time_s_ = scan.time_s;
    const double bend = scan.speed_mps > 1 ? scan.yaw_rate_rad_s / scan.speed_mps : 0;
    bend_ += 0.5 * (bend - bend_);  // the gyroscope is noisy
    find_clusters(scan);
    follow(scan, dt);
    return judge(scan);
  }

  // Events that ended with the newest scan; with `finish`, those that the end of the scans ends.
  const std::vector<Event>& ended() const { return ended_; }
  const std::vector<Event>& finish() {
    ended_.clear();
    forget();
    return ended_;
  }

  std::int64_t clusters_seen() const { return clusters_seen_; }
  std::int64_t tracks_confirmed() const { return tracks_confirmed_; }

 private:
  static constexpr std::size_t tracks_kept = 128;
  static constexpr int hits_to_confirm = 5;
  static constexpr int misses_to_forget = 7;
  static constexpr int scans_to_end = 6;
  static constexpr double along_sigma = 0.08;  // m

  static double square(double x) { return x * x; }

  void find_clusters(const Scan& scan) {
    clusters_.clear();
    Cluster cluster;
    double last_x = 0, last_y = 0, last_range = 0;
    int last_ray = -100;
    for (int i = 0; i < rays; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double range = scan.range_m[at];
      if (range <= 0) continue;
      const double x = range * cos_[at], y = range * sin_[at];
      const double apart = std::hypot(x - last_x, y - last_y);
      const double limit = 0.25 + 2.5 * ray_rad * std::min(range, last_range) * (i - last_ray);
      if (cluster.points > 0 && (i - last_ray > 5 || apart > limit)) {
        keep(cluster);
        cluster = {};
      }
      const double d = y - bend_ * x * x / 2, half = range * ray_rad / 2;
      cluster.second = std::min(cluster.second, std::max(cluster.first, x));
      cluster.first = std::min(cluster.first, x);
      cluster.far = std::max(cluster.far, x);
      cluster.left = std::max(cluster.left, d + half);
      cluster.right = std::min(cluster.right, d - half);
      ++cluster.points;
      last_x = x, last_y = y, last_range = range, last_ray = i;
    }
    if (cluster.points > 0) keep(cluster);
  }

  void keep(const Cluster& cluster) {
    ++clusters_seen_;
    const bool across_the_road = cluster.width() > 2.8 && cluster.far - cluster.first < 1.2;
    const bool speck = cluster.points == 1 && cluster.s() < 25;  // so near, anything that matters has more points
    if (!across_the_road && !speck) clusters_.push_back(cluster);
  }

  // The oldest track chooses first. What no track wants begins a new one.
  void follow(const Scan& scan, double dt) {
    for (auto& track : tracks_) {
      track.along.predict(dt, 3);
      track.across.predict(dt, 1.0);
      auto* nearest = choose(track);
      if (nearest == nullptr) {
        ++track.misses;
        continue;
      }
      nearest->used = true;
      track.misses = 0;
      if (++track.hits == hits_to_confirm) ++tracks_confirmed_;
      track.along.correct(nearest->s(), along_sigma);
      track.across.correct(nearest->d(), across_sigma(nearest->s()));
      track.width += (std::min(nearest->width(), 3.0) - track.width) * (nearest->width() > track.width ? 0.5 : 0.1);
    }
    for (auto& track : tracks_) {
      track.over = track.misses >= misses_to_forget || (track.misses > 0 && track.hits < hits_to_confirm - 2) ||
                   track.along.place < -0.5 || is_double(track);
      if (track.over) close(track);
    }
    std::erase_if(tracks_, [](const Track& track) { return track.over; });
    for (const auto& cluster : clusters_) {
      if (cluster.used || tracks_.size() >= tracks_kept) continue;
      Track track;
      track.along = {.place = cluster.s(),
                     .speed = -scan.speed_mps,
                     .pp = square(along_sigma),
                     .ps = 0,
                     .ss = 64};  // as if it stood
      track.across = {.place = cluster.d(), .speed = 0, .pp = square(across_sigma(cluster.s())), .ps = 0, .ss = 4};
      track.width = std::min(cluster.width(), 3.0);
      track.hits = 1;
      tracks_.push_back(track);
    }
  }

  // An obstacle that falls into two clusters gets two tracks; the younger one goes.
  bool is_double(const Track& track) const {
    for (const auto& older : tracks_) {
      if (&older == &track) return false;
      if (!older.over && std::abs(older.along.place - track.along.place) < 1 &&
          std::abs(older.across.place - track.across.place) < 1)
        return true;
    }
    return false;
  }

  // Half a ray to each side, and the gyroscope's noise, which bends the path.
  static double across_sigma(double s) { return 0.03 + 0.35 * ray_rad * s + 1.2e-4 * s * s; }

  Cluster* choose(const Track& track) {
    const double gate_s = 0.6 + 3 * std::sqrt(track.along.pp), gate_d = 0.6 + 3 * std::sqrt(track.across.pp);
    Cluster* nearest = nullptr;
    double best = 1;
    for (auto& cluster : clusters_) {
      if (cluster.used) continue;
      const double s = (cluster.s() - track.along.place) / gate_s, d = (cluster.d() - track.across.place) / gate_d;
      const double away = std::max(std::abs(s), std::abs(d));
      if (away < best) best = away, nearest = &cluster;
    }
    return nearest;
  }

  bool judge(const Scan& scan) {
    bool any = false;
    for (auto& track : tracks_) {
      if (track.misses > 0) {  // not seen: neither better nor worse
        any = any || track.event;
        continue;
      }
      const bool now = is_dangerous(track);
      track.danger = now ? track.danger + 1 : 0;
      track.calm = now ? 0 : track.calm + 1;
      if (!track.event && track.danger >= (in_corridor(track) ? 4 : 5) && track.along.place > 2) {
        track.event.emplace();
        track.event->first_scan = scan.number;
        track.event->first_time_s = scan.time_s;
        track.event->distance_m = track.along.place;
        track.event->lateral_m = track.across.place;
        track.event->closing_mps = -track.along.speed;
        track.event->ttc_s = track.ttc_s;
      }
      if (!track.event) continue;
      if (now) {
        track.event->last_scan = scan.number;
        track.event->last_time_s = scan.time_s;
        track.event->ttc_s = std::min(track.event->ttc_s, track.ttc_s);
      }
      if (track.calm >= scans_to_end) close(track);
      any = any || track.event;
    }
    return any;
  }

  // Where it will be across the path when it arrives; a speed across that may be noise counts as none.
  bool is_dangerous(Track& track) const {
    const double closing = -track.along.speed;
    if (track.hits < hits_to_confirm || closing < 0.5 || track.along.ss > 1) return false;
    track.ttc_s = std::max(0.0, track.along.place) / closing;
    const double sure = std::abs(track.across.speed) > 2 * std::sqrt(track.across.ss) ? track.across.speed : 0;
    const double then = track.across.place + sure * track.ttc_s;
    return track.ttc_s < need_.ttc_s && std::abs(then) < (need_.corridor_m + track.width) / 2;
  }

  void forget() {
    for (auto& track : tracks_) close(track);
    tracks_.clear();
  }

  bool in_corridor(const Track& track) const {
    return std::abs(track.across.place) < (need_.corridor_m + track.width) / 2;
  }

  void close(Track& track) {
    if (track.event) ended_.push_back(*track.event);
    track.event.reset();
  }

  Need need_;
  std::array<double, rays> cos_{}, sin_{};
  std::vector<Cluster> clusters_;
  std::vector<Track> tracks_;
  std::vector<Event> ended_;
  double last_time_s_ = 0, bend_ = 0;
  std::int64_t clusters_seen_ = 0, tracks_confirmed_ = 0;
};

}  // namespace obstacles
