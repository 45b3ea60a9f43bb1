// What a shell keeps of security-policy's outputs, and a restart reads: rows as text, and which revocations the outbox
// repeats.
#pragma once

#include <map>
#include <set>

#include "policy_world.hpp"
#include "security-policy/shell/rows.hpp"

namespace fieldwork::security_policy {

struct Table {
  std::vector<std::string> audit, breaks;
  std::map<DeviceId, std::string> certificates;
  std::set<std::string> open;  // fingerprints whose revocation is repeated

  Output keep(Output out) {
    for (const auto& row : out.audit) audit.push_back(to_row(row).to_json());
    for (const auto& one : out.certificates) {
      certificates[one.checked.answer.device] = to_row(one.checked).to_json();
      if (one.remove) certificates.erase(one.checked.answer.device);
    }
    if (out.found) breaks.push_back(to_row(*out.found).to_json());
    for (const auto& change : out.outbox) {
      if (const auto* said = std::get_if<AnnounceRevocation>(&change)) open.insert(said->answer.fingerprint);
      if (const auto* close = std::get_if<CloseRevocation>(&change)) open.erase(close->fingerprint);
    }
    return out;
  }
  [[nodiscard]] std::vector<AuditRow> rows() const {
    std::vector<AuditRow> out;
    for (const auto& row : audit) out.push_back(audit_from_row(row).value());
    return out;
  }
  [[nodiscard]] Saved saved() const {
    Saved out;
    if (!audit.empty()) {
      const auto row = audit_from_row(audit.back()).value();
      out.head = {row.sequence, row.hash, row.at_ms};
    }
    if (!breaks.empty()) out.broken = audit_break_from_row(breaks.back()).value();
    for (const auto& [device, row] : certificates) out.certificates.push_back(certificate_from_row(row).value());
    return out;
  }
};

}  // namespace fieldwork::security_policy
