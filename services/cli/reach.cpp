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
  const auto key = crypto::PrivateKey::load(mqtt.key, crypto::KeyUse::receive);
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
  // The MQTT library has one sentence for everything that can be wrong with TLS; the files may tell more.
  const bool says_nothing = mqtt_reason.find("TCP/TLS connect failure") != std::string::npos;
  if (const auto own = says_nothing ? certificate_trouble(settings) : std::nullopt) return {at + own->what, own->next};
  return {at + mqtt_reason, "fieldwork doctor looks step by step; the broker's log says whom it refused"};
}

}  // namespace fieldwork::cli
