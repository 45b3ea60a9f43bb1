// Jobs, commands to devices and their reports <-> JSON. Shapes: docs/topics.md, schemas/.
#pragma once

#include <variant>
#include <vector>

#include "codec/json.hpp"
#include "model/job.hpp"

namespace fieldwork::codec {

[[nodiscard]] Json encode(const JobSpec& job);
[[nodiscard]] JobSpec read_job(Reader& reader);  // mistakes go to the reader
[[nodiscard]] Result<JobSpec> decode_job(const Json& value);

// A stream that is no text (base/text.hpp), or that escapes would more than double, goes as <name>_base64.
[[nodiscard]] Json encode(const RunResult& result);
// Of dump(encode(result)), without making it. At most twice the streams, 4/3 of the files' content and 2 KiB per file;
// who makes a report bounds it.
[[nodiscard]] std::size_t encoded_bytes(const RunResult& result);
[[nodiscard]] RunResult read_result(Reader& reader);
[[nodiscard]] Result<RunResult> decode_result(const Json& value);

// device/{device}/up/report
struct Report {
  std::int64_t epoch = 0;
  std::int64_t seq = 1;  // of the first item
  std::vector<AttemptReport> items;
};
[[nodiscard]] Json encode(const AttemptReport& report);
[[nodiscard]] Result<AttemptReport> decode_attempt_report(const Json& value);
[[nodiscard]] std::string encode(const Report& report);
[[nodiscard]] Result<Report> decode_report(std::string_view text);

// device/{device}/down/command
using Order = std::variant<Assign, Cancel, Stale>;
[[nodiscard]] Json encode(const Order& order);
[[nodiscard]] Result<std::vector<Order>> decode_orders(std::string_view text);
[[nodiscard]] Result<Assign> decode_assign(const Json& value);  // as the agent's journal keeps it

// device/{device}/down/ack
struct StreamAck {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
};
[[nodiscard]] std::string encode(const StreamAck& ack);
[[nodiscard]] Result<StreamAck> decode_ack(std::string_view text);

// The payload of a grant's JWS.
[[nodiscard]] std::string encode(const Grant& grant);
[[nodiscard]] Result<Grant> decode_grant(std::string_view text);

// The text whose SHA-256 a grant names: the command's JSON array without white space.
[[nodiscard]] std::string command_text(const std::vector<std::string>& command);

// Common fields of messages about one attempt.
void write_key(Json& into, const AttemptKey& key);
[[nodiscard]] AttemptKey read_key(Reader& reader);
// W3C Trace Context, of every item that belongs to a job; absent when nobody traces.
void write_traceparent(Json& into, const std::string& traceparent);
[[nodiscard]] std::string read_traceparent(Reader& reader);

}  // namespace fieldwork::codec
