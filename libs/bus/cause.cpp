#include "cause.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "crypto/tls.hpp"

namespace fieldwork::bus {
namespace {

struct Address {
  std::string scheme, host, port;
};

Address split(const std::string& url) {
  Address out;
  const auto scheme = url.find("://");
  out.scheme = scheme == std::string::npos ? "" : url.substr(0, scheme);
  auto rest = scheme == std::string::npos ? url : url.substr(scheme + 3);
  const auto colon = rest.rfind(':');
  out.host = rest.substr(0, colon);
  out.port = colon == std::string::npos ? "" : rest.substr(colon + 1);
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);  // an IPv6 address
  }
  return out;
}

// Connects the socket `number`. Returns 0, or the errno of the failure. The socket is blocking afterwards.
int try_connect(int number, const addrinfo& to, std::chrono::milliseconds patience) {
  const int flags = fcntl(number, F_GETFL);
  fcntl(number, F_SETFL, flags | O_NONBLOCK);
  if (connect(number, to.ai_addr, to.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return errno;
    pollfd waits{number, POLLOUT, 0};
    if (poll(&waits, 1, static_cast<int>(patience.count())) <= 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(number, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return error;
  }
  fcntl(number, F_SETFL, flags);
  return 0;
}

std::string network_words(int error, const std::string& where) {
  switch (error) {
    case ECONNREFUSED:
      return "connection refused: nothing listens at " + where + "; is the broker up, and is this its port?";
    case ETIMEDOUT: return where + " does not answer: is that host up, does a firewall stand before it?";
    case ENETUNREACH:
    case EHOSTUNREACH: return "there is no way to " + where + ": is the network up?";
    default: return where + " cannot be reached: " + std::strerror(error);
  }
}

}  // namespace

std::string cause_of_failure(const MqttConfig& config, std::chrono::milliseconds patience) {
  const auto address = split(config.url);
  const std::string where = address.host + ":" + address.port;
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int looked = getaddrinfo(address.host.c_str(), address.port.c_str(), &wanted, &list);
  if (looked == EAI_AGAIN) return "the name " + address.host + " cannot be looked up: does DNS answer here?";
  if (looked != 0) return "the name " + address.host + " is not known: is broker.url right?";
  std::string out;
  for (const auto* one = list; one != nullptr; one = one->ai_next) {
    const int number = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (number < 0) continue;
    const int error = try_connect(number, *one, patience);
    if (error == 0) {
      out = address.scheme == "ssl"
                ? crypto::why_tls_fails(number, address.host, {config.ca, config.certificate, config.key}, patience)
                : std::string();
    } else {
      out = network_words(error, where);
    }
    close(number);
    if (error == 0) break;
  }
  freeaddrinfo(list);
  return out;
}

std::string reason_words(int code, const std::string& client_id) {
  switch (code) {
    case 1: return "the broker does not speak this version of MQTT";
    case 2:
    case 133: return "the broker does not take the client id '" + client_id + "'";
    case 3:
    case 136: return "the broker says that it is not available";
    case 4:
    case 134: return "the broker does not take the user name or password";
    case 5:
    case 135: return "the broker does not let '" + client_id + "' do this (not authorized): look at its access list";
    case 129:
    case 130: return "the broker says that what it was sent is against the protocol";
    case 139: return "the broker is shutting down";
    case 141: return "the broker heard nothing within the keep-alive";
    case 142: return "another client has connected as '" + client_id + "': is one identity used twice?";
    case 144: return "the broker does not take this topic name";
    case 147: return "the broker says that too much is in flight";
    case 149: return "a packet was larger than the broker takes: lower broker.packet_bytes_max";
    case 151: return "the broker says that a quota is used up";
    default: return "the broker says no, reason " + std::to_string(code);
  }
}

}  // namespace fieldwork::bus
