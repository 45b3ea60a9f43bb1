#include "device_parts.hpp"

#include <algorithm>

#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

Json encode(const Capacity& capacity) {
  return {{"cpu_millis", capacity.cpu_millis},
          {"memory_bytes", capacity.memory_bytes},
          {"storage_bytes", capacity.storage_bytes}};
}

Capacity read_capacity(Reader& parent, const Json& value) {
  Reader reader(parent, "capacity", value);
  Capacity out;
  out.cpu_millis = reader.integer("cpu_millis", 1, limits::cpu_millis_max);
  out.memory_bytes = reader.integer("memory_bytes", 1, limits::size_bytes_max);
  out.storage_bytes = reader.integer("storage_bytes", 0, limits::size_bytes_max);
  reader.finish();
  return out;
}

// A set of names, however it was written.
std::vector<std::string> read_names(Reader& reader, const char* field) {
  auto out = reader.texts_or_empty(field, limits::names_max, 64);
  if (std::any_of(out.begin(), out.end(), [](const auto& one) { return one.empty(); }))
    reader.fail(field, "must hold no empty names");
  return out;
}

template <class Number>
void write_maybe(Json& out, const char* field, const std::optional<Number>& value) {
  if (value) out[field] = *value;
}

}  // namespace

Json encode(const Resources& resources) {
  Json out{{"cpu_load", resources.cpu_load},
           {"memory_available_bytes", resources.memory_available_bytes},
           {"storage_available_bytes", resources.storage_available_bytes},
           {"uptime_s", resources.uptime_s}};
  write_maybe(out, "cpu_percent", resources.cpu_percent);
  write_maybe(out, "received_bit_per_s", resources.received_bit_per_s);
  write_maybe(out, "sent_bit_per_s", resources.sent_bit_per_s);
  write_maybe(out, "temperature_c", resources.temperature_c);
  write_maybe(out, "battery_percent", resources.battery_percent);
  write_maybe(out, "prunable_bytes", resources.prunable_bytes);
  return out;
}

Resources read_resources(Reader& parent, const Json& value) {
  Reader reader(parent, "resources", value);
  Resources out;
  out.cpu_load = reader.number("cpu_load", 0, 1e6);
  out.memory_available_bytes = reader.integer("memory_available_bytes", 0, limits::size_bytes_max);
  out.storage_available_bytes = reader.integer("storage_available_bytes", 0, limits::size_bytes_max);
  out.uptime_s = reader.integer("uptime_s", 0, integer_max);
  out.cpu_percent = reader.number_maybe("cpu_percent", 0, 100);
  out.received_bit_per_s = reader.integer_maybe("received_bit_per_s", 0, integer_max);
  out.sent_bit_per_s = reader.integer_maybe("sent_bit_per_s", 0, integer_max);
  out.temperature_c = reader.number_maybe("temperature_c", -273.15, 10'000);
  out.battery_percent = reader.number_maybe("battery_percent", 0, 100);
  out.prunable_bytes = reader.integer_maybe("prunable_bytes", 0, limits::size_bytes_max);
  reader.finish();
  return out;
}

Json encode(const Link& link) {
  Json out{{"reconnects", link.reconnects}, {"clock_offset_ms", link.clock_offset_ms}};
  write_maybe(out, "round_trip_ms", link.round_trip_ms);
  write_maybe(out, "goodput_bit_per_s", link.goodput_bit_per_s);
  write_maybe(out, "loss", link.loss);
  return out;
}

Link read_link(Reader& parent, const Json& value) {
  Reader reader(parent, "link", value);
  Link out;
  out.round_trip_ms = reader.number_maybe("round_trip_ms", 0, 1e9);
  out.reconnects = reader.integer("reconnects", 0, integer_max);
  out.clock_offset_ms = reader.integer_or("clock_offset_ms", 0, -integer_max, integer_max);
  out.goodput_bit_per_s = reader.integer_maybe("goodput_bit_per_s", 0, integer_max);
  out.loss = reader.number_maybe("loss", 0, 1);
  reader.finish();
  return out;
}

void write_outcomes(Json& out, const Outcomes& outcomes) {
  if (outcomes != Outcomes{}) out["outcomes"] = {{"succeeded", outcomes.succeeded}, {"failed", outcomes.failed}};
}

Outcomes read_outcomes(Reader& reader) {
  Outcomes out;
  if (const Json* object = reader.object_maybe("outcomes")) {
    Reader inner(reader, "outcomes", *object);
    out = {inner.integer("succeeded", 0, integer_max), inner.integer("failed", 0, integer_max)};
    inner.finish();
  }
  return out;
}

void write_about(Json& out, const Description& about) {
  out["capacity"] = encode(about.capacity);
  out["agent"] = about.agent;
  if (about.cores > 0) out["cores"] = about.cores;
  if (!about.architecture.empty()) out["architecture"] = about.architecture;
  if (!about.os.empty()) out["os"] = about.os;
  if (!about.site.empty()) out["site"] = about.site;
  if (!about.capabilities.empty()) out["capabilities"] = about.capabilities;
  if (!about.sandbox.empty()) out["sandbox"] = about.sandbox;
  if (about.uplink == Uplink{}) return;
  Json uplink{{"metered", about.uplink.metered}};
  if (about.uplink.bit_per_s > 0) uplink["bit_per_s"] = about.uplink.bit_per_s;
  out["uplink"] = std::move(uplink);
}

Description read_about(Reader& reader) {
  Description out;
  if (const Json* capacity = reader.object("capacity")) out.capacity = read_capacity(reader, *capacity);
  out.agent = reader.text("agent", 64);
  out.cores = reader.integer_or("cores", 0, 0, 1024);
  out.architecture = reader.text_or("architecture", "", 32);
  out.os = reader.text_or("os", "", 64);
  out.site = reader.text_or("site", "", 128);
  out.capabilities = read_names(reader, "capabilities");
  std::sort(out.capabilities.begin(), out.capabilities.end());
  out.capabilities.erase(std::unique(out.capabilities.begin(), out.capabilities.end()), out.capabilities.end());
  out.sandbox = read_names(reader, "sandbox");
  if (const Json* value = reader.object_maybe("uplink")) {
    Reader uplink(reader, "uplink", *value);
    out.uplink.bit_per_s = uplink.integer_or("bit_per_s", 0, 0, integer_max);
    out.uplink.metered = uplink.boolean_or("metered", false);
    uplink.finish();
  }
  return out;
}

std::int64_t read_session(Reader& reader) { return reader.integer("session", 1, integer_max); }

}  // namespace fieldwork::codec
