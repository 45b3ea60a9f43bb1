// Answers of services as text for people. Pure. Takes any JSON: a field that is missing or of another type shows as
// "-".
#pragma once

#include <cstdint>
#include <string>

#include "codec/json.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

[[nodiscard]] std::string text_of(const codec::Json& value, const char* field);  // "" if it is missing
[[nodiscard]] std::int64_t integer_of(const codec::Json& value, const char* field, std::int64_t fallback = 0);
[[nodiscard]] double number_of(const codec::Json& value, const char* field, double fallback = 0);
[[nodiscard]] const codec::Json& member(const codec::Json& value, const char* field);   // null if it is missing
[[nodiscard]] const codec::Json& list_of(const codec::Json& value, const char* field);  // [] if it is missing

[[nodiscard]] std::string job_table(const codec::Json& jobs, std::int64_t now_ms);
[[nodiscard]] std::string job_text(const codec::Json& job, std::int64_t now_ms);
[[nodiscard]] std::string explain_text(const codec::Json& answer);
[[nodiscard]] std::string device_table(const codec::Json& devices, std::int64_t now_ms);
[[nodiscard]] std::string misses_table(const codec::Json& misses);
// What a verb (activate, drain …) has brought about, as the registry answered.
[[nodiscard]] std::string verb_text(const std::string& verb, const codec::Json& device);
// Why a command that waited for the device gives up.
[[nodiscard]] std::string waited_text(const std::string& verb, const codec::Json& device);
[[nodiscard]] std::string configured_text(const codec::Json& device);
[[nodiscard]] std::string stats_table(const codec::Json& groups, const std::string& by, const std::string& of);
[[nodiscard]] std::string group_table(const codec::Json& groups, std::int64_t now_ms);
[[nodiscard]] std::string device_text(const codec::Json& device, std::int64_t now_ms);
[[nodiscard]] std::string history_table(const codec::Json& items, std::int64_t period_ms);
[[nodiscard]] std::string health_text(const codec::Json& report, std::int64_t now_ms);
[[nodiscard]] std::string alert_table(const codec::Json& alerts, std::int64_t now_ms);
[[nodiscard]] std::string alert_text(const codec::Json& alert, std::int64_t now_ms);
[[nodiscard]] std::string silence_table(const codec::Json& silences, std::int64_t now_ms);
[[nodiscard]] std::string rules_text(const codec::Json& answer);
[[nodiscard]] std::string package_table(const codec::Json& packages, std::int64_t now_ms);  // one row per name
[[nodiscard]] std::string package_text(const codec::Json& package, std::int64_t now_ms);
[[nodiscard]] std::string transfer_table(const codec::Json& transfers, std::int64_t now_ms);
// With each strategy that it had, and why.
[[nodiscard]] std::string transfer_text(const codec::Json& transfer, std::int64_t now_ms);

[[nodiscard]] std::string rate_text(std::int64_t bit_per_s);  // 12 Mbit/s, 300 kbit/s; of 0 a hyphen
// Of stages, each an item as service/transfer/stages answers.
[[nodiscard]] std::string stage_table(const codec::Json& items, std::int64_t now_ms);

// Of a job that waits: "2 in the queue, starts in about 40s: no room (…)"; of one that starts now, that it will be
// late; empty: neither.
[[nodiscard]] std::string waits_line(const codec::Json& job);
// What `run --dry-run` was answered.
[[nodiscard]] std::string trial_text(const codec::Json& answer);
[[nodiscard]] std::string scenario_table(const codec::Json& scenarios, std::int64_t now_ms);
// One, as service/scheduler/scenarios answers.
[[nodiscard]] std::string scenario_text(const codec::Json& answer);
[[nodiscard]] std::string template_table(const codec::Json& templates, std::int64_t now_ms);
// One, as service/scheduler/templates answers.
[[nodiscard]] std::string template_text(const codec::Json& answer, std::int64_t now_ms);
// What follows the name of a job or an execution: "is running", "failed", "was cancelled".
[[nodiscard]] std::string it_is(const std::string& state);

// For tables: "sha256:" and 12 digits, which `fieldwork package show` accepts; of a key's id 12 digits.
[[nodiscard]] std::string short_digest(const std::string& text);

// The devices of a job's executions, joined by ", ".
[[nodiscard]] std::string devices_of(const codec::Json& job);

}  // namespace fieldwork::cli
