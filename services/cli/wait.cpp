#include "wait.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "executions.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds look_at_job_every{2};  // for changes that no event told
constexpr seconds why_every{10};         // for what a queued job lacks
constexpr seconds look_patience{3};      // for one answer; without it the wait goes on
constexpr seconds logs_for{30};          // asked for at once; again after the half of it

}  // namespace

std::vector<std::string> Wait::filters(const WaitHow& how) {
  std::vector<std::string> out{"event/job/changed"};
  if (!how.quiet && !how.only_logs) out.emplace_back("state/transfer/+");
  if (how.logs || how.only_logs) out.emplace_back("device/+/up/log");
  return out;
}

Wait::Wait(Session& session, std::string job, WaitHow how)
    : session_(session),
      job_(std::move(job)),
      how_(std::move(how)),
      follow_(job_, how_.package),
      why_at_(Session::Clock::now() + seconds(1)) {}

void Wait::tell(const std::string& line) {
  if (how_.quiet) return;
  progress_.clear();
  if (!how_.only_logs) say(line);
}

Failure Wait::goes_on(Exit exit, const std::string& why) const {
  return {exit, why + "; the job goes on. Its result, later: fieldwork job result " + job_};
}

Outcome<Json> Wait::run(std::optional<milliseconds> patience) {
  const auto begin = Session::Clock::now();
  while (true) {
    if (session_.connected() && Session::Clock::now() >= look_at_) {
      auto looked = look();
      if (!looked) return looked.failure();
    }
    if (session_.interrupted()) return goes_on(Exit::interrupted, "interrupted");
    if (closed_) return goes_on(Exit::failed, "nobody reads stdout any more");
    if (follow_.is_settled()) break;
    auto until = std::min(look_at_, Session::Clock::now() + seconds(1));
    if (!session_.connected()) until = Session::Clock::now() + milliseconds(200);
    if (patience && Session::Clock::now() >= begin + *patience)
      return goes_on(Exit::timed_out, "not settled in time (--timeout)");
    if (patience) until = std::min(until, begin + *patience);
    if (const auto message = session_.next(until)) hear(*message);
    if (up_ != session_.connected()) {
      up_ = !up_;
      tell(up_ ? "connected again" : "the connection to the broker was lost; waiting for it");
      look_at_ = {};
    }
  }
  while (const auto message = session_.next(Session::Clock::now())) hear(*message);  // the last lines of the log
  progress_.clear();
  return Json(*last_);
}

Outcome<bool> Wait::look() {
  auto job = job_with_executions(session_, job_, followed_max, look_patience);
  look_at_ = Session::Clock::now() + look_at_job_every;
  if (!job) {
    const auto exit = job.failure().exit;
    if (exit == Exit::timed_out || exit == Exit::unreachable || exit == Exit::interrupted) return false;
    return job.failure();
  }
  for (const auto& line : follow_.job(*job)) tell(line);
  many_ = list_of(*job, "executions").size() > 1;
  if (how_.logs || how_.only_logs) ask_for_logs(*job);
  if (const auto far = how_far(*job); far && !how_.quiet && !how_.only_logs)
    progress_.show(far->what, far->share, far->amount);
  if (follow_.waits_for_a_device() && !how_.quiet) {
    if (auto why = why_it_waits(); !why.empty() && why != said_why_) {
      tell(why + estimate_);
      said_why_ = std::move(why);
    }
  }
  last_ = std::make_shared<const Json>(std::move(*job));
  return true;
}

// Again while it runs; of an attempt that has begun since, what it wrote before, too.
void Wait::ask_for_logs(const Json& job) {
  bool some = false;
  for (const auto& one : list_of(job, "executions")) {
    const auto state = execution_state(text_of(one, "state"));
    const auto execution = integer_of(one, "execution"), fence = integer_of(one, "fence");
    const bool runs = state && (*state == ExecutionState::fetching || *state == ExecutionState::running);
    if (!runs || (how_.execution && *how_.execution != execution)) continue;
    some = true;
    if (logs_of_.contains({execution, fence}) || logs_of_.size() >= followed_max) continue;
    follow_.wants_begin({JobId(job_), static_cast<int>(execution), fence});
    if (!ask_for_log({{"job", job_}, {"for_s", logs_for.count()}, {"execution", execution}})) return;
    logs_of_.emplace(execution, fence);
    logs_at_ = Session::Clock::now() + logs_for / 2;
  }
  if (!some || Session::Clock::now() < logs_at_) return;
  logs_at_ = Session::Clock::now() + logs_for / 2;
  Json body{{"job", job_}, {"for_s", logs_for.count()}, {"begin", false}};
  if (how_.execution) body["execution"] = *how_.execution;
  (void)ask_for_log(std::move(body));
}

// False: it ended meanwhile, or the next look asks again.
bool Wait::ask_for_log(Json body) {
  auto answer = session_.request("scheduler", "logs", std::move(body), look_patience);
  if (!answer) return false;
  const auto& asked = list_of(*answer, "executions");
  const bool heard =
      std::any_of(asked.begin(), asked.end(), [](const Json& one) { return text_of(one, "state") != "unreachable"; });
  if (!heard && !said_nothing_) say("nothing of it runs on a device that is heard; waiting");
  said_nothing_ = !heard;
  return true;
}

// The nearest device and what it lacks; each change of this is told once.
std::string Wait::why_it_waits() {
  if (Session::Clock::now() < why_at_) return said_why_;
  why_at_ = Session::Clock::now() + why_every;
  auto answer = session_.request("scheduler", "explain", {{"job", job_}}, look_patience);
  if (!answer) return "";
  const auto& wait_s = member(member(*answer, "waits"), "wait_s");
  estimate_ = wait_s.is_number() ? "; it starts in about " + human_duration(seconds(wait_s.get<std::int64_t>())) : "";
  return waiting_line(*answer);
}

void Wait::hear(const bus::Message& message) {
  const auto topic = session_.topics().parse(message.topic);
  if (!topic) return;
  if (topic->kind == Topic::Kind::device && topic->channel == "log") {
    const auto line = codec::decode_log(message.payload);
    if (line && how_.execution && line->key.execution != *how_.execution) return;
    const bool named = !how_.only_logs || (many_ && !how_.execution);
    const auto text = line ? follow_.log(std::string(topic->name), *line, named) : std::nullopt;
    if (!text) return;
    how_.only_logs ? print(*text + "\n") : tell(*text);
    closed_ = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
    return;
  }
  const auto value = codec::parse(message.payload);
  if (!value) return;
  if (topic->kind == Topic::Kind::event && follow_.concerns(*value)) look_at_ = {};
  if (topic->kind != Topic::Kind::state) return;
  if (const auto sending = follow_.transfer(*value)) {
    progress_.show("package to " + sending->device, sending->done_bytes, sending->total_bytes);
    if (sending->complete) progress_.clear();
  }
}

}  // namespace fieldwork::cli
