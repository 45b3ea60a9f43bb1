// Questions to security-policy and its answers <-> JSON.
#pragma once

#include "codec/json.hpp"
#include "model/policy.hpp"

namespace fieldwork::codec {

[[nodiscard]] std::string encode(const std::vector<Question>& questions);
[[nodiscard]] Result<std::vector<Question>> decode_questions(std::string_view text);
[[nodiscard]] std::string encode(const std::vector<Decision>& decisions);
[[nodiscard]] Result<std::vector<Decision>> decode_decisions(std::string_view text);
[[nodiscard]] std::string encode(const std::vector<CertificateCheck>& checks);
[[nodiscard]] Result<std::vector<CertificateCheck>> decode_certificate_checks(std::string_view text);
[[nodiscard]] std::string encode(const std::vector<CertificateAnswer>& answers);
[[nodiscard]] Result<std::vector<CertificateAnswer>> decode_certificate_answers(std::string_view text);

}  // namespace fieldwork::codec
