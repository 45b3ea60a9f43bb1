#include "registry/shell/history.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "codec/device.hpp"

namespace fieldwork::registry {
namespace {

using codec::Json;

// Literals: a row's columns outlive it.
constexpr std::array<std::string_view, measure_names.size()> worst_names{
    "health_worst",  "cpu_worst",         "memory_worst",     "storage_worst",
    "network_worst", "temperature_worst", "round_trip_worst", "loss_worst"};
constexpr std::array<const char*, 3> table_names{"history_raw", "history_minute", "history_hour"};

// Four digits are more than any of them was measured with; and a `real` of PostgreSQL refuses 1e-50.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

Json encode(const Period& period) {
  Json out{{"from_ms", period.from_ms}, {"beats", period.beats}};
  for (std::size_t i = 0; i < measure_names.size(); ++i) {
    if (period.count[i] == 0) continue;
    out[std::string(measure_names[i])] = Json::array({period.count[i], period.sum[i], period.worst[i]});
  }
  return out;
}

Period read_period(codec::Reader& parent, const char* name, const Json& value) {
  codec::Reader reader(parent, name, value);
  Period out;
  out.from_ms = reader.integer("from_ms", 0, limits::integer_max);
  out.beats = reader.integer("beats", 0, limits::integer_max);
  for (std::size_t i = 0; i < measure_names.size(); ++i) {
    const char* field = measure_names[i].data();  // a literal, which the reader keeps
    const Json* three = reader.array_maybe(field, 3);
    if (three == nullptr) continue;
    const bool good =
        three->size() == 3 && three->at(0).is_number_integer() && three->at(1).is_number() && three->at(2).is_number();
    if (!good) {
      reader.fail(field, "must be a count, a sum and the worst");
      continue;
    }
    out.count[i] = three->at(0);
    out.sum[i] = three->at(1);
    out.worst[i] = three->at(2);
  }
  reader.finish();
  return out;
}

// As a stored row says it.
Json item_of_row(const Json& row) {
  Json out{{"from_ms", row.at("from_ms")}, {"beats", row.at("beats")}};
  Json mean = Json::object(), worst = Json::object();
  for (std::size_t i = 0; i < measure_names.size(); ++i) {
    const std::string name(measure_names[i]), of_worst(worst_names[i]);
    if (const auto it = row.find(name); it != row.end() && it->is_number()) mean[name] = rounded(*it);
    if (const auto it = row.find(of_worst); it != row.end() && it->is_number()) worst[name] = rounded(*it);
  }
  out["mean"] = std::move(mean);
  if (!worst.empty()) out["worst"] = std::move(worst);
  return out;
}

}  // namespace

std::string table(Resolution resolution) { return table_names[static_cast<std::size_t>(resolution)]; }

store::Row to_row(const HistoryRow& row) {
  const auto& period = row.period;
  store::Row out{{"device", row.device.value}, {"from_ms", period.from_ms}, {"beats", period.beats}};
  for (std::size_t i = 0; i < measure_names.size(); ++i) {
    const auto mean = period.mean(static_cast<Measure>(i));
    out.add(measure_names[i], mean ? store::Value(rounded(*mean)) : store::Value(nullptr));
  }
  if (row.resolution == Resolution::raw) return out;
  for (std::size_t i = 0; i < measure_names.size(); ++i)
    out.add(worst_names[i], period.count[i] > 0 ? store::Value(rounded(period.worst[i])) : store::Value(nullptr));
  return out;
}

Json encode_kept(const Record& record) {
  const auto& signs = record.signs;
  Json out = Json::object();
  if (record.faded_ms > 0) {
    out["signs"] = {{"faded_ms", record.faded_ms}, {"reconnects", signs.reconnects}, {"missed", signs.missed},
                    {"flaps", signs.flaps},        {"succeeded", signs.succeeded},   {"failed", signs.failed}};
  }
  if (record.told > Duration::zero())
    out["told_s"] = std::chrono::duration_cast<std::chrono::seconds>(record.told).count();
  if (record.history.minute.beats > 0) out["minute"] = encode(record.history.minute);
  if (record.history.hour.beats > 0) out["hour"] = encode(record.history.hour);
  return out;
}

Result<void> read_kept(const Json& kept, Record& out) {
  Record record = out;
  codec::Reader reader(kept);
  if (const Json* object = reader.object_maybe("signs")) {
    codec::Reader signs(reader, "signs", *object);
    record.faded_ms = signs.integer("faded_ms", 1, limits::integer_max);
    record.signs.reconnects = signs.number("reconnects", 0, 1e15);
    record.signs.missed = signs.number("missed", 0, 1e15);
    record.signs.flaps = signs.number("flaps", 0, 1e15);
    record.signs.succeeded = signs.number("succeeded", 0, 1e15);
    record.signs.failed = signs.number("failed", 0, 1e15);
    signs.finish();
  }
  record.told = std::chrono::seconds{reader.integer_or("told_s", 0, 0, limits::heartbeat_s_max)};
  if (const Json* minute = reader.object_maybe("minute"))
    record.history.minute = read_period(reader, "minute", *minute);
  if (const Json* hour = reader.object_maybe("hour")) record.history.hour = read_period(reader, "hour", *hour);
  if (!reader.finish()) return reader.error();
  out = std::move(record);
  return {};
}

Result<HistoryAsked> decode_history_request(std::string_view text) {
  auto value = codec::parse(text, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  HistoryAsked out;
  out.device = DeviceId(reader.id("device"));
  const auto resolution = reader.text_or("resolution", "minute", 16);
  const auto* found = std::find(resolution_names.begin(), resolution_names.end(), resolution);
  if (reader.ok() && found == resolution_names.end()) reader.fail("resolution", "must be raw, minute or hour");
  out.resolution = static_cast<Resolution>(found - resolution_names.begin());
  out.from_ms = reader.integer_or("from_ms", 0, 0, limits::integer_max);
  out.until_ms = reader.integer_or("until_ms", 0, 0, limits::integer_max);
  out.after = reader.text_or("after", "", 512);
  out.limit = static_cast<int>(reader.integer_or("limit", limits::items_max, 1, limits::items_max));
  if (reader.ok() && out.until_ms > 0 && out.until_ms <= out.from_ms) reader.fail("until_ms", "must be after from_ms");
  if (!reader.finish()) return reader.error();
  return out;
}

store::Range range(const HistoryAsked& asked) {
  store::Range out{.table = table(asked.resolution), .column = "from_ms", .where = {{"device", asked.device.value}}};
  if (asked.from_ms > 0) out.from = std::to_string(asked.from_ms);
  if (asked.until_ms > 0) out.to = std::to_string(asked.until_ms);
  out.after = asked.after;
  out.limit = asked.limit;
  return out;
}

Result<Json> history_page(const HistoryAsked& asked, const Result<store::Page>& page, const Period* open) {
  if (!page) {
    const bool cursor = page.error().path == "after";
    return Error{cursor ? Code::invalid : Code::unavailable, page.error().reason, cursor ? "/after" : ""};
  }
  Json items = Json::array();
  for (const auto& text : page->rows) {
    const auto row = codec::parse(text);
    if (!row || !row->contains("from_ms") || !row->contains("beats"))
      return Error{Code::unavailable, "a stored row of table " + table(asked.resolution) + " cannot be read"};
    items.push_back(item_of_row(*row));
  }
  const bool wanted = open != nullptr && open->beats > 0 && open->from_ms >= asked.from_ms &&
                      (asked.until_ms == 0 || open->from_ms < asked.until_ms);
  if (page->next.empty() && wanted) {
    const auto row = to_row(HistoryRow{asked.device, asked.resolution, *open});
    items.push_back(item_of_row(*codec::parse(row.to_json())));
    items.back()["open"] = true;
  }
  Json out{{"v", 1},
           {"device", asked.device.value},
           {"resolution", resolution_names[static_cast<std::size_t>(asked.resolution)]},
           {"items", std::move(items)}};
  if (!page->next.empty()) out["next"] = page->next;
  return out;
}

}  // namespace fieldwork::registry
