// Why a broker cannot be reached, where the MQTT library does not say.
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

// Reads scheme://host:port; an IPv6 address stands in [..].
[[nodiscard]] std::optional<Endpoint> endpoint(const std::string& url);

// Empty: the address accepts TCP connections; else why not ("Connection refused", "Name or service not known").
[[nodiscard]] std::string try_tcp(const std::string& url, std::chrono::milliseconds patience);

struct Trouble {
  std::string what;  // one sentence: the cause
  std::string next;  // one sentence: what to do
};

// What is wrong with the certificate and key of the settings, as far as the files tell: dates, key, authority.
[[nodiscard]] std::optional<Trouble> certificate_trouble(const Settings& settings);

// Why a connection failed with `mqtt_reason`: tries the network, and looks at the files where the reason says nothing.
// Blocks for 2 s at most.
[[nodiscard]] Trouble connection_trouble(const Settings& settings, const std::string& mqtt_reason);

}  // namespace fieldwork::cli
