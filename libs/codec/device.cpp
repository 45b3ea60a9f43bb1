#include "codec/device.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/items.hpp"
#include "codec/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

Json encode(const Capacity& capacity) {
  return {{"cpu_millis", capacity.cpu_millis},
          {"memory_bytes", capacity.memory_bytes},
          {"disk_bytes", capacity.disk_bytes}};
}

Capacity read_capacity(Reader& parent, const Json& value) {
  Reader reader(parent, "capacity", value);
  Capacity out;
  out.cpu_millis = reader.integer("cpu_millis", 1, 1'024'000);
  out.memory_bytes = reader.integer("memory_bytes", 1, limits::size_bytes_max);
  out.disk_bytes = reader.integer("disk_bytes", 0, limits::size_bytes_max);
  reader.finish();
  return out;
}

Json encode(const Resources& resources) {
  return {{"cpu_load", resources.cpu_load},
          {"memory_available_bytes", resources.memory_available_bytes},
          {"disk_available_bytes", resources.disk_available_bytes},
          {"uptime_s", resources.uptime_s}};
}

Resources read_resources(Reader& parent, const Json& value) {
  Reader reader(parent, "resources", value);
  Resources out;
  out.cpu_load = reader.number("cpu_load", 0, 1e6);
  out.memory_available_bytes = reader.integer("memory_available_bytes", 0, limits::size_bytes_max);
  out.disk_available_bytes = reader.integer("disk_available_bytes", 0, limits::size_bytes_max);
  out.uptime_s = reader.integer("uptime_s", 0, integer_max);
  reader.finish();
  return out;
}

Json encode(const Link& link) {
  return {{"round_trip_ms", link.round_trip_ms},
          {"reconnects", link.reconnects},
          {"clock_offset_ms", link.clock_offset_ms}};
}

Link read_link(Reader& parent, const Json& value) {
  Reader reader(parent, "link", value);
  Link out;
  out.round_trip_ms = reader.number("round_trip_ms", 0, 1e9);
  out.reconnects = reader.integer("reconnects", 0, integer_max);
  out.clock_offset_ms = reader.integer_or("clock_offset_ms", 0, -integer_max, integer_max);
  reader.finish();
  return out;
}

std::int64_t read_session(Reader& reader) { return reader.integer("session", 1, integer_max); }

}  // namespace

std::string encode(const Presence& presence) {
  Json out{{"v", 1}, {"state", presence.online ? "online" : "offline"}, {"session", presence.session}};
  if (presence.boot > 0) out["boot"] = presence.boot;
  return dump(out);
}

Result<Presence> decode_presence(std::string_view text) {
  auto value = parse(text, 4096);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  const auto state = reader.text("state", 16);
  if (reader.ok() && state != "online" && state != "offline") reader.fail("state", "must be online or offline");
  Presence presence{state == "online", read_session(reader), reader.integer_or("boot", 0, 0, integer_max)};
  if (!reader.finish()) return reader.error();
  return presence;
}

std::string encode(const Enrolment& enrolment) {
  return dump(Json{{"v", 1},
                   {"session", enrolment.session},
                   {"certificate", enrolment.certificate},
                   {"capacity", encode(enrolment.capacity)},
                   {"labels", enrolment.labels},
                   {"agent", enrolment.agent}});
}

Result<Enrolment> decode_enrolment(std::string_view text) {
  auto value = parse(text, 65536);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Enrolment out;
  out.session = read_session(reader);
  out.certificate = reader.text("certificate", 16384);
  if (const Json* capacity = reader.object("capacity")) out.capacity = read_capacity(reader, *capacity);
  out.labels = reader.map_or_empty("labels", 32, 256);
  out.agent = reader.text("agent", 64);
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const Heartbeat& heartbeat) {
  const auto list = [](const std::vector<AttemptKey>& keys) {
    Json out = Json::array();
    for (const auto& key : keys) {
      Json entry;
      write_key(entry, key);
      out.push_back(std::move(entry));
    }
    return out;
  };
  Json out{{"v", 1},
           {"session", heartbeat.session},
           {"beat", heartbeat.beat},
           {"resources", encode(heartbeat.resources)},
           {"link", encode(heartbeat.link)},
           {"attempts", list(heartbeat.attempts)}};
  if (heartbeat.ended) out["ended"] = list(*heartbeat.ended);
  return dump(out);
}

