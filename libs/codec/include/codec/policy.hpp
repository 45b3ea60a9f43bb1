// Questions to security-policy, its answers, and the end of its audit that it publishes <-> JSON.
#pragma once

#include "codec/items.hpp"
#include "model/policy.hpp"

namespace fieldwork::codec {

// Each encodes one item; pack_items (model/items.hpp) packs items into messages.
[[nodiscard]] Json encode(const Question& question);
[[nodiscard]] Json encode(const Decision& decision);
[[nodiscard]] Json encode(const CertificateCheck& check);
[[nodiscard]] Json encode(const CertificateAnswer& answer);

struct QuestionKey {
  AttemptKey key;
  DeviceId device;
  bool operator==(const QuestionKey&) const = default;
};
[[nodiscard]] Result<Items<Question, QuestionKey>> decode_questions(std::string_view text);
[[nodiscard]] Result<Items<Decision, AttemptKey>> decode_decisions(std::string_view text);
[[nodiscard]] Result<Items<CertificateCheck, DeviceId>> decode_certificate_checks(std::string_view text);
[[nodiscard]] Result<Items<CertificateAnswer, DeviceId>> decode_certificate_answers(std::string_view text);
[[nodiscard]] Result<CertificateAnswer> decode_certificate_answer(const Json& value);

// service/security-policy/permit/{from} and service/{service}/permitted/security-policy.
struct PermitKey {
  std::int64_t question = 0;
  DeviceId device;
  bool operator==(const PermitKey&) const = default;
};
[[nodiscard]] Json encode(const PermitQuestion& question);
[[nodiscard]] Json encode(const Permit& permit);
[[nodiscard]] Result<Items<PermitQuestion, PermitKey>> decode_permit_questions(std::string_view text);
[[nodiscard]] Result<Items<Permit, PermitKey>> decode_permits(std::string_view text);

// state/audit/head.
[[nodiscard]] Json encode(const AuditEnd& end);
[[nodiscard]] Result<AuditEnd> decode_audit_end(const Json& value);

}  // namespace fieldwork::codec
