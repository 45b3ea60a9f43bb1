// Whether two agents use one identity, from the starts that connect in turn.
//
// The broker lets one client of a name in and throws the one before out, which connects again, and so on: each start
// keeps coming back after the other. One device that restarts, however often, or whose link breaks, never does that: it
// brings new starts, or the newest one again. A start is named by its session and a random number, as copies of one
// journal count alike. Said when `returns_max` came back within `within`; over when none did for `quiet`.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace fieldwork::registry {

struct Start {
  std::int64_t session = 0;
  std::int64_t boot = 0;  // 0: an agent that does not say it
  bool operator==(const Start&) const = default;
};

class Starts {
 public:
  static constexpr std::size_t returns_max = 3;
  static constexpr std::size_t known_max = 8;
  static constexpr Duration within = seconds{60};
  static constexpr Duration quiet = seconds{120};

  void connected(const Start& start, Time now);
  [[nodiscard]] bool shared(Time now);

 private:
  std::vector<Start> known_;   // the newest last
  std::vector<Time> returns_;  // the newest last, at most returns_max
  bool shared_ = false;
};

}  // namespace fieldwork::registry
