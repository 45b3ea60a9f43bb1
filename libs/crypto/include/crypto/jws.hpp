// Signed JSON: JWS in compact serialisation (RFC 7515), ES256, as in docs/formats.md.
//
// Only the canonical header is accepted, byte for byte as sign_jws writes it:
//
//   {"alg":"ES256","kid":"<64 lower-case hex digits>","typ":"<type>"}
//
// so that no JSON parser stands before the signature check, and no `alg`, `crit`, `jwk` or duplicate member has to be
// argued about. Payloads are opaque here: the caller parses them after verification.
#pragma once

#include <cstddef>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "crypto/key.hpp"
#include "crypto/limits.hpp"

namespace fieldwork::crypto {

/// A JWS longer than jws_bytes_max is refused unread. A payload of up to jws_payload_bytes_max always fits.

/// `type` is one of docs/formats.md: 1 to 64 characters of a-z, 0-9, '+', '-', '.', '/'; anything else is our own bug
/// and aborts, as does a key that is not of P-256.
[[nodiscard]] std::string sign_jws(const PrivateKey& key, std::string_view type, std::string_view payload_json);

/// One signature for many payloads. Returns one text per payload; each text verifies alone, as a JWS of `type` does.
/// For one payload the text is the plain JWS; for more, it is the JWS of the Merkle tree's root with the payload and
/// its path (docs/formats.md, "Batches"). At most jws_batch_max payloads.
[[nodiscard]] std::vector<std::string> sign_jws_batch(const PrivateKey& key, std::string_view type,
                                                      const std::vector<std::string>& payloads);

/// The payload of a well-formed JWS whose signature nobody has checked: for display and logs, never for a decision.
[[nodiscard]] Result<std::string> jws_payload_unverified(std::string_view jws);

struct VerifiedJws {
  std::string type;
  std::string kid;  // PublicKey::id() of the signer
  std::string payload;
};

/// The public keys whose signatures count. Verification parses no key: it costs about one ECDSA operation. Several
/// threads may verify at once, while no thread adds a key. The newest roots of batches are remembered: verifying
/// another text of such a batch costs hashes only.
class TrustStore {
 public:
  /// A PEM file of one or many `PUBLIC KEY` and `CERTIFICATE` blocks; of a certificate only the key counts, not its
  /// dates or issuer. Any other block, a malformed one, a key that is not P-256 or a file without keys is an Error.
  [[nodiscard]] static Result<TrustStore> load(const std::filesystem::path& path);

  /// A key that is not of P-256 is our own bug and aborts.
  void add(PublicKey key);
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

  /// The payload, if one of these keys signed exactly this text as `expected_type`. Errors: invalid where the text is
  /// not a JWS of our form; denied where type, signer or signature is wrong.
  [[nodiscard]] Result<std::string> verify(std::string_view jws, std::string_view expected_type) const;

  /// The same, with the id of the key that signed.
  [[nodiscard]] Result<VerifiedJws> verify_signer(std::string_view jws, std::string_view expected_type) const;

 private:
  // Roots of batches whose signature was verified, by their JWS. A copy of the store begins without roots; assignment
  // clears those of the store that is assigned to.
  struct Roots {
    Roots() = default;
    Roots(const Roots& /*other*/) : Roots() {}
    Roots& operator=(const Roots& /*other*/) {
      const std::lock_guard lock(mutex);
      known.clear();
      return *this;
    }
    static constexpr std::size_t known_max = 64;
    std::mutex mutex;
    std::deque<std::pair<std::string, VerifiedJws>> known;
  };
  [[nodiscard]] Result<VerifiedJws> verify_plain(std::string_view jws, std::string_view expected_type) const;
  [[nodiscard]] Result<VerifiedJws> verify_root(std::string_view jws) const;
  [[nodiscard]] Result<VerifiedJws> verify_member(std::string_view text, std::string_view expected_type) const;

  std::map<std::string, PublicKey, std::less<>> keys_;  // by id
  mutable Roots roots_;
};

}  // namespace fieldwork::crypto
