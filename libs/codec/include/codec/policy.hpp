// Questions to security-policy and its answers <-> JSON.
#pragma once

#include "codec/json.hpp"
#include "model/policy.hpp"

namespace fieldwork::codec {

// One item each; pack_items (model/items.hpp) makes messages of them.
[[nodiscard]] Json encode(const Question& question);
[[nodiscard]] Result<std::vector<Question>> decode_questions(std::string_view text);
[[nodiscard]] Json encode(const Decision& decision);
[[nodiscard]] Result<std::vector<Decision>> decode_decisions(std::string_view text);
[[nodiscard]] std::string encode(const std::vector<CertificateCheck>& checks);
[[nodiscard]] Result<std::vector<CertificateCheck>> decode_certificate_checks(std::string_view text);
[[nodiscard]] std::string encode(const std::vector<CertificateAnswer>& answers);
[[nodiscard]] Result<std::vector<CertificateAnswer>> decode_certificate_answers(std::string_view text);

}  // namespace fieldwork::codec
