// Questions about what runs, which only the devices can answer: service/scheduler/logs.
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "model/items.hpp"
#include "scheduler/limits.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

struct LogsAsked {
  JobId job;
  std::optional<int> execution;  // none: the first logs_executions_max that are on a device
  int for_s = 30;
  bool begin = true;
};

Result<LogsAsked> logs_asked(std::string_view payload) {
  auto value = codec::parse(payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  LogsAsked out{JobId{reader.id("job")}, {}};
  if (const auto one = reader.integer_maybe("execution", 0, limits::executions_max - 1))
    out.execution = static_cast<int>(*one);
  out.for_s = static_cast<int>(reader.integer_or("for_s", out.for_s, 1, limits::tail_s_max));
  out.begin = reader.boolean_or("begin", true);
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace

// The devices are told once: who goes on looking asks again, so nothing needs to be repeated or taken back.
void SchedulerService::logs(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out) {
  const auto asked = logs_asked(message.payload);
  if (!asked) return reject(topic, message, asked.error(), now, out);
  const auto* job = core_->find(asked->job);
  if (job == nullptr || settled(job->state)) {
    const bool known = job != nullptr || may_be_stored(asked->job);
    return reject(topic, message,
                  known ? Error{Code::conflict, "the job is over or unknown: what is kept is its result", "/job"}
                        : Error{Code::unknown, "there is no job " + asked->job.value, "/job"},
                  now, out);
  }
  if (asked->execution && static_cast<std::size_t>(*asked->execution) >= job->executions.size())
    return reject(
        topic, message,
        {Code::unknown, "the job has " + std::to_string(job->executions.size()) + " executions", "/execution"}, now,
        out);
  Json executions = Json::array();
  for (const auto& one : job->executions) {
    if (asked->execution && one.index != *asked->execution) continue;
    if (!one.is<Live>() || executions.size() >= logs_executions_max) continue;
    const auto& attempt = *one.attempt;
    executions.push_back(
        {{"execution", one.index}, {"device", attempt.device.value}, {"state", fieldwork::name(one.state)}});
    // A device that is not heard, or that may not know the attempt yet.
    if (one.state == ExecutionState::unreachable || attempt.reported == AttemptState::assigned) continue;
    const codec::Command tail =
        Tail{.key = attempt.key, .for_s = asked->for_s, .begin = asked->begin, .traceparent = job->traceparent};
    for (auto& payload : pack_items({codec::dump(codec::encode(tail))}))
      out.messages.push_back({.topic = topics_.down(attempt.device.value, "command"), .payload = std::move(payload)});
  }
  respond(
      message,
      {{"v", 1}, {"job", job->id.value}, {"state", fieldwork::name(job->state)}, {"executions", std::move(executions)}},
      out);
}

}  // namespace fieldwork::scheduler
