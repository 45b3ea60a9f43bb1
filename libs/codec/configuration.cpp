// What operators want of a device <-> JSON.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/device.hpp"
#include "device_parts.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

constexpr std::array<std::string_view, 4> log_levels{"debug", "info", "warn", "error"};

std::optional<int> seconds_maybe(Reader& reader, const char* field) {
  const auto value = reader.integer_maybe(field, 1, 86'400);
  return value ? std::optional(static_cast<int>(*value)) : std::nullopt;
}

}  // namespace

void write_settings(Json& out, const Configuration& configuration) {
  if (configuration.heartbeat_s) out["heartbeat_s"] = *configuration.heartbeat_s;
  if (configuration.sample_s) out["sample_s"] = *configuration.sample_s;
  if (configuration.attempts_max) out["attempts_max"] = *configuration.attempts_max;
  if (configuration.cache_bytes) out["cache_bytes"] = *configuration.cache_bytes;
  if (configuration.log_level) out["log_level"] = *configuration.log_level;
  if (!configuration.labels.empty()) out["labels"] = configuration.labels;
}

Configuration read_settings(Reader& reader) {
  Configuration out;
  out.heartbeat_s = seconds_maybe(reader, "heartbeat_s");
  out.sample_s = seconds_maybe(reader, "sample_s");
  if (const auto most = reader.integer_maybe("attempts_max", 0, limits::attempts_per_device_max))
    out.attempts_max = static_cast<int>(*most);
  out.cache_bytes = reader.integer_maybe("cache_bytes", 0, limits::size_bytes_max);
  if (reader.any_maybe("log_level") != nullptr) {
    out.log_level = reader.text("log_level", 8);
    if (reader.ok() && std::find(log_levels.begin(), log_levels.end(), *out.log_level) == log_levels.end())
      reader.fail("log_level", "must be debug, info, warn or error");
  }
  out.labels = reader.map_or_empty("labels", limits::labels_max, 256);
  return out;
}

Json encode_configuration(const Configuration& configuration) {
  Json out{{"version", configuration.version}, {"lifecycle", name(configuration.lifecycle)}};
  if (configuration.prune > 0) out["prune"] = configuration.prune;
  write_settings(out, configuration);
  return out;
}

Configuration read_configuration(Reader& reader) {
  auto out = read_settings(reader);
  out.version = reader.integer("version", 0, integer_max);
  out.prune = reader.integer_or("prune", 0, 0, integer_max);
  const auto wanted = lifecycle(reader.text("lifecycle", 16));
  if (reader.ok() && (!wanted || !trusted(*wanted))) reader.fail("lifecycle", "must be active, draining or inactive");
  out.lifecycle = wanted.value_or(Lifecycle::active);
  return out;
}

Result<Configuration> decode_configuration_text(std::string_view text) {
  auto value = parse(text, limits::items_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  auto out = read_configuration(reader);
  if (!reader.finish()) return reader.error();
  return out;
}

Result<Configuration> decode_configuration(std::string_view text) {
  auto value = parse(text, limits::items_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  const Json* items = reader.items();
  Configuration newest{.version = -1};
  for (std::size_t i = 0; reader.ok() && i < items->size(); ++i) {
    Reader item(reader, "items", i, (*items)[i]);
    auto one = read_configuration(item);
    item.finish();
    if (one.version > newest.version) newest = std::move(one);
  }
  if (!reader.finish()) return reader.error();
  return newest;
}

std::string configuration_text(const Configuration& configuration) { return dump(encode_configuration(configuration)); }

std::string encode(const Configured& configured) {
  Json out{{"v", 1}, {"version", configured.version}};
  if (!configured.reason.empty()) out["reason"] = clamp_text(configured.reason, limits::reason_bytes_max);
  return dump(out);
}

Result<Configured> decode_configured(std::string_view text) {
  auto value = parse(text, 8192);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Configured out{reader.integer("version", 0, limits::integer_max),
                 reader.text_or("reason", "", limits::reason_bytes_max)};
  if (!reader.finish()) return reader.error();
  return out;
}

Result<ConfigureRequest> decode_configure_request(std::string_view text) {
  auto value = parse(text, 65536);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  ConfigureRequest out;
  out.device = DeviceId(reader.id("device"));
  if (const Json* object = reader.object_maybe("set")) {
    Reader set(reader, "set", *object);
    out.set = read_settings(set);
    set.finish();
  }
  out.unset = reader.texts_or_empty("unset", 64, 136);
  for (const auto& one : out.unset) {
    const bool known = std::find(setting_names.begin(), setting_names.end(), one) != setting_names.end();
    if (!known && !(one.starts_with("labels/") && one.size() > 7))
      reader.fail("unset", "there is no setting " + one.substr(0, 64));
  }
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
