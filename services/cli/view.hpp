// What services answer, as text for people. Pure; takes any JSON: what is missing or of another type shows as "-".
#pragma once

#include <cstdint>
#include <string>

#include "codec/json.hpp"
#include "failure.hpp"

namespace fieldwork::cli {

[[nodiscard]] std::string text_of(const codec::Json& value, const char* field);  // "" where there is none
[[nodiscard]] std::int64_t integer_of(const codec::Json& value, const char* field, std::int64_t fallback = 0);
[[nodiscard]] double number_of(const codec::Json& value, const char* field, double fallback = 0);
[[nodiscard]] const codec::Json& member(const codec::Json& value, const char* field);   // null where there is none
[[nodiscard]] const codec::Json& list_of(const codec::Json& value, const char* field);  // [] where there is none

[[nodiscard]] std::string job_table(const codec::Json& jobs, std::int64_t now_ms);
[[nodiscard]] std::string job_text(const codec::Json& job, std::int64_t now_ms);
[[nodiscard]] std::string explain_text(const codec::Json& answer);
[[nodiscard]] std::string device_table(const codec::Json& devices, std::int64_t now_ms);
[[nodiscard]] std::string device_text(const codec::Json& device, std::int64_t now_ms);
[[nodiscard]] std::string package_table(const codec::Json& packages);
[[nodiscard]] std::string package_text(const codec::Json& package);

// Whether "sha256:…" or NAME@VERSION names this package.
[[nodiscard]] bool is_named(const codec::Json& package, const std::string& wanted);

// The devices of a job's executions, joined by ", ".
[[nodiscard]] std::string devices_of(const codec::Json& job);

}  // namespace fieldwork::cli
