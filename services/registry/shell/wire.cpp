// MQTT messages to inputs, and the requests that only read.
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "registry/shell/service.hpp"

namespace fieldwork::registry {

std::vector<std::pair<std::string, int>> RegistryService::subscriptions() const {
  return {{topics_.up("+", "presence"), 1},
          {topics_.up("+", "enrol"), 1},
          {topics_.up("+", "heartbeat"), 0},
          {topics_.service("registry", "+", "+"), 1}};
}

void RegistryService::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  if (topic->kind == Topic::Kind::device && topic->direction == "up") return from_device(*topic, message, now, out);
  if (topic->kind == Topic::Kind::service) return request(*topic, message, now, out);
}

void RegistryService::from_device(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  const DeviceId device{std::string(topic.name)};
  if (!is_id(device.value)) return reject(topic, message, {Code::invalid, "the topic names no device id"}, now, out);
  const bool kept = topic.channel == "presence";  // retained: the broker repeats it at each connect of this service
  if (message.retain && !kept) return reject(topic, message, {Code::invalid, "is not to be retained"}, now, out);
  if (topic.channel == "heartbeat") {
    auto heartbeat = codec::decode_heartbeat(message.payload);
    if (!heartbeat) return reject(topic, message, heartbeat.error(), now, out);
    for (const auto& bad : heartbeat->bad_attempts) reject(topic, message, bad, now, out);
    step(HeartbeatArrived{device, std::move(*heartbeat)}, now);
  } else if (topic.channel == "presence") {
    if (message.retain && message.payload.empty()) return;  // somebody cleared it
    auto presence = codec::decode_presence(message.payload);
    if (!presence) return reject(topic, message, presence.error(), now, out);
    step(PresenceArrived{device, *presence, message.retain}, now);
  } else if (topic.channel == "enrol") {
    auto enrolment = codec::decode_enrolment(message.payload);
    if (!enrolment) return reject(topic, message, enrolment.error(), now, out);
    step(EnrolmentArrived{device, std::move(*enrolment)}, now);
  }
}

void RegistryService::request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  if (message.retain) return reject(topic, message, {Code::invalid, "a request is not retained"}, now, out);
  if (topic.channel == "certificate") {
    if (topic.from != "security-policy") {
      return reject(topic, message, {Code::denied, "only security-policy answers this"}, now, out);
    }
    auto answers = codec::decode_certificate_answers(message.payload);
    if (!answers) return reject(topic, message, answers.error(), now, out);
    reject_items(topic, message, answers->bad, now, out);
    for (auto& one : answers->good) step(CertificateChecked{std::move(one)}, now);
    return;
  }
  auto text = answer(topic.channel, message.payload);
  if (!text) return reject(topic, message, text.error(), now, out);
  respond(message, std::move(*text), out);
}

Result<std::string> RegistryService::answer(std::string_view operation, std::string_view payload) const {
  if (operation != "show" && operation != "list") return Error{Code::unknown, "the registry has no such operation"};
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const DeviceId device{operation == "show" ? reader.id("device") : std::string()};
  const DeviceId after{operation == "list" ? reader.text_or("after", "", 128) : std::string()};
  const auto limit = operation == "list" ? reader.integer_or("limit", 512, 1, limits::items_max) : 0;
  if (!reader.finish()) return reader.error();
  if (operation == "show") {
    const auto* record = core_->find(device);
    if (record == nullptr) return Error{Code::unknown, "no such device", "/device"};
    return codec::dump({{"v", 1}, {"device", codec::encode(record->device)}});
  }
  codec::Json items = codec::Json::array();
  std::size_t bytes = 0;
  std::string next;
  for (const auto* one : core_->list(after)) {
    if (items.size() == static_cast<std::size_t>(limit) || bytes > limits::page_bytes_max) {
      next = items.back().at("device");
      break;
    }
    items.push_back(codec::encode(*one));
    bytes += codec::dump(items.back()).size() + 1;
  }
  codec::Json answer{{"v", 1}, {"items", std::move(items)}};
  if (!next.empty()) answer["next"] = next;
  return codec::dump(answer);
}

}  // namespace fieldwork::registry
