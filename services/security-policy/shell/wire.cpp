// MQTT messages to inputs.
#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "runtime/log.hpp"
#include "security-policy/shell/rows.hpp"
#include "security-policy/shell/service.hpp"

namespace fieldwork::security_policy {

std::vector<std::pair<std::string, int>> SecurityPolicyService::subscriptions() const {
  return {{topics_.state("device", "+"), 1},
          {topics_.state("audit", "head"), 1},
          {topics_.service("security-policy", "+", "+"), 1}};
}

namespace {

Result<AuditEnd> read_audit_end(const bus::Message& message) {
  auto value = codec::parse(message.payload);
  if (!value) return value.error();
  return codec::decode_audit_end(*value);
}

}  // namespace

// Finds, for each audit head that the broker kept, the newest row at or before it.
Result<void> SecurityPolicyService::prefetch(store::Store& store, const std::vector<const bus::Message*>& batch) {
  at_.clear();
  for (const auto* message : batch) {
    if (!message->retain || message->topic != topics_.state("audit", "head")) continue;
    const auto end = read_audit_end(*message);
    if (!end) continue;
    auto page = store.range({.table = "audit",
                             .column = "sequence",
                             .where = {},
                             .from = "",
                             .to = std::to_string(end->sequence + 1),
                             .after = "",
                             .descending = true,
                             .limit = 1});
    if (!page) return page.error();
    auto& at = at_[end->sequence];
    if (page->rows.empty()) continue;
    auto row = audit_from_row(page->rows.front());
    if (!row) return row.error();
    at = AuditHead{row->sequence, row->hash, row->at_ms};
  }
  return {};
}

void SecurityPolicyService::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  if (topic->kind == Topic::Kind::state && topic->channel == "device") return device_state(*topic, message, now, out);
  // Only the broker's retained copy: a head that arrives as it is published is this process's own.
  if (topic->kind == Topic::Kind::state && message.retain) return audit_head(*topic, message, now, out);
  if (topic->kind == Topic::Kind::service) return request(*topic, message, now, out);
}

void SecurityPolicyService::device_state(const Topic& topic, const bus::Message& message, Time now,
                                         runtime::Output& out) {
  const DeviceId id{std::string(topic.name)};
  if (message.payload.empty()) return step(DeviceGone{id}, now);
  auto value = codec::parse(message.payload);
  if (!value) return reject(topic, message, value.error(), now, out);
  auto device = codec::decode_device(*value);
  if (!device) return reject(topic, message, device.error(), now, out);
  if (device->id != id) return reject(topic, message, {Code::denied, "is not the topic's device", "/device"}, now, out);
  step(DeviceSeen{id, device->lifecycle, std::move(device->fingerprint)}, now);
}

void SecurityPolicyService::audit_head(const Topic& topic, const bus::Message& message, Time now,
                                       runtime::Output& out) {
  auto end = read_audit_end(message);
  if (!end) return reject(topic, message, end.error(), now, out);
  const AuditHead head{end->sequence, end->hash, end->at_ms};
  const auto signed_text = own_.verify(end->checkpoint, checkpoint_type);
  if (!signed_text || *signed_text != checkpoint_text(head)) {
    // It may be signed by an earlier key of this service, or by somebody else: it is compared all the same.
    log::warn("the end of the audit that the broker kept is not signed by our key",
              {{"reason", signed_text ? "it signs other words" : describe(signed_text.error())}});
  }
  head_known_ = true;
  step(HeadKept{head, std::move(end->checkpoint), at_[head.sequence]}, now);
}

// Each question is taken only from the one service that may ask it.
void SecurityPolicyService::request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  if (message.retain) return reject(topic, message, {Code::invalid, "a request is not retained"}, now, out);
  if (topic.channel == "authorise") {
    if (topic.from != "scheduler")
      return reject(topic, message, {Code::denied, "only scheduler may ask this"}, now, out);
    auto questions = codec::decode_questions(message.payload);
    if (!questions) return reject(topic, message, questions.error(), now, out);
    reject_items(topic, message, questions->bad, now, out);
    for (const auto& bad : questions->bad) {
      if (bad.key) step(QuestionUnreadable{bad.key->key, bad.key->device, describe(bad.error)}, now);
    }
    return step(QuestionsArrived{std::move(questions->good)}, now);
  }
  if (topic.channel == "permit") {
    if (topic.from != "transfer") return reject(topic, message, {Code::denied, "only transfer may ask this"}, now, out);
    auto questions = codec::decode_permit_questions(message.payload);
    if (!questions) return reject(topic, message, questions.error(), now, out);
    reject_items(topic, message, questions->bad, now, out);
    return step(PermitsArrived{std::string(topic.from), std::move(questions->good)}, now);
  }
  if (topic.channel == "certificate") {
    if (topic.from != "registry") return reject(topic, message, {Code::denied, "only registry may ask this"}, now, out);
    auto checks = codec::decode_certificate_checks(message.payload);
    if (!checks) return reject(topic, message, checks.error(), now, out);
    reject_items(topic, message, checks->bad, now, out);
    return step(ChecksArrived{std::move(checks->good)}, now);
  }
  reject(topic, message, {Code::unknown, "security-policy has no such operation"}, now, out);
}

}  // namespace fieldwork::security_policy
