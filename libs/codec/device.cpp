#include "codec/device.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/items.hpp"
#include "codec/job.hpp"
#include "device_parts.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {
constexpr std::array<std::string_view, 4> presence_states{"online", "offline", "goodbye", "sleeping"};
}  // namespace

std::string encode(const PresenceSaid& said) {
  Json out{{"v", 1}, {"state", presence_states[static_cast<std::size_t>(said.state)]}, {"session", said.session}};
  if (said.boot > 0) out["boot"] = said.boot;
  if (said.state == PresenceSaid::State::sleeping) out["sleep_s"] = said.sleep_s;
  return dump(out);
}

Result<PresenceSaid> decode_presence(std::string_view text) {
  auto value = parse(text, 4096);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  PresenceSaid out;
  const auto state = std::find(presence_states.begin(), presence_states.end(), reader.text("state", 16));
  if (reader.ok() && state == presence_states.end())
    reader.fail("state", "must be online, offline, goodbye or sleeping");
  if (reader.ok()) out.state = static_cast<PresenceSaid::State>(state - presence_states.begin());
  out.session = read_session(reader);
  out.boot = reader.integer_or("boot", 0, 0, integer_max);
  if (out.state == PresenceSaid::State::sleeping) {
    out.sleep_s = reader.integer("sleep_s", 1, limits::sleep_s_max);
  } else if (reader.any_maybe("sleep_s") != nullptr) {
    reader.fail("sleep_s", "stands beside sleeping only");
  }
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const Enrolment& enrolment) {
  Json out{{"v", 1},
           {"session", enrolment.session},
           {"certificate", enrolment.certificate},
           {"labels", enrolment.about.labels}};
  if (!enrolment.boot_id.empty()) out["boot_id"] = enrolment.boot_id;
  if (enrolment.configured > 0) out["configured"] = enrolment.configured;
  write_about(out, enrolment.about);
  return dump(out);
}

Result<Enrolment> decode_enrolment(std::string_view text) {
  auto value = parse(text, 65536);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Enrolment out;
  out.session = read_session(reader);
  out.certificate = reader.text("certificate", 16384);
  out.about = read_about(reader);
  out.about.labels = reader.map_or_empty("labels", limits::labels_max, 256);
  out.boot_id = reader.text_or("boot_id", "", 64);
  out.configured = reader.integer_or("configured", 0, 0, limits::integer_max);
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
  write_outcomes(out, heartbeat.outcomes);
  if (heartbeat.echo) out["echo"] = true;
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
  out.outcomes = read_outcomes(reader);
  out.echo = reader.boolean_or("echo", false);
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

std::string encode(const Echo& echo) {
  return dump({{"v", 1}, {"session", echo.session}, {"beat", echo.beat}, {"held_us", echo.held_us}});
}

Result<Echo> decode_echo(std::string_view text) {
  auto value = parse(text, 4096);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  Echo out;
  out.session = read_session(reader);
  out.beat = reader.integer("beat", 0, integer_max);
  out.held_us = reader.integer("held_us", 0, integer_max);
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const Enrolled& enrolled) {
  Json out{{"v", 1},
           {"session", enrolled.session},
           {"state", enrolled.unknown    ? "unknown"
                     : enrolled.enrolled ? "enrolled"
                                         : "refused"},
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
  out.enrolled = state == "enrolled";
  out.unknown = state == "unknown";
  if (reader.ok() && !out.enrolled && !out.unknown && state != "refused")
    reader.fail("state", "must be enrolled, refused or unknown");
  out.reason = reader.text_or("reason", "", 1024);
  out.heartbeat_s = static_cast<int>(reader.integer("heartbeat_s", 1, limits::heartbeat_s_max));
  out.now_ms = reader.integer_or("now_ms", 0, 0, integer_max);
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const LogLine& line) {
  auto text = clamp_text(line.text, limits::log_text_bytes_max);
  while (true) {
    Json out{{"v", 1}, {"stream", line.stream}, {"text", text}, {"dropped", line.dropped}};
    if (line.begin) out["begin"] = true;
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
  line.begin = reader.boolean_or("begin", false);
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
