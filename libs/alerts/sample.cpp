#include "alerts/sample.hpp"

#include <algorithm>
#include <array>

#include "alerts/rules.hpp"
#include "model/job.hpp"
#include "model/package.hpp"

namespace fieldwork::alerts {
namespace {

using fleet::Kind;
using fleet::Type;

std::vector<std::string_view> flags() { return {"false", "true"}; }
std::vector<std::string_view> transfer_states() {
  return {"offered", "sending", "suspended", "verifying", "completed", "failed", "cancelled"};
}
std::vector<std::string_view> directions() { return {"down", "up"}; }
std::vector<std::string_view> failures() { return {transfer_failure_names.begin(), transfer_failure_names.end()}; }
std::vector<std::string_view> service_states() { return {"up", "down"}; }
std::vector<std::string_view> alert_states() { return {"pending", "firing", "resolved"}; }

// clang-format off
constexpr std::array placements{
    Kind{"device", Type::text, false, "its id"},
    Kind{"placeable", Type::word, false, "whether it gets work", {}, {}, flags},
    Kind{"reason", Type::text, false, "why not"},
};
constexpr std::array jobs{
    Kind{"job", Type::text, false, "its id"},
    Kind{"name", Type::text, false, "its name"},
    Kind{"submitter", Type::text, false, "who submitted it"},
    Kind{"state", Type::word, false, "as in `state/job`", {}, {}, job_state_names},
    Kind{"reason", Type::text, false, "why it is in this state"},
    Kind{"width", Type::number, false, "number of its executions"},
};
constexpr std::array executions{
    Kind{"job", Type::text, false, "its job's id"},
    Kind{"name", Type::text, false, "its job's name"},
    Kind{"device", Type::text, false, "where its newest attempt is"},
    Kind{"state", Type::word, false, "as in `state/execution`", {}, {}, execution_state_names},
    Kind{"reason", Type::text, false, "why it is in this state"},
    Kind{"attempt", Type::number, false, "number of its newest attempt"},
    Kind{"exit_code", Type::number, false, "of its program"},
};
constexpr std::array transfers{
    Kind{"transfer", Type::text, false, "its id"},
    Kind{"device", Type::text, false, "whose it is"},
    Kind{"client", Type::text, false, "whose it is, where that is no device"},
    Kind{"state", Type::word, false, "as in `state/transfer`", {}, {}, transfer_states},
    Kind{"direction", Type::word, false, "`down`: from the transfer service; `up`: to it", {}, {}, directions},
    Kind{"reason", Type::text, false, "why it failed, or what it waits for"},
    Kind{"failure", Type::word, false, "what sort of failure, as in `state/transfer`", {}, {}, failures},
    Kind{"size", Type::bytes, false, "of the encoded content"},
    Kind{"done", Type::percent, false, "of it that has arrived"},
};
constexpr std::array events{
    Kind{"device", Type::text, false, "its id"},
    Kind{"event", Type::text, false, "what happened, as in `event/device`"},
    Kind{"reason", Type::text, false, "why"},
    Kind{"by", Type::text, false, "the operator whose request it is"},
};
constexpr std::array moves{
    Kind{"event", Type::text, false, "lost, moved or reconciled, as in `event/execution`"},
    Kind{"job", Type::text, false, "its job's id"},
    Kind{"from", Type::text, false, "the device that it left"},
    Kind{"to", Type::text, false, "the device where it is now"},
    Kind{"reason", Type::text, false, "why"},
    Kind{"stays", Type::text, false, "original or replacement, where there were both"},
};
constexpr std::array services{
    Kind{"service", Type::text, false, "its name"},
    Kind{"state", Type::word, false, "whether it is connected to the broker", {}, {}, service_states},
    Kind{"version", Type::version, false, "of the program"},
};
constexpr std::array brokers{
    Kind{"dropped", Type::number, false, "messages that it dropped, per minute"},
    Kind{"received", Type::number, false, "messages that it received, per minute"},
    Kind{"sent", Type::number, false, "messages that it sent, per minute"},
    Kind{"connected", Type::number, false, "clients that are connected"},
    Kind{"retained", Type::number, false, "retained messages"},
    Kind{"heap", Type::bytes, false, "memory that it uses"},
    Kind{"uptime", Type::seconds, false, "since it started"},
};
constexpr std::array refusals{
    Kind{"reason", Type::text, false, "why, in the broker's words"},
};
constexpr std::array disks{
    Kind{"path", Type::text, false, "as in the setting `alerting.disks`"},
    Kind{"use", Type::percent, false, "of its space"},
    Kind{"free", Type::bytes, false, "space that is left"},
};
constexpr std::array certificates{
    Kind{"file", Type::text, false, "its path"},
    Kind{"kind", Type::text, false, "`certificate` or `crl` (revocation list)"},
    Kind{"left", Type::seconds, false, "until it expires, or until a new list is due; negative: since then"},
    Kind{"age", Type::seconds, false, "since it was issued"},
};
constexpr std::array audits{
    Kind{"broken", Type::word, false, "whether rows were lost or changed", {}, {}, flags},
    Kind{"reason", Type::text, false, "which"},
};
constexpr std::array alert_kinds{
    Kind{"alert", Type::text, false, "its id: rule, a point, subject"},
    Kind{"rule", Type::text, false, "the name of its rule"},
    Kind{"subject", Type::text, false, "the id of the thing that it is about"},
    Kind{"over", Type::text, false, "what sort of thing that is"},
    Kind{"severity", Type::word, false, "of its rule", {}, {}, severity_names},
    Kind{"state", Type::word, false, "where in its life it is", {}, {}, alert_states},
    Kind{"label", Type::text, true, "its label of that name"},
    Kind{"value", Type::number, false, "as the rule says"},
};
// clang-format on

constexpr std::array names{"device",  "placement", "job",     "execution", "transfer",    "event", "move",
                           "service", "broker",    "refusal", "disk",      "certificate", "audit"};

// Owns its device.
class OwnDevice final : public fleet::Values {
 public:
  explicit OwnDevice(Device device) : device_(std::move(device)) {}
  [[nodiscard]] std::span<const std::string> texts(const fleet::Attribute& attribute) const override {
    return fleet::texts(attribute, device_);
  }
  [[nodiscard]] double number(const fleet::Attribute& attribute) const override {
    return fleet::number(attribute, device_);
  }

