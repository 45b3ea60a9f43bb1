#include "set_words.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/suggest.hpp"
#include "codec/device.hpp"

namespace fieldwork::cli {
namespace {

using codec::setting_names;

Failure no_setting(const std::string& name) {
  std::string reason = "'" + name + "' is no setting of a device";
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
      std::int64_t number = 0;
      const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
      if (read.ec != std::errc{} || read.ptr != value.data() + value.size())
        return Failure{Exit::usage,
                       std::string(name).append(" must be a whole number, is '").append(value).append("'")};
      set[name] = number;
    }
  }
  codec::Json out{{"device", device}};
  if (!set.empty()) out["set"] = std::move(set);
  if (!unset.empty()) out["unset"] = std::move(unset);
  return out;
}

}  // namespace fieldwork::cli
