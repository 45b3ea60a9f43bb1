#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {

int device_list(const Options& options) {
  auto session = open_session(options, {});
  if (!session) return end(session.failure());
  auto devices = codec::Json::array();
  std::string after;
  do {
    codec::Json body = codec::Json::object();
    if (!after.empty()) body["after"] = after;
    auto answer = (*session)->request("registry", "list", std::move(body));
    if (!answer) return end(answer.failure());
    for (const auto& one : list_of(*answer, "items")) devices.push_back(one);
    after = text_of(*answer, "next");
  } while (!after.empty());
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

int device_reset(const Options& options, const std::string& device) {
  auto answer = ask(options, "scheduler", "reset", {{"device", device}});
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
  } else {
    print("device " + printable(device) + ": whatever it reports next is taken as the beginning\n");
  }
  return 0;
}

}  // namespace fieldwork::cli
