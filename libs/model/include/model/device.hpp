// A device: its identity, capacity, labels, resources, link and state; and its messages.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.hpp"
#include "model/job.hpp"

namespace fieldwork {

struct Capacity {
  std::int64_t cpu_millis = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t disk_bytes = 0;
  bool operator==(const Capacity&) const = default;
};

struct Resources {
  double cpu_load = 0;  // 1-minute load average
  std::int64_t memory_available_bytes = 0;
  std::int64_t disk_available_bytes = 0;
  std::int64_t uptime_s = 0;
  bool operator==(const Resources&) const = default;
};

struct Link {
  double round_trip_ms = 0;
  std::int64_t reconnects = 0;
  std::int64_t clock_offset_ms = 0;  // the device's clock minus the registry's, as measured at enrolment
  bool operator==(const Link&) const = default;
};

// enrolling: its certificate is not yet checked. refused: its certificate is not good. suspect: it is silent, or its
// MQTT will was received. lost: it is given up.
enum class DeviceState { enrolling, ready, suspect, lost, refused };
[[nodiscard]] std::string_view name(DeviceState state);
[[nodiscard]] std::optional<DeviceState> device_state(std::string_view text);

struct Device {
  DeviceId id;
  DeviceState state = DeviceState::enrolling;
  std::string reason;
  double health = 1.0;  // 0 to 1, see services/registry/core/health.hpp
  Capacity capacity;
  Labels labels;
  Resources resources;
  Link link;
  std::int64_t session = 0;
  std::string fingerprint;  // hex SHA-256 of the certificate
  std::int64_t changed_ms = 0;
  std::int64_t duplicated_since_ms = 0;  // since when another device uses the same identity; 0: no sign of that
  bool operator==(const Device&) const = default;
};

// Messages that a device sends.
struct Presence {
  bool online = false;
  std::int64_t session = 0;
  std::int64_t boot = 0;  // random, of this start: copies of one journal count sessions alike; 0: absent
};

struct Enrolment {
  std::int64_t session = 0;
  std::string certificate;  // PEM
  Capacity capacity;
  Labels labels;
  std::string agent;  // version of the agent
};

struct Heartbeat {
  std::int64_t session = 0;
  std::int64_t beat = 0;  // grows by one within a session; confirmed by down/ack
  Resources resources;
  Link link;
  std::vector<AttemptKey> attempts;
  // Ended attempts that the scheduler may have forgotten; sent only to a scheduler that has just started and asks.
  std::optional<std::vector<AttemptKey>> ended{};
};

}  // namespace fieldwork
