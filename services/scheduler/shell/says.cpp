// What the core wants done, to rows and messages.
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "model/items.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {

void SchedulerService::save(const Output& done, runtime::Output& out) const {
  for (const auto& job : done.jobs) out.upsert("job", job.id.value, job_row(job));
  for (const auto& one : done.executions)
    out.upsert("execution", execution_key(one.job, one.execution.index), execution_row(one));
  for (const auto& attempt : done.attempts) out.upsert("attempt", key_text(attempt.key), attempt_row(attempt));
  for (const auto& part : done.parts) out.upsert("part", part_key(part), part_row(part));
  for (const auto& one : done.streams) {
    if (one.remove) {
      out.remove("stream", one.device.value, stream_row(one.device, one.stream));
    } else {
      out.upsert("stream", one.device.value, stream_row(one.device, one.stream));
    }
  }
  for (const auto& one : done.placeable) {
    if (one.placeable) {
      out.remove("unplaceable", one.device.value, placeable_row(one));
    } else {
      out.upsert("unplaceable", one.device.value, placeable_row(one));
    }
  }
  for (const auto& one : done.shown) {
    const auto key = execution_key(one.job, one.execution);
    if (one.remove) {
      out.remove("shown", key, shown_row(one));
    } else {
      out.upsert("shown", key, shown_row(one));
    }
  }
}

void SchedulerService::order(const Output& done, runtime::Output& out) const {
  for (const auto& change : done.outbox) {
    if (const auto* put = std::get_if<PutOrder>(&change)) {
      const auto order = std::visit([](const auto& one) -> codec::Order { return one; }, put->order);
      out.put({put->key, topics_.down(put->device.value, "command"), codec::dump(codec::encode(order)), put->life});
    } else if (const auto* settle = std::get_if<SettleOrder>(&change)) {
      out.settle(settle->key);
    } else {
      out.hasten(topics_.down(std::get<HastenOrders>(change).device.value, "command"));
    }
  }
  std::vector<std::string> questions;
  for (const auto& question : done.questions) questions.push_back(codec::dump(codec::encode(question)));
  for (auto& payload : pack_items(questions)) {
    out.early.push_back(
        {.topic = topics_.service("security-policy", "authorise", "scheduler"), .payload = std::move(payload)});
  }
}

bus::Message SchedulerService::retained(const char* kind, const std::string& id, std::string payload) const {
  return {.topic = topics_.state(kind, id), .payload = std::move(payload), .retain = true};
}

void SchedulerService::say_states(const Output& done, runtime::Output& out) const {
  for (const auto& job : done.job_states) {
    if (!job.bulk) out.messages.push_back(retained("job", job.id.value, codec::dump(encode_state(job))));
  }
  for (const auto& one : done.execution_states) {
    const auto id = one.job.value + "." + std::to_string(one.execution.index);
    out.messages.push_back(retained("execution", id, codec::dump(encode_state(one))));
  }
  for (const auto& one : done.placeable) {
    const codec::Json state{{"v", 1},
                            {"device", one.device.value},
                            {"placeable", false},
                            {"reason", one.reason},
                            {"since_ms", one.since_ms},
                            {"until_ms", one.until_ms}};
    out.messages.push_back(retained("placement", one.device.value, one.placeable ? "" : codec::dump(state)));
  }
}

// Once, after the commit. The latest state of each job that changed: one event for all, one retained message each.
void SchedulerService::say(const Output& done, runtime::Output& out) {
  for (const auto& one : done.answers) {
    if (const auto* answered = std::get_if<SubmissionAnswer>(&one)) {
      codec::Json item{{"job", answered->job.value}, {"state", answered->state}};
      if (!answered->reason.empty()) item["reason"] = answered->reason;
      answer(answered->reply, std::move(item), out);
    } else {
      const auto& error = std::get<ErrorAnswer>(one);
      answer(error.reply, codec::encode_error(error.error), out);
    }
  }
  std::map<std::string, std::vector<std::string>> stale;
  for (const auto& one : done.stale)
    stale[one.device.value].push_back(codec::dump(codec::encode(codec::Order(one.stale))));
  for (const auto& [device, items] : stale) {
    metrics::count("fieldwork_stale_total", {}, static_cast<double>(items.size()));
    for (auto& payload : pack_items(items))
      out.messages.push_back({.topic = topics_.down(device, "command"), .payload = std::move(payload)});
  }
  for (const auto& one : done.acknowledgements) {
    out.messages.push_back({.topic = topics_.down(one.device.value, "ack"),
                            .payload = codec::encode(codec::StreamAck{one.stream.epoch, one.stream.seq, one.stream.tag,
                                                                      one.begin, one.beat})});
  }
  say_states(done, out);
  std::vector<std::string> events;
  for (const auto& job : done.job_states) {
    codec::Json item{{"job", job.id.value}, {"state", fieldwork::name(job.state)}, {"reason", job.reason}};
    if (!job.device.empty()) item["device"] = job.device.value;
    codec::write_traceparent(item, job.traceparent);
    events.push_back(codec::dump(item));
    if (!settled(job.state)) continue;
    const std::string state(fieldwork::name(job.state));
    metrics::count("fieldwork_jobs_total", {{"state", state}});
    const auto level = job.bulk ? log::Level::debug : log::Level::info;
    if (log::enabled(level))
      log::write(level, "job settled",
                 {{"job", job.id.value}, {"state", state}, {"reason", job.reason}, {"trace", job.traceparent}});
  }
  for (auto& payload : pack_items(events))
    out.messages.push_back({.topic = topics_.event("job", "changed"), .payload = std::move(payload)});
  for (const auto& one : done.forgotten_jobs) {
    if (!one.bulk) out.messages.push_back(retained("job", one.job.value, ""));
  }
  for (const auto& one : done.forgotten_executions)
    out.messages.push_back(retained("execution", one.job.value + "." + std::to_string(one.execution), ""));
  for (const auto& one : done.notices) {
    metrics::count("fieldwork_notices_total");
    log::warn(one.text, {{"device", one.device.value}, {"job", one.job.value}});
  }
}

// Answers to the items of one submission travel together, when the last of them is there.
void SchedulerService::answer(Reply reply, codec::Json item, runtime::Output& out) {
  const auto waiting = waiting_.find(reply);
  if (waiting == waiting_.end()) return;
  const auto group = groups_.find(waiting->second.group);
  const auto request = std::move(waiting->second.request);
  waiting_.erase(waiting);
  if (group == groups_.end()) return;
  item.erase("v");
  if (!request.empty()) item["request"] = request;
  group->second.items.push_back(codec::dump(item));
  if (--group->second.open > 0) return;
  send(group->second, std::move(item), out);
  groups_bytes_ -= group->second.topic.size() + group->second.correlation.size();
  groups_.erase(group);
}

void SchedulerService::send(const Group& group, codec::Json item, runtime::Output& out) const {
  if (group.topic.empty()) return;
  std::string payload;
  if (group.single) {
    item["v"] = 1;
    payload = codec::dump(item);
  } else {
    // One message, whatever it takes: its items are bounded by the submission's.
    payload = pack_items(group.items, limits::message_bytes_max).front();
  }
  out.messages.push_back({.topic = group.topic, .payload = std::move(payload), .correlation = group.correlation});
}

}  // namespace fieldwork::scheduler
