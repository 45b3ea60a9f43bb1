#include "runtime/config.hpp"

#include <toml++/toml.h>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/suggest.hpp"

extern char** environ;

namespace fieldwork::runtime {
namespace {

constexpr const char* not_set = "is not set";

bool is_scalar(const toml::node& node) {
  return node.is_string() || node.is_integer() || node.is_floating_point() || node.is_boolean();
}

std::string scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return std::to_string(integer->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  char digits[32];
  const auto number = node.value_or(0.0);
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// A setting and its place, as errors name it.
std::string from(const std::string& name, const std::string& place) { return name + " (" + place + ")"; }

// section.key and FIELDWORK_SECTION_KEY fold to the same word.
std::string folded(const std::string& key) {
  std::string out;
  for (const char c : key) {
    out += c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

std::map<std::string, std::string> Config::process_environment() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const char* equals = std::strchr(*entry, '=');
    if (equals != nullptr)
      out.emplace(std::string(*entry, static_cast<std::size_t>(equals - *entry)), std::string(equals + 1));
  }
  return out;
}

Result<Config> Config::load(const std::string& file, const std::vector<std::string>& sets,
                            const std::map<std::string, std::string>& environment) {
  Config config;
  if (!file.empty()) {
    try {
      const toml::table parsed = toml::parse_file(file);
      std::optional<Error> wrong;
      const auto walk = [&](const auto& self, const toml::table& table, const std::string& prefix) -> void {
        for (const auto& [key, node] : table) {
          std::string name = prefix.empty() ? std::string() : prefix + ".";
          name += key.str();
          if (const auto* inner = node.as_table()) {
            self(self, *inner, name);
            continue;
          }
          const auto place = file + ":" + std::to_string(node.source().begin.line);
          if (!is_scalar(node) && !wrong) {
            wrong = Error{Code::invalid, "must be a string, a number, true or false", from(name, place)};
          }
          config.values_[name] = Value{scalar_text(node), place};
        }
      };
      walk(walk, parsed, "");
      if (wrong) return *wrong;
    } catch (const toml::parse_error& e) {
      return Error{Code::invalid, std::string(e.description()), file + ":" + std::to_string(e.source().begin.line)};
    }
  }
  for (const auto& [variable, text] : environment) {
    if (variable.starts_with("FIELDWORK_")) {
      config.values_["env:" + variable.substr(10)] = Value{text, "environment " + variable, false};
    }
  }
  for (const auto& set : sets) {
    const auto equals = set.find('=');
    if (equals == std::string::npos || equals == 0) return Error{Code::invalid, "must be key=value", "--set " + set};
    config.values_["set:" + set.substr(0, equals)] = Value{set.substr(equals + 1), "--set " + set.substr(0, equals)};
  }
  // All sources are kept; find() takes the strongest one that has the key.
  return config;
}

std::string Config::origin(const std::string& key) const {
  for (const auto& name : {"set:" + key, "env:" + folded(key), key}) {
    if (const auto it = values_.find(name); it != values_.end()) return from(key, it->second.from);
  }
  return from(key, "default");
}

std::string Config::text(const std::string& key) {
  const std::string missing = "\x01";
  auto value = text(key, missing);
  if (value != missing) return value;
  mistakes_.push_back(
      {Code::invalid,
       std::string(not_set) + ": put it in the file, in FIELDWORK_" + folded(key) + " or in --set " + key + "=…", key});
  return {};
}

const std::string* Config::find(const std::string& key) {
  const std::string* found = nullptr;
  for (const auto& name : {"set:" + key, "env:" + folded(key), key}) {
    used_.insert(name);
    const auto it = values_.find(name);
    if (it != values_.end() && found == nullptr) found = &it->second.text;
  }
  return found;
}

std::string Config::text(const std::string& key, const std::string& fallback) {
  const auto* found = find(key);
  return found == nullptr ? fallback : *found;
}

std::int64_t Config::integer(const std::string& key, std::int64_t fallback, std::int64_t min, std::int64_t max) {
  const auto value = text(key, std::to_string(fallback));
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < min || number > max) {
    mistakes_.push_back({Code::invalid,
                         "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max),
                         origin(key)});
    return fallback;
  }
  return number;
}

double Config::number(const std::string& key, double fallback, double min, double max) {
  const auto* value = find(key);
  if (value == nullptr) return fallback;
  double number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size() || !(number >= min && number <= max)) {
    mistakes_.push_back(
        {Code::invalid, "must be a number from " + std::to_string(min) + " to " + std::to_string(max), origin(key)});
    return fallback;
  }
  return number;
}

bool Config::boolean(const std::string& key, bool fallback) {
  const auto value = text(key, fallback ? "true" : "false");
  if (value != "true" && value != "false") mistakes_.push_back({Code::invalid, "must be true or false", origin(key)});
  return value == "true";
}

std::map<std::string, std::string> Config::table(const std::string& prefix) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : values_) {
    const bool set = name.starts_with("set:");
    const auto key = set ? name.substr(4) : name;
    if (!key.starts_with(prefix + ".")) continue;
    used_.insert(name);
    auto& entry = out[key.substr(prefix.size() + 1)];
    if (set || !values_.contains("set:" + key)) entry = value.text;
  }
  return out;
}

// Returns "; did you mean broker.url?" or nothing.
std::string Config::meant(const std::string& key, bool as_variable) const {
  std::set<std::string> names;
  for (const auto& name : used_) {
    const bool variable = name.starts_with("env:");
    if (variable == as_variable && !name.starts_with("set:")) names.insert(variable ? name.substr(4) : name);
  }
  const auto found = closest(key, names);
  return found.empty() ? "" : "; did you mean " + std::string(as_variable ? "FIELDWORK_" : "") + found + "?";
}

std::vector<std::string> Config::unknown_variables() const {
  std::vector<std::string> out;
  for (const auto& [name, value] : values_) {
    if (!name.starts_with("env:") || used_.contains(name) || name == "env:CONFIG") continue;
    out.push_back(value.from + " is not a setting of this program" + meant(name.substr(4), true));
  }
  return out;
}

Result<void> Config::finish() {
  const bool missing = !mistakes_.empty() && mistakes_.front().reason.starts_with(not_set);
  if (!mistakes_.empty() && !missing) return mistakes_.front();
  for (const auto& [name, value] : values_) {
    if (value.strict && !used_.contains(name)) {
      const auto key = name.starts_with("set:") ? name.substr(4) : name;
      const bool typed_wrong = missing && !closest(key, std::vector{mistakes_.front().path}).empty();
      if (missing && !typed_wrong) continue;
      return Error{Code::invalid, "is not a setting of this program" + meant(key, false), from(key, value.from)};
    }
  }
  if (missing) return mistakes_.front();
  return {};
}

}  // namespace fieldwork::runtime
