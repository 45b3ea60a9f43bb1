#include "crypto/handshake.hpp"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

#include "openssl.hpp"

namespace fieldwork::crypto {
namespace {

using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds late_refusal_within{300};

std::string last_error() {
  const auto error = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(error);
  return error == 0 || reason == nullptr ? "" : reason;
}

std::string text_of_time(const ASN1_TIME* time) {
  const Bio bio(BIO_new(BIO_s_mem()));
  must(bio != nullptr, "no memory");
  ASN1_TIME_print(bio.get(), time);
  return bio_text(bio.get());
}

std::string text_of_name(const X509_NAME* name) {
  const Bio bio(BIO_new(BIO_s_mem()));
  must(bio != nullptr, "no memory");
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  return bio_text(bio.get());
}

/// "localhost, broker.example"
std::string names_of(X509* certificate) {
  std::string out;
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const auto* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS) continue;
    out +=
        (out.empty() ? "" : ", ") + std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                                static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(names);
  return out.empty() ? text_of_name(X509_get_subject_name(certificate)) : out;
}

Context context_for(const HandshakeWith& with, std::string& wrong) {
  Context context(SSL_CTX_new(TLS_client_method()));
  must(context != nullptr, "no memory");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(context.get(), with.ca.c_str(), nullptr) != 1)
    wrong = with.ca + ": " + last_error();
  if (with.certificate.empty() || !wrong.empty()) return context;
  SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(context.get(), with.certificate.c_str()) != 1) {
    wrong = with.certificate + ": " + last_error();
  } else if (SSL_CTX_use_PrivateKey_file(context.get(), with.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    wrong = with.key + ": " + last_error();
  }
  return context;
}

/// Of a certificate that was looked at and not liked.
Handshake about_certificate(long verified, X509* certificate) {
  const X509Pointer owner(certificate);
  switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {HandshakeFault::expired, certificate == nullptr ? "" : text_of_time(X509_get0_notAfter(certificate))};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {HandshakeFault::not_yet_valid,
              certificate == nullptr ? "" : text_of_time(X509_get0_notBefore(certificate))};
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {HandshakeFault::wrong_host, certificate == nullptr ? "" : names_of(certificate)};
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return {HandshakeFault::not_trusted,
              certificate == nullptr ? "" : text_of_name(X509_get_issuer_name(certificate))};
    default: return {HandshakeFault::other, X509_verify_cert_error_string(verified)};
  }
}

/// Why a step of SSL failed for good.
Handshake fault_of(SSL* ssl, int result) {
  const int kind = SSL_get_error(ssl, result);
  const auto verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) return about_certificate(verified, SSL_get1_peer_certificate(ssl));
  const auto error = ERR_peek_last_error();
  const int reason = ERR_GET_REASON(error);
  if (reason > SSL_AD_REASON_OFFSET) return {HandshakeFault::refuses_us, last_error()};
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST) return {HandshakeFault::no_tls, ""};
  const bool ended =
      kind == SSL_ERROR_ZERO_RETURN || kind == SSL_ERROR_SYSCALL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  if (ended) {
    return SSL_is_init_finished(ssl) == 1 ? Handshake{HandshakeFault::refuses_us, "it closed the connection"}
                                          : Handshake{HandshakeFault::no_tls, "it closed the connection"};
  }
  return {HandshakeFault::other, last_error()};
}

/// Repeats `step` while it only waits for the network. The step's last answer; `out_of_time` where it still waits.
template <class Step>
int until_done(SSL* ssl, Clock::time_point deadline, bool& out_of_time, Step step) {
  while (true) {
    ERR_clear_error();
    const int result = step();
    const int kind = SSL_get_error(ssl, result);
    if (result > 0 || (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE)) return result;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wait{SSL_get_fd(ssl), static_cast<short>(kind == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
    if (left <= 0 || poll(&wait, 1, static_cast<int>(left)) == 0) {
      out_of_time = true;
      return result;
    }
  }
}

bool is_address(const std::string& host) {
  return host.find(':') != std::string::npos || host.find_first_not_of("0123456789.") == std::string::npos;
}

Handshake shake(SSL* ssl, const std::string& host, std::chrono::milliseconds patience) {
  if (is_address(host)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  } else {
    SSL_set1_host(ssl, host.c_str());
    SSL_set_tlsext_host_name(ssl, host.c_str());
  }
  bool out_of_time = false;
  int result = until_done(ssl, Clock::now() + patience, out_of_time, [&] { return SSL_connect(ssl); });
  if (out_of_time) return {HandshakeFault::no_tls, "no answer to the TLS greeting"};
  if (result != 1) return fault_of(ssl, result);
  char byte = 0;
  result = until_done(ssl, Clock::now() + std::min(patience, late_refusal_within), out_of_time,
                      [&] { return SSL_read(ssl, &byte, 1); });
  if (out_of_time || result > 0) return {};
  return fault_of(ssl, result);
}

}  // namespace

Handshake try_handshake(const std::string& host, const std::string& port, const HandshakeWith& with,
                        std::chrono::milliseconds patience) {
  const ErrorScope scope;
  std::string wrong;
  const auto context = context_for(with, wrong);
  if (!wrong.empty()) return {HandshakeFault::own_files, wrong};
  const Bio bio(BIO_new(BIO_s_connect()));
  must(bio != nullptr, "no memory");
  BIO_set_conn_hostname(bio.get(), host.c_str());
  BIO_set_conn_port(bio.get(), port.c_str());
  if (BIO_do_connect_retry(bio.get(), static_cast<int>(std::max<std::int64_t>(patience.count() / 1000, 1)), 0) != 1)
    return {HandshakeFault::no_network, last_error()};
  const std::unique_ptr<SSL, Freer<SSL_free>> ssl(SSL_new(context.get()));
  const int socket = static_cast<int>(BIO_get_fd(bio.get(), nullptr));
  must(ssl && fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK) == 0 && SSL_set_fd(ssl.get(), socket) == 1,
       "no memory");
  const auto out = shake(ssl.get(), host, patience);
  if (out.fault == HandshakeFault::none) SSL_shutdown(ssl.get());
  return out;
}

}  // namespace fieldwork::crypto
