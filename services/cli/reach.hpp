// Why a broker cannot be reached: what MQTT's library does not say.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace fieldwork::cli {

struct Endpoint {
  std::string host;
  std::string port;
};

// Of scheme://host:port, with [..] around an IPv6 address.
[[nodiscard]] std::optional<Endpoint> endpoint(const std::string& url);

// Empty when something accepts connections there; else why not ("Connection refused", "Name or service not known").
[[nodiscard]] std::string try_tcp(const std::string& url, std::chrono::milliseconds patience);

}  // namespace fieldwork::cli
