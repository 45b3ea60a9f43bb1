#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <vector>

#include "crypto/certificate.hpp"
#include "file.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

using StoreContext = std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>>;
using Store = std::shared_ptr<X509_STORE>;
using Path = std::filesystem::path;

constexpr int auth_level = 2;  // 112 bits: refuses SHA-1 and RSA below 2048, see SSL_CTX_set_security_level(3)

/// All PEM blocks of the file: at least one, and each must bear this name.
Result<std::vector<PemBlock>> blocks_of(const Path& path, std::string_view name, std::size_t bytes_max) {
  const auto text = read_file(path, bytes_max);
  if (!text) return text.error();
  const Bio bio = bio_over(*text);
  std::vector<PemBlock> blocks;
  for (;;) {
    auto block = next_pem_block(bio.get());
    if (!block) return Error{Code::invalid, block.error().reason, path.string()};
    if (block->name.empty()) break;
    if (block->name != name) {
      return Error{Code::invalid, "holds a block that is not a " + std::string(name), path.string()};
    }
    blocks.push_back(std::move(*block));
  }
  if (blocks.empty()) return Error{Code::invalid, "holds no " + std::string(name), path.string()};
  return blocks;
}

Result<std::vector<X509Pointer>> load_authorities(const Path& path, X509_STORE* store) {
  const auto blocks = blocks_of(path, "CERTIFICATE", pem_bytes_max);
  if (!blocks) return blocks.error();
  std::vector<X509Pointer> authorities;
  for (const PemBlock& block : *blocks) {
    X509Pointer authority(parse_der(d2i_X509, X509_free, block.der));
    if (!authority) return Error{Code::invalid, "holds a malformed certificate", path.string()};
    if (X509_check_ca(authority.get()) == 0) {
      return Error{Code::invalid, "holds a certificate that is not an authority's", path.string()};
    }
    must(X509_STORE_add_cert(store, authority.get()) == 1, "no memory");
    authorities.push_back(std::move(authority));
  }
  return authorities;
}

bool issued(const X509* authority, X509_CRL* crl) {
  return X509_NAME_cmp(X509_get_subject_name(authority), X509_CRL_get_issuer(crl)) == 0 &&
         X509_CRL_verify(crl, X509_get0_pubkey(authority)) == 1;
}

Result<void> load_crls(const Path& path, const std::vector<X509Pointer>& authorities, X509_STORE* store) {
  const auto blocks = blocks_of(path, "X509 CRL", crl_bytes_max);
  if (!blocks) return blocks.error();
  for (const PemBlock& block : *blocks) {
    const CrlPointer crl(parse_der(d2i_X509_CRL, X509_CRL_free, block.der));
    if (!crl) return Error{Code::invalid, "holds a malformed revocation list", path.string()};
    if (X509_CRL_get0_nextUpdate(crl.get()) == nullptr) {
      return Error{Code::invalid, "the revocation list does not say when it expires", path.string()};
    }
    const auto signed_it = [&](const X509Pointer& authority) { return issued(authority.get(), crl.get()); };
    if (std::none_of(authorities.begin(), authorities.end(), signed_it)) {
      return Error{Code::invalid, "the revocation list was not issued by this authority", path.string()};
    }
    must(X509_STORE_add_crl(store, crl.get()) == 1, "no memory");
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

std::string reason_of(int error, int depth) {
  const std::string of = depth > 0 ? "the authority's certificate: " : "";
  switch (error) {
    case X509_V_ERR_CERT_REVOKED: return of + "revoked";
    case X509_V_ERR_CERT_HAS_EXPIRED: return of + "expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return of + "not yet valid";
    case X509_V_ERR_CRL_HAS_EXPIRED: return "the revocation list has expired";
    case X509_V_ERR_CRL_NOT_YET_VALID: return "the revocation list is not yet valid";
    case X509_V_ERR_UNABLE_TO_GET_CRL: return "there is no revocation list of the issuer";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return "not issued by this authority";
    default: return of + X509_verify_cert_error_string(error);
  }
}

}  // namespace

Result<CertificateAuthority> CertificateAuthority::load(const Path& ca_pem_path,
                                                        const std::optional<Path>& crl_pem_path) {
  const ErrorScope scope;
  const Store store(X509_STORE_new(), X509_STORE_free);
  must(store != nullptr, "no memory");
  const auto authorities = load_authorities(ca_pem_path, store.get());
  if (!authorities) return authorities.error();
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(store.get()), auth_level);
  if (crl_pem_path) {
    const auto loaded = load_crls(*crl_pem_path, *authorities, store.get());
    if (!loaded) return loaded.error();
  }
  return CertificateAuthority(store);
}

Result<void> CertificateAuthority::verify(const Certificate& certificate,
                                          std::chrono::system_clock::time_point at) const {
  const ErrorScope scope;
  if (X509_check_ca(certificate.native()) == 1) {
    return Error{Code::denied, "the certificate is an authority's, not a party's"};
  }
  const StoreContext context(X509_STORE_CTX_new());
  must(context && X509_STORE_CTX_init(context.get(), store_.get(), certificate.native(), nullptr) == 1, "no memory");
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()), std::chrono::system_clock::to_time_t(at));
  if (X509_verify_cert(context.get()) == 1) return {};
  const int error = X509_STORE_CTX_get_error(context.get());
  return Error{Code::denied, reason_of(error, X509_STORE_CTX_get_error_depth(context.get()))};
}

}  // namespace fieldwork::crypto
