#include "registry/shell/groups.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/id.hpp"
#include "fleet/stats.hpp"
#include "model/limits.hpp"
#include "registry/shell/service.hpp"

namespace fieldwork::registry {
namespace {

std::vector<DeviceId> read_devices(codec::Reader& reader, const char* field) {
  std::vector<DeviceId> out;
  for (auto& one : reader.texts_or_empty(field, limits::group_items_max, 128)) {
    if (!is_id(one)) reader.fail(field, "'" + one.substr(0, 64) + "' is no device id");
    out.emplace_back(std::move(one));
  }
  return out;
}

// The counts of devices by the values of an attribute; devices without it are left out.
codec::Json counts(const std::vector<const Device*>& devices, const char* attribute) {
  auto out = codec::Json::object();
  const auto groups = fleet::stats(devices, *fleet::attribute(attribute), std::nullopt);
  for (const auto& one : *groups) {
    if (!one.value.empty()) out[one.value] = one.devices;
  }
  return out;
}

}  // namespace

store::Row to_row(const Group& group) {
  return {{"name", group.name},
          {"expression", group.expression ? group.expression->text() : ""},
          {"changed_ms", group.changed_ms}};
}

Result<Group> group_from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  codec::Reader reader(*row);
  reader.allow_unknown();
  Group out;
  out.name = reader.text("name", limits::group_name_bytes_max);
  const auto expression = reader.text("expression", fleet::expression_bytes_max);
  out.changed_ms = reader.integer("changed_ms", 0, INT64_MAX);
  if (!reader.finish()) return reader.error();
  if (expression.empty()) return out;
  auto parsed = fleet::Expression::parse(expression);
  if (!parsed) return parsed.error();
  out.expression = std::move(*parsed);
  return out;
}

codec::Json encode(const GroupShown& shown) {
  codec::Json out{{"group", shown.group.name}, {"devices", shown.devices}, {"changed_ms", shown.group.changed_ms}};
  if (shown.group.expression) out["expression"] = shown.group.expression->text();
  return out;
}

std::optional<fleet::Expression> read_expression(codec::Reader& reader) {
  const auto text = reader.text_or("expression", "", fleet::expression_bytes_max);
  if (text.empty()) return std::nullopt;
  auto expression = fleet::Expression::parse(text);
  if (expression) return *expression;
  reader.fail("expression", describe(expression.error()));
  return std::nullopt;
}

Result<GroupRequested> decode_group_request(std::string_view text) {
  auto value = codec::parse(text, limits::items_bytes_max);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  GroupRequested out;
  out.group = reader.id("group");
  if (out.group.size() > limits::group_name_bytes_max)
    reader.fail("group", "has more than " + std::to_string(limits::group_name_bytes_max) + " characters");
  out.expression = read_expression(reader);
  out.add = read_devices(reader, "add");
  out.drop = read_devices(reader, "drop");
  out.remove = reader.boolean_or("remove", false);
  if (!reader.finish()) return reader.error();
  return out;
}

void RegistryService::group(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  auto wanted = decode_group_request(message.payload);
  if (!wanted) return reject(topic, message, wanted.error(), now, out);
  wanted->by = std::string(topic.from);
  if (topics_.reply_to(topic, message.response_topic, message.correlation)) wanted->reply = replies_.open(message);
  step(std::move(*wanted), now);
}

Result<std::string> RegistryService::groups(codec::Reader& reader) const {
  if (!reader.finish()) return reader.error();
  auto items = codec::Json::array();
  for (const auto& one : core_->groups()) items.push_back(encode(one));
  return codec::dump({{"v", 1}, {"items", std::move(items)}});
}

std::string RegistryService::summary(Time now) const {
  const auto devices = core_->list(std::nullopt, {}, SIZE_MAX);
  codec::Json out{{"v", 1}, {"at_ms", to_ms(now)}, {"devices", devices.size()}};
  for (const char* attribute : {"lifecycle", "presence", "site", "group", "pressure"})
    out[attribute] = counts(devices, attribute);
  const auto health = fleet::stats(devices, std::nullopt, *fleet::attribute("health"));
  const auto all = health && !health->empty() ? health->front().distribution : fleet::Distribution{};
  out["health"] = {{"min", all.min}, {"p50", all.p50}, {"mean", all.mean}};
  std::int64_t attempts = 0;
  for (const auto* one : devices) attempts += one->attempts;
  out["attempts"] = attempts;
  return codec::dump(out);
}

}  // namespace fieldwork::registry
