// The audit chain: one row per decision, each bound to all rows before it.
//
//   hash(row) = hex SHA-256 of  previous ‖ canonical(row)
//   previous  = the hash of the row before as 64 hex digits; of the first row: 64 zeros
//   canonical = the netstrings ("<bytes>:<text>,") of, in this order: sequence, at_ms, kind, submitter, job, execution,
//               fence, device, decision, reason, trace, package, grant_digest; numbers in decimal
//
// Sequences start at 1 and have no gaps. Whoever changes, removes or swaps rows must also forge every later hash, and
// the signed checkpoints (state/audit/head) that others have kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace fieldwork::security_policy {

inline const std::string audit_genesis(64, '0');

struct AuditRow {
  std::int64_t sequence = 0;
  std::int64_t at_ms = 0;
  std::string kind{};  // authorise, permit, certificate or chain
  std::string submitter{};
  std::string job{};
  int execution = 0;
  std::int64_t fence = 0;
  std::string device{};
  std::string decision{};  // allow, deny; valid, revoked, invalid; broken
  std::string reason{};
  // authorise: policy::trace_text; permit: the action, its file, and policy::trace_text; certificate: its fingerprint;
  // chain: the checkpoint
  std::string trace{};
  std::string package{};       // digest, or empty
  std::string grant_digest{};  // sha256:… of the grant's JWS, or empty
  std::string previous{};
  std::string hash{};
  bool operator==(const AuditRow&) const = default;
};

struct AuditHead {
  std::int64_t sequence = 0;
  std::string hash = audit_genesis;
  std::int64_t at_ms = 0;
  bool operator==(const AuditHead&) const = default;
};

[[nodiscard]] std::string canonical(const AuditRow& row);

// Gives the row its sequence, previous and hash, and moves the head to it.
void seal(AuditRow& row, AuditHead& head);

// Why the table, which ends with `end`, does not go on from the head `said` that was published before; empty: nothing
// speaks against it. `row`: the newest row at or before `said`, if there is one (retention deletes the oldest rows).
[[nodiscard]] std::string contradiction(const AuditHead& said, const AuditHead& end,
                                        const std::optional<AuditHead>& row);

// Checks that `rows` follow `from` without a gap. Returns the new head; an Error names the first row that does not fit.
[[nodiscard]] Result<AuditHead> verify(const std::vector<AuditRow>& rows, AuditHead from = {});

}  // namespace fieldwork::security_policy