Result<HeartbeatRead> decode_heartbeat(std::string_view text) {
  auto value = parse(text, limits::heartbeat_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  HeartbeatRead out;
  out.session = read_session(reader);
  out.beat = reader.integer_or("beat", 0, 0, integer_max);
  if (const Json* resources = reader.object("resources")) out.resources = read_resources(reader, *resources);
  if (const Json* link = reader.object("link")) out.link = read_link(reader, *link);
  const Json* attempts = reader.array("attempts", limits::attempts_per_device_max);
  const Json* ended = reader.array_maybe("ended", limits::ended_per_heartbeat_max);
  if (!reader.finish()) return reader.error();
  const auto read = [&](const Json& list, const char* name, std::vector<AttemptKey>& keys) {
    each_item(
        list,
        [&](Reader& entry) {
          auto key = read_key(entry);
          if (entry.finish()) keys.push_back(std::move(key));
        },
        [&](const Json&, Error error) { out.bad_attempts.push_back(std::move(error)); }, name);
  };
  read(*attempts, "attempts", out.attempts);
  if (ended != nullptr) read(*ended, "ended", out.ended.emplace());
  return out;
}

std::string encode(const Enrolled& enrolled) {
  Json out{{"v", 1},
           {"session", enrolled.session},
           {"state", enrolled.enrolled ? "enrolled" : "refused"},
           {"heartbeat_s", enrolled.heartbeat_s}};
  if (!enrolled.reason.empty()) out["reason"] = clamp_text(enrolled.reason, limits::reason_bytes_max);
  if (enrolled.now_ms > 0) out["now_ms"] = enrolled.now_ms;
  return dump(out);
}

Result<Enrolled> decode_enrolled(std::string_view text) {
  auto value = parse(text, 4096);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Enrolled out;
  out.session = read_session(reader);
  const auto state = reader.text("state", 16);
  if (reader.ok() && state != "enrolled" && state != "refused") reader.fail("state", "must be enrolled or refused");
  out.enrolled = state == "enrolled";
  out.reason = reader.text_or("reason", "", 1024);
  out.heartbeat_s = static_cast<int>(reader.integer("heartbeat_s", 1, 3600));
  out.now_ms = reader.integer_or("now_ms", 0, 0, integer_max);
  if (!reader.finish()) return reader.error();
  return out;
}

Json encode(const Device& device) {
  Json out{{"v", 1},
           {"device", device.id.value},
           {"state", name(device.state)},
           {"reason", clamp_text(device.reason, limits::reason_bytes_max)},
           {"health", device.health},
           {"capacity", encode(device.capacity)},
           {"labels", device.labels},
           {"resources", encode(device.resources)},
           {"link", encode(device.link)},
           {"session", device.session},
           {"fingerprint", device.fingerprint},
           {"changed_ms", device.changed_ms}};
  if (device.duplicated_since_ms > 0) out["duplicated_since_ms"] = device.duplicated_since_ms;
  return out;
}

Result<Device> decode_device(const Json& value) {
  Reader reader(value);
  reader.version();
  reader.allow_unknown();
  Device out;
  out.id = DeviceId(reader.id("device"));
  const auto state = device_state(reader.text("state", 16));
  if (!state) reader.fail("state", "is not a device state");
  out.state = state.value_or(DeviceState::enrolling);
  out.reason = reader.text_or("reason", "", 1024);
  out.health = reader.number("health", 0, 1);
  if (const Json* capacity = reader.object("capacity")) {
    Reader fields(reader, "capacity", *capacity);
    out.capacity =
        Capacity{fields.integer("cpu_millis", 0, 1'024'000), fields.integer("memory_bytes", 0, limits::size_bytes_max),
                 fields.integer("disk_bytes", 0, limits::size_bytes_max)};
  }
  out.labels = reader.map_or_empty("labels", 32, 256);
  if (const Json* resources = reader.object("resources")) out.resources = read_resources(reader, *resources);
  if (const Json* link = reader.object("link")) out.link = read_link(reader, *link);
  out.session = reader.integer("session", 0, integer_max);
  out.fingerprint = reader.text("fingerprint", 64);
  out.changed_ms = reader.integer("changed_ms", 0, integer_max);
  out.duplicated_since_ms = reader.integer_or("duplicated_since_ms", 0, 0, integer_max);
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const LogLine& line) {
  auto text = clamp_text(line.text, limits::log_text_bytes_max);
  while (true) {
    Json out{{"v", 1}, {"stream", line.stream}, {"text", text}, {"dropped", line.dropped}};
    write_key(out, line.key);
    write_traceparent(out, line.traceparent);
    auto encoded = dump(out);
    if (encoded.size() <= limits::log_bytes_max) return encoded;
    text = clamp_text(text, text.size() / 2);
  }
}

Result<LogLine> decode_log(std::string_view text) {
  auto value = parse(text, limits::log_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  LogLine line;
  line.key = read_key(reader);
  line.stream = reader.text("stream", 8);
  if (reader.ok() && line.stream != "stdout" && line.stream != "stderr")
    reader.fail("stream", "must be stdout or stderr");
  line.text = reader.text("text", limits::log_text_bytes_max);
  line.dropped = reader.integer("dropped", 0, integer_max);
  line.traceparent = read_traceparent(reader);
  if (!reader.finish()) return reader.error();
  return line;
}

std::string encode(const Rejected& rejected) {
  Json out{{"v", 1}, {"channel", rejected.channel}, {"reason", clamp_text(rejected.reason, limits::reason_bytes_max)}};
  if (!rejected.path.empty()) out["path"] = clamp_text(rejected.path, limits::reason_bytes_max);
  return dump(out);
}

Result<Rejected> decode_rejected(std::string_view text) {
  auto value = parse(text, 8192);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Rejected out{reader.text("channel", 32), reader.text_or("path", "", 1024), reader.text("reason", 1024)};
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
