// MQTT messages to inputs. Reads only the fields that the rules need.
#include <nlohmann/json.hpp>

#include "alerting/shell/service.hpp"
#include "codec/device.hpp"
#include "codec/items.hpp"
#include "codec/policy.hpp"

namespace fieldwork::alerting {
namespace {

// The fields that all states share; `kind` is the name of the id's field.
struct StateFields {
  std::string id;
  std::string state;
  std::string reason;
  Time changed;
};

Result<StateFields> read_state(const codec::Json& value, const char* kind) {
  codec::Reader reader(value);
  reader.version();
  reader.allow_unknown();
  StateFields out;
  out.id = reader.id(kind);
  out.state = reader.text("state", 32);
  out.reason = reader.text_or("reason", "", 1024);
  out.changed = from_ms(reader.integer("changed_ms", 0, std::int64_t{1} << 53));
  if (!reader.finish()) return reader.error();
  return out;
}

Result<JobSeen> job_seen(const std::string& id, const std::string& state, const std::string& reason, Time changed) {
  const bool quarantined = state == "quarantined";
  const auto known = quarantined ? JobState::failed : job_state(state);
  if (!known) return Error{Code::invalid, "is not a job state", "/state"};
  return JobSeen{JobId{id}, *known, reason, changed, quarantined};
}

}  // namespace

std::vector<std::pair<std::string, int>> AlertingService::subscriptions() const {
  return {{topics_.state("device", "+"), 1},   {topics_.state("job", "+"), 1},
          {topics_.state("transfer", "+"), 1}, {topics_.state("placement", "+"), 1},
          {topics_.state("audit", "head"), 1}, {topics_.event("job", "changed"), 1}};
}

void AlertingService::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  Result<void> done;
  if (topic->kind == Topic::Kind::state) {
    done = state(*topic, message, now);
  } else if (topic->kind == Topic::Kind::event && topic->channel == "job") {
    done = jobs_changed(*topic, message, now, out);
  }
  if (!done) reject(*topic, message, done.error(), now, out);
}

Result<void> AlertingService::state(const Topic& topic, const bus::Message& message, Time now) {
  if (message.payload.empty()) {  // the state was cleared
    const DeviceId device{std::string(topic.name)};
    if (topic.channel == "device") step(DeviceGone{device}, now);
    if (topic.channel == "placement") step(PlacementSeen{device, true, ""}, now);
    return {};
  }
  auto value = codec::parse(message.payload);
  if (!value) return value.error();
  if (topic.channel == "device") {
    auto device = codec::decode_device(*value);
    if (!device) return device.error();
    if (device->id.value != topic.name) return Error{Code::denied, "is not the topic's device", "/device"};
    step(DeviceSeen{device->id, device->lifecycle, device->presence, device->health, device->reason,
                    device->duplicated_since_ms > 0, device->claimed_ms > 0 ? from_ms(device->claimed_ms) : Time{}},
         now);
    return {};
  }
  if (topic.channel == "placement") return placement(topic, *value, now);
  if (topic.channel == "audit") {
    const auto end = codec::decode_audit_end(*value);
    if (!end) return end.error();
    step(AuditSeen{end->broken.has_value(), end->broken ? end->broken->reason : ""}, now);
    return {};
  }
  const bool job = topic.channel == "job";
  if (!job && topic.channel != "transfer") return {};
  auto fields = read_state(*value, job ? "job" : "transfer");
  if (!fields) return fields.error();
  if (fields->id != topic.name) return Error{Code::denied, "is not the topic's", job ? "/job" : "/transfer"};
  if (job) {
    auto seen = job_seen(fields->id, fields->state, fields->reason, fields->changed);
    if (!seen) return seen.error();
    step(*seen, now);
    return {};
  }
  if (fields->state != "sending" && fields->state != "complete" && fields->state != "failed") {
    return Error{Code::invalid, "is not a transfer state", "/state"};
  }
  step(TransferSeen{TransferId{fields->id}, fields->state == "failed", fields->reason, fields->changed}, now);
  return {};
}

Result<void> AlertingService::placement(const Topic& topic, const codec::Json& value, Time now) {
  codec::Reader reader(value);
  reader.version();
  reader.allow_unknown();
  const DeviceId device{reader.id("device")};
  const bool placeable = reader.boolean_or("placeable", true);
  const auto reason = reader.text_or("reason", "", 1024);
  if (!reader.finish()) return reader.error();
  if (device.value != topic.name) return Error{Code::denied, "is not the topic's device", "/device"};
  step(PlacementSeen{device, placeable, reason}, now);
  return {};
}

// A bad item does not keep the others from being seen.
Result<void> AlertingService::jobs_changed(const Topic& topic, const bus::Message& message, Time now,
                                           runtime::Output& out) {
  auto value = codec::parse(message.payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  reader.allow_unknown();
  const auto* items = reader.array("items", codec::items_max);
  if (!reader.finish()) return reader.error();
  codec::each_item(
      *items,
      [&](codec::Reader& item) {
        item.allow_unknown();
        const auto id = item.id("job");
        const auto state = item.text("state", 32);
        const auto seen = job_seen(id, state, item.text_or("reason", "", 1024), now);
        if (item.ok() && !seen) item.fail("state", seen.error().reason);
        if (item.finish()) step(*seen, now);
      },
      [&](const codec::Json&, const Error& error) { reject(topic, message, error, now, out); });
  return {};
}

}  // namespace fieldwork::alerting
