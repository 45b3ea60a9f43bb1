#include "alerting/shell/rows.hpp"

#include <nlohmann/json.hpp>

namespace fieldwork::alerting {
namespace {

using codec::Json;
using codec::Reader;

Json told_json(const Alert& alert) {
  auto out = Json::object();
  for (const auto& [target, told] : alert.told)
    out[target] = {{"since_ms", to_ms(told.since)}, {"at_ms", to_ms(told.at)}, {"dead", told.dead}};
  return out;
}

Json acked_json(const Alert& alert) {
  if (!alert.acked) return Json::object();
  return {{"by", alert.acked->by}, {"comment", alert.acked->comment}, {"at_ms", to_ms(alert.acked->at)}};
}

Time time_of(Reader& reader, const char* field) { return from_ms(reader.integer(field, INT64_MIN, INT64_MAX)); }

void read_told(Reader& parent, const Json& value, Alert& alert) {
  Reader reader(parent, "told", value);
  for (const auto& [target, told] : value.items()) {
    const auto* one = reader.object(target.c_str());
    if (one == nullptr) return;
    Reader fields(reader, target.c_str(), *one);
    alert.told[target] = {time_of(fields, "since_ms"), time_of(fields, "at_ms"), fields.boolean_or("dead", false)};
    (void)fields.finish();
  }
  (void)reader.finish();
}

void read_acked(Reader& parent, const Json& value, Alert& alert) {
  if (value.empty()) return;
  Reader reader(parent, "acked", value);
  Ack ack;
  ack.by = reader.text_or("by", "");
  ack.comment = reader.text_or("comment", "", 1024);
  ack.at = time_of(reader, "at_ms");
  if (reader.finish()) alert.acked = std::move(ack);
}

}  // namespace

Json encode(const Alert& alert) {
  Json out{{"alert", alert.id},
           {"rule", alert.rule},
           {"subject", alert.subject},
           {"state", name(alert.state)},
           {"severity", alerts::name(alert.severity)},
           {"value", alert.value},
           {"reason", alert.reason},
           {"labels", alert.labels},
           {"count", alert.count},
           {"since_ms", to_ms(alert.since)},
           {"changed_ms", to_ms(alert.changed)}};
  if (!alert.next.empty()) out["next"] = alert.next;
  if (!alert.ended.empty()) out["ended"] = alert.ended;
  if (alert.count > 0) out["first_ms"] = to_ms(alert.first);
  if (alert.acked) out["acked"] = acked_json(alert);
  if (!alert.muted.empty()) out["muted"] = alert.muted;
  for (const auto& [target, told] : alert.told) {
    if (told.at != Time{} && !told.dead) out["told"].push_back(target);
  }
  return out;
}

Json encode(const Silence& silence) {
  Json out{{"silence", silence.id},
           {"matcher", silence.matcher.text()},
           {"by", silence.by},
           {"since_ms", to_ms(silence.since)},
           {"until_ms", to_ms(silence.until)}};
  if (!silence.comment.empty()) out["comment"] = silence.comment;
  return out;
}

store::Row to_row(const Alert& alert) {
  return {{"alert", alert.id},
          {"rule", alert.rule},
          {"subject", alert.subject},
          {"state", name(alert.state)},
          {"value", alert.value},
          {"reason", alert.reason},
          {"ended", alert.ended},
          {"about", alert.about},
          {"since_ms", to_ms(alert.since)},
          {"changed_ms", to_ms(alert.changed)},
          {"severity", alerts::name(alert.severity)},
          {"next", alert.next},
          {"labels", store::Value::json(codec::dump(Json(alert.labels)))},
          {"first_ms", to_ms(alert.first)},
          {"count", alert.count},
          {"acked", store::Value::json(codec::dump(acked_json(alert)))},
          {"told", store::Value::json(codec::dump(told_json(alert)))}};
}

store::Row to_row(const Silence& silence) {
  return {{"silence", silence.id},      {"matcher", silence.matcher.text()}, {"by", silence.by},
          {"comment", silence.comment}, {"since_ms", to_ms(silence.since)},  {"until_ms", to_ms(silence.until)}};
}

store::Row to_row(const DeadLetter& letter, const std::string& id, Time now) {
  return {{"id", id},
          {"target", letter.target},
          {"alert", store::Value::json(codec::dump(encode(letter.alert)))},
          {"reason", letter.reason},
          {"at_ms", to_ms(now)}};
}

Result<Alert> alert_from_row(std::string_view row) {
  auto value = codec::parse(row);
  if (!value) return value.error();
  Reader reader(*value);
  Alert out;
  out.id = reader.id("alert");
  out.rule = reader.text("rule");
  out.subject = reader.text("subject", 1024);
  const auto state = alert_state(reader.text("state"));
  if (!state) reader.fail("state", "is no state of an alert");
  out.state = state.value_or(Alert::State::resolved);
  const auto severity = alerts::severity(reader.text("severity"));
  if (!severity) reader.fail("severity", "is no severity");
  out.severity = severity.value_or(Severity::warning);
  out.value = reader.number("value", -1e300, 1e300);
  out.reason = reader.text_or("reason", "", 4096);
  out.ended = reader.text_or("ended", "", 4096);
  out.about = reader.text_or("about", "", 1024);
  out.next = reader.text_or("next", "", 4096);
  out.labels = reader.map_or_empty("labels", 4 * alerts::labels_max, 1024);
  out.since = time_of(reader, "since_ms");
  out.changed = time_of(reader, "changed_ms");
  out.first = time_of(reader, "first_ms");
  out.count = reader.integer("count", 0, INT64_MAX);
  if (const auto* acked = reader.object("acked")) read_acked(reader, *acked, out);
  if (const auto* told = reader.object("told")) read_told(reader, *told, out);
  if (!reader.finish()) return reader.error();
  return out;
}

Result<Silence> silence_from_row(std::string_view row) {
  auto value = codec::parse(row);
  if (!value) return value.error();
  Reader reader(*value);
  Silence out;
  out.id = reader.id("silence");
  const auto matcher =
      fleet::Expression::parse(reader.text("matcher", fleet::expression_bytes_max), alerts::alert_vocabulary());
  if (!matcher) return matcher.error();
  out.matcher = *matcher;
  out.by = reader.text_or("by", "");
  out.comment = reader.text_or("comment", "", 1024);
  out.since = time_of(reader, "since_ms");
  out.until = time_of(reader, "until_ms");
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::alerting
