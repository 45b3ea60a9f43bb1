// Following a job, and trying it again.
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "ids.hpp"
#include "output.hpp"
#include "view.hpp"
#include "wait.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

// Waits, and returns the exit code of how the job ended. Its state goes to stdout.
int follow(const Options& options, const std::string& job, const WaitHow& how) {
  auto session = open_session(options, Wait::filters(how));
  if (!session) return end(session.failure());
  auto id = whole_job(**session, job);
  if (!id) return end(id.failure());
  auto over = Wait(**session, *id, how).run(options.patience());
  if (!over) return end(over.failure());
  const auto state = job_state(text_of(*over, "state"));
  if (options.json) {
    print_json(*over);
  } else {
    print("job " + printable(*id) + " " + it_is(text_of(*over, "state")) + "\n");
    if (const auto why = text_of(*over, "reason"); how.quiet && !why.empty()) say(printable(why));
  }
  return code(state ? exit_of(*state) : Exit::failed);
}

}  // namespace

int job_wait(const Options& options, const std::string& job) { return follow(options, job, {.quiet = true}); }

int job_watch(const Options& options, const std::string& job) { return follow(options, job, {}); }

int job_logs(const Options& options, const LogsArguments& arguments) {
  if (options.json) return end({Exit::usage, "--json: logs are lines; job result --json has what is kept of them"});
  const WaitHow how{.only_logs = true, .execution = arguments.execution};
  auto session = open_session(options, Wait::filters(how));
  if (!session) return end(session.failure());
  auto id = whole_job(**session, arguments.job);
  if (!id) return end(id.failure());
  auto found = (*session)->request("scheduler", "show", {{"job", *id}, {"limit", 1}});
  if (!found) return end(found.failure());
  const auto& job = member(*found, "job");
  const auto state = job_state(text_of(job, "state"));
  if (arguments.execution && *arguments.execution >= integer_of(job, "width"))
    return end({Exit::failed, "--execution: the job has " + std::to_string(integer_of(job, "width")) + " executions"});
  if (state && settled(*state)) return print_result(**session, options, "", *id, arguments.execution);
  if (state && *state != JobState::running)
    say("job " + printable(*id) + " " + it_is(std::string(name(*state))) + "; waiting");
  auto over = Wait(**session, *id, how).run(options.patience());
  if (!over) return end(over.failure());
  const auto ended = text_of(*over, "state");
  say("job " + printable(*id) + " " + it_is(ended) + "; all that is kept of it: fieldwork job result " + *id);
  const auto last = job_state(ended);
  return code(last ? exit_of(*last) : Exit::failed);
}

int job_retry(const Options& options, const RetryArguments& arguments) {
  auto request = request_id(arguments.request);
  if (!request) return end(request.failure());
  const WaitHow how;
  auto session = open_session(options, arguments.wait ? Wait::filters(how) : std::vector<std::string>{});
  if (!session) return end(session.failure());
  auto id = whole_job(**session, arguments.job);
  if (!id) return end(id.failure());
  Json body{{"job", *id}, {"request", *request}};
  if (arguments.all) body["all"] = true;
  if (arguments.expects) body["expects"] = *arguments.expects;
  auto answer = (*session)->request("scheduler", "retry", std::move(body));
  if (!answer) return end(may_be_stored(answer.failure(), *request));
  const auto made = text_of(*answer, "job");
  if (!arguments.wait) {
    options.json ? print_json(*answer) : print(printable(made) + " " + printable(text_of(*answer, "state")) + "\n");
    const auto state = job_state(text_of(*answer, "state"));
    return code(state ? exit_of(*state) : Exit::ok);
  }
  say("job " + printable(made) + " tries " + printable(*id) + " again");
  auto over = Wait(**session, made, how).run(options.patience());
  if (!over) return end(over.failure());
  return print_result(**session, options, "", made);
}

}  // namespace fieldwork::cli
