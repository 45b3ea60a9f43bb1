#include "codec/stage.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/id.hpp"
#include "base/text.hpp"
#include "inside.hpp"

namespace fieldwork::codec {

bool is_plain(std::string_view path) {
  return is_inside(path) && path != "." && !path.starts_with("./") && !path.ends_with("/.") &&
         path.find("/./") == path.npos;
}

std::string read_place(Reader& reader) {
  if (reader.any_maybe("file") == nullptr) return {};
  auto file = reader.text("file", limits::path_bytes_max);
  if (reader.ok() && !is_plain(file)) reader.fail("file", "must be a relative path without . and ..");
  return file;
}

namespace {

StageCommand read_stage_command(Reader& item) {
  StageCommand out;
  out.digest = item.digest("digest");
  out.file = read_place(item);
  out.until_ms = item.integer("until_ms", 0, integer_max);
  out.priority = static_cast<int>(item.integer_or("priority", out.priority, 0, limits::priority_max));
  out.receivers = item.integer_or("receivers", out.receivers, 1, integer_max);
  return out;
}

StageSaid read_said(Reader& parent, std::size_t index, const Json& value) {
  Reader item(parent, "items", index, value);
  StageSaid out;
  out.digest = item.digest("digest");
  out.file = read_place(item);
  out.until_ms = item.integer("until_ms", 0, integer_max);
  const auto word = item.text("state", 16);
  const auto known = std::find(stage_words.begin(), stage_words.end(), word);
  if (item.ok() && known == stage_words.end()) item.fail("state", "must be taken, ready, refused or dropped");
  if (known != stage_words.end()) out.word = static_cast<StageWord>(known - stage_words.begin());
  out.reason = item.text_or("reason", "", limits::reason_bytes_max);
  item.finish();
  return out;
}

std::vector<std::string> read_devices(Reader& reader) {
  auto out = reader.texts_or_empty("devices", limits::stage_devices_max, 128);
  if (reader.ok() && out.empty()) reader.fail("devices", "must not be empty");
  if (reader.ok() && !std::all_of(out.begin(), out.end(), [](const auto& one) { return is_id(one); }))
    reader.fail("devices", "must hold ids of devices");
  return out;
}

}  // namespace

Json encode(const StageCommand& command) {
  Json out{{"digest", command.digest}, {"until_ms", command.until_ms}};
  if (!command.file.empty()) out["file"] = command.file;
  if (command.priority != StageCommand{}.priority) out["priority"] = command.priority;
  if (command.receivers != StageCommand{}.receivers) out["receivers"] = command.receivers;
  return out;
}

Result<StageCommands> decode_stage_commands(std::string_view text) {
  return decode_items<StageCommand, std::string>(text, read_stage_command,
                                                 [](Reader& item) { return item.digest("digest"); });
}

std::string encode(const StageReport& report) {
  auto items = Json::array();
  for (const auto& one : report.items) {
    Json item{{"digest", one.digest}, {"until_ms", one.until_ms}, {"state", name(one.word)}};
    if (!one.file.empty()) item["file"] = one.file;
    if (!one.reason.empty()) item["reason"] = clamp_text(one.reason, limits::reason_bytes_max);
    items.push_back(std::move(item));
  }
  Json out{{"v", 1}, {"items", std::move(items)}};
  if (report.all) out["all"] = true;
  return dump(out);
}

Result<StageReport> decode_stage_report(std::string_view text) {
  auto value = parse(text, limits::message_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  StageReport out;
  out.all = reader.boolean_or("all", false);
  if (const Json* items = reader.array("items", limits::stage_items_max)) {
    for (std::size_t i = 0; i < items->size(); ++i) out.items.push_back(read_said(reader, i, (*items)[i]));
  }
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const StageRequest& request) {
  Json out{{"v", 1}, {"digest", request.digest}, {"devices", request.devices}};
  if (request.until_ms) out["until_ms"] = *request.until_ms;
  if (request.priority != StageRequest{}.priority) out["priority"] = request.priority;
  if (!request.file.empty()) out["file"] = request.file;
  return dump(out);
}

Result<StageRequest> decode_stage_request(std::string_view text) {
  auto value = parse(text, limits::message_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  StageRequest out;
  out.digest = reader.digest("digest");
  out.devices = read_devices(reader);
  out.until_ms = reader.integer_maybe("until_ms", 1, integer_max);
  out.priority = static_cast<int>(reader.integer_or("priority", out.priority, 0, limits::priority_max));
  out.file = read_place(reader);
  if (!reader.finish()) return reader.error();
  return out;
}

Result<StageRequest> decode_unstage_request(std::string_view text) {
  auto value = parse(text, limits::message_bytes_max);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  StageRequest out;
  out.digest = reader.digest("digest");
  out.devices = read_devices(reader);
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
