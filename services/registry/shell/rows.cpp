#include "registry/shell/rows.hpp"

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "registry/shell/history.hpp"
#include "runtime/log.hpp"

namespace fieldwork::registry {

// Table `device`: what is looked for by hand has columns of its own, the rest is the state as it is published.
store::Row to_row(const Record& record) {
  const auto& device = record.device;
  const auto state = codec::encode(device);
  return {{"device", device.id.value},
          {"lifecycle", name(device.lifecycle)},
          {"presence", name(device.presence)},
          {"state", store::Value::json(codec::dump(state))},
          {"said_labels", store::Value::json(codec::dump(device.about.labels))},
          {"enrolled_session", record.enrolled_session},
          {"key", record.key},
          {"boot_id", record.boot_id},
          {"changed_ms", device.changed_ms},
          {"kept", store::Value::json(codec::dump(encode_kept(record)))}};
}

Result<Record> from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  codec::Reader reader(*row);
  reader.allow_unknown();
  const auto* state = reader.object("state");
  Record out;
  out.enrolled_session = reader.integer("enrolled_session", 0, INT64_MAX);
  out.key = reader.text("key", 64);
  out.boot_id = reader.text("boot_id", 64);
  const auto labels = reader.map_or_empty("said_labels", limits::labels_max, 256);
  const auto* kept = reader.object_maybe("kept");
  if (!reader.finish()) return reader.error();
  auto device = codec::decode_device(*state);
  if (!device) return device.error();
  out.device = std::move(*device);
  out.device.about.labels = labels;
  // A device without them begins anew: they must not keep the registry from starting.
  if (const auto read = kept != nullptr ? read_kept(*kept, out) : Result<void>{}; !read) {
    log::warn("recent signs and open periods cannot be read",
              {{"device", out.device.id.value}, {"reason", describe(read.error())}});
  }
  out.signs.measured = out.device.measured;
  return out;
}

}  // namespace fieldwork::registry
