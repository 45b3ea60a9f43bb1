#include "registry/core/registry.hpp"

#include <algorithm>

#include "crypto/certificate.hpp"

namespace fieldwork::registry {
namespace {

// A smaller session is believed only of a device that is not ready.
bool earlier(const Enrolment& enrolment, const Device& device) {
  return enrolment.session < device.session && device.state == DeviceState::ready;
}

Rejection active(const Device& device) {
  return {device.id,
          "enrol",
          {Code::conflict, "session " + std::to_string(device.session) + " of this device is active", "/session"}};
}

}  // namespace

Registry::Registry(Limits limits, std::vector<Record> saved, Time now) : limits_(limits) {
  for (auto& record : saved) {
    auto& entry = devices_[record.device.id];
    entry.record = std::move(record);
    entry.signs.measured = entry.record.device.resources != Resources{};
    entry.sign_of_life = entry.faded_at = entry.saved_at = now;
  }
}

const Record* Registry::find(const DeviceId& device) const {
  const auto it = devices_.find(device);
  return it == devices_.end() ? nullptr : &it->second.record;
}

std::vector<const Device*> Registry::list(const DeviceId& after) const {
  std::vector<const Device*> out;
  for (auto it = devices_.upper_bound(after); it != devices_.end(); ++it) out.push_back(&it->second.record.device);
  return out;
}

void Registry::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& one) { apply(one, now, out); }, input);
}

void Registry::apply(const EnrolmentArrived& input, Time now, Output& out) {
  const auto& enrolment = input.enrolment;
  const auto reject = [&](Error error) { out.rejections.push_back({input.device, "enrol", std::move(error)}); };
  const auto certificate = crypto::Certificate::from_pem(enrolment.certificate);
  if (!certificate) return reject({Code::invalid, certificate.error().reason, "/certificate"});
  const auto found = devices_.find(input.device);
  if (found == devices_.end() && devices_.size() >= limits_.devices_max) {
    return reject({Code::unavailable, "the registry is full"});
  }
  auto& entry = found == devices_.end() ? devices_[input.device] : found->second;
  auto& device = entry.record.device;
  if (found == devices_.end()) {
    device.id = input.device;
    device.session = enrolment.session;
    device.capacity = enrolment.capacity;
    device.labels = enrolment.labels;
    entry.sign_of_life = entry.faded_at = now;
    change(entry, DeviceState::enrolling, "", "its certificate is being checked", now, out);
  }
  if (earlier(enrolment, device)) return out.rejections.push_back(active(device));
  const auto& fingerprint = certificate->fingerprint();
  if (certificate->common_name() != input.device.value) {
    entry.pending = Pending{enrolment, fingerprint};
    return refuse(entry, fingerprint, "the certificate is for another name", now, out);
  }
  // The certificate of a refused device is checked again: what was wrong (a clock, an old list) may be over.
  if (enrolment.session == entry.record.enrolled_session && enrolment.session == device.session &&
      fingerprint == device.fingerprint && device.state != DeviceState::refused) {
    out.answers.push_back({input.device, enrolment.session, true, ""});
    return;
  }
  if (entry.pending && entry.pending->fingerprint == fingerprint) {
    entry.pending->enrolment = enrolment;  // the question is in the outbox already
    return;
  }
  if (entry.pending) out.outbox.emplace_back(CloseQuestion{input.device, entry.pending->fingerprint});
  entry.pending = Pending{enrolment, fingerprint};
  out.outbox.emplace_back(AskCertificate{input.device, fingerprint, enrolment.certificate});
}

void Registry::apply(const CertificateChecked& input, Time now, Output& out) {
  const auto& answer = input.answer;
  out.outbox.emplace_back(CloseQuestion{answer.device, answer.fingerprint});
  const auto found = devices_.find(answer.device);
  if (found == devices_.end()) return;
  auto& entry = found->second;
  const bool asked = entry.pending && entry.pending->fingerprint == answer.fingerprint;
  if (answer.state != CertificateState::valid) {
    // Also unasked: a certificate that was good may be revoked later, or expire.
    const bool bound = entry.record.device.fingerprint == answer.fingerprint;
    if (asked || (bound && entry.record.device.state != DeviceState::refused)) {
      refuse(entry, answer.fingerprint, answer.reason, now, out);
    }
  } else if (asked) {
    enrol(entry, now, out);
  }
}

void Registry::enrol(Entry& entry, Time now, Output& out) {
  auto& device = entry.record.device;
  const Pending pending = std::move(*entry.pending);
  entry.pending.reset();
  // Also where the later session was heard, or came back, while the certificate was checked.
  if (earlier(pending.enrolment, device)) return out.rejections.push_back(active(device));
  device.session = entry.record.enrolled_session = pending.enrolment.session;
  device.fingerprint = pending.fingerprint;
  device.capacity = pending.enrolment.capacity;
  device.labels = pending.enrolment.labels;
  entry.sign_of_life = now;
  if (device.state == DeviceState::ready) {
    device.changed_ms = to_ms(now);
    save(entry, now);
    publish(entry, now);
  } else {
    const bool back = device.state == DeviceState::suspect || device.state == DeviceState::lost;
    change(entry, DeviceState::ready, back ? "back" : "ready", "", now, out);
  }
  out.answers.push_back({device.id, device.session, true, ""});
}

// A device that is enrolled with another, good certificate keeps that certificate.
void Registry::refuse(Entry& entry, const std::string& fingerprint, const std::string& reason, Time now, Output& out) {
  auto& device = entry.record.device;
  const bool pending = entry.pending && entry.pending->fingerprint == fingerprint;
  const auto session = pending ? entry.pending->enrolment.session : device.session;
  entry.pending.reset();
  const bool other = !device.fingerprint.empty() && device.fingerprint != fingerprint;
  if (!other || device.state == DeviceState::refused) {
    const bool again = device.state == DeviceState::refused && device.reason == reason &&
                       device.fingerprint == fingerprint && entry.record.enrolled_session == session;
    device.session = entry.record.enrolled_session = session;
    device.fingerprint = fingerprint;
    if (!again) change(entry, DeviceState::refused, "refused", reason, now, out);
  }
  out.answers.push_back({device.id, session, false, reason});
}

void Registry::change(Entry& entry, DeviceState state, const std::string& event, const std::string& reason, Time now,
                      Output& out) {
  auto& device = entry.record.device;
  device.state = state;
  device.reason = reason;
  device.changed_ms = to_ms(now);
  save(entry, now);
  publish(entry, now);
  if (!event.empty()) out.events.push_back({device.id, event, reason});
}

void Registry::save(Entry& entry, Time now) {
  entry.record.device.health = health(entry.record.device, entry.signs);
  entry.saved_at = now;
  unsaved_.insert(entry.record.device.id);
}

void Registry::publish(Entry& entry, Time now) {
  entry.record.device.health = health(entry.record.device, entry.signs);
  entry.published_at = now;
  entry.published_health = entry.record.device.health;
  unsaid_.insert(entry.record.device.id);
}

// Each device's last row and last state of the batch.
void Registry::apply(const BatchEnded&, Time, Output& out) {
  for (const auto& id : unsaved_) out.devices.push_back(devices_.at(id).record);
  for (const auto& id : unsaid_) out.states.push_back(devices_.at(id).record.device);
  unsaved_.clear();
  unsaid_.clear();
}

}  // namespace fieldwork::registry
