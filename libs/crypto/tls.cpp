#include "crypto/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <memory>

namespace fieldwork::crypto {
namespace {

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Refused = std::unique_ptr<X509, decltype(&X509_free)>;
using Connection = std::unique_ptr<SSL, decltype(&SSL_free)>;

std::string text(BIO* bio) {
  char* start = nullptr;
  const auto size = BIO_get_mem_data(bio, &start);
  std::string out(start, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}

std::string date(const ASN1_TIME* time) {
  BIO* bio = BIO_new(BIO_s_mem());
  ASN1_TIME_print(bio, time);
  return text(bio);
}

std::string name(const X509_NAME* name) {
  BIO* bio = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  return text(bio);
}

// The names that a certificate is for, as "DNS:localhost, IP Address:127.0.0.1".
std::string names(X509* certificate) {
  BIO* bio = BIO_new(BIO_s_mem());
  const int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
  if (at >= 0) X509V3_EXT_print(bio, X509_get_ext(certificate, at), 0, 0);
  auto out = text(bio);
  return out.empty() ? name(X509_get_subject_name(certificate)) : out;
}

// What is wrong with our own files, before the peer is asked.
std::string wrong_files(SSL_CTX* context, const TlsFiles& files) {
  if (SSL_CTX_load_verify_locations(context, files.ca.c_str(), nullptr) != 1) {
    return "broker.ca (" + files.ca + ") holds no certificate in PEM form that can be read";
  }
  if (files.certificate.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return "broker.certificate (" + files.certificate + ") cannot be read as a certificate in PEM form";
  }
  const auto* own = SSL_CTX_get0_certificate(context);
  if (X509_cmp_current_time(X509_get0_notAfter(own)) < 0) {
    return "our certificate (" + files.certificate + ") was valid until " + date(X509_get0_notAfter(own)) +
           ": it needs renewal, or the clock here is wrong";
  }
  if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0) {
    return "our certificate (" + files.certificate + ") is valid from " + date(X509_get0_notBefore(own)) +
           " on: is the clock here right?";
  }
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool other = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH;
    return other ? "the key (" + files.key + ") does not belong to the certificate (" + files.certificate + ")"
                 : "broker.key (" + files.key + ") cannot be read as a key in PEM form";
  }
  return {};
}

// Keeps the certificate that failed the check: after a failed check the connection itself forgets it.
int keep_refused(int good, X509_STORE_CTX* checked) {
  if (good == 1) return 1;
  auto* tls = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(checked, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* kept = static_cast<Refused*>(SSL_get_app_data(tls));
  auto* certificate = X509_STORE_CTX_get_current_cert(checked);
  if (certificate != nullptr && X509_up_ref(certificate) == 1) kept->reset(certificate);
  return 0;
}

std::string wrong_peer(long verified, X509* peer, const std::string& host, const TlsFiles& files) {
  const std::string theirs = "the broker's certificate ";
  switch (verified) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return theirs + "is for " + names(peer) + " and not for " + host +
             ": use one of these names in broker.url, or give the broker a certificate for this one";
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return theirs + "was valid until " + date(X509_get0_notAfter(peer)) +
             ": it needs renewal, or the clock here is wrong";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return theirs + "is valid from " + date(X509_get0_notBefore(peer)) + " on: is the clock here right?";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return theirs + "is not issued by broker.ca (" + files.ca + ") but by " + name(X509_get_issuer_name(peer)) +
             ": take the CA of this broker";
    default: return theirs + "is not accepted: " + X509_verify_cert_error_string(verified);
  }
}

// The TLS alert with which the peer refused us, or why there was no handshake at all.
std::string wrong_talk(int failure, const TlsFiles& files) {
  const auto ours = "our certificate (" + files.certificate + ")";
  switch (ERR_GET_REASON(ERR_peek_error())) {
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      return "the broker does not take the CA that issued " + ours +
             ": devices, services and operators each have a port of their own; is this the right one?";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED: return "the broker says that " + ours + " is revoked";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "the broker says that " + ours + " or its revocation list is out of date: is the clock there right?";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return "the broker asks for a certificate: set broker.certificate";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return "the broker wants another version of TLS than this machine has";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return "that port does not speak TLS: is it the broker's TLS port, or is broker.url wrong?";
    default: break;
  }
  const bool silent = failure == SSL_ERROR_SYSCALL && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (silent || failure == SSL_ERROR_WANT_READ || failure == SSL_ERROR_WANT_WRITE)
    return "that port takes connections and says nothing: does it speak TLS, and does the network let answers through?";
  std::array<char, 256> words{};
  ERR_error_string_n(ERR_peek_error(), words.data(), words.size());
  if (ERR_peek_error() != 0 && ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return std::string("TLS fails: ") + words.data();
  }
  return "the other side closes the connection during the TLS greeting: does that port speak TLS, and does it take " +
         ours + "?";
}

}  // namespace

std::string why_tls_fails(int socket, const std::string& host, const TlsFiles& files,
                          std::chrono::milliseconds patience) {
  ERR_clear_error();
  const Context context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (auto wrong = wrong_files(context.get(), files); !wrong.empty()) return wrong;
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, &keep_refused);
  const timeval bound{.tv_sec = patience.count() / 1000, .tv_usec = patience.count() % 1000 * 1000};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);
  const Connection tls(SSL_new(context.get()), &SSL_free);
  Refused refused(nullptr, &X509_free);
  SSL_set_app_data(tls.get(), &refused);
  auto* parameters = SSL_get0_param(tls.get());
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) != 1) {
    X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
    SSL_set_tlsext_host_name(tls.get(), host.c_str());
  }
  SSL_set_fd(tls.get(), socket);
  ERR_clear_error();
  int done = SSL_connect(tls.get());
  if (done == 1) {
    // TLS 1.3: the peer refuses our certificate only after the handshake. A broker sends nothing else before it gets
    // CONNECT.
    char byte = 0;
    done = SSL_read(tls.get(), &byte, 1);
    if (done > 0 || ((errno == EAGAIN || errno == EWOULDBLOCK) && ERR_peek_error() == 0)) return {};
  }
  const int failure = SSL_get_error(tls.get(), done);
  const auto verified = SSL_get_verify_result(tls.get());
  if (verified != X509_V_OK && refused) return wrong_peer(verified, refused.get(), host, files);
  return wrong_talk(failure, files);
}

}  // namespace fieldwork::crypto
