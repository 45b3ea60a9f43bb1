#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {

int device_list(const Options& options) {
  auto answer = ask(options, "registry", "list", codec::Json::object());
  if (!answer) return end(answer.failure());
  const auto& devices = list_of(*answer, "items");
  if (options.json) {
    print_json(devices);
  } else {
    print(device_table(devices, now_ms()));
  }
  return 0;
}

int device_show(const Options& options, const std::string& device) {
  auto answer = ask(options, "registry", "show", {{"device", device}});
  if (!answer) return end(answer.failure());
  const auto& found = member(*answer, "device");
  if (options.json) {
    print_json(found);
  } else {
    print(device_text(found, now_ms()));
  }
  return 0;
}

}  // namespace fieldwork::cli
