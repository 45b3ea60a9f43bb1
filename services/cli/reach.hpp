// Why a broker cannot be reached: what MQTT's library does not say.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "settings.hpp"

namespace fieldwork::cli {

struct Endpoint {
  std::string host;
  std::string port;
};

// Of scheme://host:port, with [..] around an IPv6 address.
[[nodiscard]] std::optional<Endpoint> endpoint(const std::string& url);

// Empty when something accepts connections there; else why not ("Connection refused", "Name or service not known").
[[nodiscard]] std::string try_tcp(const std::string& url, std::chrono::milliseconds patience);

struct Trouble {
  std::string what;  // one sentence: the cause
  std::string next;  // one sentence: what to do
};

// What is wrong with our own certificate and key, as far as the files alone tell: dates, key, authority.
[[nodiscard]] std::optional<Trouble> certificate_trouble(const Settings& settings);

// The cause of a connection that failed with `mqtt_reason`: asks the network, and our own files where the reason says
// nothing. Blocks for 2 s at most.
[[nodiscard]] Trouble connection_trouble(const Settings& settings, const std::string& mqtt_reason);

}  // namespace fieldwork::cli
