#include "set_words.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/suggest.hpp"
#include "codec/device.hpp"
#include "fleet/expression.hpp"

namespace fieldwork::cli {
namespace {

using codec::setting_names;

// Numbers with the units of expressions: 10s, 1GiB.
constexpr std::array quantities{
    fleet::Kind{"heartbeat_s", fleet::Type::seconds, false, ""},
    fleet::Kind{"sample_s", fleet::Type::seconds, false, ""},
    fleet::Kind{"attempts_max", fleet::Type::number, false, ""},
    fleet::Kind{"cache_bytes", fleet::Type::bytes, false, ""},
    fleet::Kind{"cpu_millis", fleet::Type::number, false, ""},
    fleet::Kind{"memory_bytes", fleet::Type::bytes, false, ""},
    fleet::Kind{"storage_bytes", fleet::Type::bytes, false, ""},
};

Outcome<std::int64_t> quantity(const std::string& name, const std::string& value) {
  const auto read = fleet::Expression::parse(name + " == " + value, quantities);
  const bool one = read && read->root().children.empty() && read->root().term.numbers.size() == 1;
  const double number = one ? read->root().term.numbers[0] : 0;
  if (one && number == std::floor(number) && std::abs(number) < 0x1p53) return static_cast<std::int64_t>(number);
  const auto reason = name + " must be a whole number, is '" + value + "'";
  return Failure{Exit::usage, read ? reason : reason + ": " + read.error().reason};
}

Failure no_setting(const std::string& name) {
  std::string reason = "'" + name + "' is no setting of a device";
  if (name == "site")
    return {Exit::usage, reason +
                             ": it says itself where it stands (device.site in its agent's file). A label that "
                             "you give it: label.site=…"};
  if (name.ends_with("_percent"))
    return {Exit::usage, reason + ": thresholds are the registry's, for all devices (pressure." + name +
                             " in its file): docs/health.md"};
  if (const auto near = closest(name, setting_names); !near.empty())
    return {Exit::usage, reason + "; did you mean " + near + "?"};
  reason += ": there are ";
  for (const auto one : setting_names)
    reason.append(one).append(one == setting_names.back() ? " and label.NAME" : ", ");
  return {Exit::usage, std::move(reason)};
}

}  // namespace

Outcome<codec::Json> set_request(const std::string& device, const std::vector<std::string>& changes) {
  codec::Json set = codec::Json::object(), unset = codec::Json::array();
  for (const auto& change : changes) {
    const auto equals = change.find('=');
    if (equals == change.npos) return Failure{Exit::usage, "'" + change + "' is not NAME=VALUE"};
    const auto name = change.substr(0, equals), value = change.substr(equals + 1);
    const bool label = name.starts_with("label.") && name.size() > 6;
    if (!label && std::find(setting_names.begin(), setting_names.end(), name) == setting_names.end())
      return no_setting(name);
    if (value.empty()) {
      unset.push_back(label ? std::string("labels/").append(name, 6) : name);
    } else if (label) {
      set["labels"][name.substr(6)] = value;
    } else if (name == "log_level") {
      set[name] = value;
    } else {
      auto number = quantity(name, value);
      if (!number) return number.failure();
      set[name] = *number;
    }
  }
  codec::Json out{{"device", device}};
  if (!set.empty()) out["set"] = std::move(set);
  if (!unset.empty()) out["unset"] = std::move(unset);
  return out;
}

Outcome<Capacity> needs_of(const std::vector<std::string>& words) {
  Capacity out;
  for (const auto& word : words) {
    const auto equals = word.find('=');
    const auto name = word.substr(0, equals);
    auto* need = name == "cpu_millis"      ? &out.cpu_millis
                 : name == "memory_bytes"  ? &out.memory_bytes
                 : name == "storage_bytes" ? &out.storage_bytes
                                           : nullptr;
    if (need == nullptr || equals == word.npos)
      return Failure{Exit::usage,
                     "--needs " + word + ": must be cpu_millis=, memory_bytes= or storage_bytes= and an amount"};
    auto number = quantity(name, word.substr(equals + 1));
    if (!number) return number.failure();
    if (*number <= 0) return Failure{Exit::usage, "--needs " + word + ": must be above 0"};
    *need = *number;
  }
  return out;
}

}  // namespace fieldwork::cli
