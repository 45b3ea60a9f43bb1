// The registry's core with one device, stepped without a shell.
#pragma once

#include <string>
#include <vector>

#include "registry/core/registry.hpp"
#include "support/certificates.hpp"
#include "support/core_batch.hpp"
#include "support/registry_inputs.hpp"

namespace fieldwork::registry {

inline Heartbeat heartbeat(std::int64_t session, double load = 0.2) {
  return {session, 1, {load, 900'000'000, 9'000'000'000, 100}, {5.0, 0, 0}, {}};
}

inline Record record(DeviceState state, std::int64_t session = 3) {
  Record out;
  out.device.id = edge;
  out.device.state = state;
  out.device.capacity = capacity;
  out.device.session = session;
  out.device.fingerprint = fingerprint_of(make_certificate("edge-1"));
  out.enrolled_session = session;
  return out;
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
inline Registry with(DeviceState state, std::int64_t session = 3) {
  Registry registry(Limits{}, {record(state, session)}, t0);
  (void)step(registry, LinkBack{}, t0);
  return registry;
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

inline DeviceState state_of(const Registry& registry) { return registry.find(edge)->device.state; }

}  // namespace fieldwork::registry
