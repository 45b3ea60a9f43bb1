#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr std::size_t event_items_max = 256;

template <class... Fs>
struct Overload : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overload(Fs...) -> Overload<Fs...>;

std::string one_item(const codec::Json& item) { return codec::dump({{"v", 1}, {"items", codec::Json::array({item})}}); }

}  // namespace

codec::Json encode_state(const Job& job) {
  codec::Json executions = codec::Json::array();
  for (const auto& execution : job.executions) {
    codec::Json entry{{"execution", execution.index}, {"attempt", execution.attempts}, {"fence", execution.fence}};
    if (!execution.target.empty()) entry["device"] = execution.target.value;
    if (execution.attempt) {
      const auto& attempt = *execution.attempt;
      entry["device"] = attempt.device.value;
      entry["state"] = fieldwork::name(attempt.state);
      if (!attempt.reason.empty()) entry["reason"] = attempt.reason;
      if (attempt.result) {
        entry["exit_code"] = attempt.result->exit_code;
        entry["result"] = codec::encode(*attempt.result);
      }
    } else {
      entry["state"] = "queued";
    }
    executions.push_back(std::move(entry));
  }
  return {{"v", 1},
          {"job", job.id.value},
          {"name", job.spec.name},
          {"state", fieldwork::name(job.state)},
          {"reason", job.reason},
          {"submitter", job.submitter},
          {"executions", std::move(executions)},
          {"submitted_ms", job.submitted_ms},
          {"changed_ms", job.changed_ms},
          {"traceparent", job.traceparent}};
}

bus::Message SchedulerService::state_of(const Job& job) const {
  return {.topic = topics_.state("job", job.id.value), .payload = codec::dump(encode_state(job)), .retain = true};
}

// The latest state of each job that changed in this batch: one event for all, one retained message each.
void SchedulerService::say_changes(runtime::Output& out) {
  std::sort(changed_.begin(), changed_.end());
  changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
  codec::Json items = codec::Json::array();
  const auto send = [&] {
    if (items.empty()) return;
    out.messages.push_back(
        {.topic = topics_.event("job", "changed"), .payload = codec::dump({{"v", 1}, {"items", std::move(items)}})});
    items = codec::Json::array();
  };
  for (const auto& id : changed_) {
    const Job* job = core_->find(id);
    if (job == nullptr || forgotten_.contains(id)) continue;
    if (!job->bulk) out.messages.push_back(state_of(*job));
    codec::Json item{{"job", id.value}, {"state", fieldwork::name(job->state)}, {"reason", job->reason}};
    if (job->executions.size() == 1 && job->executions.front().attempt) {
      item["device"] = job->executions.front().attempt->device.value;
    }
    codec::write_traceparent(item, job->traceparent);
    items.push_back(std::move(item));
    if (settled(job->state)) {
      metrics::count("fieldwork_jobs_total", {{"state", std::string(fieldwork::name(job->state))}});
      log::debug("job settled",
                 {{"job", id.value}, {"state", std::string(fieldwork::name(job->state))}, {"trace", job->traceparent}});
    }
    if (items.size() >= event_items_max) send();
  }
  send();
  changed_.clear();
  forgotten_.clear();
}

void SchedulerService::carry_out(const Effect& effect, runtime::Output& out) {
  const auto key_text = [](const AttemptKey& key) {
    return key.job.value + ":" + std::to_string(key.execution) + ":" + std::to_string(key.fence);
  };
  std::visit(
      Overload{
          [&](const SaveJob& e) {
            if (const Job* job = core_->find(e.job)) out.upsert("job", e.job.value, job_row(*job));
          },
          [&](const SaveAttempt& e) {
            const Job* job = core_->find(e.key.job);
            if (job == nullptr) return;
            const auto& attempt = job->executions[static_cast<std::size_t>(e.key.execution)].attempt;
            // A newer attempt may already stand there: then this one was written when it ended, in this batch.
            if (attempt && attempt->key == e.key) out.upsert("attempt", key_text(e.key), attempt_row(*attempt));
          },
          [&](const SaveStream& e) {
            out.upsert("stream", e.device.value, stream_row(e.device, core_->stream(e.device)));
          },
          [&](const Ask& e) { questions_.push_back(e.question); },
          [&](const Order& e) {
            const codec::Order order = std::visit([](const auto& o) -> codec::Order { return o; }, e.order);
            if (const auto* assign = std::get_if<Assign>(&order)) {
              log::debug("assigned",
                         {{"job", assign->key.job.value}, {"device", e.device.value}, {"trace", assign->traceparent}});
            }
            out.commands.push_back({e.key, topics_.down(e.device.value, "command"), codec::dump(codec::encode(order))});
          },
          [&](const Settle& e) { out.settled.push_back(e.key); },
          [&](const TellStale& e) {
            metrics::count("fieldwork_stale_total");
            out.messages.push_back({.topic = topics_.down(e.device.value, "command"),
                                    .payload = one_item(codec::encode(codec::Order(e.stale)))});
          },
          [&](const Acknowledge& e) {
            out.messages.push_back({.topic = topics_.down(e.device.value, "ack"),
                                    .payload = codec::encode(codec::StreamAck{e.stream.epoch, e.stream.seq})});
          },
          [&](const Remind& e) { out.returned.push_back(topics_.down(e.device.value, "command")); },
          [&](const AnswerSubmission& e) {
            codec::Json item{{"job", e.job.value}, {"state", e.state}};
            if (!e.reason.empty()) item["reason"] = e.reason;
            answer(e.reply, std::move(item), out);
          },
          [&](const AnswerError& e) { answer(e.reply, codec::encode_error(e.error), out); },
          [&](const JobChanged& e) { changed_.push_back(e.job); },
          [&](const ForgetJob& e) {
            forgotten_.insert(e.job);
            if (!e.bulk)
              out.messages.push_back({.topic = topics_.state("job", e.job.value), .payload = "", .retain = true});
          },
      },
      effect);
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
  const bool submission = !request.empty();
  if (submission) item["request"] = request;
  group->second.items.push_back(codec::dump(item));
  if (--group->second.open > 0) return;
  std::string payload;
  if (submission) {
    payload = join(group->second.items);
  } else {
    item["v"] = 1;
    payload = codec::dump(item);
  }
  if (!group->second.topic.empty())
    out.messages.push_back(
        {.topic = group->second.topic, .payload = std::move(payload), .correlation = group->second.correlation});
  groups_.erase(group);
}

}  // namespace fieldwork::scheduler
