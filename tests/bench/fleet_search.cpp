// scripts/bench fleet: the µs that the index takes to find the devices that match an expression, among 100,000, by the
// expression. For comparison the same expression evaluated for each device, and how many match.
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fleet/index.hpp"
#include "percentile.hpp"
#include "support/fleet_devices.hpp"

namespace {

using namespace fieldwork;

constexpr int devices_max = 100'000;
constexpr int rounds = 21;

double now_us() {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Query {
  const char* name;
  const char* text;
};
constexpr Query queries[] = {
    {"one id", "id == edge-77777"},
    {"one label", "label.serial == s4242"},
    {"prefix", "id ^= edge-777"},
    {"rare number", "health < 0.01 and site == a"},
    {"number alone", "health < 0.01"},
    {"five terms",
     R"(site == a and label.zone == b and cpu.free_millis >= 2000 and health > 0.8 and presence == online)"},
    {"or", "label.serial == s1 or (group == night and battery < 3%)"},
    {"half of all", "capability == camera or metered == true"},
    {"not", "not site == a"},
};

}  // namespace

int main() {
  fleet::Chance chance(1);
  std::vector<Device> devices;
  devices.reserve(devices_max);
  for (int i = 0; i < devices_max; ++i) devices.push_back(fleet::random_device(chance, i));
  fleet::Index index;
  const auto begin = now_us();
  for (const auto& one : devices) index.put(one);
  const double put_us = (now_us() - begin) / devices_max;
  const auto again = now_us();
  for (const auto& one : devices) index.measured(one);
  const double measured_us = (now_us() - again) / devices_max;

  nlohmann::json out{
      {"devices", devices_max}, {"put_us", put_us}, {"measured_us", measured_us}, {"queries", nlohmann::json::array()}};
  std::printf("%-14s %10s %12s %12s %8s\n", "query", "matches", "index, us", "scan, us", "ratio");
  for (const auto& query : queries) {
    const auto expression = *fleet::Expression::parse(query.text);
    std::vector<double> indexed, scanned;
    std::size_t found = 0, naive = 0;
    for (int round = 0; round < rounds; ++round) {
      const auto first = now_us();
      found = index.find(expression).size();
      const auto second = now_us();
      naive = 0;
      for (const auto& one : devices) naive += fleet::matches(expression, one) ? 1 : 0;
      indexed.push_back(second - first);
      scanned.push_back(now_us() - second);
    }
    if (found != naive) return 1;
    const double index_us = bench::percentile(indexed, 0.5), scan_us = bench::percentile(scanned, 0.5);
    std::printf("%-14s %10zu %12.1f %12.1f %8.3f\n", query.name, found, index_us, scan_us, index_us / scan_us);
    out["queries"].push_back({{"query", query.text}, {"matches", found}, {"index_us", index_us}, {"scan_us", scan_us}});
  }
  std::printf("put: %.2f us, measured: %.2f us per device\n%s\n", put_us, measured_us, out.dump().c_str());
}
