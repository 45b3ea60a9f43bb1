// Alerts and notifications from rows of tables alert and notification, and back; the JSON of state/alert, with the same
// fields.
#pragma once

#include <string>
#include <string_view>

#include "alerting/core/alerting.hpp"
#include "base/result.hpp"
#include "store/row.hpp"

namespace fieldwork::alerting {

[[nodiscard]] std::string to_state(const Alert& alert);
[[nodiscard]] std::string to_body(const Alert& alert);  // what the webhook gets
[[nodiscard]] store::Row to_row(const Alert& alert);
[[nodiscard]] store::Row to_row(const Notification& notification);
[[nodiscard]] Result<Alert> alert_from_row(std::string_view row);
[[nodiscard]] Result<Notification> notification_from_row(std::string_view row);

}  // namespace fieldwork::alerting
