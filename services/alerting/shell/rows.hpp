// Alerts and silences from rows of tables alert and silence, and back; their JSON in states and answers.
#pragma once

#include <string>
#include <string_view>

#include "alerting/core/alerting.hpp"
#include "codec/json.hpp"
#include "store/row.hpp"

namespace fieldwork::alerting {

// ALERT and SILENCE of docs/topics.md.
[[nodiscard]] codec::Json encode(const Alert& alert);
[[nodiscard]] codec::Json encode(const Silence& silence);
[[nodiscard]] store::Row to_row(const Alert& alert);
[[nodiscard]] store::Row to_row(const Silence& silence);
[[nodiscard]] store::Row to_row(const DeadLetter& letter, const std::string& id, Time now);
[[nodiscard]] Result<Alert> alert_from_row(std::string_view row);
[[nodiscard]] Result<Silence> silence_from_row(std::string_view row);

}  // namespace fieldwork::alerting
