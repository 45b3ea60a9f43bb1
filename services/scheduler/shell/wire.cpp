// MQTT messages to inputs.
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "codec/transfer.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {

std::vector<std::pair<std::string, int>> SchedulerService::subscriptions() const {
  return {{topics_.up("+", "report"), 1},     {topics_.up("+", "heartbeat"), 0},
          {topics_.up("+", "progress"), 0},   {topics_.up("+", "message"), 0},
          {topics_.up("+", "presence"), 1},   {topics_.state("device", "+"), 1},
          {topics_.state("package", "+"), 1}, {topics_.service("scheduler", "+", "+"), 1}};
}

void SchedulerService::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  switch (topic->kind) {
    case Topic::Kind::device: return device_message(*topic, message, now, out);
    case Topic::Kind::state: return state_message(*topic, message, now, out);
    case Topic::Kind::service: return request(*topic, message, now, out);
    default: return;
  }
}

namespace {

// When the message arrived: after a stall this may be long before `now`.
Time when(const bus::Message& message, Time now) { return message.arrived == Time{} ? now : message.arrived; }

}  // namespace

void SchedulerService::report(const DeviceId& device, const Topic& topic, const bus::Message& message, Time now,
                              runtime::Output& out) {
  auto report = codec::decode_report(message.payload);
  if (!report) return reject(topic, message, report.error(), now, out);
  ReportArrived input{device, report->epoch, report->first, report->seq, report->after, {}, when(message, now)};
  for (auto& item : report->items) {
    if (item.error) {
      // The unreadable item takes its number in the stream. What it says of its attempt is lost, so the attempt fails.
      reject(topic, message, *item.error, now, out);
      item.report.state = AttemptState::failed;
      item.report.reason = "its report could not be read: " + describe(*item.error);
    }
    input.items.push_back({item.tag, std::move(item.report)});
  }
  step(input, now);
}

void SchedulerService::device_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  const DeviceId device{std::string(topic.name)};
  if (!is_id(topic.name) || message.retain) return;  // a retained copy is not said now
  if (topic.channel == "report") {
    report(device, topic, message, now, out);
  } else if (topic.channel == "heartbeat") {
    auto heartbeat = codec::decode_heartbeat(message.payload);
    if (!heartbeat) return;  // the registry answers a heartbeat that cannot be read
    step(HeartbeatArrived{device, heartbeat->beat, std::move(heartbeat->attempts), when(message, now),
                          std::move(heartbeat->ended)},
         now);
  } else if (topic.channel == "progress") {
    auto progress = codec::decode_progress(message.payload);
    if (!progress) return reject(topic, message, progress.error(), now, out);
    for (const auto& bad : progress->bad) reject(topic, message, bad.error, now, out);
    ProgressArrived input{device, {}, when(message, now)};
    for (auto& item : progress->good) input.items.emplace_back(std::move(item.key), std::move(item.progress));
    if (!input.items.empty()) step(std::move(input), now);
  } else if (topic.channel == "message") {
    auto said = codec::decode_sent(message.payload);
    if (!said) return reject(topic, message, said.error(), now, out);
    for (const auto& bad : said->bad) reject(topic, message, bad.error, now, out);
    LinesSaid input{device, {}};
    for (auto& item : said->good) input.items.push_back({std::move(item.key), std::move(item.lines)});
    if (!input.items.empty()) step(std::move(input), now);
  } else if (topic.channel == "presence") {
    auto presence = codec::decode_presence(message.payload);
    if (presence && presence->state == PresenceSaid::State::online) step(DeviceReturned{device}, now);
  }
}

void SchedulerService::state_message(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  if (message.payload.empty()) {
    if (topic.channel == "device" && is_id(topic.name)) step(DeviceGone{DeviceId{std::string(topic.name)}}, now);
    if (topic.channel == "package") package_gone(topic, now, out);
    return;
  }
  auto value = codec::parse(message.payload);
  if (!value) return reject(topic, message, value.error(), now, out);
  if (topic.channel == "device") {
    auto device = codec::decode_device(*value);
    if (device && device->id.value != topic.name) device = Error{Code::denied, "names another device", "/device"};
    if (!device) return reject(topic, message, device.error(), now, out);
    step(DeviceSeen{std::move(*device)}, now);
  } else {
    auto package = codec::decode_package(*value);
    if (!package) return reject(topic, message, package.error(), now, out);
    PackageSeen seen{std::move(package->digest),
                     package->size_bytes,
                     std::move(package->name),
                     std::move(package->names),
                     std::move(package->about.architecture),
                     package->about.needs};
    if (!core_->knows(seen)) out.upsert("package", seen.digest, package_row(seen));
    step(std::move(seen), now);
  }
}

void SchedulerService::decided(const Topic& topic, const bus::Message& message, Time now) {
  auto decisions = codec::decode_decisions(message.payload);
  if (topic.from != "security-policy") decisions = Error{Code::denied, "only security-policy decides"};
  if (!decisions) {
    rejections_.note("authorised", std::string(topic.from), decisions.error(), now);
    return;
  }
  // A question whose answer cannot be read is asked again.
  for (const auto& bad : decisions->bad) rejections_.note("authorised", std::string(topic.from), bad.error, now);
  for (auto& decision : decisions->good) step(DecisionMade{std::move(decision)}, now);
}

}  // namespace fieldwork::scheduler
