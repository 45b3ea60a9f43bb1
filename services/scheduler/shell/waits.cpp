// What waits, why and for how long, in answers and states (docs/decisions/0020); and jobs that are only tried out.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "crypto/digest.hpp"
#include "scheduler/limits.hpp"
#include "scheduler/shell/rows.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

constexpr double notable = 0.2;  // a change of an estimate, relative to it

double seconds_of(Duration time) { return std::round(std::chrono::duration<double>(time).count() * 10) / 10; }

// Whether somebody who watches should be told.
bool differs(const Waits& now, const Waits& before) {
  if (now.reason.word != before.reason.word || now.meets_deadline != before.meets_deadline) return true;
  if (now.until_start.has_value() != before.until_start.has_value()) return true;
  if (!now.until_start) return now.position != before.position;
  const auto difference = std::chrono::abs(*now.until_start - *before.until_start);
  return difference >= seconds(5) && seconds_of(difference) > notable * seconds_of(*before.until_start);
}

}  // namespace

Json encode(const Waits& waits) {
  auto text = clamp_text(waits.reason.text, waits_reason_bytes_max);
  while (codec::dump(Json(text)).size() > waits_reason_bytes_max + 2) text = clamp_text(text, text.size() / 2);
  Json out{{"code", waits.reason.word}, {"reason", std::move(text)}};
  if (waits.position) out["position"] = *waits.position;
  if (waits.until_start) out["wait_s"] = seconds_of(*waits.until_start);
  if (waits.meets_deadline) out["meets_deadline"] = *waits.meets_deadline;
  return out;
}

std::optional<Waits> SchedulerService::waits_of(const JobId& id, Time now) {
  const auto* job = core_->find(id);
  if (job == nullptr || settled(job->state)) return std::nullopt;
  const bool stands = std::any_of(job->executions.begin(), job->executions.end(), [](const auto& one) {
    const auto* queued = std::get_if<Queued>(&one.phase);
    return queued != nullptr && queued->lane != 0;
  });
  if (!stands) {
    Reasons none;
    return scheduler::waits_of(*job, core_->snapshot(), {}, core_->durations(), none, now);
  }
  const auto look = [&](Duration at_most) {
    if (!forecast_ || now - forecast_->at >= at_most)
      forecast_ = {forecast(core_->snapshot(), core_->durations(), now), {}, now};
    return scheduler::waits_of(*job, core_->snapshot(), forecast_->is, core_->durations(), forecast_->reasons, now);
  };
  auto out = look(forecast_every);
  return out && !out->position ? look(forecast_again) : out;
}

// Goes round those that wait: each second a few are looked at, and published where what is said of them has changed.
void SchedulerService::refresh_waits(Time now, runtime::Output& out) {
  if (now - refreshed_ < seconds(1) || core_->live_in(JobState::queued, std::nullopt, 1).empty()) return;
  refreshed_ = now;
  const auto some = core_->live_in(JobState::queued, refreshed_to_, waits_passed_max);
  refreshed_to_.reset();
  Output changed;
  std::size_t looked = 0;
  bool more = some.size() == waits_passed_max;
  const Job* last = nullptr;
  for (const auto* job : some) {
    more = more || looked == waits_refreshed_max;
    if (looked == waits_refreshed_max) break;
    last = job;
    if (job->bulk) continue;
    ++looked;
    const auto waits = waits_of(job->id, now);
    if (!waits) continue;
    const auto known = waits_said_.find(job->id);
    if (known != waits_said_.end() && !differs(*waits, known->second)) continue;
    if (known == waits_said_.end() && waits_said_.size() >= waits_said_max) continue;
    waits_said_[job->id] = *waits;
    changed.job_states.push_back(*job);
  }
  if (more && last != nullptr) refreshed_to_ = {last->submitted_ms, last->id};
  say_states(changed, out);
}

// service/scheduler/try: what would become of this job now.
void SchedulerService::try_out(const bus::Message& message, const Topic& topic, Time now, runtime::Output& out) {
  auto value = codec::parse(message.payload, limits::submission_bytes_max);
  if (!value) return reject(topic, message, value.error(), now, out);
  codec::Reader reader(*value);
  reader.version();
  if (++tried_ > tries_max)
    return reject(topic, message, {Code::unavailable, "too many jobs are tried out at once; ask again"}, now, out);
  Item asked{.job = {.submitter = std::string(topic.from)}};
  auto read = read_job(reader, asked);
  if (read && reader.ok()) read = fill(asked);
  if (!read || !reader.ok()) return reject(topic, message, reader.ok() ? read.error() : reader.error(), now, out);
  const auto job = core_->job_if(asked.job, now);
  if (!job) return reject(topic, message, under("/job", job.error()), now, out);
  tried_width_ += job->executions.size();
  if (tried_ > 1 && tried_width_ > tries_width_max)
    return reject(topic, message, {Code::unavailable, "too many executions are tried out at once; ask again"}, now,
                  out);
  const auto trial = scheduler::try_out(*job, core_->snapshot(), core_->durations(), now);
  Json devices = Json::array();
  for (const auto& device : trial.devices) devices.push_back(device.value);
  auto placement = encode(trial.placement);
  Json answer{{"v", 1}, {"width", trial.width}, {"placed", trial.placed}, {"devices", std::move(devices)}};
  answer["placement"] = std::move(placement);
  if (trial.waits) answer["waits"] = encode(*trial.waits);
  if (trial.meets_deadline) answer["meets_deadline"] = *trial.meets_deadline;
  respond(message, answer, out);
}

}  // namespace fieldwork::scheduler
