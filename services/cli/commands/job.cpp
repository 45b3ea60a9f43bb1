#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {

int job_list(const Options& options, const ListArguments& arguments) {
  codec::Json body{{"limit", arguments.limit}};
  if (!arguments.state.empty()) body["state"] = arguments.state;
  auto answer = ask(options, "scheduler", "list", std::move(body));
  if (!answer) return end(answer.failure());
  const auto& jobs = list_of(*answer, "items");
  if (options.json) {
    print_json(jobs);
  } else {
    print(job_table(jobs, now_ms()));
  }
  return 0;
}

int job_show(const Options& options, const std::string& job) {
  auto answer = ask(options, "scheduler", "show", {{"job", job}});
  if (!answer) return end(answer.failure());
  const auto& found = member(*answer, "job");
  if (options.json) {
    print_json(found);
  } else {
    print(job_text(found, now_ms()));
  }
  return 0;
}

int job_explain(const Options& options, const std::string& job) {
  auto answer = ask(options, "scheduler", "explain", {{"job", job}});
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print(explain_text(*answer));
  }
  return 0;
}

int job_cancel(const Options& options, const std::string& job) {
  auto answer = ask(options, "scheduler", "cancel", {{"job", job}});
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print("job " + printable(job) + " is " + printable(text_of(*answer, "state")) + "\n");
  }
  return 0;
}

}  // namespace fieldwork::cli
