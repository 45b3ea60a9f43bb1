#include "alerting/shell/rows.hpp"

#include <nlohmann/json.hpp>

#include "codec/json.hpp"

namespace fieldwork::alerting {
namespace {

store::Row columns(const Alert& alert) {
  return {{"alert", alert.id},
          {"rule", alert.rule},
          {"subject", alert.subject},
          {"state", alert.firing ? "firing" : "resolved"},
          {"value", alert.value},
          {"reason", alert.reason},
          {"since_ms", to_ms(alert.since)},
          {"changed_ms", to_ms(alert.changed)}};
}

codec::Json fields(const Alert& alert) { return codec::Json::parse(columns(alert).to_json()); }

Alert read(codec::Reader& reader) {
  Alert out;
  out.id = reader.id("alert");
  out.rule = reader.text("rule");
  out.subject = reader.text("subject");
  out.firing = reader.text("state") == "firing";
  out.value = reader.number("value", -1e15, 1e15);
  out.reason = reader.text("reason", 4096);
  out.since = from_ms(reader.integer("since_ms", INT64_MIN, INT64_MAX));
  out.changed = from_ms(reader.integer("changed_ms", INT64_MIN, INT64_MAX));
  return out;
}

}  // namespace

std::string to_state(const Alert& alert) {
  auto out = fields(alert);
  out["v"] = 1;
  out["next"] = next_step(alert);
  return codec::dump(out);
}

std::string to_body(const Alert& alert) {
  auto out = fields(alert);
  out.erase("changed_ms");
  out["next"] = next_step(alert);
  return codec::dump(out);
}

store::Row to_row(const Alert& alert) { return columns(alert); }

store::Row to_row(const Notification& notification) {
  auto out = columns(notification.alert);
  out.add("notification", notification.number);
  return out;
}

Result<Alert> alert_from_row(std::string_view row) {
  auto value = codec::parse(row);
  if (!value) return value.error();
  codec::Reader reader(*value);
  auto out = read(reader);
  if (!reader.finish()) return reader.error();
  return out;
}

Result<Notification> notification_from_row(std::string_view row) {
  auto value = codec::parse(row);
  if (!value) return value.error();
  codec::Reader reader(*value);
  Notification out{reader.integer("notification", 1, INT64_MAX), read(reader)};
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::alerting
