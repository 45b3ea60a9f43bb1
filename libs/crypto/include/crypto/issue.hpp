// Certificates for others, signed by an authority whose key is at hand.
#pragma once

#include <chrono>
#include <string>

#include "base/result.hpp"
#include "crypto/certificate.hpp"
#include "crypto/key.hpp"

namespace fieldwork::crypto {

struct IssueTerms {
  std::string common_name;  // 1 to 64 bytes
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
};

/// A certificate for a client (clientAuth, digitalSignature and keyAgreement, not an authority) with a random serial
/// number of 126 random bits, in PEM. Invalid where the authority's key is not the one of its certificate, a key is
/// not of P-256, or the name is no common name.
[[nodiscard]] Result<std::string> issue_certificate(const Certificate& authority, const PrivateKey& authority_key,
                                                    const PublicKey& subject, const IssueTerms& terms);

}  // namespace fieldwork::crypto
