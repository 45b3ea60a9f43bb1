// The core's output to rows and messages.
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "model/items.hpp"
#include "model/key_text.hpp"
#include "model/limits.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {

void SchedulerService::apply(const Output& done, Time now, runtime::Output& out) {
  save(done, out);
  command(done, out);
  say_again(out);
  say(done, now, out);
}

void SchedulerService::save(const Output& done, runtime::Output& out) {
  const auto put = [&](const char* table, std::string key, bool stored, store::Row row) {
    stored ? out.update(table, std::move(key), std::move(row)) : out.upsert(table, std::move(key), std::move(row));
  };
  for (const auto& job : done.jobs) {
    put("job", job.id.value, job.stored, job_row(job));
    if (!job.stored) stored_ids_.add(job.id);
  }
  for (const auto& one : done.executions)
    out.upsert("execution", execution_key(one.job, one.execution.index), execution_row(one));
  for (const auto& attempt : done.attempts) put("attempt", key_text(attempt.key), attempt.stored, attempt_row(attempt));
  for (const auto& part : done.parts) out.upsert("part", part_key(part), part_row(part));
  const auto keep = [&](const char* table, std::string key, bool remove, store::Row row) {
    remove ? out.remove(table, std::move(key), std::move(row)) : out.upsert(table, std::move(key), std::move(row));
  };
  for (const auto& one : done.streams) keep("stream", one.device.value, one.remove, stream_row(one.device, one.stream));
  for (const auto& one : done.placeable) keep("unplaceable", one.device.value, one.placeable, placeable_row(one));
  for (const auto& one : done.durations) keep("duration", one.key, one.remove, duration_row(one));
  for (const auto& one : done.failures) keep("failure", one.work, one.remove, failure_row(one));
  for (const auto& one : done.shown) keep("shown", execution_key(one.job, one.execution), one.remove, shown_row(one));
}

void SchedulerService::put(const PutCommand& put, runtime::Output& out) const {
  const auto command = std::visit([](const auto& one) -> codec::Command { return one; }, put.command);
  out.put(
      {put.key, topics_.down(put.device.value, "command"), codec::dump(codec::encode(command)), put.life, put.kept});
}

void SchedulerService::command(const Output& done, runtime::Output& out) const {
  for (const auto& change : done.outbox) {
    if (const auto* put = std::get_if<PutCommand>(&change)) {
      this->put(*put, out);
    } else if (const auto* close = std::get_if<CloseCommand>(&change)) {
      out.close(close->key);
    } else {
      out.hasten(topics_.down(std::get<HastenCommands>(change).device.value, "command"));
    }
  }
  std::vector<std::string> questions;
  for (const auto& question : done.questions) questions.push_back(codec::dump(codec::encode(question)));
  for (auto& payload : pack_items(questions)) {
    out.early.push_back(
        {.topic = topics_.service("security-policy", "authorise", "scheduler"), .payload = std::move(payload)});
  }
}

// Its state was published, or cleared: what is read of it for ended_again_ would be older.
void SchedulerService::not_again(const JobId& job, int execution) {
  const auto it = ended_again_.find(job);
  if (it == ended_again_.end()) return;
  it->second.erase(execution);
  if (it->second.empty()) ended_again_.erase(it);
}

void SchedulerService::say_states(const Output& done, runtime::Output& out) {
  for (const auto& job : done.job_states) {
    if (job.bulk) continue;
    auto state = encode_state(job);
    if (job.state != JobState::queued) waits_said_.erase(job.id);
    if (const auto said = waits_said_.find(job.id); said != waits_said_.end()) state["waits"] = encode(said->second);
    say_retained(topics_.state("job", job.id.value), codec::dump(state), out);
  }
  for (const auto& one : done.execution_states) {
    const auto id = one.job.value + "." + std::to_string(one.execution.index);
    if (settled(one.execution.state)) not_again(one.job, one.execution.index);
    say_retained(topics_.state("execution", id), codec::dump(encode_state(one)), out);
  }
  for (const auto& one : done.placeable) {
    const codec::Json state{{"v", 1},
                            {"device", one.device.value},
                            {"placeable", false},
                            {"reason", one.reason},
                            {"since_ms", one.since_ms},
                            {"until_ms", one.until_ms}};
    say_retained(topics_.state("placement", one.device.value), one.placeable ? "" : codec::dump(state), out);
  }
}

