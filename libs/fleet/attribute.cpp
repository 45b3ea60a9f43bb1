#include "fleet/attribute.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/suggest.hpp"

namespace fieldwork::fleet {
namespace {

using Texts = std::span<const std::string>;
constexpr double absent = std::numeric_limits<double>::quiet_NaN();

// An empty text is an absent one.
Texts one(const std::string& text) { return text.empty() ? Texts{} : Texts{&text, 1}; }

double percent(std::int64_t used, std::int64_t of) {
  return of <= 0 ? absent : std::clamp(100.0 * static_cast<double>(used) / static_cast<double>(of), 0.0, 100.0);
}
double if_positive(std::int64_t value) { return value > 0 ? static_cast<double>(value) : absent; }
double if_measured(const Device& device, double value) { return device.measured ? value : absent; }
template <class Number>
double maybe(const std::optional<Number>& value) {
  return value ? static_cast<double>(*value) : absent;
}

double cpu_percent(const Device& d) {
  if (!d.measured) return absent;
  if (d.resources.cpu_percent) return *d.resources.cpu_percent;
  if (d.about.capacity.cpu_millis <= 0) return absent;
  return std::clamp(100'000 * d.resources.cpu_load / static_cast<double>(d.about.capacity.cpu_millis), 0.0, 100.0);
}
double network_percent(const Device& d) {
  const auto& r = d.resources;
  if (d.about.uplink.bit_per_s <= 0 || (!r.received_bit_per_s && !r.sent_bit_per_s)) return absent;
  return percent(std::max(r.received_bit_per_s.value_or(0), r.sent_bit_per_s.value_or(0)), d.about.uplink.bit_per_s);
}
std::vector<std::string_view> flags() { return {"false", "true"}; }

#define TEXTS(expression) [](const Device& d, std::string_view) -> Texts { return expression; }
#define NUMBER(expression) [](const Device& d) -> double { return expression; }
// clang-format off
constexpr std::array table{
    Kind{"id", Type::text, false, "its id", TEXTS(one(d.id.value))},
    Kind{"label", Type::text, true, "its label of that name", [](const Device& d, std::string_view key) -> Texts {
      const auto found = d.labels.find(std::string(key));
      return found == d.labels.end() ? Texts{} : Texts{&found->second, 1};
    }},
    Kind{"site", Type::text, false, "where it stands", TEXTS(one(d.about.site))},
    Kind{"group", Type::text, false, "the groups that it is in, a set", TEXTS(Texts(d.groups))},
    Kind{"architecture", Type::text, false, "as `uname -m` says", TEXTS(one(d.about.architecture))},
    Kind{"os", Type::text, false, "its operating system", TEXTS(one(d.about.os))},
    Kind{"capability", Type::text, false, "what it can do besides, a set", TEXTS(Texts(d.about.capabilities))},
    Kind{"sandbox", Type::text, false, "the rungs of the sandbox that it has, a set", TEXTS(Texts(d.about.sandbox))},
    Kind{"pressure", Type::text, false, "resources whose use is over its threshold (`cpu`, `memory`, `storage`, `network`), a set", TEXTS(Texts(d.pressure))},
    Kind{"version.agent", Type::version, false, "version of its agent", TEXTS(one(d.about.agent))},
    Kind{"lifecycle", Type::word, false, "what it may do", {}, NUMBER(static_cast<double>(d.lifecycle)), lifecycle_names},
    Kind{"presence", Type::word, false, "whether it is heard", {}, NUMBER(static_cast<double>(d.presence)), presence_names},
    Kind{"reason", Type::text, false, "why its lifecycle or presence is what it is, where something is wrong", TEXTS(one(d.reason))},
    Kind{"duplicated", Type::word, false, "whether another device uses its identity", {}, NUMBER(d.duplicated_since_ms > 0), flags},
    Kind{"claimed", Type::milliseconds, false, "when a device with another key last asked for its id, as Unix time", {}, NUMBER(if_positive(d.claimed_ms))},
    Kind{"metered", Type::word, false, "whether its connection is paid for by volume", {}, NUMBER(d.about.uplink.metered), flags},
    Kind{"health", Type::number, false, "0 (given up) to 1", {}, NUMBER(d.health)},
    Kind{"cpu.cores", Type::number, false, "processor cores", {}, NUMBER(if_positive(d.about.cores))},
    Kind{"cpu.millis", Type::number, false, "thousandths of a core that jobs may have", {}, NUMBER(if_positive(d.about.capacity.cpu_millis))},
    Kind{"cpu.free_millis", Type::number, false, "those that are idle", {}, NUMBER((100 - cpu_percent(d)) / 100 * static_cast<double>(d.about.capacity.cpu_millis))},
    Kind{"cpu.use", Type::percent, false, "of its cores", {}, NUMBER(cpu_percent(d))},
    Kind{"memory.size", Type::bytes, false, "memory that jobs may have", {}, NUMBER(if_positive(d.about.capacity.memory_bytes))},
    Kind{"memory.free", Type::bytes, false, "available memory", {}, NUMBER(if_measured(d, static_cast<double>(d.resources.memory_available_bytes)))},
    Kind{"memory.use", Type::percent, false, "of its memory", {}, NUMBER(if_measured(d, percent(d.about.capacity.memory_bytes - d.resources.memory_available_bytes, d.about.capacity.memory_bytes)))},
    Kind{"storage.size", Type::bytes, false, "storage that jobs may have", {}, NUMBER(if_positive(d.about.capacity.storage_bytes))},
    Kind{"storage.free", Type::bytes, false, "available storage", {}, NUMBER(if_measured(d, static_cast<double>(d.resources.storage_available_bytes)))},
    Kind{"storage.use", Type::percent, false, "of its storage", {}, NUMBER(if_measured(d, percent(d.about.capacity.storage_bytes - d.resources.storage_available_bytes, d.about.capacity.storage_bytes)))},
    Kind{"storage.prunable", Type::bytes, false, "cached packages that nothing needs: `device prune` frees them", {}, NUMBER(maybe(d.resources.prunable_bytes))},
    Kind{"network.received", Type::bit_per_s, false, "what it receives", {}, NUMBER(maybe(d.resources.received_bit_per_s))},
    Kind{"network.sent", Type::bit_per_s, false, "what it sends", {}, NUMBER(maybe(d.resources.sent_bit_per_s))},
    Kind{"network.use", Type::percent, false, "of its uplink, in the busier direction", {}, NUMBER(network_percent(d))},
    Kind{"uplink.rate", Type::bit_per_s, false, "what its uplink carries", {}, NUMBER(if_positive(d.about.uplink.bit_per_s))},
    Kind{"link.round_trip", Type::milliseconds, false, "to the registry and back, of 95 % of its newest echoes not more", {}, NUMBER(maybe(d.link.round_trip_ms))},
    Kind{"link.reconnects", Type::number, false, "since its agent started", {}, NUMBER(if_measured(d, static_cast<double>(d.link.reconnects)))},
    Kind{"link.loss", Type::percent, false, "of the frames of its newest transfer", {}, NUMBER(100 * maybe(d.link.loss))},
    Kind{"link.goodput", Type::bit_per_s, false, "of its newest transfer", {}, NUMBER(maybe(d.link.goodput_bit_per_s))},
    Kind{"link.clock_offset", Type::milliseconds, false, "its clock minus the registry's", {}, NUMBER(if_measured(d, static_cast<double>(d.link.clock_offset_ms)))},
    Kind{"uptime", Type::seconds, false, "since it booted", {}, NUMBER(if_measured(d, static_cast<double>(d.resources.uptime_s)))},
    Kind{"temperature", Type::number, false, "of its processor, in degrees Celsius", {}, NUMBER(maybe(d.resources.temperature_c))},
    Kind{"battery", Type::percent, false, "charge of its battery", {}, NUMBER(maybe(d.resources.battery_percent))},
};
// clang-format on
#undef TEXTS
#undef NUMBER

std::string digits(double value, int decimals) {
  char out[64];
  std::snprintf(out, sizeof out, "%.*f", decimals, value);
  std::string text(out);
  if (text.find('.') != std::string::npos) text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

// The value in the largest of the units, each `step` times the one before, in which it is at least 1.
std::string scaled(double value, double step, std::initializer_list<const char*> units) {
  const auto* unit = units.begin();
  for (; unit + 1 != units.end() && std::abs(value) >= step; ++unit) value /= step;
  return digits(value, 2) + " " + *unit;
}

std::string number_text(const Kind& kind, double value) {
  switch (kind.type) {
    case Type::word: return std::string(kind.words()[static_cast<std::size_t>(value)]);
    case Type::percent: return digits(value, 1) + " %";
    case Type::bytes: return scaled(value, 1024, {"B", "KiB", "MiB", "GiB", "TiB"});
    case Type::milliseconds: return digits(value, 1) + " ms";
    case Type::seconds: return digits(value, 0) + " s";
    case Type::bit_per_s: return scaled(value, 1000, {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"});
    default: return digits(value, 3);
  }
}

// The next part of a version, which ends at a point, a hyphen or a plus.
std::string_view part(std::string_view& rest) {
  const auto end = std::min(rest.find_first_of(".-+"), rest.size());
  const auto out = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return out;
}

}  // namespace

std::string_view name(Type type) {
  static constexpr std::array names{"text", "word", "version", "number", "percent", "bytes", "ms", "s", "bit/s"};
  return names[static_cast<std::size_t>(type)];
}

Vocabulary kinds() { return table; }

Result<Attribute> attribute(std::string_view text, Vocabulary vocabulary) {
  std::vector<std::string_view> names;
  for (const auto& kind : vocabulary) {
    if (!kind.keyed && kind.name == text) return Attribute{&kind};
    if (kind.keyed && text.starts_with(kind.name) && text.substr(kind.name.size()).starts_with('.') &&
        text.size() > kind.name.size() + 1) {
      return Attribute{&kind, std::string(text.substr(kind.name.size() + 1))};
    }
    names.push_back(kind.name);
  }
  if (text == "label" || text == "label.") return Error{Code::unknown, "a label needs its name: label.zone"};
  auto reason = "there is no attribute " + std::string(text.substr(0, 64));
  const auto has_labels = std::any_of(vocabulary.begin(), vocabulary.end(),
                                      [](const Kind& kind) { return kind.keyed && kind.name == "label"; });
  if (const auto near = closest(text, names); !near.empty()) {
    reason += "; did you mean " + near + "?";
  } else if (has_labels && text.find('.') == text.npos) {
    reason += "; a label of this name is label." + std::string(text.substr(0, 64));
  }
  return Error{Code::unknown, reason};
}

std::string to_text(const Attribute& attribute) {
  const auto& kind = attribute.of();
  return kind.keyed ? std::string(kind.name) + "." + attribute.key : std::string(kind.name);
}

std::span<const std::string> NamedValues::texts(const Attribute& attribute) const {
  const auto found = texts_.find(to_text(attribute));
  return found == texts_.end() ? Texts{} : Texts(found->second);
}

double NamedValues::number(const Attribute& attribute) const {
  const auto found = numbers_.find(to_text(attribute));
  return found == numbers_.end() ? absent : found->second;
}

bool has_value(const Attribute& attribute, const Values& values) {
  return has_texts(attribute.of().type) ? !values.texts(attribute).empty() : !std::isnan(values.number(attribute));
}

std::string value_text(const Attribute& attribute, const Values& values) {
  const auto& kind = attribute.of();
  if (!has_texts(kind.type)) {
    const double value = values.number(attribute);
    return std::isnan(value) ? "not measured" : number_text(kind, value);
  }
  std::string out;
  for (const auto& text : values.texts(attribute)) out += (out.empty() ? "" : ", ") + text;
  return out.empty() ? "not set" : out;
}

int compare_versions(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    const auto x = part(a), y = part(b);
    if (x == y) continue;
    std::int64_t m = 0, n = 0;
    const auto is_number = [](std::string_view text, std::int64_t& out) {
      const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
      return read.ec == std::errc{} && read.ptr == text.data() + text.size();
    };
    const bool both = is_number(x, m) && is_number(y, n);
    if (both && m != n) return m < n ? -1 : 1;
    if (!both) return x < y ? -1 : 1;
  }
  return 0;
}

}  // namespace fieldwork::fleet
