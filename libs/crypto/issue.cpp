#include "crypto/issue.hpp"

#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>

#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

bool set_serial(X509* x509) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7F) | 0x40);  // positive, and always of one length
  BIGNUM* number = BN_bin2bn(bytes.data(), bytes.size(), nullptr);
  const bool done = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != nullptr;
  BN_free(number);
  return done;
}

bool set_time(ASN1_TIME* into, std::chrono::system_clock::time_point at) {
  return ASN1_TIME_set(into, std::chrono::system_clock::to_time_t(at)) != nullptr;
}

bool add_extension(X509* x509, X509V3_CTX* context, int nid, const char* value) {
  const Extension extension(X509V3_EXT_conf_nid(nullptr, context, nid, value));
  return extension != nullptr && X509_add_ext(x509, extension.get(), -1) == 1;
}

}  // namespace

Result<std::string> issue_certificate(const Certificate& authority, const PrivateKey& authority_key,
                                      const PublicKey& subject, const IssueTerms& terms) {
  const ErrorScope scope;
  if (!(authority_key.public_key() == authority.public_key()))
    return Error{Code::invalid, "the key is not the one of the authority's certificate"};
  if (authority_key.public_key().kind() != KeyKind::p256 || subject.kind() != KeyKind::p256)
    return Error{Code::invalid, "an authority's key, and one that it certifies, are of the curve P-256"};
  if (terms.common_name.empty() || terms.common_name.size() > 64)
    return Error{Code::invalid, "a common name has 1 to 64 bytes"};
  const X509Pointer x509(X509_new());
  must(x509 != nullptr, "issue_certificate: no memory");
  X509_NAME* name = X509_get_subject_name(x509.get());
  const auto* text = reinterpret_cast<const unsigned char*>(terms.common_name.data());
  X509V3_CTX context;
  X509V3_set_ctx(&context, authority.native(), x509.get(), nullptr, nullptr, 0);
  const bool made = X509_set_version(x509.get(), 2) == 1 && set_serial(x509.get()) &&
                    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, text,
                                               static_cast<int>(terms.common_name.size()), -1, 0) == 1 &&
                    X509_set_issuer_name(x509.get(), X509_get_subject_name(authority.native())) == 1 &&
                    set_time(X509_getm_notBefore(x509.get()), terms.not_before) &&
                    set_time(X509_getm_notAfter(x509.get()), terms.not_after) &&
                    X509_set_pubkey(x509.get(), subject.native()) == 1 &&
                    add_extension(x509.get(), &context, NID_basic_constraints, "critical,CA:FALSE") &&
                    add_extension(x509.get(), &context, NID_key_usage, "critical,digitalSignature,keyAgreement") &&
                    add_extension(x509.get(), &context, NID_ext_key_usage, "clientAuth") &&
                    add_extension(x509.get(), &context, NID_subject_key_identifier, "hash") &&
                    add_extension(x509.get(), &context, NID_authority_key_identifier, "keyid") &&
                    X509_sign(x509.get(), authority_key.native(), EVP_sha256()) > 0;
  if (!made) return Error{Code::invalid, "the certificate cannot be made for this name and these dates"};
  const Bio bio(BIO_new(BIO_s_mem()));
  must(bio && PEM_write_bio_X509(bio.get(), x509.get()) == 1, "a certificate cannot be written");
  return bio_text(bio.get());
}

}  // namespace fieldwork::crypto
