// What clients ask: submit, cancel, show, explain, list.
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr std::size_t groups_max = 10'000;
constexpr std::size_t bulk_from = 17;  // jobs in one submission; fewer have state topics of their own
constexpr std::size_t submission_bytes_max = 1'900'000;
constexpr int list_max = 1000;

// The same submitter and request name the same job, also after the scheduler forgot it.
JobId job_id(std::string_view submitter, const std::string& request) {
  return JobId("j-" + crypto::to_hex(crypto::sha256(std::string(submitter) + "\n" + request)).substr(0, 20));
}

Result<std::string> job_asked(const bus::Message& message) {
  auto value = codec::parse(message.payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  auto job = reader.id("job");
  if (!reader.finish()) return reader.error();
  return job;
}

struct ListAsked {
  int limit = 50;
  std::string state;
};
Result<ListAsked> list_asked(const bus::Message& message) {
  auto value = codec::parse(message.payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  ListAsked out{static_cast<int>(reader.integer_or("limit", 50, 1, list_max)), reader.text_or("state", "", 16)};
  if (reader.ok() && !out.state.empty() && !job_state(out.state)) reader.fail("state", "is not a job state");
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace

Result<SchedulerService::Submission> SchedulerService::decode_submission(const bus::Message& message,
                                                                         std::string_view from) const {
  auto value = codec::parse(message.payload, submission_bytes_max);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const auto* items = reader.array("items", codec::items_max);
  if (items != nullptr && items->empty()) reader.fail("items", "is empty");
  Submission out;
  for (std::size_t i = 0; items != nullptr && i < items->size() && reader.ok(); ++i) {
    codec::Reader item(reader, "items", i, (*items)[i]);
    JobSubmitted job;
    job.request = item.id("request");
    job.traceparent = codec::read_traceparent(item);
    job.submitter = from;
    job.bulk = items->size() >= bulk_from;
    const auto* spec = item.object("job");
    if (!item.finish()) break;
    auto decoded = codec::decode_job(*spec);
    if (!decoded) {
      auto error = decoded.error();
      error.path = "/job" + error.path;
      out.refused.emplace_back(job.request, std::move(error));
      continue;
    }
    job.spec = std::move(*decoded);
    job.spec_digest = crypto::digest_of(codec::dump(codec::encode(job.spec)));
    job.job = job_id(from, job.request);
    out.jobs.push_back(std::move(job));
  }
  if (!reader.finish()) return reader.error();
  return out;
}

// One look into the database for all submissions of the batch, one for each other request.
Result<void> SchedulerService::prefetch(store::Store& store, const std::vector<const bus::Message*>& batch) {
  submissions_.clear();
  fetched_.clear();
  lists_.clear();
  std::vector<std::string> ids;
  std::vector<std::string> whole;
  for (const auto* message : batch) {
    const auto topic = topics_.parse(message->topic);
    if (!topic || topic->kind != Topic::Kind::service || topic->name != "scheduler") continue;
    if (topic->channel == "submit") {
      auto submission = decode_submission(*message, topic->from);
      if (submission) {
        for (const auto& job : submission->jobs) {
          if (core_->find(job.job) == nullptr) ids.push_back(job.job.value);
        }
      }
      submissions_.emplace(message, std::move(submission));
    } else if (topic->channel == "show" || topic->channel == "explain" || topic->channel == "cancel") {
      const auto job = job_asked(*message);
      if (job && core_->find(JobId(*job)) == nullptr) whole.push_back(*job);
    } else if (topic->channel == "list") {
      const auto asked = list_asked(*message);
      if (!asked) continue;
      store::Query query{.table = "job", .order_by = "submitted_ms", .descending = true, .limit = asked->limit};
      if (!asked->state.empty() && settled(*job_state(asked->state))) query.where["state"] = asked->state;
      if (!asked->state.empty() && !settled(*job_state(asked->state))) query.where["live"] = "true";
      auto rows = store.select(query);
      if (!rows) return rows.error();
      auto jobs = assemble(*rows, {});
      if (!jobs) return jobs.error();
      lists_.emplace(message, std::move(*jobs));
    }
  }
  for (const bool with_attempts : {false, true}) {
    const auto& wanted = with_attempts ? whole : ids;
    if (wanted.empty()) continue;
    auto rows = store.find("job", "job", wanted);
    if (!rows) return rows.error();
    std::vector<std::string> attempts;
    if (with_attempts && !rows->empty()) {
      auto found = store.find("attempt", "job", wanted);
      if (!found) return found.error();
      attempts = std::move(*found);
    }
    auto jobs = assemble(*rows, attempts);
    if (!jobs) return jobs.error();
    for (auto& job : *jobs) fetched_.insert_or_assign(job.id, std::move(job));
  }
  return {};
}

const Job* SchedulerService::known(const JobId& id) const {
  if (const Job* job = core_->find(id)) return job;
  const auto it = fetched_.find(id);
  return it == fetched_.end() ? nullptr : &it->second;
}

void SchedulerService::respond(const bus::Message& message, const codec::Json& answer, runtime::Output& out) {
  if (message.response_topic.empty()) return;
  out.messages.push_back(
      {.topic = message.response_topic, .payload = codec::dump(answer), .correlation = message.correlation});
}

Reply SchedulerService::wait_for(const bus::Message& message, std::size_t answers) {
  const auto id = next_reply_++;
  groups_[id] = Group{message.response_topic, message.correlation, answers, {}};
  if (groups_.size() > groups_max) groups_.erase(groups_.begin());
  return id;
}

void SchedulerService::request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  if (topic.name != "scheduler") return;
  const std::string asker(topic.from);
  if (message.retain) return rejections_.note("retained", asker, {Code::invalid, "a request is not retained"}, now);
  if (topic.channel == "authorised") return decided(topic, message, now);
  if (!message.response_topic.empty()) {
    if (!topics_.reply_to(message.response_topic, message.correlation)) {
      return rejections_.note("reply", asker, {Code::invalid, "the response topic is not reply/{client}/{channel}"},
                              now);
    }
  }
  if (topic.channel == "submit") {
    const auto it = submissions_.find(&message);
    if (it != submissions_.end() && !it->second) return reject(topic, message, it->second.error(), now, out);
    return submit(message, now, out);
  }
  if (topic.channel == "list") {
    const auto asked = list_asked(message);
    if (!asked) return reject(topic, message, asked.error(), now, out);
    return list(message, out);
  }
  if (topic.channel != "show" && topic.channel != "explain" && topic.channel != "cancel") {
    return reject(topic, message, {Code::unknown, "no such operation"}, now, out);
  }
  const auto asked = job_asked(message);
  if (!asked) return reject(topic, message, asked.error(), now, out);
  const Job* job = known(JobId(*asked));
  if (job == nullptr) return respond(message, codec::encode_error({Code::unknown, "no such job", "/job"}), out);
  if (topic.channel != "cancel") return show(message, topic.channel == "explain", out);
  if (core_->find(job->id) == nullptr) {
    return respond(message, {{"v", 1}, {"job", job->id.value}, {"state", fieldwork::name(job->state)}}, out);
  }
  const auto group = wait_for(message, 1);
  const auto reply = next_reply_++;
  waiting_[reply] = Waiting{group, ""};
  step(CancelRequested{reply, job->id}, now);
}

void SchedulerService::submit(const bus::Message& message, Time now, runtime::Output& out) {
  auto& submission = *submissions_.at(&message);
  const auto group = wait_for(message, submission.jobs.size() + submission.refused.size());
  for (auto& [request, error] : submission.refused) {
    const auto reply = next_reply_++;
    waiting_[reply] = Waiting{group, request};
    answer(reply, codec::encode_error(error), out);
  }
  for (auto& job : submission.jobs) {
    job.reply = next_reply_++;
    waiting_[job.reply] = Waiting{group, job.request};
    if (const auto it = fetched_.find(job.job); it != fetched_.end()) {
      job.known = JobSubmitted::Known{std::string(fieldwork::name(it->second.state)), it->second.reason,
                                      it->second.spec_digest};
    }
    step(std::move(job), now);
  }
}

void SchedulerService::show(const bus::Message& message, bool explain, runtime::Output& out) {
  const auto asked = job_asked(message);
  const Job& job = *known(JobId(*asked));
  if (!explain) return respond(message, {{"v", 1}, {"job", encode_state(job)}}, out);
  codec::Json executions = codec::Json::array();
  for (const auto& execution : job.executions) {
    const bool waits =
        execution.phase == Phase::queued || execution.phase == Phase::waiting || execution.phase == Phase::asking;
    codec::Json entry = encode(waits               ? core_->explain(job, execution)
                               : execution.attempt ? execution.attempt->placement
                                                   : Placement{});
    if (waits) entry.erase("chosen");
    entry["execution"] = execution.index;
    entry["state"] =
        waits || !execution.attempt ? std::string("queued") : std::string(fieldwork::name(execution.attempt->state));
    executions.push_back(std::move(entry));
  }
  respond(message,
          {{"v", 1},
           {"job", job.id.value},
           {"state", fieldwork::name(job.state)},
           {"reason", job.reason},
           {"executions", std::move(executions)}},
          out);
}

void SchedulerService::list(const bus::Message& message, runtime::Output& out) {
  codec::Json items = codec::Json::array();
  const auto state = list_asked(message)->state;
  for (const auto& stored : lists_.at(&message)) {
    const Job& job = core_->find(stored.id) != nullptr ? *core_->find(stored.id) : stored;
    if (!state.empty() && fieldwork::name(job.state) != state) continue;
    codec::Json item{{"job", job.id.value},         {"name", job.spec.name},      {"state", fieldwork::name(job.state)},
                     {"reason", job.reason},        {"submitter", job.submitter}, {"submitted_ms", job.submitted_ms},
                     {"changed_ms", job.changed_ms}};
    if (job.executions.size() == 1 && job.executions.front().attempt)
      item["device"] = job.executions.front().attempt->device.value;
    items.push_back(std::move(item));
  }
  respond(message, {{"v", 1}, {"items", std::move(items)}}, out);
}

}  // namespace fieldwork::scheduler
