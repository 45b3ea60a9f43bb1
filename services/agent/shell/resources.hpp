// What is free on this machine, from /proc and statvfs, scaled to what this device declares.
#pragma once

#include <optional>
#include <string>

#include "base/time.hpp"
#include "model/device.hpp"

namespace fieldwork::agent {

// The capacity of the whole machine.
[[nodiscard]] Capacity read_capacity(const std::string& directory);

// What the machine says of itself: architecture, operating system, cores. `boot_id` changes with each boot; empty where
// the kernel has none.
[[nodiscard]] Description read_description(const Capacity& declared);
[[nodiscard]] std::string read_boot_id();

// `declared` may be less than the machine has (several devices on one machine, a budget). The load becomes that of the
// declared cores, and at most the declared memory and storage are free. Unscaled, a small device on a large busy
// machine would look overloaded, and a device of 512 MiB would have 22 GiB free.
[[nodiscard]] Resources scale(Resources machine, const Capacity& declared, int machine_cores);

// Measures what is used. Use and rates are those since the measurement before; the first one has none.
class Meter {
 public:
  // `root`: where /proc and /sys are looked for; a test brings its own.
  Meter(std::string directory, Capacity declared, std::string root = "");

  // Measures anew, if the last measurement is at least `sample` old.
  [[nodiscard]] Resources read(Time now);
  void sample_every(Duration sample) { sample_ = sample; }

 private:
  struct Counters {
    std::int64_t cpu_busy = 0, cpu_all = 0;  // ticks of all cores
    std::int64_t received_bytes = 0, sent_bytes = 0;
    Time at{};
  };
  [[nodiscard]] Counters count(Time now) const;
  [[nodiscard]] std::optional<double> temperature_c() const;
  [[nodiscard]] std::optional<double> battery_percent() const;

  std::string directory_;
  Capacity declared_;
  std::string root_;
  Duration sample_{seconds{1}};
  std::optional<Counters> before_;
  Resources last_;
};

}  // namespace fieldwork::agent
