#include "agent/shell/resources.hpp"

#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/text.hpp"

namespace fieldwork::agent {
namespace {

std::int64_t meminfo_bytes(const std::string& root, const std::string& field) {
  std::ifstream file(root + "/proc/meminfo");
  std::string name;
  std::int64_t kib = 0;
  std::string rest;
  while (file >> name >> kib && std::getline(file, rest)) {
    if (name == field + ":") return kib * 1024;
  }
  return 0;
}

}  // namespace

Resources scale(Resources machine, const Capacity& declared, int machine_cores) {
  machine.cpu_load *= static_cast<double>(declared.cpu_millis) / (1000.0 * std::max(1, machine_cores));
  machine.memory_available_bytes = std::min(machine.memory_available_bytes, declared.memory_bytes);
  machine.storage_available_bytes = std::min(machine.storage_available_bytes, declared.storage_bytes);
  return machine;
}

Description read_description(const Capacity& declared) {
  Description out;
  out.capacity = declared;
  out.cores = std::max(1L, sysconf(_SC_NPROCESSORS_ONLN));
  struct utsname machine {};
  if (uname(&machine) == 0) out.architecture = machine.machine;
  std::ifstream release("/etc/os-release");
  std::string line, id, version;
  const auto value = [&](const char* name) {
    auto text = line.substr(std::string(name).size());
    std::erase(text, '"');
    return text;
  };
  while (std::getline(release, line)) {
    if (line.starts_with("ID=")) id = value("ID=");
    if (line.starts_with("VERSION_ID=")) version = value("VERSION_ID=");
  }
  out.os = clamp_text(version.empty() ? id : id + " " + version, 64);
  return out;
}

std::string read_boot_id() {
  std::string out;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> out;
  return out.substr(0, 64);
}

Meter::Meter(std::string directory, Capacity declared, std::string root)
    : directory_(std::move(directory)), declared_(declared), root_(std::move(root)) {}

Resources Meter::read(Time now) {
  if (before_ && now - before_->at < sample_) return last_;
  Resources out;
  std::ifstream(root_ + "/proc/loadavg") >> out.cpu_load;
  out.memory_available_bytes = meminfo_bytes(root_, "MemAvailable");
  struct statvfs storage {};
  if (statvfs(directory_.c_str(), &storage) == 0)
    out.storage_available_bytes =
        static_cast<std::int64_t>(storage.f_bavail) * static_cast<std::int64_t>(storage.f_frsize);
  double uptime = 0;
  std::ifstream(root_ + "/proc/uptime") >> uptime;
  out.uptime_s = static_cast<std::int64_t>(uptime);
  out.temperature_c = temperature_c();
  out.battery_percent = battery_percent();
  const auto counters = count(now);
  if (before_ && now > before_->at) {
    const double s = std::chrono::duration<double>(now - before_->at).count();
    const auto rate = [&](std::int64_t bytes, std::int64_t earlier) {
      return std::max<std::int64_t>(0, static_cast<std::int64_t>(static_cast<double>(bytes - earlier) * 8 / s));
    };
    out.received_bit_per_s = rate(counters.received_bytes, before_->received_bytes);
    out.sent_bit_per_s = rate(counters.sent_bytes, before_->sent_bytes);
    if (const auto all = counters.cpu_all - before_->cpu_all; all > 0)
      out.cpu_percent = std::clamp(
          100.0 * static_cast<double>(counters.cpu_busy - before_->cpu_busy) / static_cast<double>(all), 0.0, 100.0);
  }
  before_ = counters;
  // All cores that are on, not only those that this process may use: the load is that of all cores.
  last_ = scale(out, declared_, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
  return last_;
}

Meter::Counters Meter::count(Time now) const {
  Counters out{.at = now};
  std::ifstream stat(root_ + "/proc/stat");
  std::string name;
  std::int64_t ticks = 0;
  stat >> name;
  // user nice system idle iowait irq softirq steal; what follows is contained in user and nice.
  for (int i = 0; i < 8 && stat >> ticks; ++i) {
    out.cpu_all += ticks;
    if (i != 3 && i != 4) out.cpu_busy += ticks;
  }
  std::ifstream net(root_ + "/proc/net/dev");
  std::string line;
  while (std::getline(net, line)) {
    const auto colon = line.find(':');
    if (colon == line.npos) continue;
    std::string interface(line.substr(0, colon));
    interface.erase(0, interface.find_first_not_of(' '));
    if (interface == "lo") continue;
    std::istringstream fields(line.substr(colon + 1));
    std::int64_t received = 0, skipped = 0, sent = 0;
    fields >> received;
    for (int i = 0; i < 7; ++i) fields >> skipped;
    fields >> sent;
    out.received_bytes += received;
    out.sent_bytes += sent;
  }
  return out;
}

// Of the hottest zone.
std::optional<double> Meter::temperature_c() const {
  std::optional<double> out;
  for (int zone = 0; zone < 16; ++zone) {
    double thousandths = 0;
    if (!(std::ifstream(root_ + "/sys/class/thermal/thermal_zone" + std::to_string(zone) + "/temp") >> thousandths))
      continue;
    const double celsius = thousandths / 1000;
    if (celsius > -273 && celsius < 1000 && (!out || celsius > *out)) out = celsius;
  }
  return out;
}

std::optional<double> Meter::battery_percent() const {
  for (const char* name : {"BAT0", "BAT1", "battery"}) {
    double percent = 0;
    if (std::ifstream(root_ + "/sys/class/power_supply/" + name + "/capacity") >> percent)
      return std::clamp(percent, 0.0, 100.0);
  }
  return std::nullopt;
}

Capacity read_capacity(const std::string& directory) {
  Capacity out;
  out.cpu_millis = 1000 * static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  out.memory_bytes = std::max<std::int64_t>(meminfo_bytes("", "MemTotal"), 1);
  struct statvfs disk {};
  if (statvfs(directory.c_str(), &disk) == 0) {
    out.storage_bytes = static_cast<std::int64_t>(disk.f_blocks) * static_cast<std::int64_t>(disk.f_frsize);
  }
  return out;
}

}  // namespace fieldwork::agent
