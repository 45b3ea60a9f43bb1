// Whether two devices use one identity, judged by which starts of the agent connect in turn.
//
// The broker lets one client of a name in and throws the other out. That one connects again, and so on: each start
// keeps coming back after the other. A single device never does that, however often it restarts or its link breaks: it
// brings a new start, or the newest one again. A start is named by its session and a random number, because the
// sessions of copies of one journal are alike. The identity counts as shared once returns_max starts came back within
// `within`, and until none came back for `quiet`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace fieldwork::registry {

struct Start {
  std::int64_t session = 0;
  std::int64_t boot = 0;  // random; 0: from an agent that says none
  bool operator==(const Start&) const = default;
};

class Starts {
 public:
  static constexpr std::size_t returns_max = 3;
  static constexpr std::size_t known_max = 8;
  static constexpr Duration within = seconds{60};
  static constexpr Duration quiet = seconds{120};

  // A start has connected. Returns whether it is another one than before.
  bool connected(const Start& start, Time now);
  // The identity was shared before a restart of this service: it is until `quiet` has passed.
  void resume(Time now);
  [[nodiscard]] bool shared(Time now);
  // The start that connected last; none: not while this service listens.
  [[nodiscard]] std::optional<Start> newest() const {
    return known_.empty() ? std::nullopt : std::optional(known_.back());
  }

 private:
  std::vector<Start> known_;   // starts, the newest last
  std::vector<Time> returns_;  // when starts came back, the newest last, at most returns_max
  bool shared_ = false;
};

}  // namespace fieldwork::registry
