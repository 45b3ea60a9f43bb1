// Where notifications are sent.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"

namespace fieldwork::alerting {

class Target {
 public:
  // Called on a thread of the target's. ok: taken; invalid: never will be taken; unavailable: not taken now.
  using Done = std::function<void(std::int64_t number, Result<void> result)>;
  virtual ~Target() = default;

  virtual void send(std::int64_t number, std::string body) = 0;
};

}  // namespace fieldwork::alerting
