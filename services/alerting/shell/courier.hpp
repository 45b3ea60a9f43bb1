// Carries messages to one target. Where a target has its own form, shell/message.hpp makes it; how it gets there, a
// courier knows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "alerting/core/alerting.hpp"
#include "base/result.hpp"

namespace fieldwork::alerting {

class Courier {
 public:
  // Called on a thread of the courier's. ok: taken; invalid: never will be taken; unavailable: not taken now.
  using Done = std::function<void(std::int64_t number, Result<void> result)>;
  virtual ~Courier() = default;

  virtual void send(const Send& send, Time now) = 0;
};
using MakeCourier = std::function<std::unique_ptr<Courier>(const Target& target, Courier::Done done)>;

// By HTTP or SMTP, with libcurl, one message at a time, on a thread of its own. An answer from 200 to 299 (SMTP: 250)
// is ok; one from 400 to 499 but 401, 403, 404, 408, 421, 429, and SMTP's 5xx, is invalid: this message will never be
// taken. All else is unavailable: what is wrong may be mended.
[[nodiscard]] std::unique_ptr<Courier> curl_courier(Target target, Courier::Done done);

}  // namespace fieldwork::alerting
