#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/id.hpp"
#include "codec/job.hpp"
#include "commands/commands.hpp"
#include "crypto/bytes.hpp"
#include "document.hpp"
#include "ids.hpp"
#include "output.hpp"
#include "view.hpp"
#include "wait.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

std::string traceparent() {
  return "00-" + crypto::to_hex(crypto::random_bytes(16)) + "-" + crypto::to_hex(crypto::random_bytes(8)) + "-01";
}

// What is asked for, in place of a request: a job, or a template with its parameters.
struct Wanted {
  Json body;
  std::string package;  // digest
  Json document{};      // null, or a job file without a command: it is that of the package
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

Outcome<Wanted> of_document(const Json& document, const RunArguments& arguments) {
  auto spec = codec::decode_job(document);
  if (!spec) return Failure{Exit::usage, shown_file(arguments.file) + ": " + describe(spec.error())};
  return Wanted{{{"job", codec::encode(*spec)}}, spec->package};
}

Outcome<Wanted> read_job(const RunArguments& arguments) {
  if (!arguments.made_of.empty()) return of_template(arguments);
  if (arguments.file.empty())
    return Failure{Exit::usage, "what is to run? A job file (fieldwork run job.json), or --template NAME"};
  auto value = read_document(arguments.file);
  if (!value) return value.failure();
  if (!arguments.package.empty() && value->is_object()) value->erase("package");
  const bool packaged = !arguments.package.empty() || !text_of(*value, "package").empty();
  if (value->is_object() && !value->contains("command") && packaged) {
    auto package = text_of(*value, "package");
    return Wanted{.body = {}, .package = std::move(package), .document = std::move(*value)};
  }
  return of_document(*value, arguments);
}

// The package that is to run, where its digest or its entry is asked for.
Outcome<Wanted> with_package(Session& session, Wanted wanted, const RunArguments& arguments) {
  const bool lacks_command = wanted.document.is_object();
  if (arguments.package.empty() && !lacks_command) return wanted;
  const auto name = arguments.package.empty() ? wanted.package : arguments.package;
  auto package = find_package(session, name);
  if (!package) return package.failure();
  if (lacks_command) {
    const auto& entry = member(*package, "entry");
    if (!entry.is_array())
      return Failure{Exit::usage, shown_file(arguments.file) + ": /command is missing, and the package " + name +
                                      " has no entry that would be it"};
    wanted.document["command"] = entry;
    auto whole = of_document(wanted.document, arguments);
    if (!whole) return whole.failure();
    wanted = std::move(*whole);
  }
  if (!arguments.package.empty()) wanted.set_package(text_of(*package, "digest"));
  return wanted;
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
  Json answer;  // the item about it
};

Outcome<Submitted> submit(Session& session, const RunArguments& arguments, const std::string& request,
                          const Wanted& wanted) {
  Json item = wanted.body;
  item.update({{"request", request}, {"traceparent", traceparent()}});
  auto answer = session.request("scheduler", "submit", {{"items", Json::array({std::move(item)})}});
  if (!answer) return may_be_stored(answer.failure(), request);
  for (const auto& one : list_of(*answer, "items")) {
    if (text_of(one, "request") != request) continue;
    if (const auto& error = member(one, "error"); error.is_object()) return refused(error, arguments);
    return Submitted{text_of(one, "job"), request, text_of(one, "state"), text_of(one, "reason"), one};
  }
  return Failure{Exit::failed, "the scheduler's answer does not name the request " + request};
}

int end_submitted(const Options& options, const Submitted& submitted) {
  if (options.json) {
    Json out{{"job", submitted.job}, {"state", submitted.state}, {"request", submitted.request}};
    if (!submitted.reason.empty()) out["reason"] = submitted.reason;
    for (const char* field : {"waits", "meets_deadline"}) {
      if (const auto& value = member(submitted.answer, field); !value.is_null()) out[field] = value;
    }
    print_json(out);
  } else {
    print(printable(submitted.job) + " " + printable(submitted.state) + "\n");
    if (!submitted.reason.empty()) say(printable(submitted.reason));
    if (const auto waits = waits_line(submitted.answer); !waits.empty()) say(printable(waits));
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

}  // namespace

Failure may_be_stored(Failure failure, const std::string& request) {
  if (failure.exit == Exit::timed_out || failure.exit == Exit::unreachable || failure.exit == Exit::interrupted)
    failure.reason += ". The job may have been stored: repeat with --request " + request;
  return failure;
}

int run(const Options& options, const RunArguments& arguments) {
  auto wanted = read_job(arguments);
  if (!wanted) return end(wanted.failure());
  auto request = request_id(arguments.request);
  if (!request) return end(request.failure());
  const bool wait = arguments.wait || arguments.logs || !arguments.output_dir.empty();
  WaitHow how{.logs = arguments.logs};
  auto session = open_session(options, wait ? Wait::filters(how) : std::vector<std::string>{});
  if (!session) return end(session.failure());

  wanted = with_package(**session, std::move(*wanted), arguments);
  if (!wanted) return end(wanted.failure());
  if (arguments.metered) wanted->body["job"]["metered"] = true;
  if (arguments.dry_run) return try_out(**session, options, arguments, *wanted);
  auto submitted = submit(**session, arguments, *request, *wanted);
  if (!submitted) return end(submitted.failure());
  if (!wait) return end_submitted(options, *submitted);
  say("job " + printable(submitted->job) + " was submitted");
  how.package = wanted->package;
  auto job = Wait(**session, submitted->job, how).run(options.patience());
  if (!job) return end(job.failure());
  return print_result(**session, options, arguments.output_dir, text_of(*job, "job"));
}

}  // namespace fieldwork::cli
