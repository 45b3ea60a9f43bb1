// What targets get: the forms of Prometheus Alertmanager (its webhook, version 4, and its API v2), mail and ntfy.
#pragma once

#include <string>
#include <vector>

#include "alerting/core/alerting.hpp"

namespace fieldwork::alerting {

struct MessageForm {
  std::string url;
  std::vector<std::string> headers;  // `Name: value`; of mail they stand in the body
  std::string body;
};

// `now` is the date of a mail, and when Alertmanager may forget what it does not hear of again.
[[nodiscard]] MessageForm to_message(const Target& target, const Send& send, Time now);
[[nodiscard]] std::string rfc3339(Time time);

}  // namespace fieldwork::alerting
