#include "stack.hpp"

#include <httplib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace fieldwork::bench {
namespace fs = std::filesystem;
namespace {

// CPU time of a process (utime + stime of /proc/PID/stat) in microseconds, and its parent.
std::pair<double, int> cpu_of(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto end = text.rfind(')');
  if (end == std::string::npos) return {0, 0};
  std::istringstream fields(text.substr(end + 2));
  std::string state;
  int parent = 0;
  fields >> state >> parent;
  std::string skip;
  for (int i = 0; i < 9; ++i) fields >> skip;
  double user = 0, system = 0;
  fields >> user >> system;
  return {(user + system) * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK)), parent};
}

}  // namespace

Stack::Stack(std::string directory) : directory_(std::move(directory)) {
  const auto json = nlohmann::json::parse(std::ifstream(path("stack.json")));
  ports_ = json.at("ports").get<std::map<std::string, int>>();
  http_ = json.at("http").get<std::map<std::string, int>>();
}

bus::MqttConfig Stack::mqtt(const std::string& listener, const std::string& who, const std::string& client_id) const {
  bus::MqttConfig config;
  config.url = "ssl://localhost:" + std::to_string(ports_.at(listener));
  config.client_id = client_id;
  config.ca = path("pki/service-ca.crt");
  config.certificate = path("pki/" + who + ".crt");
  config.key = path("pki/" + who + ".key");
  return config;
}

std::vector<std::string> Stack::devices() const {
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(path("pki/devices"))) {
    if (entry.path().extension() == ".crt") out.push_back(entry.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::map<std::string, double> Stack::cpu_us(int client) const {
  std::map<std::string, double> out{{"clients", cpu_of(getpid()).first + (client > 0 ? cpu_of(client).first : 0)}};
  int postgres = 0;
  for (const auto& entry : fs::directory_iterator(path("run"))) {
    if (entry.path().extension() != ".pid") continue;
    int pid = 0;
    std::ifstream(entry.path()) >> pid;
    const auto name = entry.path().stem().string();
    if (name == "ttl") continue;
    out[name] = cpu_of(pid).first;
    if (name == "postgres") postgres = pid;
  }
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const int pid = std::atoi(entry.path().filename().c_str());
    if (pid == 0) continue;
    const auto [cpu, parent] = cpu_of(pid);
    if (parent == postgres) out["postgres"] += cpu;
  }
  return out;
}

double Stack::sum_of(const std::string& metric) const {
  double sum = 0;
  for (const auto& [name, port] : http_) {
    httplib::Client client("127.0.0.1", port);
    const auto answer = client.Get("/metrics");
    if (!answer) continue;
    std::istringstream lines(answer->body);
    std::string line;
    while (std::getline(lines, line)) {
      if (line.starts_with(metric + " ")) sum += std::stod(line.substr(metric.size() + 1));
    }
  }
  return sum;
}

}  // namespace fieldwork::bench
