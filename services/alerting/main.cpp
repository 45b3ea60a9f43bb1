#include <sstream>

#include "alerting/shell/service.hpp"
#include "runtime/program.hpp"

namespace fieldwork::alerting {
namespace {

// A comma-separated setting.
std::vector<std::string> list_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one, ',');) {
    if (!one.empty()) out.push_back(one);
  }
  return out;
}

Result<AlertingConfig> read_config(runtime::Config& config) {
  AlertingConfig out;
  out.limits.alerts_max = static_cast<std::size_t>(config.integer("alerting.alerts_max", 10'000, 1, 1'000'000));
  out.limits.resolved_keep = seconds{config.integer("alerting.resolved_keep_s", 3600, 0, 31'536'000)};
  out.broker_figures = config.boolean("alerting.broker_figures", true);
  auto& watch = out.watch;
  watch.rules = config.text("alerting.rules", "");
  watch.disks = list_of(config.text("alerting.disks", "/"));
  const auto own = config.text("broker.ca", "") + "," + config.text("broker.certificate", "");
  watch.certificates = list_of(config.text("alerting.certificates", own));
  // A target that is easily set up: all others stand in the rules file.
  const auto url = config.text("alerting.webhook", "");
  if (url.empty()) return out;
  auto book = alerts::read_rules("[[target]]\nname = \"webhook\"\ntype = \"webhook\"\nurl = '" + url + "'\n", "");
  if (!book) return Error{Code::invalid, book.error().reason, config.origin("alerting.webhook")};
  watch.targets = book->targets;
  return out;
}

}  // namespace
}  // namespace fieldwork::alerting

int main(int argc, char** argv) {
  using namespace fieldwork;
  return runtime::service_main(
      argc, argv,
      {.name = "alerting",
       .description = "Tells people what they should know, by rules over what the services publish.",
       .migrations = "alerting",
       .make = [](runtime::Config& config, const std::string& root,
                  runtime::Post post) -> Result<std::unique_ptr<runtime::Service>> {
         auto own = alerting::read_config(config);
         if (!own) return own.error();
         own->post = post.task;
         own->hear_again = post.hear_again;
         return std::unique_ptr<runtime::Service>(new alerting::AlertingService(root, std::move(*own)));
       }});
}
