// Requests of clients that the core decides: submit, cancel, reset. Questions that change nothing stand in reads.cpp.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/items.hpp"
#include "codec/job.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"
#include "scheduler/shell/stored_job.hpp"

namespace fieldwork::scheduler {
namespace {

constexpr std::size_t bulk_from = 17;  // jobs in one submission from which on they have no state topics of their own

struct CancelAsked {
  JobId job;
  std::optional<std::int64_t> expects;
};

Result<CancelAsked> cancel_asked(const bus::Message& message) {
  auto value = codec::parse(message.payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  CancelAsked out{JobId{reader.id("job")}, reader.integer_maybe("expects", 0, limits::integer_max)};
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace

JobId job_id(std::string_view submitter, const std::string& request) {
  return JobId("j-" + crypto::to_hex(crypto::sha256(std::string(submitter) + "\n" + request)).substr(0, 20));
}

Error under(const std::string& path, Error error) {
  error.path = path + error.path;
  return error;
}

// A template, and what a job is said to be made of. One that comes with a scenario has the scenario's document under
// its own.
Result<std::pair<codec::Template, std::string>> SchedulerService::template_of(const std::string& reference) const {
  if (const auto shipped = scenarios_.job(reference)) {
    auto out = *shipped->is;
    auto job = document_of(shipped->of->needs, success());
    job.merge_patch(out.job);
    out.job = std::move(job);
    return std::pair(std::move(out), shipped->of->name + "/" + reference);
  }
  const auto found = templates_.find(reference);
  if (!found) return found.error();
  return std::pair((*found)->is, template_key((*found)->is.name, (*found)->version));
}

// The job of a submission as it stands there; of a template only what is asked of it. A mistake in the item itself is
// the reader's.
Result<void> SchedulerService::read_job(codec::Reader& item, Item& out) {
  const auto reference = item.text_or("template", "", 160);
  const auto* parameters = item.object_maybe("parameters");
  const auto* spec = reference.empty() ? item.object("job") : item.object_maybe("job");
  if (reference.empty() && parameters != nullptr) item.fail("parameters", "stands beside a template");
  if (!item.finish()) return {};
  auto& job = out.job;
  if (reference.empty()) {
    auto decoded = codec::decode_job(*spec);
    if (!decoded) return under("/job", decoded.error());
    job.spec = std::move(*decoded);
    job.spec_digest = crypto::digest_of(codec::dump(codec::encode(job.spec)));
    return {};
  }
  const auto none = codec::Json::object();
  out.of = {reference, parameters != nullptr ? *parameters : none, spec != nullptr ? *spec : none};
  // By what was asked: the template may have another version, or be gone, when the request is repeated.
  job.spec_digest = crypto::digest_of(
      codec::dump({{"template", reference}, {"parameters", out.of->parameters}, {"job", out.of->fields}}));
  return {};
}

// What the item asks of a template becomes its job.
Result<void> SchedulerService::fill(Item& item) const {
  if (!item.of) return {};
  const auto found = template_of(item.of->reference);
  if (!found) return found.error();
  auto filled = codec::fill(found->first, item.of->parameters, item.of->fields);
  if (!filled) return filled.error();
  item.job.spec = std::move(*filled);
  item.job.made_of = found->second;
  return {};
}

Result<SchedulerService::Submission> SchedulerService::decode_submission(const bus::Message& message,
                                                                         std::string_view from) const {
  auto value = codec::parse(message.payload, limits::submission_bytes_max);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const auto* items = reader.items();
  if (!reader.finish()) return reader.error();
  Submission out;
  const auto take = [&](codec::Reader& item) {
    Item one;
    auto& job = one.job;
    job.request = item.id("request");
    job.traceparent = codec::read_traceparent(item);
    job.submitter = from;
    job.bulk = items->size() >= bulk_from;
    if (auto read = read_job(item, one); !read) {
      out.refused.emplace_back(job.request, read.error());
      return;
    }
    if (!item.ok()) return;
    job.job = job_id(from, job.request);
    out.jobs.push_back(std::move(one));
  };
  // An item whose request id cannot be read is answered without one: its place in the list stands in the error's path.
  codec::each_item(*items, take, [&](const codec::Json& item, Error error) {
    codec::Reader request_only(item);
    auto request = request_only.id("request");
    out.refused.emplace_back(request_only.ok() ? std::move(request) : "", std::move(error));
  });
  const auto unnamed = [](const auto& one) { return one.first.empty(); };
  if (out.jobs.empty() && std::all_of(out.refused.begin(), out.refused.end(), unnamed))
    return out.refused.front().second;
  return out;
}

// One look into the store for those jobs of the batch that may be stored though the core does not know them.
Result<void> SchedulerService::prefetch(store::Store& store, const std::vector<const bus::Message*>& batch) {
  std::vector<std::string> ids;
  for (const auto* message : batch) {
    const auto topic = topics_.parse(message->topic);
    if (!topic || topic->kind != Topic::Kind::service || topic->name != "scheduler") continue;
    if (topic->channel == "submit") {
      auto submission = decode_submission(*message, topic->from);
      if (submission) {
        for (const auto& one : submission->jobs) {
          if (may_be_stored(one.job.job)) ids.push_back(one.job.job.value);
        }
      }
      submissions_.insert_or_assign(message, std::move(submission));
    } else if (topic->channel == "cancel") {
      const auto asked = cancel_asked(*message);
      if (asked && may_be_stored(asked->job)) ids.push_back(asked->job.value);
    }
  }
  if (ids.empty()) return {};
  auto rows = store.find("job", "job", ids);
  if (!rows) return rows.error();
  for (const auto& text : *rows) {
    const auto row = codec::Json::parse(text);
    known_[JobId(row.at("job").get<std::string>())] = {row.at("state"), row.at("reason"), row.at("spec_digest"),
                                                       row.at("changed_ms")};
  }
  return {};
}

void SchedulerService::respond(const bus::Message& message, const codec::Json& answer, runtime::Output& out) const {
  ShellBase::respond(message, codec::dump(answer), out);
}

void SchedulerService::request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out) {
  if (topic.name != "scheduler") return;
  const std::string asker(topic.from);
  const auto noted = [&](const char* what, const char* why) {
    rejections_.note(what, asker, {Code::invalid, why}, now);
  };
  if (message.retain) return noted("retained", "a request is not retained");
  if (topic.channel == "authorised") return decided(topic, message, now);
  if (topic.channel == "uses") return uses(topic, message, now, out);
  if (!message.response_topic.empty()) {
    if (!topics_.reply_to(topic, message.response_topic, message.correlation))
      return noted(
          "reply",
          "the response topic is not reply/{client}/{channel} of the asker's, or the correlation data is too long");
  }
  if (is_read(topic.channel)) return read(topic, message, now, out);
  if (topic.channel == "submit") {
    const auto it = submissions_.find(&message);
    if (it == submissions_.end()) return;
    if (!it->second) return reject(topic, message, it->second.error(), now, out);
    return submit(message, now, out);
  }
  if (topic.channel == "try") return try_out(message, topic, now, out);
  if (topic.channel == "template") return change_template(message, topic, now, out);
  if (topic.channel == "scenarios") return show_scenarios(message, topic, now, out);
  if (topic.channel == "templates") return show_templates(message, topic, now, out);
  if (topic.channel == "cancel") return cancel(message, topic, now, out);
  if (topic.channel == "retry") return retry(message, topic, now, out);
  if (topic.channel == "logs") return logs(message, topic, now, out);
  if (topic.channel == "reset") return reset(message, topic, now, out);
  reject(topic, message, {Code::unknown, "no such operation"}, now, out);
}

void SchedulerService::submit(const bus::Message& message, Time now, runtime::Output& out) {
  auto& submission = *submissions_.at(&message);
  std::vector<std::string> requests;
  for (const auto& [request, error] : submission.refused) requests.push_back(request);
  for (const auto& one : submission.jobs) requests.push_back(one.job.request);
  auto reply = replies_.open(message, std::move(requests));
  for (auto& [request, error] : submission.refused) answer(ErrorAnswer{reply++, std::move(error)}, now, out);
  for (auto& one : submission.jobs) {
    auto& job = one.job;
    job.reply = reply++;
    if (const auto it = known_.find(job.job); it != known_.end()) job.known = it->second;
    // A job that is there already is answered whatever has become of its template.
    if (!job.known && core_->find(job.job) == nullptr) {
      if (auto filled = fill(one); !filled) {
        answer(ErrorAnswer{job.reply, filled.error()}, now, out);
        continue;
      }
    }
    step(std::move(job), now);
  }
}

void SchedulerService::cancel(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out) {
  const auto asked = cancel_asked(message);
  if (!asked) return reject(topic, message, asked.error(), now, out);
  const auto& job = asked->job;
  if (const auto over = known_.find(job); over != known_.end() && core_->find(job) == nullptr) {
    const auto& is = over->second;
    if (asked->expects && *asked->expects != is.changed_ms)
      return reject(topic, message, changed_since(is.state, is.changed_ms), now, out);
    return respond(message, {{"v", 1}, {"job", job.value}, {"state", is.state}}, out);
  }
  step(CancelRequested{replies_.open(message), job, asked->expects}, now);
}

// For an operator who repairs by hand: the next report of the device begins its stream.
void SchedulerService::reset(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out) {
  auto value = codec::parse(message.payload, 4096);
  if (!value) return reject(topic, message, value.error(), now, out);
  codec::Reader reader(*value);
  reader.version();
  const DeviceId device{reader.id("device")};
  if (!reader.finish()) return reject(topic, message, reader.error(), now, out);
  if (core_->fleet().find(device) == nullptr)
    return reject(topic, message, {Code::unknown, "no such device", "/device"}, now, out);
  step(StreamReset{device}, now);
  respond(message, {{"v", 1}, {"device", device.value}, {"state", "reset"}}, out);
}

}  // namespace fieldwork::scheduler
