#include "agent/fleet/scenario.hpp"

#include <fnmatch.h>
#include <toml++/toml.h>

#include <algorithm>
#include <limits>

namespace fieldwork::agent {
namespace {

// Reads the keys of one table. Keeps the first mistake; a key that is not known is one, too.
class Keys {
 public:
  Keys(const std::string& file, const toml::table& table) : file_(file), table_(table) {}

  void number(const char* key, double& into, double min, double max) {
    const auto* node = find(key);
    if (node == nullptr) return;
    const auto value = node->value<double>();
    if (!value || *value < min || *value > max) {
      return fail(*node, key, "is a number from " + shortened(min) + " to " + shortened(max));
    }
    into = *value;
  }
  template <class Int>
  void integer(const char* key, Int& into, std::int64_t min, std::int64_t max) {
    const auto* node = find(key);
    if (node == nullptr) return;
    const auto value = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
    if (!value || *value < min || *value > max) {
      return fail(*node, key, "is a whole number from " + std::to_string(min) + " to " + std::to_string(max));
    }
    into = static_cast<Int>(*value);
  }
  void text(const char* key, std::string& into) {
    const auto* node = find(key);
    if (node == nullptr) return;
    const auto value = node->value<std::string>();
    if (!value) return fail(*node, key, "is a text");
    into = *value;
  }
  void texts(const char* key, std::map<std::string, std::string>& into) {
    const auto* node = find(key);
    if (node == nullptr) return;
    const auto* table = node->as_table();
    if (table == nullptr) return fail(*node, key, "is a table of texts");
    for (const auto& [name, value] : *table) {
      const auto text = value.value<std::string>();
      if (!text) return fail(value, std::string(key) + "." + std::string(name.str()), "is a text");
      into[std::string(name.str())] = *text;
    }
  }
  const toml::node* find(const char* key) {
    known_.emplace_back(key);
    return table_.get(key);
  }
  [[nodiscard]] Result<void> finish() {
    for (const auto& [key, node] : table_) {
      if (std::find(known_.begin(), known_.end(), key.str()) == known_.end())
        fail(node, std::string(key.str()), "is not known here");
    }
    if (mistake_) return *mistake_;
    return {};
  }
  void fail(const toml::node& at, const std::string& key, const std::string& reason) {
    if (!mistake_)
      mistake_ = Error{Code::invalid, key + " " + reason, file_ + ":" + std::to_string(at.source().begin.line)};
  }

 private:
  static std::string shortened(double number) {
    auto text = std::to_string(number);
    return text.substr(0, text.find('.'));
  }
  const std::string& file_;
  const toml::table& table_;
  std::vector<std::string> known_;
  std::optional<Error> mistake_;
};

Result<FleetGroup> read_group(const std::string& file, const toml::table& table) {
  constexpr double day_s = 86'400;
  FleetGroup out;
  Keys keys(file, table);
  keys.text("devices", out.devices);
  keys.texts("labels", out.labels);
  keys.text("site", out.site);
  keys.integer("cpu_millis", out.capacity.cpu_millis, 1, 1'024'000);
  keys.integer("memory_bytes", out.capacity.memory_bytes, 1, std::int64_t{1} << 50);
  keys.integer("storage_bytes", out.capacity.storage_bytes, 0, std::int64_t{1} << 50);
  keys.number("cpu_load", out.cpu_load, 0, 1);
  keys.integer("delay_ms", out.delay_ms, 0, 60'000);
  keys.number("cut_every_s", out.cut_every_s, 0, day_s);
  keys.number("cut_s", out.cut_s, 0, day_s);
  keys.number("restart_every_s", out.restart_every_s, 0, day_s);
  keys.number("job_s_min", out.job_s_min, 0, day_s);
  keys.number("job_s_max", out.job_s_max, 0, day_s);
  keys.number("job_fails", out.job_fails, 0, 1);
  if (out.job_s_max < out.job_s_min) {
    if (table.contains("job_s_max")) keys.fail(*table.get("job_s_max"), "job_s_max", "is below job_s_min");
    out.job_s_max = out.job_s_min;
  }
  if (auto finished = keys.finish(); !finished) return finished.error();
  return out;
}

}  // namespace

Result<Scenario> read_scenario(const std::string& file) {
  toml::table parsed;
  try {
    parsed = toml::parse_file(file);
  } catch (const toml::parse_error& e) {
    return Error{Code::invalid, std::string(e.description()), file + ":" + std::to_string(e.source().begin.line)};
  }
  Scenario out;
  Keys keys(file, parsed);
  keys.number("connects_per_s", out.connects_per_s, 1, 100'000);
  if (const auto* groups = keys.find("group")) {
    const auto* list = groups->as_array();
    if (list == nullptr) {
      keys.fail(*groups, "group", "is written as [[group]]");
    } else {
      for (const auto& one : *list) {
        if (!one.is_table()) return Error{Code::invalid, "group is written as [[group]]", file};
        auto group = read_group(file, *one.as_table());
        if (!group) return group.error();
        out.groups.push_back(std::move(*group));
      }
    }
  }
  if (auto finished = keys.finish(); !finished) return finished.error();
  return out;
}

const FleetGroup* group_of(const Scenario& scenario, const std::string& device) {
  const auto it = std::find_if(scenario.groups.begin(), scenario.groups.end(), [&](const auto& group) {
    return fnmatch(group.devices.c_str(), device.c_str(), 0) == 0;
  });
  return it == scenario.groups.end() ? nullptr : &*it;
}

}  // namespace fieldwork::agent
