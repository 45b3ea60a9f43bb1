#include "registry/shell/service.hpp"

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "registry/shell/groups.hpp"
#include "registry/shell/history.hpp"
#include "registry/shell/rows.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::registry {
namespace {

std::string question_key(const DeviceId& device, const std::string& fingerprint) {
  return "cert:" + device.value + ":" + fingerprint;
}

std::string configure_key(const DeviceId& device) { return "configure:" + device.value; }

}  // namespace

std::vector<runtime::RetentionRule> RegistryService::retention() const {
  const auto rule = [](Resolution resolution, Duration kept) {
    return runtime::RetentionRule{.prune = {.table = table(resolution), .column = "from_ms", .where = {}, .limit = 500},
                                  .kept_for = kept};
  };
  return {rule(Resolution::raw, kept_.raw), rule(Resolution::minute, kept_.minute), rule(Resolution::hour, kept_.hour)};
}

Result<void> RegistryService::load(store::Store& store, Time now) {
  auto saved = rows(store, {.table = "device", .where = {}, .order_by = "", .descending = false, .limit = 0}, from_row);
  if (!saved) return saved.error();
  auto groups = rows(store, {.table = "device_group", .where = {}, .order_by = "", .descending = false, .limit = 0},
                     group_from_row);
  if (!groups) return groups.error();
  core_.emplace(limits_, std::move(*saved), now, std::move(*groups));
  log::info("loaded", {{"devices", std::to_string(core_->size())}});
  return {};
}

void RegistryService::apply(const Output& done, Time now, runtime::Output& out) {
  for (const auto& device : done.removed) {
    out.remove("device", device.value, {{"device", device.value}});
    say_retained(topics_.state("device", device.value), "", out);
    say_retained(topics_.state("health", device.value), "", out);
  }
  // After the removals: a device may enrol anew in the batch in which it was removed.
  for (const auto& record : done.devices) out.upsert("device", record.device.id.value, to_row(record));
  for (const auto& row : done.history)
    out.insert(table(row.resolution), row.device.value + " " + std::to_string(row.period.from_ms), to_row(row));
  for (const auto& group : done.groups) out.upsert("device_group", group.name, to_row(group));
  for (const auto& name : done.removed_groups) out.remove("device_group", name, {{"name", name}});
  if (!done.devices.empty() || !done.removed.empty())
    metrics::gauge("fieldwork_devices", static_cast<double>(core_->size()));
  for (const auto& change : done.outbox) ask(change, out);
  for (const auto& one : done.answers) {
    const codec::Enrolled enrolled{one.session, one.enrolled, one.reason, one.heartbeat_s, to_ms(now), one.unknown};
    out.messages.push_back({.topic = topics_.down(one.device.value, "enrolled"), .payload = codec::encode(enrolled)});
  }
  for (const auto& one : done.requests) {
    const auto* device = std::get_if<Device>(&one.answer);
    auto answer =
        replies_.answer(one.reply, device != nullptr ? codec::Json{{"v", 1}, {"device", codec::encode(*device)}}
                                                     : codec::encode_error(std::get<Error>(one.answer)));
    if (answer) out.messages.push_back(std::move(*answer));
  }
  for (const auto& one : done.group_answers) {
    const auto* shown = std::get_if<GroupShown>(&one.answer);
    auto answer = replies_.answer(one.reply, shown != nullptr ? codec::Json{{"v", 1}, {"group", encode(*shown)}}
                                                              : codec::encode_error(std::get<Error>(one.answer)));
    if (answer) out.messages.push_back(std::move(*answer));
  }
  for (const auto& one : done.rejections) {
    rejections_.note(one.channel, one.device.value, one.error, now);
    say_rejected(one.device.value, one.channel, one.error, out);
  }
  for (const auto& one : done.events) {
    log::info("device " + one.event, {{"device", one.device.value}, {"reason", one.reason}, {"by", one.by}});
    codec::Json event{{"v", 1}, {"device", one.device.value}, {"event", one.event}, {"reason", one.reason}};
    if (!one.by.empty()) event["by"] = one.by;
    out.messages.push_back({.topic = topics_.event("device", one.device.value), .payload = codec::dump(event)});
  }
  for (const auto& device : done.states) {
    say_retained(topics_.state("device", device.id.value), codec::dump(codec::encode(device)), out);
  }
  if (done.summary) say_retained(topics_.state("fleet", "summary"), summary(now), out);
  for (const auto& id : done.reports) {
    if (const auto report = core_->report(id, now))
      say_retained(topics_.state("health", id.value), codec::dump(codec::encode(*report)), out);
  }
}

void RegistryService::ask(const OutboxChange& change, runtime::Output& out) const {
  if (const auto* question = std::get_if<AskCertificate>(&change)) {
    const codec::Json item{{"device", question->device.value}, {"certificate", question->certificate}};
    out.put({question_key(question->device, question->fingerprint),
             topics_.service("security-policy", "certificate", "registry"), codec::dump(item)});
  } else if (const auto* closed = std::get_if<CloseQuestion>(&change)) {
    out.close(question_key(closed->device, closed->fingerprint));
  } else if (const auto* wanted = std::get_if<SendConfiguration>(&change)) {
    out.put({configure_key(wanted->device), topics_.down(wanted->device.value, "configure"),
             codec::configuration_text(wanted->configuration)});
  } else {
    out.close(configure_key(std::get<CloseConfiguration>(change).device));
  }
}

}  // namespace fieldwork::registry
