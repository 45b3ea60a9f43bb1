#include "reach.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

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

}  // namespace fieldwork::cli
