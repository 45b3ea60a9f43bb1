#include "security-policy/shell/rows.hpp"

#include <nlohmann/json.hpp>

#include "codec/policy.hpp"
#include "security-policy/limits.hpp"

namespace fieldwork::security_policy {
namespace {}

std::string audit_key(std::int64_t sequence) {
  const auto text = std::to_string(INT64_MAX - sequence);
  return std::string(19 - text.size(), '0') + text;
}

store::Row to_row(const AuditRow& row) {
  return {{"sequence", row.sequence},
          {"at_ms", row.at_ms},
          {"kind", row.kind},
          {"submitter", row.submitter},
          {"job", row.job},
          {"execution", row.execution},
          {"fence", row.fence},
          {"device", row.device},
          {"decision", row.decision},
          {"reason", row.reason},
          {"trace", row.trace},
          {"package", row.package},
          {"grant_digest", row.grant_digest},
          {"previous", row.previous},
          {"hash", row.hash}};
}

Result<AuditRow> audit_from_row(std::string_view text) {
  auto value = codec::parse(text);
  if (!value) return value.error();
  codec::Reader reader(*value);
  AuditRow row;
  row.sequence = reader.integer("sequence", 1, INT64_MAX);
  row.at_ms = reader.integer("at_ms", INT64_MIN, INT64_MAX);
  row.kind = reader.text("kind");
  row.submitter = reader.text("submitter");
  row.job = reader.text("job");
  row.execution = static_cast<int>(reader.integer("execution", 0, INT32_MAX));
  row.fence = reader.integer("fence", 0, INT64_MAX);
  row.device = reader.text("device");
  row.decision = reader.text("decision");
  row.reason = reader.text("reason", row_text_max);
  row.trace = reader.text("trace", row_text_max);
  row.package = reader.text("package");
  row.grant_digest = reader.text("grant_digest");
  row.previous = reader.text("previous");
  row.hash = reader.text("hash");
  if (!reader.finish()) return reader.error();
  return row;
}

std::string checkpoint_text(const AuditHead& head) {
  return codec::dump({{"sequence", head.sequence}, {"hash", head.hash}, {"at_ms", head.at_ms}});
}

store::Row to_row(const AuditBreak& found) {
  return {{"sequence", found.sequence}, {"at_ms", found.at_ms}, {"reason", found.reason}};
}

Result<AuditBreak> audit_break_from_row(std::string_view text) {
  auto value = codec::parse(text);
  if (!value) return value.error();
  codec::Reader reader(*value);
  AuditBreak out;
  out.sequence = reader.integer("sequence", 1, INT64_MAX);
  out.at_ms = reader.integer("at_ms", INT64_MIN, INT64_MAX);
  out.reason = reader.text("reason", row_text_max);
  if (!reader.finish()) return reader.error();
  return out;
}

// The answer's fields, with the certificate and the time beside them.
store::Row to_row(const CheckedCertificate& checked) {
  const auto said = codec::encode(checked.answer);
  const auto text = [&](const char* field) { return said.at(field).get<std::string>(); };
  return {{"device", text("device")}, {"fingerprint", text("fingerprint")}, {"certificate", checked.certificate},
          {"state", text("state")},   {"reason", text("reason")},           {"changed_ms", checked.changed_ms}};
}

Result<CheckedCertificate> certificate_from_row(std::string_view text) {
  auto value = codec::parse(text);
  if (!value) return value.error();
  codec::Reader reader(*value);
  CheckedCertificate out;
  out.certificate = reader.text("certificate", 16384);
  out.changed_ms = reader.integer("changed_ms", INT64_MIN, INT64_MAX);
  reader.allow_unknown();
  if (!reader.finish()) return reader.error();
  value->erase("certificate");
  value->erase("changed_ms");
  auto answer = codec::decode_certificate_answer(*value);
  if (!answer) return answer.error();
  out.answer = std::move(*answer);
  return out;
}

}  // namespace fieldwork::security_policy
