// Who a device is: its certificate, its key, and what it says of itself.
#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "registry/core/registry.hpp"

namespace fieldwork::registry {
namespace {

constexpr const char* already_registered =
    "already_registered: this id belongs to another key; if that device was replaced or set up anew, remove it first "
    "(fieldwork device remove)";
constexpr const char* retired = "the device is retired: remove it first, if its id is to be used again";

// A smaller session is believed only of a device that is not heard.
bool earlier(const Enrolment& enrolment, const Device& device) {
  return enrolment.session < device.session && trusted(device.lifecycle) &&
         (device.presence == Presence::online || device.presence == Presence::starting);
}

Rejection active(const Device& device) {
  return {device.id,
          "enrol",
          {Code::conflict, "session " + std::to_string(device.session) + " of this device is active", "/session"}};
}

}  // namespace

void Registry::apply(const EnrolmentArrived& input, Time now, Output& out) {
  const auto& enrolment = input.enrolment;
  const auto reject = [&](Error error) { out.rejections.push_back({input.device, "enrol", std::move(error)}); };
  if (asked_already(input.device, enrolment)) return;
  const auto certificate = crypto::Certificate::from_pem(enrolment.certificate);
  if (!certificate) return reject({Code::invalid, certificate.error().reason, "/certificate"});
  if (!devices_.contains(input.device) && devices_.size() >= limits_.devices_max)
    return reject({Code::unavailable, "the registry is full"});
  auto& entry = added(input, now);
  const auto& device = entry.record.device;
  const auto key = crypto::to_hex(crypto::sha256(certificate->public_key().to_pem()));
  if (claims(entry, enrolment, key, now, out)) return;
  if (earlier(enrolment, device)) return out.rejections.push_back(active(device));
  entry.proven = enrolment.session;
  entry.foreign = false;
  const auto& fingerprint = certificate->fingerprint();
  if (certificate->common_name() != input.device.value) {
    entry.pending = Pending{enrolment, fingerprint, key};
    return refuse(entry, fingerprint, "the certificate is for another name", now, out);
  }
  // The certificate of a refused device is checked again: what was wrong (a clock, an old list) may be over.
  if (enrolment.session == entry.record.enrolled_session && enrolment.session == device.session &&
      fingerprint == device.fingerprint && trusted(device.lifecycle)) {
    tell_interval(entry, now, out);
    return;
  }
  if (entry.pending && entry.pending->fingerprint == fingerprint) {
    entry.pending->enrolment = enrolment;  // the question is in the outbox already
    return;
  }
  close_question(entry, out);
  entry.pending = Pending{enrolment, fingerprint, key};
  out.outbox.emplace_back(AskCertificate{input.device, fingerprint, enrolment.certificate});
}

// A device repeats its enrolment until it is answered. In a large fleet whose devices all enrol at once, most of what
// comes is repeated: its certificate was looked at before.
bool Registry::asked_already(const DeviceId& device, const Enrolment& enrolment) {
  const auto found = devices_.find(device);
  if (found == devices_.end() || !found->second.pending) return false;
  auto& entry = found->second;
  auto& pending = entry.pending->enrolment;
  if (pending.certificate != enrolment.certificate || enrolment.session < pending.session) return false;
  pending = enrolment;
  entry.proven = enrolment.session;
  entry.foreign = false;
  return true;
}

Registry::Entry& Registry::added(const EnrolmentArrived& input, Time now) {
  const auto [found, is_new] = devices_.try_emplace(input.device);
  auto& entry = found->second;
  if (!is_new) return entry;
  auto& device = entry.record.device;
  device.id = input.device;
  device.session = input.enrolment.session;
  device.about = input.enrolment.about;
  device.reason = "its certificate is being checked";
  device.registered_ms = device.changed_ms = to_ms(now);
  device.configuration.lifecycle = limits_.activate_new ? Lifecycle::active : Lifecycle::inactive;
  entry.sign_of_life = entry.faded_at = now;
  entry.record.told = interval();
  unreported_.insert(device.id);
  relabel(entry);
  touch(entry, now);
  return entry;
}

// Whether the enrolment is refused because the id is another key's, or retired.
bool Registry::claims(Entry& entry, const Enrolment& enrolment, const std::string& key, Time now, Output& out) {
  auto& device = entry.record.device;
  const bool other = !entry.record.key.empty() && entry.record.key != key && device.lifecycle != Lifecycle::refused;
  if (!other && device.lifecycle != Lifecycle::retired) return false;
  const auto* reason = other ? already_registered : retired;
  out.answers.push_back(answer(device.id, enrolment.session, false, reason));
  if (!other) return true;
  const auto newest = entry.starts.newest();
  entry.foreign = enrolment.session == (newest ? newest->session : device.session);
  if (entry.foreign && device.presence == Presence::online)
    hear(entry, Presence::starting, "a device with another key uses its id", now, out);
  const bool again = device.claimed_ms > 0 && now - from_ms(device.claimed_ms) < seconds{60};  // one event per burst
  device.claimed_ms = to_ms(now);
  if (!again) {
    out.events.push_back({device.id, "already_registered", reason, ""});
    save(entry, now);
  }
  publish(entry, now);
  return true;
}

void Registry::apply(const CertificateChecked& input, Time now, Output& out) {
  const auto& answer = input.answer;
  out.outbox.emplace_back(CloseQuestion{answer.device, answer.fingerprint});
  const auto found = devices_.find(answer.device);
  if (found == devices_.end()) return;
  auto& entry = found->second;
  const auto& device = entry.record.device;
  const bool asked = entry.pending && entry.pending->fingerprint == answer.fingerprint;
  if (answer.state != CertificateState::valid) {
    // Also unasked: a certificate that was good may be revoked later, or expire.
    const bool bound = device.fingerprint == answer.fingerprint;
    if (asked || (bound && trusted(device.lifecycle))) refuse(entry, answer.fingerprint, answer.reason, now, out);
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
  entry.record.key = pending.key;
  device.fingerprint = pending.fingerprint;
  begin_session(entry, pending.enrolment, out);
  entry.sign_of_life = now;
  const auto& wanted = device.configuration;
  // It may say only here that it follows: what it said before was lost.
  const bool follows = device.configured == wanted.version && device.lifecycle != wanted.lifecycle;
  if (follows || !trusted(device.lifecycle)) {
    become(entry, wanted.lifecycle, "", "", now, out);
  } else {
    touch(entry, now);
  }
  if (device.presence == Presence::lost || device.presence == Presence::disconnected)
    hear(entry, Presence::starting, "", now, out);
  tell_interval(entry, now, out);
}

// What the device says of itself in this session. A new session after a boot is another thing than after a crash of the
// agent, for whoever looks for the cause.
void Registry::begin_session(Entry& entry, const Enrolment& enrolment, Output& out) {
  auto& device = entry.record.device;
  const bool known = entry.record.enrolled_session > 0 && enrolment.session != entry.record.enrolled_session;
  if (known && !entry.record.boot_id.empty() && !enrolment.boot_id.empty()) {
    const bool booted = entry.record.boot_id != enrolment.boot_id;
    out.events.push_back({device.id, booted ? "rebooted" : "restarted",
                          booted ? "the machine booted" : "its agent started anew; the machine ran on", ""});
  }
  entry.record.boot_id = enrolment.boot_id;
  count_anew(entry, enrolment.session);
  entry.record.enrolled_session = enrolment.session;
  device.about = enrolment.about;
  relabel(entry);
  // The device may have lost what it followed, or this service what it wanted: its database went back.
  auto& wanted = device.configuration;
  device.configured = believed(enrolment.configured, wanted) ? enrolment.configured : 0;
  if (device.configured > wanted.version) wanted.version = device.configured + 1;
  follow(entry, out);
}

void Registry::close_question(Entry& entry, Output& out) {
  if (!entry.pending) return;
  out.outbox.emplace_back(CloseQuestion{entry.record.device.id, entry.pending->fingerprint});
  entry.pending.reset();
}

// A device that is enrolled with another, good certificate keeps that certificate.
void Registry::refuse(Entry& entry, const std::string& fingerprint, const std::string& reason, Time now, Output& out) {
  auto& device = entry.record.device;
  const bool pending = entry.pending && entry.pending->fingerprint == fingerprint;
  const auto session = pending ? entry.pending->enrolment.session : device.session;
  entry.pending.reset();
  const bool other = !device.fingerprint.empty() && device.fingerprint != fingerprint;
  if (!other || device.lifecycle == Lifecycle::refused) {
    const bool again = device.lifecycle == Lifecycle::refused && device.reason == reason &&
                       device.fingerprint == fingerprint && entry.record.enrolled_session == session;
    device.session = entry.record.enrolled_session = session;
    device.fingerprint = fingerprint;
    if (!again) become(entry, Lifecycle::refused, reason, "", now, out);
  }
  out.answers.push_back(answer(device.id, session, false, reason));
}

}  // namespace fieldwork::registry
