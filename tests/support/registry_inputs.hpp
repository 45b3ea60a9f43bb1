// Inputs of the registry for its tests, and their times.
#pragma once

#include "base/time.hpp"
#include "registry/core/registry.hpp"

namespace fieldwork::registry {

inline constexpr Time t0{seconds{1'000'000}};
inline Time at(double s) { return t0 + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s)); }

inline const DeviceId edge{"edge-1"};
inline const Capacity capacity{4000, 1'000'000'000, 10'000'000'000};

inline Enrolment enrolment(std::int64_t session, const std::string& pem) {
  Enrolment out{.session = session, .certificate = pem};
  out.about.capacity = capacity;
  out.about.agent = "0.1.0";
  out.about.labels = {{"zone", "a"}};
  return out;
}

inline PresenceArrived connects(std::int64_t session, bool retained = false) {
  return {edge, {.state = PresenceSaid::State::online, .session = session}, retained};
}
inline PresenceArrived will(std::int64_t session, bool retained = false) {
  return {edge, {.state = PresenceSaid::State::offline, .session = session}, retained};
}
inline PresenceArrived goodbye(std::int64_t session, bool retained = false) {
  return {edge, {.state = PresenceSaid::State::goodbye, .session = session}, retained};
}
inline PresenceArrived sleeps(std::int64_t session, std::int64_t sleep_s, bool retained = false) {
  return {edge, {.state = PresenceSaid::State::sleeping, .session = session, .sleep_s = sleep_s}, retained};
}

inline Requested request(Verb verb, const std::string& by = "ann", std::uint64_t reply = 1) {
  return {.reply = reply, .device = edge, .verb = verb, .by = by};
}
inline Requested configure(Settings settings, std::uint64_t reply = 1) {
  return {.reply = reply, .device = edge, .verb = Verb::configure, .by = "ann", .settings = std::move(settings)};
}
inline ConfiguredArrived configured(std::int64_t version) { return {edge, version, ""}; }

}  // namespace fieldwork::registry
