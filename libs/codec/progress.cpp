// How far programs say that they are.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

constexpr double parts_of_one = 10'000;  // a fraction is said with four digits, and never as more than it is
constexpr double rounding = 1e-6;        // what binary fractions lack: 57 % is 0.5699999999999999

ProgressItem read_item(Reader& item) {
  ProgressItem out{read_key(item), {}};
  if (const Json* value = item.object("progress")) out.progress = read_progress(item, *value);
  return out;
}

RunProgress read_fields(Reader& reader) {
  RunProgress out;
  out.fraction = reader.number_maybe("fraction", 0, 1);
  out.done = reader.integer_maybe("done", 0, integer_max);
  out.total = reader.integer_maybe("total", 1, integer_max);
  if (reader.ok() && out.done.has_value() != out.total.has_value())
    reader.fail(out.done ? "total" : "done", "is missing: done and total stand together");
  out.step = reader.text_or("step", "", limits::step_bytes_max);
  out.message = reader.text_or("message", "", limits::progress_message_bytes_max);
  return out;
}

}  // namespace

Json encode(const RunProgress& progress) {
  Json out = Json::object();
  if (progress.fraction && *progress.fraction >= 0 && *progress.fraction <= 1)
    out["fraction"] = std::floor(*progress.fraction * parts_of_one + rounding) / parts_of_one;
  if (progress.done && progress.total) {
    out["done"] = *progress.done;
    out["total"] = *progress.total;
  }
  if (!progress.step.empty()) out["step"] = clamp_text(progress.step, limits::step_bytes_max);
  if (!progress.message.empty()) out["message"] = clamp_text(progress.message, limits::progress_message_bytes_max);
  return out;
}

RunProgress read_progress(Reader& parent, const Json& value) {
  Reader reader(parent, "progress", value);
  auto out = read_fields(reader);
  reader.finish();
  return out;
}

Result<RunProgress> decode_run_progress(const Json& value) {
  Reader reader(value);
  auto out = read_fields(reader);
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const std::vector<ProgressItem>& items) {
  Json list = Json::array();
  for (const auto& item : items) {
    Json one{{"progress", encode(item.progress)}};
    write_key(one, item.key);
    list.push_back(std::move(one));
  }
  return dump(Json{{"v", 1}, {"items", std::move(list)}});
}

Result<ProgressItems> decode_progress(std::string_view text) {
  return decode_items<ProgressItem, AttemptKey>(text, read_item, read_key);
}

}  // namespace fieldwork::codec
