// What people ask and nobody decides: show, result, explain, list. From memory what is live, from the store the rest;
// every answer is a page that says where the next begins. A failure is an answer.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

constexpr int list_max = 1000;
constexpr int show_max = 200;  // executions in one page: each is at most 4 KiB, the page below 1 MB
constexpr int explain_max = 8;

// Adds items until the page is full; says where the next begins.
class Page {
 public:
  explicit Page(std::size_t items_max) : items_max_(items_max) {}
  // False: it does not fit any more.
  bool add(Json item) {
    const auto bytes = codec::dump(item).size();
    if (items_.size() == items_max_ || (!items_.empty() && bytes_ + bytes > limits::page_bytes_max)) return false;
    bytes_ += bytes;
    items_.push_back(std::move(item));
    return true;
  }
  [[nodiscard]] Json take() { return std::move(items_); }

 private:
  std::size_t items_max_;
  std::size_t bytes_ = 0;
  Json items_ = Json::array();
};

Json item_of(const JobRecord& job) {
  auto out = encode_state(job);
  for (const char* field : {"v", "reasons", "traceparent"}) out.erase(field);
  return out;
}

}  // namespace

bool SchedulerService::is_read(std::string_view operation) {
  return operation == "show" || operation == "result" || operation == "explain" || operation == "list";
}

