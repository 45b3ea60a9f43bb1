// The registry's core with one device, stepped without a shell.
#pragma once

#include <string>
#include <vector>

#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "registry/core/registry.hpp"
#include "registry/shell/rows.hpp"
#include "support/certificates.hpp"
#include "support/core_batch.hpp"
#include "support/registry_inputs.hpp"

namespace fieldwork::registry {

// Where a device stands on both axes when a test begins.
struct Axes {
  Lifecycle lifecycle = Lifecycle::active;
  Presence presence = Presence::online;
};
inline constexpr Axes enrolling{Lifecycle::enrolling, Presence::starting};
inline constexpr Axes online{Lifecycle::active, Presence::online};
inline constexpr Axes starting{Lifecycle::active, Presence::starting};
inline constexpr Axes suspect{Lifecycle::active, Presence::suspect};
inline constexpr Axes lost{Lifecycle::active, Presence::lost};
inline constexpr Axes refused{Lifecycle::refused, Presence::online};

// Each test gives one session's heartbeats growing numbers, unless it is about the numbers.
inline Heartbeat heartbeat(std::int64_t session, double load = 0.2, std::int64_t beat = 1) {
  return {.session = session,
          .beat = beat,
          .resources = {load, 900'000'000, 9'000'000'000, 100},
          .link = {5.0, 0, 0},
          .attempts = {}};
}

inline std::string key_of(const std::string& pem) {
  return crypto::to_hex(crypto::sha256(crypto::Certificate::from_pem(pem)->public_key().to_pem()));
}

inline Record record(Axes axes, std::int64_t session = 3) {
  Record out;
  out.device.id = edge;
  out.device.lifecycle = axes.lifecycle;
  out.device.presence = axes.presence;
  if (trusted(axes.lifecycle)) out.device.configuration.lifecycle = axes.lifecycle;
  out.device.about.capacity = capacity;
  out.device.session = session;
  out.device.fingerprint = fingerprint_of(make_certificate("edge-1"));
  out.key = key_of(make_certificate("edge-1"));
  out.enrolled_session = session;
  return out;
}

// As the shell writes and reads it.
inline Record stored(const Record& one) {
  auto read = from_row(to_row(one).to_json());
  EXPECT_TRUE(read.ok()) << describe(read.error());
  return *read;
}

// What security-policy says of this certificate of edge-1.
inline CertificateChecked checked(const std::string& pem, CertificateState state = CertificateState::valid,
                                  const std::string& reason = "") {
  return {{edge, fingerprint_of(pem), state, reason}};
}

inline Output step(Registry& registry, const Input& input, Time now) {
  return support::step_batch(registry, input, now);
}

template <class T>
std::vector<T> all(const Output& out) {
  return support::all_of<T>(out);
}

inline std::string events(const Output& out) {
  std::string text;
  for (const auto& one : out.events) text += (text.empty() ? "" : " ") + one.event;
  return text;
}

// A registry with one device, the broker there.
inline Registry with(const Record& record) {
  Registry registry(Limits{}, {record}, t0);
  (void)step(registry, LinkBack{}, t0);
  return registry;
}
inline Registry with(Axes axes, std::int64_t session = 3) { return with(record(axes, session)); }

// Enrols, and security-policy calls the certificate good: what the registry does then.
inline Output enrol(Registry& registry, const Enrolment& with, Time now) {
  (void)step(registry, EnrolmentArrived{edge, with}, now);
  return step(registry, checked(with.certificate), now);
}

// edge-1's agent has started anew, and shows its key; its certificate is not checked yet.
inline EnrolmentArrived shows_key(std::int64_t session) {
  return {edge, enrolment(session, make_certificate("edge-1"))};
}

// The events of batches in which nothing came.
inline std::string pass(Registry& registry, double from, double to) {
  Output out;
  for (double s = from; s <= to; s += 0.5) {
    registry.step(TimePassed{}, at(s), out);
    registry.step(BatchEnded{}, at(s), out);
  }
  return events(out);
}

inline std::string state_of(const Device& device) {
  return std::string(name(device.lifecycle)) + " " + std::string(name(device.presence));
}
inline std::string state_of(const Registry& registry) { return state_of(registry.find(edge)->device); }

}  // namespace fieldwork::registry
