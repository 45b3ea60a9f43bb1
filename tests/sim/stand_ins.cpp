#include "stand_ins.hpp"

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "codec/transfer.hpp"
#include "crypto/digest.hpp"
#include "crypto/jws.hpp"
#include "world.hpp"

namespace fieldwork::sim {
namespace {

constexpr Duration repeat = seconds(5);
constexpr Duration suspect_after = seconds(12);
constexpr Duration lost_after = seconds(25);
constexpr Duration grant_life = seconds(900);
constexpr Duration client_patience = seconds(3);

}  // namespace

// --- security-policy ------------------------------------------------------------------------------------------------

std::vector<std::pair<std::string, int>> PolicyStandIn::subscriptions() const {
  return {{topics_.service("security-policy", "authorise", "+"), 1}};
}

void PolicyStandIn::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto questions = codec::decode_questions(message.payload);
  if (!questions) throw Violation("every message is well formed", message.topic + " " + describe(questions.error()));
  std::vector<Decision> decisions;
  for (const auto& question : *questions) {
    Decision decision{question.key, question.device, true, "the stand-in allows everything", ""};
    if (!question.device.empty()) {
      const Grant grant{.key = question.key,
                        .device = question.device,
                        .package = question.package,
                        .command_digest = crypto::digest_of(codec::command_text(question.command)),
                        .limits = question.limits,
                        .issued_ms = to_ms(now),
                        .expires_ms = to_ms(now + grant_life)};
      decision.grant = crypto::sign_jws(key_, "fieldwork-grant+jws", codec::encode(grant));
    }
    decisions.push_back(std::move(decision));
  }
  out.messages.push_back(
      {.topic = topics_.service("scheduler", "authorised", "security-policy"), .payload = codec::encode(decisions)});
}

// --- registry -------------------------------------------------------------------------------------------------------

RegistryStandIn::RegistryStandIn(std::vector<Device> devices) : StandIn("registry") {
  for (auto& device : devices) {
    const auto id = device.id.value;
    devices_[id] = Seen{std::move(device), std::nullopt};
  }
}

std::vector<std::pair<std::string, int>> RegistryStandIn::subscriptions() const {
  return {{topics_.up("+", "enrol"), 1}, {topics_.up("+", "heartbeat"), 0}};
}

void RegistryStandIn::say(const Device& device, runtime::Output& out) const {
  out.messages.push_back({.topic = topics_.state("device", device.id.value),
                          .payload = codec::dump(codec::encode(device)),
                          .retain = true});
}

void RegistryStandIn::message(const bus::Message& message, Time now, runtime::Output& out) {
  const auto topic = topics_.parse(message.topic);
  if (!topic) return;
  const auto it = devices_.find(std::string(topic->name));
  if (it == devices_.end()) return;
  auto& [device, heard] = it->second;
  heard = now;
  if (topic->channel == "enrol") {
    const auto enrolment = codec::decode_enrolment(message.payload);
    if (!enrolment) throw Violation("every message is well formed", message.topic + " " + describe(enrolment.error()));
    device.session = enrolment->session;
    out.messages.push_back({.topic = topics_.down(topic->name, "enrolled"),
                            .payload = codec::encode(codec::Enrolled{enrolment->session, true, "", 5})});
  }
  if (device.state == DeviceState::ready) return;
  device.state = DeviceState::ready;
  device.reason = "";
  device.changed_ms = to_ms(now);
  say(device, out);
}

void RegistryStandIn::tick(Time now, runtime::Output& out) {
  for (auto& [id, seen] : devices_) {
    if (!seen.heard) continue;
    const auto silent = now - *seen.heard;
    const auto state = silent > lost_after      ? DeviceState::lost
                       : silent > suspect_after ? DeviceState::suspect
                                                : DeviceState::ready;
    if (state == seen.device.state) continue;
    seen.device.state = state;
    seen.device.reason = state == DeviceState::ready ? "" : "silent";
    seen.device.changed_ms = to_ms(now);
    say(seen.device, out);
  }
  if (now >= say_again_) connected(now, out);
}

void RegistryStandIn::connected(Time now, runtime::Output& out) {
  say_again_ = now + repeat;
  for (const auto& [id, seen] : devices_) {
    if (seen.heard) say(seen.device, out);
  }
}

// --- packages -------------------------------------------------------------------------------------------------------

void PackagesStandIn::tick(Time now, runtime::Output& out) {
  if (now >= say_again_) connected(now, out);
}

void PackagesStandIn::connected(Time now, runtime::Output& out) {
  say_again_ = now + repeat;
  for (const auto& package : packages_) {
    out.messages.push_back({.topic = topics_.state("package", package.digest.substr(7)),
                            .payload = codec::dump(codec::encode(package)),
                            .retain = true});
  }
}

// --- client ---------------------------------------------------------------------------------------------------------

std::vector<std::pair<std::string, int>> Client::subscriptions() const { return {{topics_.reply("cli", "+"), 1}}; }

void Client::ask(const char* operation, const codec::Json& payload, const std::string& correlation,
                 runtime::Output& out) const {
  out.messages.push_back({.topic = topics_.service("scheduler", operation, "operator"),
                          .payload = codec::dump(payload),
                          .response_topic = topics_.reply("cli", operation),
                          .correlation = correlation});
}

void Client::tick(Time now, runtime::Output& out) {
  for (const auto& wish : wishes_) {
    if (now < wish.submit_at || now < ask_again_[wish.request]) continue;
    if (wish.job.empty()) {
      codec::Json item{{"request", wish.request}, {"job", codec::encode(wish.spec)}};
      ask("submit", {{"v", 1}, {"items", codec::Json::array({std::move(item)})}}, wish.request, out);
    } else if (wish.cancel_at && now >= *wish.cancel_at && !wish.cancelled) {
      ask("cancel", {{"v", 1}, {"job", wish.job}}, wish.request, out);
    } else {
      continue;
    }
    ask_again_[wish.request] = now + client_patience;
  }
}

void Client::message(const bus::Message& message, Time /*now*/, runtime::Output& /*out*/) {
  const auto answer = codec::Json::parse(message.payload);
  for (auto& wish : wishes_) {
    if (wish.request != message.correlation) continue;
    if (message.topic == topics_.reply("cli", "cancel")) {
      if (!answer.contains("error")) wish.cancelled = true;
      continue;
    }
    if (answer.contains("error")) throw Violation("every message is well formed", answer.dump());
    for (const auto& item : answer.at("items")) {
      if (!item.contains("job")) {  // no such package, no device with these labels: not yet; asked again
        const auto code = item.at("error").at("code");
        if (code != "unknown") throw Violation("every message is well formed", item.dump());
        continue;
      }
      const auto job = item.at("job").get<std::string>();
      if (!wish.job.empty() && wish.job != job) throw Violation("one request is one job", wish.job + " and " + job);
      wish.job = job;
    }
  }
}

}  // namespace fieldwork::sim
