#include <nlohmann/json.hpp>

#include "codec/template.hpp"
#include "commands/commands.hpp"
#include "document.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {

int template_list(const Options& options) {
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto items = all_items(**session, "scheduler", codec::Json::object(), "templates");
  if (!items) return end(items.failure());
  if (options.json) {
    print_json(*items);
  } else {
    print(items->empty() ? "there are no templates\n" : template_table(*items, now_ms()));
  }
  return 0;
}

int template_push(const Options& options, const TemplateArguments& arguments) {
  auto value = read_document(arguments.file);
  if (!value) return end(value.failure());
  if (const auto read = codec::decode_template(*value); !read)
    return end(
        {Exit::usage, (arguments.file == "-" ? "standard input" : arguments.file) + ": " + describe(read.error())});
  codec::Json body{{"template", *value}};
  if (arguments.expects) body["expects"] = *arguments.expects;
  auto answer = ask(options, "scheduler", "template", std::move(body));
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    const bool same = text_of(*answer, "state") == "unchanged";
    print(printable(text_of(*answer, "name")) + "@" + std::to_string(integer_of(*answer, "version")) +
          (same ? " has this content already\n" : "\n"));
  }
  return 0;
}

int template_show(const Options& options, const std::string& wanted) {
  auto answer = ask(options, "scheduler", "templates", {{"template", wanted}});
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print(template_text(*answer, now_ms()));
  }
  return 0;
}

int template_remove(const Options& options, const std::string& name) {
  auto answer = ask(options, "scheduler", "template", {{"remove", name}});
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print("template " + printable(name) + " is removed; jobs that were made of it stay\n");
  }
  return 0;
}

}  // namespace fieldwork::cli