Result<Json> SchedulerService::read(store::Store& store, std::string_view operation, std::string_view payload,
                                    Time now) const {
  auto value = codec::parse(payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  try {
    if (operation == "show") return show(store, reader);
    if (operation == "result") return result(store, reader);
    if (operation == "explain") return explain(store, reader, now);
    return list(store, reader);
  } catch (const nlohmann::json::exception& e) {  // a row that is not what the schema says
    return Error{Code::unavailable, std::string("a stored row cannot be read: ") + e.what()};
  }
}

// The job with its executions, from memory while it is live.
Result<Job> SchedulerService::whole(store::Store& store, const JobId& id) const {
  if (const Job* job = core_->find(id); job != nullptr && !job->executions.empty()) return *job;
  auto rows = store.find("job", "job", {id.value});
  if (!rows) return Error{Code::unavailable, rows.error().reason};
  if (rows->empty()) return Error{Code::unknown, "there is no job " + id.value, "/job"};
  auto executions = store.find("execution", "job", {id.value});
  auto attempts = store.find("attempt", "job", {id.value});
  for (const auto* one : {&executions, &attempts}) {
    if (!*one) return Error{Code::unavailable, one->error().reason};
  }
  auto jobs = assemble(*rows, *executions, *attempts);
  if (!jobs) return jobs.error();
  return std::move(jobs->front());
}

Result<Json> SchedulerService::show(store::Store& store, codec::Reader& reader) const {
  const JobId id{reader.id("job")};
  const auto after = reader.integer_or("after", -1, -1, limits::executions_max);
  const auto limit = reader.integer_or("limit", show_max, 1, show_max);
  if (!reader.finish()) return reader.error();
  const auto job = whole(store, id);
  if (!job) return job.error();
  Page page(static_cast<std::size_t>(limit));
  Json answer{{"v", 1}, {"job", encode_state(*job)}};
  for (const auto& execution : job->executions) {
    if (execution.index <= after) continue;
    auto item = encode_state(ExecutionRecord{job->id, "", "", job->bulk, execution});
    for (const char* field : {"v", "job", "name"}) item.erase(field);
    if (page.add(std::move(item))) continue;
    answer["next"] = execution.index - 1;
    break;
  }
  answer["executions"] = page.take();
  return answer;
}

// A whole result: what the last report said, and its parts.
Result<Json> SchedulerService::result(store::Store& store, codec::Reader& reader) const {
  const JobId id{reader.id("job")};
  const auto index = static_cast<std::size_t>(reader.integer_or("execution", 0, 0, limits::executions_max - 1));
  const auto after = reader.integer_or("after", 0, 0, std::int64_t{1} << 31);
  if (!reader.finish()) return reader.error();
  const auto job = whole(store, id);
  if (!job) return job.error();
  if (index >= job->executions.size()) {
    return Error{Code::unknown, "the job has " + std::to_string(job->executions.size()) + " executions", "/execution"};
  }
  const auto& execution = job->executions[index];
  Json answer{{"v", 1},
              {"job", id.value},
              {"execution", index},
              {"state", fieldwork::name(execution.state)},
              {"reason", execution.reason}};
  Page page(limits::items_max);
  if (execution.attempt) {
    const auto& key = execution.attempt->key;
    answer["device"] = execution.attempt->device.value;
    answer["fence"] = key.fence;
    if (execution.attempt->result) answer["result"] = codec::encode(*execution.attempt->result);
    auto rows = store.select({.table = "part",
                              .where = {{"job", key.job.value},
                                        {"execution", std::to_string(key.execution)},
                                        {"fence", std::to_string(key.fence)}}});
    if (!rows) return Error{Code::unavailable, rows.error().reason};
    std::vector<Json> parts;
    for (const auto& text : *rows) parts.push_back(Json::parse(text));
    std::sort(parts.begin(), parts.end(), [](const Json& a, const Json& b) {
      return std::pair(a.at("of").get<std::string>(), a.at("offset_bytes").get<std::int64_t>()) <
             std::pair(b.at("of").get<std::string>(), b.at("offset_bytes").get<std::int64_t>());
    });
    for (auto i = static_cast<std::size_t>(after); i < parts.size(); ++i) {
      if (page.add(
              {{"of", parts[i].at("of")}, {"offset", parts[i].at("offset_bytes")}, {"base64", parts[i].at("base64")}}))
        continue;
      answer["next"] = i;
      break;
    }
  }
  answer["parts"] = page.take();
  return answer;
}

Result<Json> SchedulerService::explain(store::Store& store, codec::Reader& reader, Time now) const {
  const JobId id{reader.id("job")};
  const auto after = reader.integer_or("after", -1, -1, limits::executions_max);
  if (!reader.finish()) return reader.error();
  const auto job = whole(store, id);
  if (!job) return job.error();
  Page page(explain_max);
  Json answer{{"v", 1}, {"job", id.value}, {"state", fieldwork::name(job->state)}, {"reason", job->reason}};
  for (const auto& execution : job->executions) {
    if (execution.index <= after) continue;
    const bool waits = !settled(execution.state) && !execution.is<Live>();
    Json entry = encode(waits                                               ? core_->explain(*job, execution, now)
                        : execution.attempt && execution.attempt->placement ? *execution.attempt->placement
                                                                            : Placement{});
    if (waits) entry.erase("chosen");
    entry["execution"] = execution.index;
    entry["state"] = fieldwork::name(execution.state);
    if (!execution.reason.empty()) entry["reason"] = execution.reason;
    if (page.add(std::move(entry))) continue;
    answer["next"] = execution.index - 1;
    break;
  }
  answer["executions"] = page.take();
  return answer;
}

// Newest first. Live states are looked up in memory, everything else in the store; filters apply before limits.
Result<Json> SchedulerService::list(store::Store& store, codec::Reader& reader) const {
  const auto limit = static_cast<int>(reader.integer_or("limit", 50, 1, list_max));
  const auto word = reader.text_or("state", "", 16);
  if (reader.ok() && !word.empty() && !job_state(word)) reader.fail("state", "is not a job state");
  const auto after = reader.text_or("after", "", 256);
  if (!reader.finish()) return reader.error();
  if (!word.empty() && !settled(*job_state(word))) return list_live(*job_state(word), limit, after);
  store::Query query{.table = "job", .order_by = "submitted_ms", .descending = true, .limit = limit};
  if (!word.empty()) query.where["state"] = word;
  auto rows = store.select(query);
  if (!rows) return Error{Code::unavailable, rows.error().reason};
  auto jobs = assemble(*rows, {}, {});
  if (!jobs) return jobs.error();
  Page page(static_cast<std::size_t>(limit));
  for (const auto& stored : *jobs) {
    const Job* live = core_->find(stored.id);
    (void)page.add(item_of(live != nullptr ? *live : stored));
  }
  return Json{{"v", 1}, {"items", page.take()}};
}

Json SchedulerService::list_live(JobState state, int limit, const std::string& after) const {
  std::map<std::pair<std::string, std::string>, const Job*, std::greater<>> found;  // by time and id, newest first
  const auto place = [](const Job& job) {
    auto text = std::to_string(job.submitted_ms);
    text.insert(0, 20 - text.size(), '0');
    return std::pair(std::move(text), job.id.value);
  };
  for (const auto& [id, job] : core_->jobs()) {
    if (job.state != state) continue;
    auto at = place(job);
    if (after.empty() || at.first + " " + at.second < after) found.emplace(std::move(at), &job);
  }
  Page page(static_cast<std::size_t>(limit));
  Json answer{{"v", 1}};
  std::string last;
  for (const auto& [at, job] : found) {
    if (!page.add(item_of(*job))) {
      answer["next"] = last;
      break;
    }
    last = at.first + " " + at.second;
  }
  answer["items"] = page.take();
  return answer;
}

}  // namespace fieldwork::scheduler
