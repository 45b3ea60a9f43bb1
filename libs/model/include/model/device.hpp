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
  std::int64_t storage_bytes = 0;
  bool operator==(const Capacity&) const = default;
};

// What a device measured. What it cannot measure is absent.
struct Resources {
  double cpu_load = 0;  // 1-minute load average
  std::int64_t memory_available_bytes = 0;
  std::int64_t storage_available_bytes = 0;
  std::int64_t uptime_s = 0;                         // of the machine, monotonic: it falls only by a reboot
  std::optional<double> cpu_percent{};               // of all cores, since the heartbeat before
  std::optional<std::int64_t> received_bit_per_s{};  // over all interfaces but loopback, since the heartbeat before
  std::optional<std::int64_t> sent_bit_per_s{};
  std::optional<double> temperature_c{};
  std::optional<double> battery_percent{};
  std::optional<std::int64_t> prunable_bytes{};  // of cached packages that nothing needs: `device prune` frees them
  bool operator==(const Resources&) const = default;
};

struct Link {
  std::optional<double> round_trip_ms{};  // to the registry and back: of 95 % of the newest echoes not more than this
  std::int64_t reconnects = 0;
  std::int64_t clock_offset_ms = 0;                 // the device's clock minus the registry's, as measured at enrolment
  std::optional<std::int64_t> goodput_bit_per_s{};  // of the newest transfer to the device
  std::optional<double> loss{};                     // of its frames, 0 to 1
  bool operator==(const Link&) const = default;
};

// How many executions ended on a device since its agent started.
struct Outcomes {
  std::int64_t succeeded = 0;
  std::int64_t failed = 0;
  bool operator==(const Outcomes&) const = default;
};

// The connection that a device pays for.
struct Uplink {
  std::int64_t bit_per_s = 0;  // what the line carries; 0: not known
  bool metered = false;
  bool operator==(const Uplink&) const = default;
};
// Why work is kept away from a metered one.
inline constexpr const char* metered_reason =
    "its connection is metered; the job allows no metered one (metered: true)";

// What a device says of itself when it enrols.
struct Description {
  Capacity capacity;
  std::int64_t cores = 0;                 // 0: not known
  std::string architecture;               // as `uname -m` says
  std::string os;                         // for example `debian 12`
  std::string agent;                      // version of the agent
  std::string site;                       // where it stands; empty: not known
  std::vector<std::string> capabilities;  // sorted, each once, for example `camera`
  std::vector<std::string> sandbox;       // rungs of the sandbox that this kernel has, the weakest first
  Uplink uplink;
  Labels labels;
  bool operator==(const Description&) const = default;
};

// What the operator and the certificate allow a device to be. Transitions: libs/model/transitions.cpp.
enum class Lifecycle {
  enrolling,  // its certificate is not yet checked
  active,     // may get work
  draining,   // finishes the work it has, gets no more
  inactive,   // has no work and gets none
  refused,    // its certificate is not good
  retired,    // for good: it cannot enrol
};

// Whether a device is heard. Transitions: libs/model/transitions.cpp.
enum class Presence {
  starting,      // connected; no heartbeat of this session has arrived yet
  online,        // heartbeats arrive
  sleeping,      // said when it will be back
  disconnected,  // said goodbye
  suspect,       // silent, or its last will was received
  lost,          // silent for longer than promised
};

[[nodiscard]] std::string_view name(Lifecycle lifecycle);
[[nodiscard]] std::string_view name(Presence presence);
[[nodiscard]] std::optional<Lifecycle> lifecycle(std::string_view text);
[[nodiscard]] std::optional<Presence> presence(std::string_view text);
[[nodiscard]] bool may_follow(Lifecycle from, Lifecycle to);
[[nodiscard]] bool may_follow(Presence from, Presence to);
// The names of all values of an axis, in the order of its enum.
[[nodiscard]] std::vector<std::string_view> lifecycle_names();
[[nodiscard]] std::vector<std::string_view> presence_names();

