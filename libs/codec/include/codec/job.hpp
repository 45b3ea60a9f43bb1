// Jobs, commands to devices and their reports <-> JSON. Shapes: docs/topics.md, schemas/.
#pragma once

#include <variant>
#include <vector>

#include "codec/items.hpp"
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

// device/{device}/up/report (docs/decisions/0011)
struct ReportItem {
  std::int64_t tag = 0;  // 32 random bits, made with the number
  AttemptReport report;
  std::optional<Error> error;  // it could not be read; then `report` has at most the key
};
struct Report {
  std::int64_t epoch = 0;
  std::int64_t first = 1;  // the lowest number that the device still holds
  std::int64_t seq = 1;    // of the first item
  std::int64_t after = 0;  // tag of number seq - 1, 0 when it has none
  std::vector<ReportItem> items;
};
[[nodiscard]] Json encode(const AttemptReport& report);
[[nodiscard]] Result<AttemptReport> decode_attempt_report(const Json& value);
[[nodiscard]] std::string encode(const Report& report);
[[nodiscard]] Result<Report> decode_report(std::string_view text);

// device/{device}/down/command: item by item, so that a bad one spoils nothing but itself.
using Command = std::variant<Assign, Cancel, Inquire, Stale>;
using Commands = Items<Command, AttemptKey>;
[[nodiscard]] Json encode(const Command& order);
[[nodiscard]] Result<Commands> decode_commands(std::string_view text);
[[nodiscard]] Result<Assign> decode_assign(const Json& value);  // as the agent's journal keeps it

// device/{device}/down/ack: up to where the stream is stored; begin: the least epoch that the device must begin; beat:
// the newest heartbeat that has arrived.
struct StreamAck {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
  std::int64_t tag = 0;    // of seq, 0 when it was never heard
  std::int64_t begin = 0;  // 0: go on
  std::int64_t beat = 0;   // 0: says nothing about it
  bool ask = false;        // the scheduler has just begun: say at once what is here
};
[[nodiscard]] std::string encode(const StreamAck& ack);
[[nodiscard]] Result<StreamAck> decode_ack(std::string_view text);

// The payload of a grant's JWS.
[[nodiscard]] std::string encode(const Grant& grant);
[[nodiscard]] Result<Grant> decode_grant(std::string_view text);

// The text whose SHA-256 a grant names: a JSON object of command, contract, env and outputs, keys sorted, no white
// space.
[[nodiscard]] std::string work_text(const std::vector<std::string>& command,
                                    const std::map<std::string, std::string>& env,
                                    const std::vector<std::string>& outputs, const Contract& contract);

// Parts that several messages share.
[[nodiscard]] Json encode(const Contract& contract);
[[nodiscard]] Contract read_contract(Reader& parent, const Json& value);
[[nodiscard]] Result<Contract> decode_contract(const Json& value);
[[nodiscard]] Json encode(const RunLimits& limits);
[[nodiscard]] RunLimits read_limits(Reader& parent, const Json& value);
[[nodiscard]] std::vector<std::string> read_command(Reader& reader);
[[nodiscard]] std::map<std::string, std::string> read_env(Reader& reader);
[[nodiscard]] std::vector<std::string> read_outputs(Reader& reader);

// Common fields of messages about one attempt.
void write_key(Json& into, const AttemptKey& key);
[[nodiscard]] AttemptKey read_key(Reader& reader);
// W3C Trace Context, of every item that belongs to a job; absent when nobody traces.
void write_traceparent(Json& into, const std::string& traceparent);
[[nodiscard]] std::string read_traceparent(Reader& reader);

}  // namespace fieldwork::codec
