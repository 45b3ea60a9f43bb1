#include "security-policy/core/audit.hpp"

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::security_policy {
namespace {

void append(std::string& out, const std::string& text) {
  out += std::to_string(text.size());
  out += ':';
  out += text;
  out += ',';
}

std::string hash_of(const AuditRow& row) { return crypto::to_hex(crypto::sha256(row.previous + canonical(row))); }

}  // namespace

std::string canonical(const AuditRow& row) {
  std::string out;
  append(out, std::to_string(row.sequence));
  append(out, std::to_string(row.at_ms));
  append(out, row.kind);
  append(out, row.submitter);
  append(out, row.job);
  append(out, std::to_string(row.execution));
  append(out, std::to_string(row.fence));
  for (const auto* text : {&row.device, &row.decision, &row.reason, &row.trace, &row.package, &row.grant_digest}) {
    append(out, *text);
  }
  return out;
}

void seal(AuditRow& row, AuditHead& head) {
  row.sequence = head.sequence + 1;
  row.previous = head.hash;
  row.hash = hash_of(row);
  head = AuditHead{row.sequence, row.hash, row.at_ms};
}

std::string contradiction(const AuditHead& said, const AuditHead& end, const std::optional<AuditHead>& row) {
  const auto was = "row " + std::to_string(said.sequence) + " with hash " + said.hash;
  if (said.sequence > end.sequence) {
    return was + " was said to be the end, and the table ended with row " + std::to_string(end.sequence);
  }
  if (said.sequence == 0 || !row) return {};
  if (row->sequence != said.sequence) return was + " was said to be the end, and is not in the table";
  if (row->hash != said.hash) return was + " was said to be the end, and in the table it has hash " + row->hash;
  return {};
}

Result<AuditHead> verify(const std::vector<AuditRow>& rows, AuditHead from) {
  for (const auto& row : rows) {
    const auto wrong = [&](const char* reason) { return Error{Code::invalid, reason, std::to_string(row.sequence)}; };
    if (row.sequence != from.sequence + 1) return wrong("a row is missing before this one");
    if (row.previous != from.hash) return wrong("does not follow the row before");
    if (row.hash != hash_of(row)) return wrong("was changed");
    from = AuditHead{row.sequence, row.hash, row.at_ms};
  }
  return from;
}

}  // namespace fieldwork::security_policy
