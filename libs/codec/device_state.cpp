#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/device.hpp"
#include "device_parts.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {

Json encode(const Device& device) {
  Json out{{"v", 1},
           {"device", device.id.value},
           {"lifecycle", name(device.lifecycle)},
           {"presence", name(device.presence)},
           {"reason", clamp_text(device.reason, limits::reason_bytes_max)},
           {"health", device.health},
           {"labels", device.labels},
           {"session", device.session},
           {"fingerprint", device.fingerprint},
           {"registered_ms", device.registered_ms},
           {"changed_ms", device.changed_ms}};
  write_about(out, device.about);
  out["configuration"] = encode_configuration(device.configuration);
  out["configured"] = device.configured;
  if (!device.groups.empty()) out["groups"] = device.groups;
  if (device.measured) {
    out["resources"] = encode(device.resources);
    out["link"] = encode(device.link);
    out["attempts"] = device.attempts;
    write_outcomes(out, device.outcomes);
  }
  if (!device.pressure.empty()) out["pressure"] = device.pressure;
  if (device.back_ms > 0) out["back_ms"] = device.back_ms;
  if (device.duplicated_since_ms > 0) out["duplicated_since_ms"] = device.duplicated_since_ms;
  if (device.claimed_ms > 0) out["claimed_ms"] = device.claimed_ms;
  return out;
}

Result<Device> decode_device(const Json& value) {
  Reader reader(value);
  reader.version();
  reader.allow_unknown();
  Device out;
  out.id = DeviceId(reader.id("device"));
  const auto cycle = lifecycle(reader.text("lifecycle", 16));
  if (reader.ok() && !cycle) reader.fail("lifecycle", "is not a lifecycle of devices");
  const auto heard = presence(reader.text("presence", 16));
  if (reader.ok() && !heard) reader.fail("presence", "is not a presence of devices");
  out.lifecycle = cycle.value_or(Lifecycle::enrolling);
  out.presence = heard.value_or(Presence::starting);
  out.reason = reader.text_or("reason", "", limits::reason_bytes_max);
  out.health = reader.number("health", 0, 1);
  out.about = read_about(reader);
  out.labels = reader.map_or_empty("labels", 2 * limits::labels_max, 256);
  out.groups = reader.texts_or_empty("groups", limits::names_max, 64);
  const Json* resources = reader.object_maybe("resources");
  const Json* link = reader.object_maybe("link");
  out.measured = resources != nullptr && link != nullptr;
  if (out.measured) {
    out.resources = read_resources(reader, *resources);
    out.link = read_link(reader, *link);
    out.attempts = reader.integer_or("attempts", 0, 0, limits::attempts_per_device_max);
    out.outcomes = read_outcomes(reader);
  }
  out.pressure = reader.texts_or_empty("pressure", limits::resources_max, 16);
  for (const auto& one : out.pressure) {
    if (std::find(resource_names.begin(), resource_names.end(), one) == resource_names.end())
      reader.fail("pressure", "must hold cpu, memory, storage or network");
  }
  if (const Json* object = reader.object("configuration")) {
    Reader configuration(reader, "configuration", *object);
    out.configuration = read_configuration(configuration);
    configuration.finish();
  }
  out.configured = reader.integer("configured", 0, integer_max);
  out.session = reader.integer("session", 0, integer_max);
  out.fingerprint = reader.text("fingerprint", 64);
  out.registered_ms = reader.integer("registered_ms", 0, integer_max);
  out.changed_ms = reader.integer("changed_ms", 0, integer_max);
  out.back_ms = reader.integer_or("back_ms", 0, 0, integer_max);
  out.claimed_ms = reader.integer_or("claimed_ms", 0, 0, integer_max);
  out.duplicated_since_ms = reader.integer_or("duplicated_since_ms", 0, 0, integer_max);
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
