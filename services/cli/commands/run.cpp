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

// What is asked for, in place of a request: a job, or a template with its parameters.
struct Wanted {
  Json body;
  std::string package;  // digest
  void set_package(const std::string& digest) {
    package = digest;
    body["job"]["package"] = digest;
  }
};

Outcome<Wanted> of_template(const RunArguments& arguments) {
  Json parameters = Json::object();
  for (const auto& one : arguments.parameters) {
    const auto equals = one.find('=');
    if (equals == std::string::npos || equals == 0)
      return Failure{Exit::usage, "--param " + one + ": must be NAME=VALUE"};
    parameters[one.substr(0, equals)] = one.substr(equals + 1);
  }
  Wanted out{{{"template", arguments.made_of}, {"parameters", std::move(parameters)}}, ""};
  if (!arguments.with.empty()) {
    auto fields = codec::parse(arguments.with);
    if (!fields || !fields->is_object())
      return Failure{Exit::usage, "--with: must be a JSON object" + (fields ? "" : ": " + describe(fields.error()))};
    out.body["job"] = std::move(*fields);
  }
  if (const auto& need = member(member(out.body, "job"), "requirements"); !need.is_null() && !need.is_object())
    return Failure{Exit::usage, "--with: requirements must be an object"};
  if (!arguments.privacy.empty()) out.body["job"]["requirements"]["privacy"] = arguments.privacy;
  return out;
}

Outcome<Wanted> read_job(const RunArguments& arguments) {
  if (!arguments.made_of.empty()) return of_template(arguments);
  if (arguments.file.empty())
    return Failure{Exit::usage, "what is to run? A job file (fieldwork run job.json), or --template NAME"};
  auto value = read_document(arguments.file);
  if (!value) return value.failure();
  if (!arguments.package.empty() && value->is_object()) value->erase("package");
  auto spec = codec::decode_job(*value);
  if (!spec)
    return Failure{Exit::usage,
                   (arguments.file == "-" ? "standard input" : arguments.file) + ": " + describe(spec.error())};
  return Wanted{{{"job", codec::encode(*spec)}}, spec->package};
}

// The error's path begins with /items/0/job, but the person wrote only the job.
// Where a template asks for more privacy than devices enforce.
std::string with_hint(std::string reason, const RunArguments& arguments) {
  const bool hint = !arguments.made_of.empty() && reason.find("requirements/privacy") != std::string::npos;
  return hint ? reason + " (--privacy none goes without it)" : reason;
}

Failure refused(const Json& error, const RunArguments& arguments) {
  const Error answer =
      codec::decode_error({{"v", 1}, {"error", error}}).value_or(Error{Code::invalid, "refused without a reason"});
  auto path = answer.path;
  for (const std::string_view prefix : {"/items/0", "/job"}) {
    if (path.starts_with(prefix)) path = path.substr(prefix.size());
  }
  const auto& from = arguments.made_of.empty() ? arguments.file : arguments.made_of;
  return {
      exit_of(answer),
      with_hint("the job was refused: " + from + ": " + describe(Error{answer.code, answer.reason, path}), arguments)};
}

struct Submitted {
  std::string job;
  std::string request;
  std::string state;
  std::string reason;
  Json waits;  // null: it does not wait
};

// Without an answer the job may have been stored; asking again with the same request id is safe.
Failure may_be_stored(Failure failure, const std::string& request) {
  if (failure.exit == Exit::timed_out || failure.exit == Exit::unreachable || failure.exit == Exit::interrupted)
    failure.reason += ". The job may have been stored: repeat with --request " + request;
  return failure;
}

Outcome<Submitted> submit(Session& session, const RunArguments& arguments, const Wanted& wanted) {
  const auto request =
      arguments.request.empty() ? "cli-" + crypto::to_hex(crypto::random_bytes(12)) : arguments.request;
  Json item = wanted.body;
  item.update({{"request", request}, {"traceparent", traceparent()}});
  auto answer = session.request("scheduler", "submit", {{"items", Json::array({std::move(item)})}});
  if (!answer) return may_be_stored(answer.failure(), request);
  for (const auto& one : list_of(*answer, "items")) {
    if (text_of(one, "request") != request) continue;
    if (const auto& error = member(one, "error"); error.is_object()) return refused(error, arguments);
    return Submitted{text_of(one, "job"), request, text_of(one, "state"), text_of(one, "reason"), member(one, "waits")};
  }
  return Failure{Exit::failed, "the scheduler's answer does not name the request " + request};
}

int end_submitted(const Options& options, const Submitted& submitted) {
  if (options.json) {
    Json out{{"job", submitted.job}, {"state", submitted.state}, {"request", submitted.request}};
    if (!submitted.reason.empty()) out["reason"] = submitted.reason;
    if (submitted.waits.is_object()) out["waits"] = submitted.waits;
    print_json(out);
  } else {
    print(printable(submitted.job) + " " + printable(submitted.state) + "\n");
    if (!submitted.reason.empty()) say(printable(submitted.reason));
    if (const auto waits = waits_line({{"waits", submitted.waits}}); !waits.empty()) say(printable(waits));
  }
  const auto state = job_state(submitted.state);
  return code(state ? exit_of(*state) : Exit::ok);
}

int try_out(Session& session, const Options& options, const RunArguments& arguments, const Wanted& wanted) {
  auto answer = session.request("scheduler", "try", wanted.body);
  if (!answer) {
    auto failure = answer.failure();
    if (failure.exit == Exit::failed)
      failure.reason = with_hint("the job would be refused: " + failure.reason, arguments);
    return end(failure);
  }
  if (options.json) {
    print_json(*answer);
  } else {
    print(trial_text(*answer));
  }
  return 0;
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
  std::string said_why_, estimate_;
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
      tell(why + estimate_);
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
  auto wanted = read_job(arguments);
  if (!wanted) return end(wanted.failure());
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
    wanted->set_package(text_of(*package, "digest"));
  }
  if (arguments.dry_run) return try_out(**session, options, arguments, *wanted);
  auto submitted = submit(**session, arguments, *wanted);
  if (!submitted) return end(submitted.failure());
  if (!wait) return end_submitted(options, *submitted);
  say("job " + printable(submitted->job) + " was submitted");
  std::optional<milliseconds> patience;
  if (options.timeout_s) patience = options.timeout();
  auto job = Wait(**session, submitted->job, wanted->package).run(patience);
  if (!job) return end(job.failure());
  return print_result(**session, options, arguments.output_dir, text_of(*job, "job"));
}

}  // namespace fieldwork::cli