void SchedulerService::say_moved(const Output& done, runtime::Output& out) const {
  constexpr std::array words{"lost", "moved", "reconciled"};
  std::vector<std::string> events;
  for (const auto& one : done.moved) {
    const std::string event = words[static_cast<std::size_t>(one.what)];
    codec::Json item{{"event", event}, {"reason", clamp_text(one.reason, limits::reason_bytes_max)}};
    codec::write_key(item, one.key);
    if (!one.from.empty()) item["from"] = one.from.value;
    if (!one.to.empty()) item["to"] = one.to.value;
    if (one.what == Moved::What::reconciled) item["stays"] = one.original ? "original" : "replacement";
    events.push_back(codec::dump(item));
    metrics::count("fieldwork_moved_total", {{"event", event}});
    log::info("execution " + event,
              {{"attempt", key_text(one.key)}, {"from", one.from.value}, {"to", one.to.value}, {"reason", one.reason}});
  }
  for (auto& payload : pack_items(events))
    out.messages.push_back({.topic = topics_.event("execution", "moved"), .payload = std::move(payload)});
}

void SchedulerService::say_lines(const Output& done, runtime::Output& out) const {
  std::map<std::string, std::vector<std::string>> by_device;
  for (const auto& one : done.lines) {
    by_device[one.device.value].push_back(codec::dump(codec::encode(codec::HeardItem{one.key, one.from, one.lines})));
    metrics::count("fieldwork_lines_total", {}, static_cast<double>(one.lines.size()));
  }
  for (const auto& [device, items] : by_device) {
    for (auto& payload : pack_items(items, lines_bytes_max, limits::message_items_max))
      out.messages.push_back({.topic = topics_.down(device, "message"), .payload = std::move(payload), .qos = 0});
  }
  if (done.lines_dropped > 0)
    metrics::count("fieldwork_lines_dropped_total", {}, static_cast<double>(done.lines_dropped));
}

// Once, after the commit. All jobs that changed share one event; each has its latest state in a retained message.
void SchedulerService::say(const Output& done, Time now, runtime::Output& out) {
  for (const auto& one : done.answers) answer(one, now, out);
  std::map<std::string, std::vector<std::string>> stale;
  for (const auto& one : done.stale)
    stale[one.device.value].push_back(codec::dump(codec::encode(codec::Command(one.stale))));
  for (const auto& [device, items] : stale) {
    metrics::count("fieldwork_stale_total", {}, static_cast<double>(items.size()));
    for (auto& payload : pack_items(items))
      out.messages.push_back({.topic = topics_.down(device, "command"), .payload = std::move(payload)});
  }
  for (const auto& one : done.acknowledgements) {
    out.messages.push_back({.topic = topics_.down(one.device.value, "ack"),
                            .payload = codec::encode(codec::StreamAck{one.stream.epoch, one.stream.seq, one.stream.tag,
                                                                      one.begin, one.beat, one.ask})});
  }
  say_lines(done, out);
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
    if (!one.bulk) say_retained(topics_.state("job", one.job.value), "", out);
  }
  for (const auto& one : done.forgotten_executions) {
    not_again(one.job, one.execution);
    say_retained(topics_.state("execution", one.job.value + "." + std::to_string(one.execution)), "", out);
  }
  say_moved(done, out);
  for (const auto& one : done.preempted) {
    const auto ran = std::chrono::duration<double>(one.ran).count();
    metrics::count("fieldwork_preemptions_total");
    metrics::count("fieldwork_preempted_seconds_total", {}, ran);
    log::info("preempted", {{"attempt", key_text(one.key)},
                            {"device", one.device.value},
                            {"by", one.by.value},
                            {"progress", one.progress ? codec::dump(codec::encode(*one.progress)) : ""},
                            {"ran_s", std::to_string(ran)}});
  }
  for (const auto& one : done.notices) {
    metrics::count("fieldwork_notices_total");
    log::warn(one.text, {{"device", one.device.value}, {"job", one.job.value}});
  }
}

void SchedulerService::answer(const Answer& answer, Time now, runtime::Output& out) {
  std::optional<bus::Message> ready;
  if (const auto* answered = std::get_if<SubmissionAnswer>(&answer)) {
    codec::Json item{{"job", answered->job.value}, {"state", answered->state}};
    if (!answered->reason.empty()) item["reason"] = answered->reason;
    const bool queued = answered->state == fieldwork::name(JobState::queued);
    if (const auto waits = waits_of(answered->job, now); waits && (queued || waits->reason.word != "policy"))
      item["waits"] = encode(*waits);
    const auto* job = core_->find(answered->job);
    if (job != nullptr && !settled(job->state) && !item.contains("waits")) {
      if (const auto meets = meets_deadline(*job, now, core_->durations())) item["meets_deadline"] = *meets;
    }
    ready = replies_.answer(answered->reply, std::move(item));
  } else if (const auto* error = std::get_if<ErrorAnswer>(&answer)) {
    ready = replies_.answer(error->reply, codec::encode_error(error->error));
  } else {
    ready = replies_.leave(std::get<NoAnswer>(answer).reply);
  }
  if (ready) out.messages.push_back(std::move(*ready));
}

}  // namespace fieldwork::scheduler