 private:
  Device device_;
};

}  // namespace

std::string_view name(Over over) { return names[static_cast<std::size_t>(over)]; }

std::optional<Over> over(std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (text == names[i]) return static_cast<Over>(i);
  }
  return std::nullopt;
}

std::vector<std::string_view> over_names() { return {names.begin(), names.end()}; }

fleet::Vocabulary alert_vocabulary() { return alert_kinds; }

fleet::Vocabulary vocabulary(Over over) {
  switch (over) {
    case Over::device: return fleet::kinds();
    case Over::placement: return placements;
    case Over::job: return jobs;
    case Over::execution: return executions;
    case Over::transfer: return transfers;
    case Over::event: return events;
    case Over::move: return moves;
    case Over::service: return services;
    case Over::broker: return brokers;
    case Over::refusal: return refusals;
    case Over::disk: return disks;
    case Over::certificate: return certificates;
    case Over::audit: return audits;
  }
  return {};
}

bool set_word(fleet::NamedValues& values, fleet::Vocabulary vocabulary, const char* name, std::string_view word) {
  for (const auto& kind : vocabulary) {
    if (kind.name != name) continue;
    const auto words = kind.words();
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) return false;
    values.set(name, static_cast<double>(found - words.begin()));
    return true;
  }
  return false;
}

Sample of(Device device) {
  auto id = device.id.value;
  return {Over::device, std::move(id), std::make_shared<OwnDevice>(std::move(device)), {}};
}

Sample gone(Over over, std::string subject) { return {over, std::move(subject), nullptr, {}}; }

Sample of(Over over, std::string subject, fleet::NamedValues values, Time since) {
  return {over, std::move(subject), std::make_shared<fleet::NamedValues>(std::move(values)), since};
}

}  // namespace fieldwork::alerts
