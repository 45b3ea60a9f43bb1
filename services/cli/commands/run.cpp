#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/id.hpp"
#include "codec/job.hpp"
#include "commands/commands.hpp"
#include "crypto/bytes.hpp"
#include "document.hpp"
#include "executions.hpp"
#include "follow.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds look_at_job_every{2};  // for changes that no event told
constexpr seconds why_every{10};         // for what a queued job lacks
constexpr seconds look_patience{3};      // for one answer; without it the wait goes on

std::string traceparent() {
  return "00-" + crypto::to_hex(crypto::random_bytes(16)) + "-" + crypto::to_hex(crypto::random_bytes(8)) + "-01";
}

Outcome<JobSpec> read_job(const RunArguments& arguments) {
  auto value = read_document(arguments.file);
  if (!value) return value.failure();
  if (!arguments.package.empty() && value->is_object()) value->erase("package");
  auto spec = codec::decode_job(*value);
  if (!spec)
    return Failure{Exit::usage,
                   (arguments.file == "-" ? "standard input" : arguments.file) + ": " + describe(spec.error())};
  return std::move(*spec);
}

// The error's path begins with /items/0/job, but the person wrote only the job.
Failure refused(const Json& error, const std::string& file) {
  const Error answer =
      codec::decode_error({{"v", 1}, {"error", error}}).value_or(Error{Code::invalid, "refused without a reason"});
  auto path = answer.path;
  for (const std::string_view prefix : {"/items/0", "/job"}) {
    if (path.starts_with(prefix)) path = path.substr(prefix.size());
  }
  return {exit_of(answer), "the job was refused: " + file + ": " + describe(Error{answer.code, answer.reason, path})};
}

struct Submitted {
  std::string job;
  std::string request;
  std::string state;
  std::string reason;
};

// Without an answer the job may have been stored; asking again with the same request id is safe.
Failure may_be_stored(Failure failure, const std::string& request) {
  if (failure.exit == Exit::timed_out || failure.exit == Exit::unreachable || failure.exit == Exit::interrupted)
    failure.reason += ". The job may have been stored: repeat with --request " + request;
  return failure;
}

Outcome<Submitted> submit(Session& session, const RunArguments& arguments, const JobSpec& spec) {
  const auto request =
      arguments.request.empty() ? "cli-" + crypto::to_hex(crypto::random_bytes(12)) : arguments.request;
  Json item{{"request", request}, {"job", codec::encode(spec)}, {"traceparent", traceparent()}};
  auto answer = session.request("scheduler", "submit", {{"items", Json::array({std::move(item)})}});
  if (!answer) return may_be_stored(answer.failure(), request);
  for (const auto& one : list_of(*answer, "items")) {
    if (text_of(one, "request") != request) continue;
    if (const auto& error = member(one, "error"); error.is_object()) return refused(error, arguments.file);
    return Submitted{text_of(one, "job"), request, text_of(one, "state"), text_of(one, "reason")};
  }
  return Failure{Exit::failed, "the scheduler's answer does not name the request " + request};
}

int end_submitted(const Options& options, const Submitted& submitted) {
  if (options.json) {
    Json out{{"job", submitted.job}, {"state", submitted.state}, {"request", submitted.request}};
    if (!submitted.reason.empty()) out["reason"] = submitted.reason;
    print_json(out);
  } else {
    print(printable(submitted.job) + " " + printable(submitted.state) + "\n");
    if (!submitted.reason.empty()) say(printable(submitted.reason));
  }
  const auto state = job_state(submitted.state);
  return code(state ? exit_of(*state) : Exit::ok);
}

// Waits until a job is settled, and tells on stderr what happens to the job.
class Wait {
 public:
  Wait(Session& session, std::string job, const std::string& package)
      : session_(session), job_(std::move(job)), follow_(job_, package) {}

  // Returns the settled STATE_JOB.
  Outcome<Json> run(std::optional<milliseconds> patience);

 private:
  Outcome<bool> look();
  std::string why_it_waits();
  void hear(const bus::Message& message);
  void tell(const std::string& line) {
    progress_.clear();
    say(line);
  }
  [[nodiscard]] Failure goes_on(Exit exit, const std::string& why) const {
    return {exit, why + "; the job goes on. Its result, later: fieldwork job result " + job_};
  }

  Session& session_;
  std::string job_;
  Follow follow_;
  Progress progress_;
  Json last_;
  Session::Clock::time_point look_at_{};
  Session::Clock::time_point why_at_ = Session::Clock::now() + seconds(1);
  std::string said_why_;
  bool up_ = true;
};

Outcome<Json> Wait::run(std::optional<milliseconds> patience) {
  const auto begin = Session::Clock::now();
  while (true) {
    if (session_.connected() && Session::Clock::now() >= look_at_) {
      auto looked = look();
      if (!looked) return looked.failure();
    }
    if (session_.interrupted()) return goes_on(Exit::interrupted, "interrupted");
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
  return last_;
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
  if (follow_.waits_for_a_device()) {
    if (auto why = why_it_waits(); !why.empty() && why != said_why_) {
      tell(why);
      said_why_ = std::move(why);
    }
  }
  last_ = std::move(*job);
  return true;
}

// The nearest device and what it lacks; each change of this is told once.
std::string Wait::why_it_waits() {
  if (Session::Clock::now() < why_at_) return said_why_;
  why_at_ = Session::Clock::now() + why_every;
  auto answer = session_.request("scheduler", "explain", {{"job", job_}}, look_patience);
  return answer ? waiting_line(*answer) : std::string();
}

void Wait::hear(const bus::Message& message) {
  const auto topic = session_.topics().parse(message.topic);
  if (!topic) return;
  if (topic->kind == Topic::Kind::device && topic->channel == "log") {
    const auto line = codec::decode_log(message.payload);
    if (const auto text = line ? follow_.log(std::string(topic->name), *line) : std::nullopt) tell(*text);
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

}  // namespace

int run(const Options& options, const RunArguments& arguments) {
  auto spec = read_job(arguments);
  if (!spec) return end(spec.failure());
  if (!arguments.request.empty() && !is_id(arguments.request)) {
    return end({Exit::usage, "--request: must be 1 to 128 of A-Z a-z 0-9 . : _ - and begin with a letter or digit"});
  }
  const bool wait = arguments.wait || arguments.logs || !arguments.output_dir.empty();
  std::vector<std::string> filters;
  if (wait) filters = {"event/job/changed", "state/transfer/+"};
  if (arguments.logs) filters.emplace_back("device/+/up/log");
  auto session = open_session(options, filters);
  if (!session) return end(session.failure());

  if (!arguments.package.empty()) {
    auto package = find_package(**session, arguments.package);
    if (!package) return end(package.failure());
    spec->package = text_of(*package, "digest");
  }
  auto submitted = submit(**session, arguments, *spec);
  if (!submitted) return end(submitted.failure());
  if (!wait) return end_submitted(options, *submitted);
  say("job " + printable(submitted->job) + " was submitted");
  std::optional<milliseconds> patience;
  if (options.timeout_s) patience = options.timeout();
  auto job = Wait(**session, submitted->job, spec->package).run(patience);
  if (!job) return end(job.failure());
  return print_result(**session, options, arguments.output_dir, text_of(*job, "job"));
}

}  // namespace fieldwork::cli
