#include "reach.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "crypto/certificate.hpp"
#include "crypto/handshake.hpp"
#include "files.hpp"

namespace fieldwork::cli {
namespace {

std::string connect_to(const addrinfo& address, std::chrono::milliseconds patience) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::strerror(errno);
  int failed = connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (failed == EINPROGRESS) {
    pollfd wait{fd, POLLOUT, 0};
    socklen_t length = sizeof failed;
    failed = ETIMEDOUT;
    if (poll(&wait, 1, static_cast<int>(patience.count())) == 1) {
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &length);
    }
  }
  close(fd);
  return failed == 0 ? "" : std::strerror(failed);
}

}  // namespace

std::optional<Endpoint> endpoint(const std::string& url) {
  const auto scheme = url.find("://");
  const auto colon = url.rfind(':');
  if (scheme == std::string::npos || colon < scheme + 3) return std::nullopt;
  auto host = url.substr(scheme + 3, colon - scheme - 3);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto port = url.substr(colon + 1);
  if (host.empty() || port.empty() || port.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return Endpoint{host, port};
}

std::string try_tcp(const std::string& url, std::chrono::milliseconds patience) {
  const auto where = endpoint(url);
  if (!where) return "not an address of the form scheme://host:port";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(where->host.c_str(), where->port.c_str(), &hints, &found); error != 0) {
    return gai_strerror(error);
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::string reason;
  for (const auto* address = found; address != nullptr; address = address->ai_next) {
    reason = connect_to(*address, patience);
    if (reason.empty()) return "";
  }
  return reason;
}

std::optional<Trouble> certificate_trouble(const Settings& settings) {
  const auto& mqtt = settings.mqtt;
  const std::string renew = "Make a new one with scripts/pki, or correct broker.certificate and broker.key";
  const auto pem = read_file(mqtt.certificate, crypto::pem_bytes_max);
  const auto certificate = pem ? crypto::Certificate::from_pem(*pem) : Result<crypto::Certificate>(pem.error());
  if (!certificate) return Trouble{mqtt.certificate + ": " + certificate.error().reason, renew};
  const auto key = crypto::PrivateKey::load(mqtt.key);
  if (!key) return Trouble{describe(key.error()), renew};
  if (!(key->public_key() == certificate->public_key()))
    return Trouble{mqtt.key + " is not the key of " + mqtt.certificate, renew};
  const auto authority = crypto::CertificateAuthority::load(mqtt.ca);
  if (!authority) return Trouble{settings.ca_origin + ": " + describe(authority.error()), "Correct broker.ca"};
  const auto verified = authority->verify(*certificate, std::chrono::system_clock::now());
  if (verified) return std::nullopt;
  const auto what = mqtt.certificate + ": " + verified.error().reason;
  if (verified.error().reason == "not yet valid") return Trouble{what, "Look at this machine's clock"};
  if (verified.error().reason != "not issued by this authority") return Trouble{what, renew};
  return Trouble{what + " (" + mqtt.ca + ")",
                 "Correct broker.ca where that is the wrong file; else the certificate is of "
                 "another stack: make a new one with scripts/pki"};
}

namespace {

// The other side's TLS, or nothing where it has nothing against us.
std::optional<Trouble> tls_trouble(const Settings& settings, const Endpoint& where) {
  using crypto::HandshakeFault;
  const auto& mqtt = settings.mqtt;
  const auto found =
      crypto::try_handshake(where.host, where.port, {mqtt.ca, mqtt.certificate, mqtt.key}, std::chrono::seconds(2));
  switch (found.fault) {
    case HandshakeFault::none:
    case HandshakeFault::no_network: return std::nullopt;
    case HandshakeFault::no_tls:
      return Trouble{"no TLS is spoken at that port" + (found.detail.empty() ? "" : " (" + found.detail + ")"),
                     "Correct the port in broker.url: operators have one of their own"};
    case HandshakeFault::not_trusted:
      return Trouble{"the broker's certificate is not issued by broker.ca (" + mqtt.ca + ") but by " + found.detail,
                     "Correct broker.ca (" + settings.ca_origin + ")"};
    case HandshakeFault::expired:
      return Trouble{"the broker's certificate expired on " + found.detail, "The broker needs a new certificate"};
    case HandshakeFault::not_yet_valid:
      return Trouble{"the broker's certificate is not valid before " + found.detail, "Look at this machine's clock"};
    case HandshakeFault::wrong_host:
      return Trouble{
          "the broker's certificate is for " + found.detail + ", not for " + where.host,
          "Use one of its names in broker.url, or make it a certificate with this one (scripts/pki --hosts)"};
    case HandshakeFault::refuses_us:
      if (auto own = certificate_trouble(settings)) return own;
      return Trouble{
          "the broker does not accept our certificate " + mqtt.certificate + " (" + found.detail + ")",
          "Is it an operator's, of this stack, and not revoked; is the port the operators' one? The broker's "
          "log says more"};
    case HandshakeFault::own_files:
      if (auto own = certificate_trouble(settings)) return own;
      return Trouble{found.detail, "Correct broker.ca, broker.certificate and broker.key"};
    case HandshakeFault::other: break;
  }
  return Trouble{"TLS failed: " + found.detail, "Try fieldwork doctor, and look at the broker's log"};
}

}  // namespace

Trouble connection_trouble(const Settings& settings, const std::string& mqtt_reason) {
  const auto& url = settings.mqtt.url;
  const auto at = "cannot reach the broker at " + url + " (" + settings.url_origin + "): ";
  const auto network = try_tcp(url, std::chrono::seconds(2));
  if (!network.empty())
    return {at + network, "Is the broker up, and is that its address? fieldwork doctor looks step by step"};
  if (!url.starts_with("ssl://")) {
    return {at + "it accepts connections, but the MQTT greeting failed: " + mqtt_reason,
            "Does that port want TLS (ssl://…)?"};
  }
  std::optional<Trouble> found;
  if (const auto where = endpoint(url)) found = tls_trouble(settings, *where);
  if (!found) found = certificate_trouble(settings);
  if (found) return {at + found->what, found->next};
  return {at + "TLS is well, but the MQTT greeting failed: " + mqtt_reason,
          "Is that an MQTT port? Look at the broker's log: it says whom it refused"};
}

}  // namespace fieldwork::cli
