#include "registry/shell/rows.hpp"

#include <nlohmann/json.hpp>

#include "codec/device.hpp"

namespace fieldwork::registry {

// Without duplicated_since_ms: two devices with one identity are seen again within a minute of a restart.
store::Row to_row(const Record& record) {
  const auto said = codec::encode(record.device);
  const auto json = [&](const char* field) { return store::Value::json(codec::dump(said.at(field))); };
  const auto& device = record.device;
  return {{"device", device.id.value},
          {"state", name(device.state)},
          {"reason", said.at("reason").get<std::string>()},
          {"health", device.health},
          {"capacity", json("capacity")},
          {"labels", json("labels")},
          {"resources", json("resources")},
          {"link", json("link")},
          {"session", device.session},
          {"enrolled_session", record.enrolled_session},
          {"fingerprint", device.fingerprint},
          {"changed_ms", device.changed_ms}};
}

Result<Record> from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  if (row->is_object()) (*row)["v"] = 1;
  auto device = codec::decode_device(*row);
  if (!device) return device.error();
  codec::Reader reader(*row);
  reader.allow_unknown();
  Record out{std::move(*device), reader.integer("enrolled_session", 0, INT64_MAX)};
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::registry
