// Devices with many attributes, by chance.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "model/device.hpp"

namespace fieldwork::fleet {

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  bool one_in(int n) { return below(n) == 0; }
  double fraction() { return std::uniform_real_distribution<double>(0, 1)(engine_); }

 private:
  std::mt19937_64 engine_;
};

inline Device random_device(Chance& chance, int number) {
  Device out;
  out.id = DeviceId("edge-" + std::to_string(number));
  out.lifecycle = static_cast<Lifecycle>(chance.below(6));
  out.presence = static_cast<Presence>(chance.below(6));
  out.health = chance.below(101) / 100.0;
  out.about.capacity = {1000 * (1 + chance.below(8)), (1 + chance.below(64)) * (std::int64_t{1} << 28),
                        (1 + chance.below(64)) * (std::int64_t{1} << 30)};
  out.about.cores = out.about.capacity.cpu_millis / 1000;
  out.about.architecture = chance.one_in(3) ? "aarch64" : "x86_64";
  out.about.agent = "0." + std::to_string(chance.below(12)) + ".0";
  if (!chance.one_in(4)) out.about.site = std::string(1, static_cast<char>('a' + chance.below(5)));
  if (chance.one_in(3)) out.about.capabilities.emplace_back("camera");
  if (chance.one_in(5)) out.about.capabilities.emplace_back("gpu");
  if (chance.one_in(2)) out.about.uplink = {1'000'000, chance.one_in(2)};
  out.labels["serial"] = "s" + std::to_string(number);
  if (!chance.one_in(3)) out.labels["zone"] = std::string(1, static_cast<char>('a' + chance.below(9)));
  if (chance.one_in(6)) out.groups.emplace_back("night");
  out.measured = !chance.one_in(5);
  if (out.measured) {
    out.resources.cpu_load = chance.below(80) / 10.0;
    out.resources.memory_available_bytes =
        static_cast<std::int64_t>(chance.fraction() * static_cast<double>(out.about.capacity.memory_bytes));
    out.resources.storage_available_bytes =
        static_cast<std::int64_t>(chance.fraction() * static_cast<double>(out.about.capacity.storage_bytes));
    out.resources.uptime_s = chance.below(100'000);
    out.link.round_trip_ms = chance.below(500);
    if (chance.one_in(2)) out.resources.sent_bit_per_s = chance.below(2'000'000);
    if (chance.one_in(3)) out.resources.battery_percent = chance.below(101);
  }
  return out;
}

}  // namespace fieldwork::fleet
