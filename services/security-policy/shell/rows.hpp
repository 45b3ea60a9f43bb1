// AuditRow, AuditBreak and CheckedCertificate from rows of tables audit, audit_break and certificate, and back.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "security-policy/core/security_policy.hpp"
#include "store/row.hpp"

namespace fieldwork::security_policy {

// A key that sorts the newest row first, so that every store finds that row with a limit of 1.
[[nodiscard]] std::string audit_key(std::int64_t sequence);
[[nodiscard]] store::Row to_row(const AuditRow& row);
[[nodiscard]] Result<AuditRow> audit_from_row(std::string_view row);
// The text that a checkpoint signs.
[[nodiscard]] std::string checkpoint_text(const AuditHead& head);
[[nodiscard]] store::Row to_row(const AuditBreak& found);
[[nodiscard]] Result<AuditBreak> audit_break_from_row(std::string_view row);
[[nodiscard]] store::Row to_row(const CheckedCertificate& checked);
[[nodiscard]] Result<CheckedCertificate> certificate_from_row(std::string_view row);

}  // namespace fieldwork::security_policy