// What operators want of a device: one document. The device reports the version that it follows.
struct Configuration {
  std::int64_t version = 0;                   // grows with each change; 0: nothing was ever wanted
  Lifecycle lifecycle = Lifecycle::active;    // active, draining or inactive
  std::optional<int> heartbeat_s{};           // between heartbeats of a device at rest
  std::optional<int> sample_s{};              // between measurements of its resources
  std::optional<int> attempts_max{};          // at once
  std::optional<std::int64_t> cache_bytes{};  // of packages that it keeps
  std::optional<std::string> log_level{};
  std::int64_t prune = 0;  // how often it was asked to delete the cached packages that nothing needs
  Labels labels{};         // beside those that the device says, and before them
  bool operator==(const Configuration&) const = default;
};

struct Device {
  DeviceId id;
  Lifecycle lifecycle = Lifecycle::enrolling;
  Presence presence = Presence::starting;
  std::string reason;   // why its lifecycle or presence is what it is; empty where nothing is wrong
  double health = 1.0;  // 0 to 1, see services/registry/core/health.hpp
  Description about;
  Labels labels;                    // those of `about`, and those of its configuration, which win
  std::vector<std::string> groups;  // static groups that it is in; sorted
  bool measured = false;            // a heartbeat has brought resources, link and attempts
  Resources resources;
  Link link;
  std::int64_t attempts = 0;          // live ones, as its newest heartbeat lists them
  Outcomes outcomes;                  // as its newest heartbeat says
  std::vector<std::string> pressure;  // resources whose use is over its threshold: cpu, memory, storage, network
  std::int64_t session = 0;
  std::string fingerprint;               // hex SHA-256 of the certificate
  Configuration configuration;           // what is wanted of it
  std::int64_t configured = 0;           // the version that it follows
  std::int64_t registered_ms = 0;        // when it enrolled for the first time
  std::int64_t changed_ms = 0;           // when lifecycle, presence or reason changed
  std::int64_t back_ms = 0;              // sleeping: when it said that it will be back; else 0
  std::int64_t duplicated_since_ms = 0;  // since when another device uses the same identity; 0: no sign of that
  std::int64_t claimed_ms = 0;           // when a device with another key last asked for this id; 0: never
  bool operator==(const Device&) const = default;
};

// Whether it gets new work.
[[nodiscard]] inline bool gets_work(const Device& device) {
  return device.lifecycle == Lifecycle::active && device.presence == Presence::online;
}
// Whether it takes nothing any more, and what it has is given to others.
[[nodiscard]] inline bool barred(Lifecycle lifecycle) {
  return lifecycle == Lifecycle::refused || lifecycle == Lifecycle::retired;
}
// Whether its certificate was good when it was last checked, so that it is served at all.
[[nodiscard]] inline bool trusted(Lifecycle lifecycle) {
  return lifecycle == Lifecycle::active || lifecycle == Lifecycle::draining || lifecycle == Lifecycle::inactive;
}

// Messages that a device sends.
struct PresenceSaid {
  enum class State { online, offline, goodbye, sleeping };
  State state = State::offline;  // offline: the last will, which the broker says for it
  std::int64_t session = 0;
  std::int64_t boot = 0;     // random, of this start: copies of one journal count sessions alike; 0: absent
  std::int64_t sleep_s = 0;  // sleeping: for how long
};

struct Enrolment {
  std::int64_t session = 0;
  std::string certificate;  // PEM
  Description about;
  std::string boot_id;          // of the machine's boot, as the kernel says; empty: not known
  std::int64_t configured = 0;  // version of the configuration that the device follows
};

struct Heartbeat {
  std::int64_t session = 0;
  std::int64_t beat = 0;  // grows by one within a session; confirmed by down/ack
  Resources resources;
  Link link;
  std::vector<AttemptKey> attempts;
  // Ended attempts that the scheduler may have forgotten; sent only to a scheduler that has just started and asks.
  std::optional<std::vector<AttemptKey>> ended{};
  Outcomes outcomes{};
  bool echo = false;  // the registry is to answer with down/echo, for the round trip
};

}  // namespace fieldwork
