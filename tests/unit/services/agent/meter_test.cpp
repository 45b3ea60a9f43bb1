// links: agent_shell GTest::gtest_main
// What a machine is measured at, by files of a /proc and /sys that are made up.
#include <gtest/gtest.h>

#include <unistd.h>

#include "agent/shell/resources.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::agent {
namespace {

constexpr Time t0{seconds{1'000}};

// Of the whole machine, so that nothing is scaled.
Capacity whole() {
  auto out = read_capacity("/");
  out.cpu_millis = 1000 * sysconf(_SC_NPROCESSORS_ONLN);
  out.memory_bytes = std::int64_t{1} << 40;
  return out;
}

struct Machine {
  support::TempDir root;
  Meter meter{"/", whole(), root.path()};

  void cpu(const std::string& ticks) const { (void)root.write("proc/stat", "cpu  " + ticks + "\ncpu0 9 9 9 9\n"); }
  void network(const std::string& lines) const {
    (void)root.write("proc/net/dev",
                     "Inter-|   Receive                |  Transmit\n"
                     " face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop\n" +
                         lines);
  }
  static std::string interface(const std::string& name, std::int64_t received, std::int64_t sent) {
    return "  " + name + ": " + std::to_string(received) + " 7 0 0 0 0 0 0 " + std::to_string(sent) +
           " 8 0 0 0 0 0 0\n";
  }
};

TEST(Meter, ReadsWhatIsSoNow) {
  Machine machine;
  (void)machine.root.write("proc/loadavg", "1.25 0.80 0.50 2/345 6789\n");
  (void)machine.root.write("proc/meminfo",
                           "MemTotal:  2000 kB\nMemFree:  10 kB\nMemAvailable:   500 kB\nBuffers: 1 kB\n");
  (void)machine.root.write("proc/uptime", "12345.67 99.0\n");
  (void)machine.root.write("sys/class/thermal/thermal_zone0/temp", "41500\n");
  (void)machine.root.write("sys/class/thermal/thermal_zone2/temp", "63250\n");
  (void)machine.root.write("sys/class/thermal/thermal_zone3/temp", "-274000\n");
  (void)machine.root.write("sys/class/power_supply/BAT1/capacity", "87\n");
  const auto read = machine.meter.read(t0);
  EXPECT_DOUBLE_EQ(read.cpu_load, 1.25);
  EXPECT_EQ(read.memory_available_bytes, 500 * 1024);
  EXPECT_GT(read.storage_available_bytes, 0);
  EXPECT_EQ(read.uptime_s, 12345);
  EXPECT_EQ(read.temperature_c, 63.25) << "of the hottest zone that makes sense";
  EXPECT_EQ(read.battery_percent, 87);
  EXPECT_EQ(read.cpu_percent, std::nullopt) << "use is that since the measurement before";
  EXPECT_EQ(read.received_bit_per_s, std::nullopt);
  EXPECT_EQ(read.sent_bit_per_s, std::nullopt);
}

TEST(Meter, SaysNothingOfWhatTheMachineDoesNotHave) {
  Machine machine;
  (void)machine.meter.read(t0);
  const auto read = machine.meter.read(t0 + seconds{2});
  EXPECT_EQ(read.temperature_c, std::nullopt);
  EXPECT_EQ(read.battery_percent, std::nullopt);
  EXPECT_EQ(read.cpu_percent, std::nullopt) << "no tick has passed";
  EXPECT_EQ(read.memory_available_bytes, 0);
}

TEST(Meter, MeasuresUseSinceTheMeasurementBefore) {
  Machine machine;
  // user nice system idle iowait irq softirq steal guest guest_nice; waiting is not use, guests are in user
  machine.cpu("100 0 100 700 100 0 0 0 50 0");
  machine.network(Machine::interface("lo", 5, 5) + Machine::interface("eth0", 1000, 100) +
                  Machine::interface("wlan0", 0, 0));
  (void)machine.meter.read(t0);
  machine.cpu("130 10 110 800 140 5 10 5 90 0");
  machine.network(Machine::interface("lo", 999'999, 999'999) + Machine::interface("eth0", 2000, 350) +
                  Machine::interface("wlan0", 1500, 0));
  const auto read = machine.meter.read(t0 + seconds{4});
  ASSERT_TRUE(read.cpu_percent.has_value());
  EXPECT_DOUBLE_EQ(*read.cpu_percent, 100.0 * 70 / 210);
  EXPECT_EQ(read.received_bit_per_s, (1000 + 1500) * 8 / 4) << "of all interfaces but loopback";
  EXPECT_EQ(read.sent_bit_per_s, 250 * 8 / 4);
  machine.cpu("130 10 110 1000 140 5 10 5 90 0");
  const auto idle = machine.meter.read(t0 + seconds{5});
  EXPECT_EQ(idle.cpu_percent, 0);
  EXPECT_EQ(idle.received_bit_per_s, 0);
}

TEST(Meter, KnowsNoNegativeRates) {
  Machine machine;
  machine.cpu("500 0 0 500 0 0 0 0");
  machine.network(Machine::interface("eth0", 1000, 1000));
  (void)machine.meter.read(t0);
  machine.cpu("400 0 0 700 0 0 0 0");
  machine.network("");  // the interface is gone, with its counters
  const auto read = machine.meter.read(t0 + seconds{2});
  EXPECT_EQ(read.cpu_percent, 0);
  EXPECT_EQ(read.received_bit_per_s, 0);
  EXPECT_EQ(read.sent_bit_per_s, 0);
}

TEST(Meter, MeasuresAnewWhenTheSampleIsOld) {
  Machine machine;
  const auto load = [&](const char* text, Duration since) {
    (void)machine.root.write("proc/loadavg", text);
    return machine.meter.read(t0 + since).cpu_load;
  };
  EXPECT_DOUBLE_EQ(load("1.0", seconds{0}), 1);
  EXPECT_DOUBLE_EQ(load("2.0", milliseconds{999}), 1);
  EXPECT_DOUBLE_EQ(load("3.0", milliseconds{1000}), 3) << "each second, unless told otherwise";
  machine.meter.sample_every(seconds{60});
  EXPECT_DOUBLE_EQ(load("4.0", milliseconds{60'999}), 3);
  EXPECT_DOUBLE_EQ(load("5.0", milliseconds{61'000}), 5);
  machine.meter.sample_every(seconds{1});
  EXPECT_DOUBLE_EQ(load("6.0", milliseconds{62'000}), 6);
}

TEST(Meter, IsScaledToWhatTheDeviceDeclares) {
  Machine machine;
  (void)machine.root.write("proc/loadavg", "4.0 1 1 1/1 1\n");
  (void)machine.root.write("proc/meminfo", "MemAvailable: 8000 kB\n");
  const auto cores = sysconf(_SC_NPROCESSORS_ONLN);
  Meter small("/", {500 * cores, 1'000'000, 2'000'000}, machine.root.path());
  const auto read = small.read(t0);
  EXPECT_DOUBLE_EQ(read.cpu_load, 2) << "half of each core is declared";
  EXPECT_EQ(read.memory_available_bytes, 1'000'000);
  EXPECT_EQ(read.storage_available_bytes, 2'000'000);
}

}  // namespace
}  // namespace fieldwork::agent
