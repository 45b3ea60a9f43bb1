#include "crypto/certificate.hpp"

#include <algorithm>
#include <ctime>
#include <optional>

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "file.hpp"
#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

using TimePoint = std::chrono::system_clock::time_point;

std::optional<TimePoint> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  const std::chrono::seconds since_epoch(timegm(&parts));
  const auto first = std::chrono::ceil<std::chrono::seconds>(TimePoint::min().time_since_epoch());
  const auto last = std::chrono::floor<std::chrono::seconds>(TimePoint::max().time_since_epoch());
  return TimePoint(std::clamp(since_epoch, first, last));
}

std::string common_name_of(const X509* x509) {
  const X509_NAME* subject = X509_get_subject_name(x509);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return {};
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return std::any_of(name.begin(), name.end(), is_control) ? std::string() : name;
}

std::string serial_of(const X509* x509) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(x509);
  const auto* bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial));
  std::string raw(bytes, static_cast<std::size_t>(ASN1_STRING_length(serial)));
  raw.erase(0, std::min(raw.find_first_not_of('\0'), raw.size()));
  return raw.empty() ? "00" : to_hex(raw);
}

/// The DER of the one certificate in the text.
Result<std::string> only_certificate(std::string_view pem) {
  if (pem.size() > pem_bytes_max) return Error{Code::invalid, "the PEM text is too long"};
  const Bio bio = bio_over(pem);
  auto block = next_pem_block(bio.get());
  if (!block) return block.error();
  if (block->name != "CERTIFICATE") return Error{Code::invalid, "is not a certificate in PEM"};
  const auto rest = next_pem_block(bio.get());
  if (!rest || !rest->name.empty()) return Error{Code::invalid, "holds more than one certificate"};
  return std::move(block->der);
}

}  // namespace

Result<Certificate> Certificate::from_pem(std::string_view pem) {
  const ErrorScope scope;
  const auto der = only_certificate(pem);
  if (!der) return der.error();
  X509Pointer x509(parse_der(d2i_X509, X509_free, *der));
  if (!x509) return Error{Code::invalid, "the certificate is malformed"};
  Pkey pkey(X509_get_pubkey(x509.get()));
  if (!pkey) return Error{Code::invalid, "the certificate's key is malformed"};
  auto key = checked_public_key(std::move(pkey), KeyUse::receive);
  if (!key) return key.error();
  const auto from = time_of(X509_get0_notBefore(x509.get()));
  const auto to = time_of(X509_get0_notAfter(x509.get()));
  if (!from || !to) return Error{Code::invalid, "the certificate's dates are malformed"};
  Certificate certificate(std::shared_ptr<X509>(x509.release(), X509_free), std::move(*key));
  certificate.common_name_ = common_name_of(certificate.native());
  certificate.fingerprint_ = to_hex(sha256(*der));
  certificate.serial_hex_ = serial_of(certificate.native());
  certificate.not_before_ = *from;
  certificate.not_after_ = *to;
  return certificate;
}

std::string Certificate::to_pem() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  must(bio && PEM_write_bio_X509(bio.get(), x509_.get()) == 1, "a certificate cannot be written");
  return bio_text(bio.get());
}

Result<Validity> validity(const std::filesystem::path& pem_path) {
  const auto text = read_file(pem_path, crl_bytes_max);
  if (!text) return text.error();
  const ErrorScope errors;
  const Bio bio = bio_over(*text);
  std::optional<Validity> out;
  const auto keep = [&](const ASN1_TIME* from, const ASN1_TIME* to, bool is_crl) {
    const auto begin = time_of(from), end = time_of(to);
    if (begin && end && (!out || *end < out->not_after)) out = Validity{*begin, *end, is_crl};
  };
  for (;;) {
    auto block = next_pem_block(bio.get());
    if (!block) return Error{Code::invalid, block.error().reason, pem_path.string()};
    if (block->name.empty()) break;
    if (block->name == "CERTIFICATE") {
      const X509Pointer one(parse_der(d2i_X509, X509_free, block->der));
      if (one) keep(X509_get0_notBefore(one.get()), X509_get0_notAfter(one.get()), false);
    } else if (block->name == "X509 CRL") {
      const CrlPointer one(parse_der(d2i_X509_CRL, X509_CRL_free, block->der));
      if (one) keep(X509_CRL_get0_lastUpdate(one.get()), X509_CRL_get0_nextUpdate(one.get()), true);
    }
  }
  if (!out) return Error{Code::invalid, "holds no certificate and no revocation list with an end", pem_path.string()};
  return *out;
}

}  // namespace fieldwork::crypto
