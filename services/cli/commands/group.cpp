#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {

int group_list(const Options& options) {
  return show(options, ask(options, "registry", "groups", codec::Json::object()), "items", group_table);
}

int group_change(const Options& options, const GroupArguments& arguments) {
  codec::Json body{{"group", arguments.group}};
  if (!arguments.expression.empty()) body["expression"] = arguments.expression;
  if (!arguments.add.empty()) body["add"] = arguments.add;
  if (!arguments.drop.empty()) body["drop"] = arguments.drop;
  if (arguments.remove) body["remove"] = true;
  auto answer = ask(options, "registry", "group", std::move(body));
  if (!answer) return end(answer.failure());
  const auto& group = member(*answer, "group");
  if (options.json) {
    print_json(group);
  } else if (arguments.remove) {
    print("group " + printable(arguments.group) + " is removed; its devices stay\n");
  } else {
    print(group_table(codec::Json::array({group}), now_ms()));
  }
  return 0;
}

}  // namespace fieldwork::cli
