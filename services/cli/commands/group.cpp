#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "limits.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {

int group_list(const Options& options) {
  return show(options, ask(options, "registry", "groups", codec::Json::object()), "items", group_table);
}

int group_change(const Options& options, const GroupArguments& arguments) {
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  codec::Json body{{"group", arguments.group}};
  if (!arguments.expression.empty()) body["expression"] = arguments.expression;
  if (!arguments.add.empty()) body["add"] = arguments.add;
  if (!arguments.drop.empty()) body["drop"] = arguments.drop;
  if (arguments.remove) body["remove"] = true;
  auto answer = (*session)->request("registry", "group", std::move(body));
  if (!answer) return end(answer.failure());
  const auto& group = member(*answer, "group");
  if (options.json) {
    print_json(group);
  } else if (arguments.remove) {
    print("group " + printable(arguments.group) + " is removed; its devices stay\n");
  } else {
    print(group_table(codec::Json::array({group}), now_ms()));
    auto first = (*session)->request("registry", "list",
                                     {{"expression", "group == \"" + arguments.group + "\""}, {"limit", named_max}});
    std::string names;
    if (first) {
      for (const auto& one : list_of(*first, "items")) names += (names.empty() ? "" : " ") + text_of(one, "device");
    }
    const auto more = integer_of(group, "devices") - static_cast<std::int64_t>(named_max);
    if (!names.empty()) print("devices: " + printable(names) + (more > 0 ? " and more" : "") + "\n");
  }
  return 0;
}

}  // namespace fieldwork::cli
