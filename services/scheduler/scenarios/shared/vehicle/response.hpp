// How long a program's own decisions take, on the device that runs it: the response of the jobs of autonomous-vehicle.
// By the steady clock, in microseconds; the need is in milliseconds.
//
//   Stopwatch stopwatch;        // the sample is there
//   decide(sample);             // what is only waiting stands between pause() and go_on()
//   response.add(stopwatch.elapsed());
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace vehicle {

constexpr int exit_too_slow = 3;  // the result is there, but the response was not within the need

class Stopwatch {
 public:
  using Clock = std::chrono::steady_clock;

  void pause() { paused_ = Clock::now(); }
  void go_on() { begin_ += Clock::now() - paused_; }
  std::chrono::nanoseconds elapsed() const { return Clock::now() - begin_; }

 private:
  Clock::time_point begin_ = Clock::now(), paused_;
};

// Counts by tenths of a microsecond, so that memory does not grow with the samples. What took longer than 20 ms counts
// as the longest.
class Response {
 public:
  explicit Response(double ms_max) : ms_max_(ms_max) {}

  void add(std::chrono::nanoseconds time) {
    const auto tenths = static_cast<std::size_t>(std::max<std::int64_t>(0, time.count() / 100));
    ++counts_[std::min(tenths, counts_.size() - 1)];
    ++total_;
    longest_us_ = std::max(longest_us_, static_cast<double>(time.count()) / 1000);
  }

  // So many parts of all took at most this time (the upper end of the count's tenth).
  double quantile_us(double part) const {
    const auto wanted = static_cast<std::int64_t>(std::ceil(part * static_cast<double>(total_)));
    std::int64_t sum = 0;
    for (std::size_t i = 0; i + 1 < counts_.size(); ++i) {
      sum += counts_[i];
      if (sum >= wanted) return std::min(static_cast<double>(i + 1) / 10, longest_us_);
    }
    return longest_us_;
  }

  bool within() const { return total_ > 0 && quantile_us(0.95) <= ms_max_ * 1000; }

  // For the result: fields of a JSON object.
  std::string fields() const {
    return text(R"("response_us":{"p50":%.1f,"p95":%.1f,"p99":%.1f,"max":%.1f})", quantile_us(0.5), quantile_us(0.95),
                quantile_us(0.99), longest_us_) +
           text(R"(,"response_ms_max":%g,"within":)", ms_max_) + (within() ? "true" : "false");
  }

  // For the line on stdout.
  std::string summary() const {
    return text("response p95 %.3f ms, max %.3f ms, ", quantile_us(0.95) / 1000, longest_us_ / 1000) +
           text(within() ? "within %g ms" : "not within %g ms", ms_max_);
  }

 private:
  template <typename... Numbers>
  static std::string text(const char* format, Numbers... numbers) {
    std::array<char, 256> out{};
    std::snprintf(out.data(), out.size(), format, numbers...);
    return out.data();
  }

  double ms_max_;
  std::vector<std::int64_t> counts_ = std::vector<std::int64_t>(200001);  // up to 20 ms
  std::int64_t total_ = 0;
  double longest_us_ = 0;
};

// "progress N M" to the file that FIELDWORK_PROGRESS names, at most each tenth. Nothing depends on it.
inline void report_progress(std::int64_t before, std::int64_t done, std::int64_t total) {
  const char* name = std::getenv("FIELDWORK_PROGRESS");
  if (name == nullptr || total < 1 || done * 10 / total == before * 10 / total) return;
  std::ofstream(name, std::ios::app) << "progress " << done << ' ' << total << '\n';
}

}  // namespace vehicle
