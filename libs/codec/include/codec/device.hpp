// What devices publish about themselves, and what the registry publishes about them <-> JSON.
#pragma once

#include <array>

#include "codec/json.hpp"
#include "model/device.hpp"
#include "model/health.hpp"

namespace fieldwork::codec {

[[nodiscard]] std::string encode(const PresenceSaid& said);
[[nodiscard]] Result<PresenceSaid> decode_presence(std::string_view text);

[[nodiscard]] std::string encode(const Enrolment& enrolment);
[[nodiscard]] Result<Enrolment> decode_enrolment(std::string_view text);

[[nodiscard]] std::string encode(const Heartbeat& heartbeat);
// An attempt that cannot be read counts as one that is not listed; the heartbeat and its other attempts count.
struct HeartbeatRead : Heartbeat {
  std::vector<Error> bad_attempts;
};
[[nodiscard]] Result<HeartbeatRead> decode_heartbeat(std::string_view text);

// device/{device}/down/echo: the registry's answer to a heartbeat that asks for it.
struct Echo {
  std::int64_t session = 0, beat = 0;  // of the heartbeat
  std::int64_t held_us = 0;            // from its arrival at the registry to this answer
};
[[nodiscard]] std::string encode(const Echo& echo);
[[nodiscard]] Result<Echo> decode_echo(std::string_view text);

struct Enrolled {
  std::int64_t session = 0;
  bool enrolled = false;  // false: refused
  std::string reason;
  int heartbeat_s = 5;
  std::int64_t now_ms = 0;  // the registry's clock at its answer, ms since the Unix epoch; 0: absent
  bool unknown = false;     // the answer to a heartbeat: this start of the device has not enrolled. `enrolled` is false
};
[[nodiscard]] std::string encode(const Enrolled& enrolled);
[[nodiscard]] Result<Enrolled> decode_enrolled(std::string_view text);

// device/{device}/down/configure: an item, as a row keeps it too; and the newest of a message's items.
[[nodiscard]] std::string configuration_text(const Configuration& configuration);
[[nodiscard]] Result<Configuration> decode_configuration_text(std::string_view text);
[[nodiscard]] Result<Configuration> decode_configuration(std::string_view text);

// device/{device}/up/configured
struct Configured {
  std::int64_t version = 0;
  std::string reason;  // why a part of it cannot be followed; empty: all is
};
[[nodiscard]] std::string encode(const Configured& configured);
[[nodiscard]] Result<Configured> decode_configured(std::string_view text);

// The settings of a configuration, beside its labels.
inline constexpr std::array<std::string_view, 5> setting_names{"heartbeat_s", "sample_s", "attempts_max", "cache_bytes",
                                                               "log_level"};

// service/registry/configure/{from}: what is not named stays as it is.
struct ConfigureRequest {
  DeviceId device;
  Configuration set;
  std::vector<std::string> unset;  // names of settings, or `labels/NAME`
};
[[nodiscard]] Result<ConfigureRequest> decode_configure_request(std::string_view text);

// state/device/{device}
[[nodiscard]] Json encode(const Device& device);
[[nodiscard]] Result<Device> decode_device(const Json& value);

// state/health/{device}
[[nodiscard]] Json encode(const HealthReport& report);

// device/{device}/up/log
struct LogLine {
  AttemptKey key;
  std::string stream;  // stdout or stderr
  std::string text;
  std::int64_t dropped = 0;  // lines lost before this one
  bool begin = false;        // the end of what was written before somebody asked; who followed before has it already
  std::string traceparent;
};
// The text is cut so that the encoded line is at most limits::log_bytes_max bytes.
[[nodiscard]] std::string encode(const LogLine& line);
[[nodiscard]] Result<LogLine> decode_log(std::string_view text);

// device/{device}/down/rejected
struct Rejected {
  std::string channel;
  std::string path;
  std::string reason;
};
[[nodiscard]] std::string encode(const Rejected& rejected);
[[nodiscard]] Result<Rejected> decode_rejected(std::string_view text);

}  // namespace fieldwork::codec
