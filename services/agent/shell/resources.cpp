#include "agent/shell/resources.hpp"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

namespace fieldwork::agent {
namespace {

std::int64_t meminfo_bytes(const std::string& field) {
  std::ifstream file("/proc/meminfo");
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
  machine.disk_available_bytes = std::min(machine.disk_available_bytes, declared.disk_bytes);
  return machine;
}

Resources read_resources(const std::string& directory, const Capacity& declared) {
  Resources out;
  std::ifstream("/proc/loadavg") >> out.cpu_load;
  out.memory_available_bytes = meminfo_bytes("MemAvailable");
  struct statvfs disk {};
  if (statvfs(directory.c_str(), &disk) == 0) {
    out.disk_available_bytes = static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
  }
  double uptime = 0;
  std::ifstream("/proc/uptime") >> uptime;
  out.uptime_s = static_cast<std::int64_t>(uptime);
  // All cores that are on, not only those that this process may use: the load is that of all cores.
  return scale(out, declared, static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)));
}

Capacity read_capacity(const std::string& directory) {
  Capacity out;
  out.cpu_millis = 1000 * static_cast<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  out.memory_bytes = std::max<std::int64_t>(meminfo_bytes("MemTotal"), 1);
  struct statvfs disk {};
  if (statvfs(directory.c_str(), &disk) == 0) {
    out.disk_bytes = static_cast<std::int64_t>(disk.f_blocks) * static_cast<std::int64_t>(disk.f_frsize);
  }
  return out;
}

}  // namespace fieldwork::agent
