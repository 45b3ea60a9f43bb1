// Checks of device certificates: when asked, when the revocation list changes, and now and then, because certificates
// expire.
#include "security-policy/core/security_policy.hpp"

namespace fieldwork::security_policy {
namespace {

const char* word(CertificateState state) {
  switch (state) {
    case CertificateState::valid: return "valid";
    case CertificateState::revoked: return "revoked";
    case CertificateState::invalid: return "invalid";
  }
  return "invalid";
}

AuditRow audit_row(const CertificateAnswer& answer, Time now) {
  AuditRow row;
  row.at_ms = to_ms(now);
  row.kind = "certificate";
  row.device = answer.device.value;
  row.decision = word(answer.state);
  row.reason = answer.reason;
  row.trace = answer.fingerprint;
  return row;
}

}  // namespace

CertificateAnswer SecurityPolicy::check(const CertificateCheck& asked, Time now) const {
  CertificateAnswer answer{asked.device, "", CertificateState::invalid, ""};
  const auto certificate = crypto::Certificate::from_pem(asked.certificate);
  if (!certificate) {
    answer.reason = certificate.error().reason;
    return answer;
  }
  answer.fingerprint = certificate->fingerprint();
  if (certificate->common_name() != asked.device.value) {
    answer.reason = "the certificate is for another name";
  } else if (auto verified = authority_->verify(*certificate, now); !verified) {
    const auto& reason = verified.error().reason;
    answer.state = reason == "revoked" ? CertificateState::revoked : CertificateState::invalid;
    answer.reason = "the certificate is not good: " + reason;
  } else {
    answer.state = CertificateState::valid;
    answer.reason = "issued by the device authority";
  }
  return answer;
}

void SecurityPolicy::apply(const ChecksArrived& input, Time now, Output& out) {
  for (const auto& asked : input.checks) {
    auto answer = check(asked, now);
    out.answers.push_back(answer);
    const auto found = certificates_.find(asked.device);
    const bool same = found != certificates_.end() && found->second.checked.answer.fingerprint == answer.fingerprint &&
                      found->second.checked.answer.state == answer.state;
    if (same && now - found->second.audited_at < limits_.same_check_within) continue;
    // A device may make up any number of certificates, and show its good one in between: rows are limited.
    audit_unless_flood(audit_row(answer, now), now, out);
    // A valid certificate is replaced only by a valid one: a bad one must not hide the one that the device is enrolled
    // with. Nor must it hide one whose revocation is open: a restart knows of it from that row.
    const bool valid = answer.state == CertificateState::valid;
    const bool keep =
        found == certificates_.end() || valid || same ||
        (found->second.checked.answer.state != CertificateState::valid && found->second.announced.empty());
    if (!keep || (found == certificates_.end() && certificates_.size() >= limits_.certificates_max)) continue;
    auto& known = certificates_[asked.device];
    // What is no longer true must not be repeated.
    if (valid && known.announced.erase(answer.fingerprint) > 0) {
      out.outbox.emplace_back(CloseRevocation{asked.device, answer.fingerprint});
    }
    known.checked = {std::move(answer), asked.certificate, to_ms(now)};
    known.audited_at = now;
    if (!same) out.certificates.push_back({known.checked});
  }
}

void SecurityPolicy::apply(const AuthorityReplaced& input, Time, Output&) {
  authority_ = input.authority;
  recheck_after_ = DeviceId{};
}

// Checks recheck_per_tick certificates at once, so that a long list does not hold up decisions.
void SecurityPolicy::recheck(Time now, Output& out) {
  if (!recheck_after_ && now >= recheck_at_) recheck_after_ = DeviceId{};
  if (!recheck_after_) return;
  auto it = certificates_.upper_bound(*recheck_after_);
  for (std::size_t i = 0; i < limits_.recheck_per_tick && it != certificates_.end(); ++i, ++it) {
    recheck_after_ = it->first;
    auto& known = it->second;
    if (known.checked.answer.state != CertificateState::valid) continue;
    auto answer = check({it->first, known.checked.certificate}, now);
    if (answer.state == CertificateState::valid) continue;
    audit(audit_row(answer, now), out);
    known.audited_at = now;
    known.checked.answer = answer;
    known.checked.changed_ms = to_ms(now);
    out.certificates.push_back({known.checked});
    known.announced.insert(answer.fingerprint);
    out.outbox.emplace_back(AnnounceRevocation{std::move(answer)});
  }
  if (it != certificates_.end()) return;
  recheck_after_.reset();
  recheck_at_ = now + limits_.recheck_each;
}

void SecurityPolicy::apply(const DeviceSeen& input, Time, Output& out) {
  if (devices_.size() < limits_.devices_max || devices_.contains(input.device)) {
    devices_[input.device] = input.lifecycle;
  }
  const auto it = certificates_.find(input.device);
  if (it == certificates_.end()) return;
  std::erase_if(it->second.announced, [&](const std::string& fingerprint) {
    const bool knows = barred(input.lifecycle) || input.fingerprint != fingerprint;
    if (knows) out.outbox.emplace_back(CloseRevocation{input.device, fingerprint});
    return knows;
  });
  // A state from before the device was bound to this certificate may have closed its revocation.
  const auto& answer = it->second.checked.answer;
  const bool unheard = !barred(input.lifecycle) && input.fingerprint == answer.fingerprint;
  if (answer.state != CertificateState::valid && unheard && it->second.announced.insert(answer.fingerprint).second) {
    out.outbox.emplace_back(AnnounceRevocation{answer});
  }
}

void SecurityPolicy::apply(const DeviceGone& input, Time, Output& out) {
  devices_.erase(input.device);
  const auto it = certificates_.find(input.device);
  if (it == certificates_.end()) return;
  for (const auto& fingerprint : it->second.announced) {
    out.outbox.emplace_back(CloseRevocation{input.device, fingerprint});
  }
  out.certificates.push_back({it->second.checked, true});
  certificates_.erase(it);
}

}  // namespace fieldwork::security_policy
