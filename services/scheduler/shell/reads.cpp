// Questions that change nothing: show, result, explain, list. Live jobs are answered from memory, all others from the
// store, beside the engine (runtime/reads.hpp). Every answer is a page that says where the next page begins. A read
// that fails is answered with an error.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "scheduler/limits.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"
#include "scheduler/shell/stored_job.hpp"

namespace fieldwork::scheduler {

// A question, decoded.
struct Asked {
  std::string operation;
  JobId job;
  std::size_t execution = 0;  // of `result`
  std::int64_t after = 0;     // last execution of the page before (show, explain); first part of this page (result)
  std::size_t limit = 0;
  std::string state, cursor;                      // of `list`
  std::optional<Scheduler::Position> after_live;  // of `list` of live jobs: the cursor, decoded
};

namespace {

using codec::Json;

static_assert(list_page_max * limits::state_bytes_max <= limits::page_bytes_max);

// Takes items until the page is full.
class Page {
 public:
  explicit Page(std::size_t items_max) : items_max_(items_max) {}
  // False: the item does not fit any more.
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

// The cursor in a list of live jobs.
std::string write_place(const JobRecord& job) { return std::to_string(job.submitted_ms) + " " + job.id.value; }

std::optional<Scheduler::Position> read_place(const std::string& text) {
  Scheduler::Position out;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, out.first);
  if (error != std::errc() || end == last || *end != ' ') return std::nullopt;
  out.second = JobId(std::string(end + 1, last));
  return out;
}

bool is_live(const std::string& state) {
  const auto known = job_state(state);
  return known && !settled(*known);
}

Result<Asked> understand(std::string_view operation, std::string_view payload) {
  auto value = codec::parse(payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  Asked out{.operation = std::string(operation), .job = {}};
  if (operation == "list") {
    const auto limit = static_cast<std::size_t>(reader.integer_or("limit", 50, 1, list_max));
    out.limit = std::min(limit, list_page_max);
    out.state = reader.text_or("state", "", 16);
    if (reader.ok() && !out.state.empty() && !job_state(out.state)) reader.fail("state", "is not a job state");
    out.cursor = reader.text_or("after", "", 256);
    if (!out.cursor.empty() && is_live(out.state)) {
      out.after_live = read_place(out.cursor);
      if (reader.ok() && !out.after_live) reader.fail("after", "is not the next of a page");
    }
  } else {
    out.job = JobId{reader.id("job")};
    if (operation == "result") {
      out.execution = static_cast<std::size_t>(reader.integer_or("execution", 0, 0, limits::executions_max - 1));
      out.after = reader.integer_or("after", 0, 0, std::int64_t{1} << 31);
    } else {
      out.after = reader.integer_or("after", -1, -1, limits::executions_max);
    }
    if (operation == "show") out.limit = static_cast<std::size_t>(reader.integer_or("limit", show_max, 1, show_max));
  }
  if (!reader.finish()) return reader.error();
  return out;
}

Json show(const Asked& asked, const Job& job) {
  Page page(asked.limit);
  Json answer{{"v", 1}, {"job", encode_state(job)}};
  for (const auto& execution : job.executions) {
    if (execution.index <= asked.after) continue;
    auto item = encode_state(ExecutionRecord{job.id, job.spec, "", job.bulk, execution});
    for (const char* field : {"v", "job", "name"}) item.erase(field);
    if (execution.attempt && !execution.attempt->decided.empty())
      item["decided"] = codec::encode(execution.attempt->decided);
    if (page.add(std::move(item))) continue;
    answer["next"] = execution.index - 1;
    break;
  }
  answer["executions"] = page.take();
  return answer;
}

Result<std::vector<Json>> parts_of(store::Reader& store, const AttemptKey& key) {
  auto rows = store.select({.table = "part",
                            .where = {{"job", key.job.value},
                                      {"execution", std::to_string(key.execution)},
                                      {"fence", std::to_string(key.fence)}}});
  if (!rows) return away(rows.error());
  std::vector<Json> parts;
  for (const auto& text : *rows) parts.push_back(Json::parse(text));
  std::sort(parts.begin(), parts.end(), [](const Json& a, const Json& b) {
    return std::pair(a.at("of").get<std::string>(), a.at("offset_bytes").get<std::int64_t>()) <
           std::pair(b.at("of").get<std::string>(), b.at("offset_bytes").get<std::int64_t>());
  });
  return parts;
}

// A whole result: what the last report said, and the parts reported before it.
Result<Json> result(store::Reader& store, const Asked& asked, const Job& job) {
  if (asked.execution >= job.executions.size()) {
    return Error{Code::unknown, "the job has " + std::to_string(job.executions.size()) + " executions", "/execution"};
  }
  const auto& execution = job.executions[asked.execution];
  Json answer{{"v", 1},
              {"job", job.id.value},
              {"execution", asked.execution},
              {"state", fieldwork::name(execution.state)},
              {"reason", execution.reason}};
  Page page(limits::items_max);
  if (execution.attempt) {
    const auto& key = execution.attempt->key;
    answer["device"] = execution.attempt->device.value;
    answer["fence"] = key.fence;
    if (execution.attempt->result) answer["result"] = codec::encode(*execution.attempt->result);
    const auto parts = parts_of(store, key);
    if (!parts) return parts.error();
    for (auto i = static_cast<std::size_t>(asked.after); i < parts->size(); ++i) {
      const auto& part = (*parts)[i];
      if (page.add({{"of", part.at("of")}, {"offset", part.at("offset_bytes")}, {"base64", part.at("base64")}}))
        continue;
      answer["next"] = i;
      break;
    }
  }
  answer["parts"] = page.take();
  return answer;
}

// `core` says where executions that wait would go. Null: no execution of the job waits.
Json explain(const Asked& asked, const Job& job, const Scheduler* core, Time now) {
  Page page(explain_max);
  Json answer{{"v", 1}, {"job", job.id.value}, {"state", fieldwork::name(job.state)}, {"reason", job.reason}};
  for (const auto& execution : job.executions) {
    if (execution.index <= asked.after) continue;
    const bool waits = core != nullptr && !settled(execution.state) && !execution.is<Live>();
    Json entry = encode(waits                                               ? core->explain(job, execution, now)
                        : execution.attempt && execution.attempt->placement ? *execution.attempt->placement
                                                                            : Placement{});
    if (waits) entry.erase("chosen");
    entry["execution"] = execution.index;
    entry["state"] = fieldwork::name(execution.state);
    const bool live = execution.is<Live>() && execution.attempt;
    const auto& reason = live ? execution.attempt->reason : execution.reason;
    if (!reason.empty()) entry["reason"] = reason;
    if (page.add(std::move(entry))) continue;
    answer["next"] = execution.index - 1;
    break;
  }
  answer["executions"] = page.take();
  return answer;
}

// Runs on the thread of the reads. `live`: the job as it is in memory, if it is there.
Result<Json> answer_stored(store::Reader& store, const Asked& asked, std::optional<Job> live) {
  try {
    auto job = live ? Result<Job>(std::move(*live)) : stored_job(store, asked.job);
    if (!job) return job.error();
    if (asked.operation == "result") return result(store, asked, *job);
    if (asked.operation == "explain") return explain(asked, *job, nullptr, Time{});
    return show(asked, *job);
  } catch (const nlohmann::json::exception& e) {  // a row that does not have the schema's form
    return Error{Code::unavailable, std::string("a stored row cannot be read: ") + e.what()};
  }
}

}  // namespace

bool SchedulerService::is_read(std::string_view operation) {
  return operation == "show" || operation == "result" || operation == "explain" || operation == "list";
}

void SchedulerService::read(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  auto asked = understand(topic.channel, message.payload);
  if (!asked) return reject(topic, message, asked.error(), now, out);
  if (asked->operation == "list") {
    if (is_live(asked->state)) return respond(message, list_live(*asked, now), out);
    return read_stored(message, std::move(*asked), now, out);
  }
  const Job* job = core_->find(asked->job);
  const bool live = job != nullptr && !job->executions.empty();
  if (live && asked->operation == "show") {
    auto answer = show(*asked, *job);
    answer["job"] = with_waits(std::move(answer["job"]), job->id, now);
    return respond(message, answer, out);
  }
  if (live && asked->operation == "explain")
    return respond(message, with_waits(explain(*asked, *job, &*core_, now), job->id, now), out);
  read_stored(message, std::move(*asked), now, out);
}

// The reads' thread looks the rows up; the engine's thread replaces live jobs by their present state and answers.
void SchedulerService::read_stored(const bus::Message& message, Asked asked, Time now, runtime::Output& out) {
  bus::Message to{.topic = message.topic,
                  .payload = "",
                  .response_topic = message.response_topic,
                  .correlation = message.correlation};
  const auto topic = topics_.parse(to.topic);
  const Job* job = asked.operation == "list" ? nullptr : core_->find(asked.job);
  std::optional<Job> live;
  if (job != nullptr && !job->executions.empty()) live = *job;
  const auto say = [this, to](const Result<Json>& answer, Time at, runtime::Output& output) {
    if (answer) return respond(to, *answer, output);
    reject(*topics_.parse(to.topic), to, answer.error(), at, output);
  };
  auto question = [this, say, asked, live = std::move(live)](store::Reader& store) -> runtime::Task {
    if (asked.operation == "list") {
      store::Range range{.table = "job", .column = "submitted_ms", .after = asked.cursor, .descending = true};
      range.limit = static_cast<int>(asked.limit);
      if (!asked.state.empty()) range.where["state"] = asked.state;
      return [this, say, asked, page = store.range(range)](Time at, runtime::Output& output) {
        say(list(asked, page, at), at, output);
      };
    }
    return [say, answer = answer_stored(store, asked, live)](Time at, runtime::Output& output) {
      say(answer, at, output);
    };
  };
  if (reads_ == nullptr || !reads_->ask(std::string(topic->from), std::move(question))) {
    reject(*topic, to, {Code::unavailable, "too many questions wait for the database already; ask again"}, now, out);
  }
}

Json SchedulerService::with_waits(Json item, const JobId& job, Time now) {
  if (const auto waits = waits_of(job, now)) item["waits"] = encode(*waits);
  return item;
}

// Newest first; the filter applies before the limit. A live job is shown as it is now in memory.
Result<Json> SchedulerService::list(const Asked& asked, Result<store::Page> page, Time now) {
  if (!page) {
    const bool cursor = page.error().path == "after";
    return cursor ? Error{Code::invalid, page.error().reason, "/after"} : away(page.error());
  }
  try {
    auto jobs = assemble(page->rows, {}, {});
    if (!jobs) return jobs.error();
    Page items(asked.limit);
    for (const auto& stored : *jobs) {
      const Job* live = core_->find(stored.id);
      (void)items.add(live != nullptr ? with_waits(item_of(*live), live->id, now) : item_of(stored));
    }
    Json answer{{"v", 1}, {"items", items.take()}};
    if (!page->next.empty()) answer["next"] = page->next;
    return answer;
  } catch (const nlohmann::json::exception& e) {
    return Error{Code::unavailable, std::string("a stored row cannot be read: ") + e.what()};
  }
}

// The stored state of a live job lags behind its executions, so live jobs are listed from memory.
Json SchedulerService::list_live(const Asked& asked, Time now) {
  const auto found = core_->live_in(*job_state(asked.state), asked.after_live, asked.limit + 1);
  Page page(asked.limit);
  Json answer{{"v", 1}};
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (page.add(with_waits(item_of(*found[i]), found[i]->id, now))) continue;
    answer["next"] = write_place(*found[i - 1]);
    break;
  }
  answer["items"] = page.take();
  return answer;
}

}  // namespace fieldwork::scheduler
