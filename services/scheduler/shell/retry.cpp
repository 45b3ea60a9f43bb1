// A job that is over, tried again: service/scheduler/retry. It becomes a new job, of the executions that did not
// succeed.
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "crypto/digest.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"
#include "scheduler/shell/stored_job.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

struct RetryAsked {
  std::string request;
  JobId of;
  bool all = false;  // also of those that succeeded
  std::optional<std::int64_t> expects;
  std::string traceparent;
};

Result<RetryAsked> retry_asked(std::string_view payload) {
  auto value = codec::parse(payload, 4096);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  RetryAsked out{reader.id("request"), JobId{reader.id("job")}, reader.boolean_or("all", false), {}, ""};
  out.expects = reader.integer_maybe("expects", 0, limits::integer_max);
  out.traceparent = codec::read_traceparent(reader);
  if (!reader.finish()) return reader.error();
  return out;
}

// What the new job is to do.
Result<JobSpec> spec_of(const Job& over, const RetryAsked& asked) {
  auto spec = *over.spec;
  std::vector<DeviceId> devices;
  int count = 0;
  for (const auto& execution : over.executions) {
    if (!asked.all && execution.state == ExecutionState::succeeded) continue;
    ++count;
    if (!execution.target.empty()) devices.push_back(execution.target);
  }
  if (over.executions.empty()) return Error{Code::invalid, "the job had no executions", "/job"};
  if (count == 0)
    return Error{
        Code::invalid,
        "all " + std::to_string(over.executions.size()) + " executions succeeded; \"all\": true runs them again",
        "/all"};
  if (spec.targets) {
    if (devices.empty()) return Error{Code::invalid, "the job had no devices", "/job"};
    spec.targets = Targets{.devices = std::move(devices)};
  } else {
    spec.replicas = count;
  }
  spec.requirements.cpu_millis -= over.estimated.cpu_millis;  // estimated anew
  spec.requirements.memory_bytes -= over.estimated.memory_bytes;
  spec.start_at_ms.reset();  // it has passed, or somebody does not want to wait for it any more
  spec.offline.stage_s.reset();
  // What is stored must be readable: many named devices may make the document too long.
  return codec::decode_job(codec::encode(spec));
}

// Of a job that is over. `made_of`, `retry_of` and the spec are set.
Result<JobSubmitted> again(const Job& over, const RetryAsked& asked, JobSubmitted out) {
  if (asked.expects && *asked.expects != over.changed_ms) return changed_since(name(over.state), over.changed_ms);
  if (!settled(over.state))
    return Error{Code::conflict,
                 "the job is " + std::string(name(over.state)) + "; only a job that is over can be tried again",
                 "/job"};
  auto spec = spec_of(over, asked);
  if (!spec) return spec.error();
  out.spec = std::move(*spec);
  out.made_of = over.made_of;
  return out;
}

// On the thread of the reads. A repeat is answered whatever has become of the job that it tries again.
Result<JobSubmitted> made_again(store::Reader& store, const RetryAsked& asked, JobSubmitted job) {
  try {
    const auto repeat = stored_job(store, job.job);
    if (repeat) {
      job.spec = *repeat->spec;
      job.known = JobSubmitted::Known{std::string(name(repeat->state)), repeat->reason, repeat->spec_digest};
      return job;
    }
    if (repeat.error().code != Code::unknown) return repeat.error();
    auto over = stored_job(store, asked.of);
    if (!over) return over.error();
    return again(*over, asked, std::move(job));
  } catch (const nlohmann::json::exception& e) {  // a row that does not have the schema's form
    return Error{Code::unavailable, std::string("a stored row cannot be read: ") + e.what()};
  }
}

// A device that was removed or refused since may be just why the job failed: the others are tried.
Result<void> leave_out_gone(JobSpec& spec, const Fleet& fleet) {
  if (!spec.targets) return {};
  std::erase_if(spec.targets->devices, [&](const DeviceId& device) {
    const auto* view = fleet.find(device);
    return view == nullptr || barred(view->device.lifecycle);
  });
  if (spec.targets->devices.empty()) return Error{Code::unknown, "none of its devices is left", "/job"};
  return {};
}

}  // namespace

void SchedulerService::retry(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out) {
  const auto asked = retry_asked(message.payload);
  if (!asked) return reject(topic, message, asked.error(), now, out);
  JobSubmitted job{.job = job_id(topic.from, asked->request)};
  job.submitter = topic.from;
  job.request = asked->request;
  job.retry_of = asked->of;
  job.spec_digest = crypto::digest_of(codec::dump({{"retry_of", asked->of.value}, {"all", asked->all}}));
  job.traceparent = asked->traceparent;
  if (core_->find(job.job) != nullptr) {  // a repeat
    job.reply = replies_.open(message);
    return step(std::move(job), now);
  }
  if (const auto* live = core_->find(asked->of); live != nullptr && !settled(live->state)) {
    const auto why = again(*live, *asked, job);
    return reject(topic, message, why.error(), now, out);
  }
  bus::Message to{.topic = message.topic,
                  .payload = "",
                  .response_topic = message.response_topic,
                  .correlation = message.correlation};
  auto question = [this, to, asked = *asked, job = std::move(job)](store::Reader& store) mutable -> runtime::Task {
    return [this, to, made = made_again(store, asked, std::move(job))](Time at, runtime::Output& output) {
      if (!made) return reject(*topics_.parse(to.topic), to, made.error(), at, output);
      auto submitted = *made;
      const auto left = submitted.known ? Result<void>{} : leave_out_gone(submitted.spec, core_->fleet());
      if (!left) return reject(*topics_.parse(to.topic), to, left.error(), at, output);
      submitted.reply = replies_.open(to);
      step(std::move(submitted), at);
    };
  };
  if (reads_ == nullptr || !reads_->ask(std::string(topic.from), std::move(question)))
    reject(topic, message, {Code::unavailable, "too many questions wait for the database already; ask again"}, now,
           out);
}

}  // namespace fieldwork::scheduler
