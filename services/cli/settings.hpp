// The settings of the command line, and the options that every command has.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "bus/mqtt.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

struct Options {
  std::string
      config;  // empty: $FIELDWORK_CONFIG, then fieldwork/cli.toml in $XDG_CONFIG_HOME or ~/.config where it exists
  std::vector<std::string> sets;
  bool json = false;
  bool verbose = false;
  std::optional<double> timeout_s;

  // Of a whole wait; none: without a bound.
  [[nodiscard]] std::optional<std::chrono::milliseconds> patience() const {
    return timeout_s ? std::optional(timeout()) : std::nullopt;
  }
  [[nodiscard]] std::chrono::milliseconds timeout() const {
    return std::chrono::milliseconds(static_cast<std::int64_t>(timeout_s.value_or(10.0) * 1000));
  }
};

struct Settings {
  std::string file;  // empty: no settings file
  std::string root;
  std::string root_origin;  // "root from file:line"
  bus::MqttConfig mqtt;     // client id and subscriptions are set by the session
  std::string from;         // the name in the certificate; "operator" without one (tcp://)
  std::string release_key;  // path; empty: not set
  std::string scenarios;    // directory of those that come with Fieldwork
  std::string url_origin;   // "broker.url from file:line"
  std::string ca_origin;
  std::string certificate_origin;
  std::string release_key_origin;
};

// The Failure is Exit::usage; it names the setting and where its value came from.
[[nodiscard]] Outcome<Settings> load_settings(const Options& options);

}  // namespace fieldwork::cli
