#include "registry/shell/service.hpp"

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "registry/shell/rows.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::registry {

Result<void> RegistryService::load(store::Store& store, Time now) {
  auto rows = store.select({.table = "device", .where = {}, .order_by = "", .descending = false, .limit = 0});
  if (!rows) return rows.error();
  std::vector<Record> saved;
  for (const auto& row : *rows) {
    auto record = from_row(row);
    if (!record) return Error{Code::invalid, describe(record.error()), "table device"};
    saved.push_back(std::move(*record));
  }
  core_.emplace(limits_, std::move(saved), now);
  log::info("loaded", {{"devices", std::to_string(core_->size())}});
  return {};
}

void RegistryService::take(const Input& input, Time now, runtime::Output& out) {
  for (const auto& effect : core_->step(input, now)) {
    std::visit([&](const auto& one) { act(one, now, out); }, effect);
  }
}

void RegistryService::tick(Time now, runtime::Output& out) { take(TimePassed{}, now, out); }
void RegistryService::connected(Time now, runtime::Output& out) { take(BrokerReturned{}, now, out); }
void RegistryService::disconnected(Time now, runtime::Output& out) { take(BrokerLeft{}, now, out); }

// Of a batch only the last row and state of a device count.
void RegistryService::flush(Time, runtime::Output& out) {
  for (const auto& id : unsaved_) out.upsert("device", id.value, to_row(*core_->find(id)));
  for (const auto& id : unsaid_) {
    out.messages.push_back({.topic = topics_.state("device", id.value),
                            .payload = codec::dump(codec::encode(core_->find(id)->device)),
                            .retain = true});
  }
  if (!unsaved_.empty()) metrics::gauge("fieldwork_devices", static_cast<double>(core_->size()));
  unsaved_.clear();
  unsaid_.clear();
}

namespace {
std::string question_key(const DeviceId& device, const std::string& fingerprint) {
  return "cert:" + device.value + ":" + fingerprint;
}
}  // namespace

void RegistryService::act(const AskCertificate& effect, Time, runtime::Output& out) {
  const nlohmann::json item{{"device", effect.device.value}, {"certificate", effect.certificate}};
  out.put({question_key(effect.device, effect.fingerprint),
           topics_.service("security-policy", "certificate", "registry"), codec::dump(item)});
}

void RegistryService::act(const ForgetQuestion& effect, Time, runtime::Output& out) {
  out.settle(question_key(effect.device, effect.fingerprint));
}

void RegistryService::act(const AnswerEnrolment& effect, Time now, runtime::Output& out) {
  const auto heartbeat_s = std::chrono::duration_cast<seconds>(limits_.heartbeat).count();
  const codec::Enrolled enrolled{effect.session, effect.enrolled, effect.reason, static_cast<int>(heartbeat_s),
                                 to_ms(now)};
  out.messages.push_back({.topic = topics_.down(effect.device.value, "enrolled"), .payload = codec::encode(enrolled)});
}

void RegistryService::act(const RejectMessage& effect, Time now, runtime::Output& out) {
  rejections_.note(effect.channel, effect.device.value, effect.error, now);
  const codec::Rejected rejected{effect.channel, effect.error.path, effect.error.reason};
  out.messages.push_back({.topic = topics_.down(effect.device.value, "rejected"), .payload = codec::encode(rejected)});
}

void RegistryService::act(const SaveDevice& effect, Time, runtime::Output&) { unsaved_.insert(effect.device); }
void RegistryService::act(const PublishState& effect, Time, runtime::Output&) { unsaid_.insert(effect.device); }

void RegistryService::act(const PublishEvent& effect, Time, runtime::Output& out) {
  log::info("device " + effect.event, {{"device", effect.device.value}, {"reason", effect.reason}});
  const nlohmann::json event{
      {"v", 1}, {"device", effect.device.value}, {"event", effect.event}, {"reason", effect.reason}};
  out.messages.push_back({.topic = topics_.event("device", effect.device.value), .payload = codec::dump(event)});
}

}  // namespace fieldwork::registry
