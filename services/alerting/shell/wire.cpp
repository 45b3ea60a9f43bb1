// Messages to inputs. Only the fields that the rules need are read; the rest is for others.
#include <nlohmann/json.hpp>

#include "alerting/shell/service.hpp"
#include "codec/device.hpp"

namespace fieldwork::alerting {
namespace {

// From the fields that all states share; `kind` names the id's field.
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

}  // namespace

std::vector<std::pair<std::string, int>> AlertingService::subscriptions() const {
  return {{topics_.state("device", "+"), 1},
          {topics_.state("job", "+"), 1},
          {topics_.state("transfer", "+"), 1},
          {topics_.event("job", "changed"), 1}};
}

void AlertingService::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  Result<void> done;
  if (topic->kind == Topic::Kind::state) {
    done = state(*topic, message, now, out);
  } else if (topic->kind == Topic::Kind::event && topic->channel == "job") {
    done = jobs_changed(message, now, out);
  }
  if (!done) rejections_.note(std::string(topic->channel), std::string(topic->name), done.error(), now);
}

Result<void> AlertingService::state(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  if (message.payload.empty()) {  // retracted
    if (topic.channel == "device") take(DeviceGone{DeviceId{std::string(topic.name)}}, now, out);
    return {};
  }
  auto value = codec::parse(message.payload);
  if (!value) return value.error();
  if (topic.channel == "device") {
    auto device = codec::decode_device(*value);
    if (!device) return device.error();
    if (device->id.value != topic.name) return Error{Code::denied, "is not the topic's device", "/device"};
    take(DeviceSeen{device->id, device->state, device->health, device->reason}, now, out);
    return {};
  }
  const bool job = topic.channel == "job";
  if (!job && topic.channel != "transfer") return {};
  auto fields = read_state(*value, job ? "job" : "transfer");
  if (!fields) return fields.error();
  if (fields->id != topic.name) return Error{Code::denied, "is not the topic's", job ? "/job" : "/transfer"};
  if (job) {
    const auto known = job_state(fields->state);
    if (!known) return Error{Code::invalid, "is not a job state", "/state"};
    take(JobSeen{JobId{fields->id}, *known, fields->reason, fields->changed}, now, out);
    return {};
  }
  if (fields->state != "sending" && fields->state != "complete" && fields->state != "failed") {
    return Error{Code::invalid, "is not a transfer state", "/state"};
  }
  take(TransferSeen{TransferId{fields->id}, fields->state == "failed", fields->reason, fields->changed}, now, out);
  return {};
}

Result<void> AlertingService::jobs_changed(const bus::Message& message, Time now, runtime::Output& out) {
  auto value = codec::parse(message.payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  reader.allow_unknown();
  std::vector<JobSeen> seen;
  if (const auto* items = reader.array("items", codec::items_max)) {
    for (std::size_t i = 0; i < items->size() && reader.ok(); ++i) {
      codec::Reader item(reader, "items", i, (*items)[i]);
      item.allow_unknown();
      JobSeen one{JobId{item.id("job")}, JobState::queued, item.text_or("reason", "", 1024), now};
      const auto known = job_state(item.text("state", 32));
      if (!known) item.fail("state", "is not a job state");
      one.state = known.value_or(JobState::queued);
      item.finish();
      seen.push_back(std::move(one));
    }
  }
  if (!reader.finish()) return reader.error();
  for (const auto& one : seen) take(one, now, out);
  return {};
}

}  // namespace fieldwork::alerting
