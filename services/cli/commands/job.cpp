#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "executions.hpp"
#include "ids.hpp"
#include "model/limits.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {

int job_list(const Options& options, const ListArguments& arguments) {
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto jobs = codec::Json::array();
  std::string after;
  do {
    codec::Json body{{"limit", arguments.limit - static_cast<int>(jobs.size())}};
    if (!arguments.state.empty()) body["state"] = arguments.state;
    if (!after.empty()) body["after"] = after;
    auto answer = (*session)->request("scheduler", "list", std::move(body));
    if (!answer) return end(answer.failure());
    for (const auto& one : list_of(*answer, "items")) jobs.push_back(one);
    after = text_of(*answer, "next");
  } while (!after.empty() && static_cast<int>(jobs.size()) < arguments.limit);
  if (options.json) {
    print_json(jobs);
  } else {
    print(job_table(jobs, now_ms()));
  }
  return 0;
}

int job_show(const Options& options, const std::string& job) {
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto id = whole_job(**session, job);
  if (!id) return end(id.failure());
  auto answer = job_with_executions(**session, *id, limits::executions_max);
  if (!answer) return end(answer.failure());
  const auto& found = *answer;
  if (options.json) {
    print_json(found);
  } else {
    print(job_text(found, now_ms()));
  }
  return 0;
}

int job_explain(const Options& options, const std::string& job) {
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto id = whole_job(**session, job);
  if (!id) return end(id.failure());
  auto answer = explanation(**session, *id, options.json ? limits::executions_max : followed_max);
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print(explain_text(*answer));
  }
  return 0;
}

int job_cancel(const Options& options, const ChangeArguments& arguments) {
  auto session = open_session(options);
  if (!session) return end(session.failure());
  auto id = whole_job(**session, arguments.job);
  if (!id) return end(id.failure());
  codec::Json body{{"job", *id}};
  if (arguments.expects) body["expects"] = *arguments.expects;
  auto answer = (*session)->request("scheduler", "cancel", std::move(body));
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print("job " + printable(*id) + " " + it_is(text_of(*answer, "state")) + "\n");
    const auto state = job_state(text_of(*answer, "state"));
    if (state && settled(*state) && *state != JobState::cancelled) say("It was over already: nothing was cancelled.");
  }
  return 0;
}

}  // namespace fieldwork::cli
