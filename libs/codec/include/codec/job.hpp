// Jobs, commands to devices and their reports <-> JSON. Shapes: docs/topics.md, schemas/.
#pragma once

#include <variant>
#include <vector>

#include "codec/items.hpp"
#include "model/job.hpp"

namespace fieldwork::codec {

[[nodiscard]] Json encode(const JobSpec& job);
[[nodiscard]] JobSpec read_job(Reader& reader);  // mistakes are kept by the reader
[[nodiscard]] Result<JobSpec> decode_job(const Json& value);

// Output (stdout or stderr) that is no text (base/text.hpp), or that escapes would more than double, is encoded as
// <name>_base64.
[[nodiscard]] Json encode(const RunUse& use);
[[nodiscard]] Json encode(const RunResult& result);
// The bytes of dump(encode(result)), without encoding it. At most twice the output, 4/3 of the files' content and 2 KiB
// per file; whoever makes a report keeps the result within bounds.
[[nodiscard]] std::size_t encoded_bytes(const RunResult& result);
[[nodiscard]] RunResult read_result(Reader& reader);
[[nodiscard]] Result<RunResult> decode_result(const Json& value);

// device/{device}/up/report (docs/decisions/0011)
struct ReportItem {
  std::int64_t tag = 0;  // 32 random bits, made together with the number
  AttemptReport report;
  std::optional<Error> error;  // the item could not be read; then `report` has at most its key
};
struct Report {
  std::int64_t epoch = 0;
  std::int64_t first = 1;  // the lowest number that the device still holds
  std::int64_t seq = 1;    // number of the first item
  std::int64_t after = 0;  // tag of number seq - 1; 0: the device has none
  std::vector<ReportItem> items;
};
[[nodiscard]] Json encode(const AttemptReport& report);
[[nodiscard]] Result<AttemptReport> decode_attempt_report(const Json& value);
[[nodiscard]] std::string encode(const Report& report);
[[nodiscard]] Result<Report> decode_report(std::string_view text);

// Texts that are too long are cut, and a fraction outside 0 to 1 is left out, by whoever encodes.
[[nodiscard]] Json encode(const RunProgress& progress);
[[nodiscard]] RunProgress read_progress(Reader& parent, const Json& value);
[[nodiscard]] Result<RunProgress> decode_run_progress(const Json& value);

[[nodiscard]] Json encode(const std::vector<Decided>& decided);
[[nodiscard]] Result<std::vector<Decided>> decode_decided(const Json& value);

// device/{device}/up/progress: at most limits::progress_items_max items.
struct ProgressItem {
  AttemptKey key;
  RunProgress progress;
};
using ProgressItems = Items<ProgressItem, AttemptKey>;
[[nodiscard]] std::string encode(const std::vector<ProgressItem>& items);
[[nodiscard]] Result<ProgressItems> decode_progress(std::string_view text);

// device/{device}/up/message: what programs send to the other executions of their job. A list has at most
// limits::message_items_max items, an item 1 to limits::message_lines_max lines, and each of them 1 to
// limits::message_line_bytes_max bytes of one line (base/text.hpp is_line). Whoever encodes keeps to that.
struct SentItem {
  AttemptKey key;  // of the sender
  std::vector<std::string> lines;
};
using SentItems = Items<SentItem, AttemptKey>;
[[nodiscard]] std::string encode(const std::vector<SentItem>& items);
[[nodiscard]] Result<SentItems> decode_sent(std::string_view text);

// device/{device}/down/message: the same bounds. One item is encoded; pack_items (model/items.hpp) packs items into
// messages.
struct HeardItem {
  AttemptKey key;  // of the receiver
  int from = 0;    // the sender's execution
  std::vector<std::string> lines;
};
using HeardItems = Items<HeardItem, AttemptKey>;
[[nodiscard]] Json encode(const HeardItem& item);
[[nodiscard]] Result<HeardItems> decode_heard(std::string_view text);

// device/{device}/down/command: read item by item, so that a bad item spoils no other.
using Command = std::variant<Assign, Cancel, Inquire, Stale, Tail>;
using Commands = Items<Command, AttemptKey>;
[[nodiscard]] Json encode(const Command& command);
[[nodiscard]] Result<Commands> decode_commands(std::string_view text);
[[nodiscard]] Result<Assign> decode_assign(const Json& value);  // as the agent's journal keeps it

// device/{device}/down/ack. `epoch`, `seq`: the stream is stored up to there. `begin`: the device numbers anew, in this
// epoch or a later one. `beat`: the newest heartbeat that has arrived.
struct StreamAck {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
  std::int64_t tag = 0;    // tag of `seq`; 0: `seq` was never heard
  std::int64_t begin = 0;  // 0: the device goes on in its epoch
  std::int64_t beat = 0;   // 0: says nothing about heartbeats
  bool ask = false;        // the scheduler has just started: send a heartbeat at once
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
// The W3C Trace Context of an item that belongs to a job; absent when nobody traces the job.
void write_traceparent(Json& into, const std::string& traceparent);
[[nodiscard]] std::string read_traceparent(Reader& reader);

}  // namespace fieldwork::codec
