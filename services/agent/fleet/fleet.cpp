#include "agent/fleet/fleet.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

std::string read_text(const fs::path& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

Result<std::vector<std::string>> names_in(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> out;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".crt") out.push_back(entry.path().stem().string());
  }
  if (error) return Error{Code::invalid, error.message(), "devices " + directory};
  if (out.empty()) return Error{Code::invalid, "has no NAME.crt", "devices " + directory};
  std::sort(out.begin(), out.end());
  return out;
}

// A session needs one descriptor.
Result<void> allow_descriptors(std::size_t wanted) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return {};
  if (limit.rlim_max < wanted) {
    return Error{Code::invalid, "this process may have " + std::to_string(limit.rlim_max) + " open files and needs " +
                                    std::to_string(wanted) + "; ulimit -n raises it"};
  }
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
  return {};
}

}  // namespace

Fleet::~Fleet() { devices_.clear(); }

Result<std::unique_ptr<Fleet>> Fleet::make(const FleetConfig& config, Scenario scenario) {
  if (scenario.groups.empty()) scenario.groups.emplace_back();
  const auto names = names_in(config.devices);
  if (!names) return names.error();
  auto grants = crypto::TrustStore::load(config.grants);
  if (!grants) return grants.error();
  auto sessions = bus::Sessions::open(config.host, config.port, config.ca);
  if (!sessions) return sessions.error();
  std::unique_ptr<Fleet> fleet(new Fleet(std::move(scenario)));
  fleet->sessions_ = std::move(*sessions);
  for (const auto& name : *names) {
    const auto* group = group_of(fleet->scenario_, name);
    if (group == nullptr) continue;
    if (config.count_max > 0 && fleet->devices_.size() >= static_cast<std::size_t>(config.count_max)) break;
    const auto base = config.devices + "/" + name;
    AgentConfig agent{
        .root = config.root, .device = name, .certificate_pem = read_text(base + ".crt"), .grants = *grants};
    const auto number = fleet->devices_.size();
    fleet->devices_.push_back(std::make_unique<FleetDevice>(std::move(agent), *group, static_cast<FleetLoop&>(*fleet),
                                                            fleet->counts_, config.seed * 1'000'003 + number));
    auto& device = *fleet->devices_.back();
    if (auto opened = device.open(*fleet->sessions_, base + ".crt", base + ".key"); !opened) return opened.error();
    const auto at = static_cast<double>(number) / fleet->scenario_.connects_per_s;
    fleet->at(fleet->now() + Duration{static_cast<std::int64_t>(at * 1e6)}, [&device] { device.begin(); });
  }
  if (fleet->devices_.empty())
    return Error{Code::invalid, "no group of the scenario takes any device of " + config.devices};
  if (auto allowed = allow_descriptors(fleet->devices_.size() + 64); !allowed) return allowed.error();
  return fleet;
}

Time Fleet::now() const { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

void Fleet::at(Time when, std::function<void()> then) { timeline_.emplace(when, std::move(then)); }

void Fleet::turn(Duration time) {
  const auto until = now() + time;
  for (auto at = now(); at < until; at = now()) {
    while (!timeline_.empty() && timeline_.begin()->first <= at) {
      const auto then = std::move(timeline_.begin()->second);
      timeline_.erase(timeline_.begin());
      then();
    }
    const auto next = timeline_.empty() ? until : std::min(until, timeline_.begin()->first);
    const auto wait = std::chrono::ceil<milliseconds>(next - now());
    sessions_->turn(std::clamp(wait, milliseconds(0), milliseconds(50)));
  }
}

}  // namespace fieldwork::agent
