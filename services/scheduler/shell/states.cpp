#include "scheduler/shell/states.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "model/limits.hpp"
#include "scheduler/shell/rows.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

// The beginning of `text` that takes at most `bytes_max` bytes as JSON: an escape may make six bytes of one.
std::string bounded(const std::string& text, std::size_t bytes_max) {
  auto out = clamp_text(text, bytes_max);
  while (codec::dump(Json(out)).size() > bytes_max + 2) out = clamp_text(out, out.size() / 2);
  return out;
}

// The end of the program's output (stdout, else stderr), as text.
std::string tail_of(const RunResult& result) {
  const auto& text = result.stdout_text.empty() ? result.stderr_text : result.stdout_text;
  auto begin = text.size() > limits::tail_bytes_max ? text.size() - limits::tail_bytes_max : 0;
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) ++begin;
  auto out = text.substr(begin);
  while (codec::dump(Json(out)).size() > limits::tail_bytes_max + 2) out.erase(0, out.size() / 4 + 1);
  return out;
}

void add_result(Json& into, const RunResult& result) {
  into["exit_code"] = result.exit_code;
  if (result.signal) into["signal"] = *result.signal;
  into["elapsed_ms"] = result.elapsed_ms;
  into["truncated"] = result.truncated;
  const auto size = [&](const std::string& text, std::int64_t bytes) {
    return result.in_parts ? bytes : static_cast<std::int64_t>(text.size());
  };
  into["stdout_bytes"] = size(result.stdout_text, result.stdout_bytes);
  into["stderr_bytes"] = size(result.stderr_text, result.stderr_bytes);
  into["files"] = result.files.size();
  if (result.use) into["use"] = codec::encode(*result.use);
  if (auto tail = tail_of(result); !tail.empty()) into["tail"] = std::move(tail);
}

// What is so from the assignment on: when that was, what was set aside for it, and how far it is.
void add_attempt(Json& into, const Attempt& attempt, const Requirements& need) {
  into["assigned_ms"] = attempt.created_ms;
  into["resources_allocated"] = {
      {"cpu_millis", need.cpu_millis}, {"memory_bytes", need.memory_bytes}, {"storage_bytes", need.storage_bytes}};
  if (!attempt.progress) return;
  auto progress = codec::encode(*attempt.progress);
  for (const char* field : {"step", "message"}) {
    if (progress.contains(field)) progress[field] = bounded(progress[field], limits::progress_message_bytes_max);
  }
  into["progress"] = std::move(progress);
}

}  // namespace

Json encode_state(const JobRecord& job) {
  Json counts = Json::object();
  std::size_t width = 0;
  for (std::size_t i = 0; i < job.counts.size(); ++i) {
    if (job.counts[i] == 0) continue;
    counts[std::string(name(static_cast<ExecutionState>(i)))] = job.counts[i];
    width += job.counts[i];
  }
  Json reasons = Json::array();
  for (const auto& reason : job.reasons) reasons.push_back(bounded(reason, 256));
  Json out{{"v", 1},
           {"job", job.id.value},
           {"name", bounded(job.spec->name, 256)},
           {"state", fieldwork::name(job.state)},
           {"reason", bounded(job.reason, limits::reason_bytes_max)},
           {"submitter", job.submitter},
           {"width", width},
           {"counts", std::move(counts)},
           {"reasons", std::move(reasons)},
           {"submitted_ms", job.submitted_ms},
           {"changed_ms", job.changed_ms}};
  if (!job.device.empty()) out["device"] = job.device.value;
  if (!job.made_of.empty()) out["template"] = job.made_of;
  if (!job.retry_of.empty()) out["retry_of"] = job.retry_of.value;
  if (job.estimated != Demand{}) out["estimated"] = encode(job.estimated);
  codec::write_traceparent(out, job.traceparent);
  return out;
}

Json encode(const Demand& estimated) {
  Json out = Json::object();
  if (estimated.cpu_millis > 0) out["cpu_millis"] = estimated.cpu_millis;
  if (estimated.memory_bytes > 0) out["memory_bytes"] = estimated.memory_bytes;
  return out;
}

Json encode_state(const ExecutionRecord& record) {
  const auto& execution = record.execution;
  Json out{{"v", 1},
           {"job", record.job.value},
           {"execution", execution.index},
           {"name", bounded(record.spec->name, 256)},
           {"state", fieldwork::name(execution.state)},
           {"attempt", execution.attempts},
           {"fence", execution.fence},
           {"version", execution.version},
           {"changed_ms", execution.changed_ms}};
  const auto& device = execution.attempt ? execution.attempt->device : execution.target;
  if (!device.empty()) out["device"] = device.value;
  auto reason = execution.reason;
  if (execution.attempt && execution.is<Live>()) reason = execution.attempt->reason;
  if (!reason.empty()) out["reason"] = bounded(reason, limits::reason_bytes_max);
  if (execution.attempt && (execution.is<Live>() || settled(execution.state)))
    add_attempt(out, *execution.attempt, record.spec->requirements);
  if (execution.attempt && execution.attempt->result && settled(execution.state))
    add_result(out, *execution.attempt->result);
  if (settled(execution.state) && execution.attempt && execution.attempt->state == AttemptState::cancelled)
    out["confirmed"] = settled(execution.attempt->reported);
  codec::write_traceparent(out, record.traceparent);
  return out;
}

}  // namespace fieldwork::scheduler
