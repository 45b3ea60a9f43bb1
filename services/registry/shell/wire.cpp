// MQTT messages to inputs, and the requests that only read.
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "fleet/stats.hpp"
#include "registry/shell/groups.hpp"
#include "registry/shell/history.hpp"
#include "registry/shell/service.hpp"

namespace fieldwork::registry {
namespace {

std::optional<fleet::Attribute> read_attribute(codec::Reader& reader, const char* field) {
  const auto text = reader.text_or(field, "", 256);
  if (text.empty()) return std::nullopt;
  auto attribute = fleet::attribute(text);
  if (attribute) return *attribute;
  reader.fail(field, attribute.error().reason);
  return std::nullopt;
}

}  // namespace

std::vector<std::pair<std::string, int>> RegistryService::subscriptions() const {
  return {{topics_.up("+", "presence"), 1},
          {topics_.up("+", "enrol"), 1},
          {topics_.up("+", "heartbeat"), 0},
          {topics_.up("+", "configured"), 1},
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
    if (heartbeat->echo) echo(device, message, *heartbeat, now, out);
    step(HeartbeatArrived{device, std::move(*heartbeat)}, now);
  } else if (topic.channel == "presence") {
    if (message.retain && message.payload.empty()) return;  // somebody cleared it
    auto presence = codec::decode_presence(message.payload);
    if (!presence) return reject(topic, message, presence.error(), now, out);
    step(PresenceArrived{device, *presence, message.retain}, now);
  } else if (topic.channel == "configured") {
    auto configured = codec::decode_configured(message.payload);
    if (!configured) return reject(topic, message, configured.error(), now, out);
    step(ConfiguredArrived{device, configured->version, std::move(configured->reason)}, now);
  } else if (topic.channel == "enrol") {
    auto enrolment = codec::decode_enrolment(message.payload);
    if (!enrolment) return reject(topic, message, enrolment.error(), now, out);
    step(EnrolmentArrived{device, std::move(*enrolment)}, now);
  }
}

// At once, before the commit: it promises nothing, and the device wants to know how far it is to here.
void RegistryService::echo(const DeviceId& device, const bus::Message& message, const Heartbeat& heartbeat, Time now,
                           runtime::Output& out) const {
  const auto held = message.arrived == Time{} ? Duration{} : std::max(now - message.arrived, Duration{});
  out.early.push_back({.topic = topics_.down(device.value, "echo"),
                       .payload = codec::encode(codec::Echo{heartbeat.session, heartbeat.beat, held.count()}),
                       .qos = 0});
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
  if (const auto wanted = verb(topic.channel)) return want(topic, message, *wanted, now, out);
  if (topic.channel == "history") return history(topic, message, now, out);
  if (topic.channel == "group") return group(topic, message, now, out);
  auto text = answer(topic.channel, message.payload, now);
  if (!text) return reject(topic, message, text.error(), now, out);
  respond(message, std::move(*text), out);
}

void RegistryService::want(const Topic& topic, const bus::Message& message, Verb verb, Time now, runtime::Output& out) {
  auto wanted = requested(topic, message, verb);
  if (!wanted) return reject(topic, message, wanted.error(), now, out);
  if (topics_.reply_to(topic, message.response_topic, message.correlation)) wanted->reply = replies_.open(message);
  step(std::move(*wanted), now);
}

Result<Requested> RegistryService::requested(const Topic& topic, const bus::Message& message, Verb verb) const {
  Requested out{.verb = verb, .by = std::string(topic.from)};
  if (verb == Verb::configure) {
    auto asked = codec::decode_configure_request(message.payload);
    if (!asked) return asked.error();
    out.device = std::move(asked->device);
    out.settings = {std::move(asked->set), std::move(asked->unset)};
    return out;
  }
  auto value = codec::parse(message.payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  out.device = DeviceId(reader.id("device"));
  if (!reader.finish()) return reader.error();
  return out;
}

// The reads' thread looks the rows up; the engine's thread adds the open period.
void RegistryService::history(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  auto asked = decode_history_request(message.payload);
  if (!asked) return reject(topic, message, asked.error(), now, out);
  bus::Message to{.topic = message.topic,
                  .payload = "",
                  .response_topic = message.response_topic,
                  .correlation = message.correlation};
  auto question = [this, to, asked = *asked](store::Reader& store) -> runtime::Task {
    return [this, to, asked, page = store.range(range(asked))](Time at, runtime::Output& output) {
      const auto* record = core_->find(asked.device);
      const Period* open = nullptr;
      if (record != nullptr && asked.resolution != Resolution::raw)
        open = asked.resolution == Resolution::minute ? &record->history.minute : &record->history.hour;
      auto answer = history_page(asked, page, open);
      // That of a removed device stays for a while.
      if (answer && record == nullptr && asked.after.empty() && answer->at("items").empty())
        answer = Error{Code::unknown, "no such device", "/device"};
      if (answer) return respond(to, codec::dump(*answer), output);
      reject(*topics_.parse(to.topic), to, answer.error(), at, output);
    };
  };
  if (reads_ == nullptr || !reads_->ask(std::string(topic.from), std::move(question)))
    reject(topic, to, {Code::unavailable, "too many questions wait for the database already; ask again"}, now, out);
}

Result<std::string> RegistryService::answer(std::string_view operation, std::string_view payload, Time now) const {
  if (operation != "show" && operation != "list" && operation != "stats" && operation != "health" &&
      operation != "groups")
    return Error{Code::unknown, "the registry has no such operation"};
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  if (operation == "list") return page(reader);
  if (operation == "stats") return statistics(reader);
  if (operation == "groups") return groups(reader);
  const DeviceId device(reader.id("device"));
  if (operation == "health") return health(reader, device, now);
  const auto expression = read_expression(reader);
  if (!reader.finish()) return reader.error();
  const auto* record = core_->find(device);
  if (record == nullptr) return Error{Code::unknown, "no such device", "/device"};
  codec::Json out{{"v", 1}, {"device", codec::encode(record->device)}};
  if (!expression) return codec::dump(out);
  out["misses"] = codec::Json::array();
  for (const auto& one : fleet::misses(*expression, record->device)) {
    out["misses"].push_back(
        {{"column", one.column}, {"term", one.term}, {"actual", one.actual}, {"reason", one.reason}});
  }
  return codec::dump(out);
}

Result<std::string> RegistryService::health(codec::Reader& reader, const DeviceId& device, Time now) const {
  if (!reader.finish()) return reader.error();
  const auto report = core_->report(device, now);
  if (!report) return Error{Code::unknown, "no such device", "/device"};
  return codec::dump({{"v", 1}, {"report", codec::encode(*report)}});
}

Result<std::string> RegistryService::page(codec::Reader& reader) const {
  const DeviceId after(reader.text_or("after", "", 128));
  const auto limit = reader.integer_or("limit", limits::items_max, 1, limits::items_max);
  const auto expression = read_expression(reader);
  if (!reader.finish()) return reader.error();
  codec::Json items = codec::Json::array();
  std::size_t bytes = 0;
  std::string next;
  for (const auto* one : core_->list(expression, after, static_cast<std::size_t>(limit) + 1)) {
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

Result<std::string> RegistryService::statistics(codec::Reader& reader) const {
  const auto expression = read_expression(reader);
  const auto by = read_attribute(reader, "by"), of = read_attribute(reader, "of");
  if (!reader.finish()) return reader.error();
  const auto groups = fleet::stats(core_->list(expression, {}, SIZE_MAX), by, of);
  if (!groups) return Error{groups.error().code, groups.error().reason, "/of"};
  codec::Json items = codec::Json::array();
  for (const auto& one : *groups) {
    codec::Json item{{"value", one.value}, {"devices", one.devices}};
    const auto& d = one.distribution;
    if (of) {
      item["count"] = d.count;
      if (d.count > 0) {
        item.update({{"min", d.min}, {"p50", d.p50}, {"p90", d.p90}, {"p99", d.p99}, {"max", d.max}, {"mean", d.mean}});
      }
    }
    items.push_back(std::move(item));
  }
  return codec::dump({{"v", 1}, {"items", std::move(items)}});
}

}  // namespace fieldwork::registry
