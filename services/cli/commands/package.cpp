#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "crypto/digest.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {

Outcome<std::unique_ptr<Session>> open_session(const Options& options, const std::vector<std::string>& filters) {
  auto settings = load_settings(options);
  if (!settings) return settings.failure();
  return Session::open(*settings, filters, options);
}

Outcome<codec::Json> ask(const Options& options, const std::string& service, const std::string& operation,
                         codec::Json body) {
  auto session = open_session(options);
  if (!session) return session.failure();
  return (*session)->request(service, operation, std::move(body));
}

Outcome<codec::Json> find_package(Session& session, const std::string& wanted) {
  if (crypto::is_digest(wanted)) {
    auto answer = session.request("transfer", "show", {{"digest", wanted}});
    if (!answer) return answer.failure();
    return member(*answer, "package");
  }
  if (wanted.find('@') == std::string::npos) {
    return Failure{Exit::usage, "'" + wanted + "' is neither a digest (sha256:…) nor NAME@VERSION"};
  }
  auto answer = session.request("transfer", "list", codec::Json::object());
  if (!answer) return answer.failure();
  for (const auto& package : list_of(*answer, "items")) {
    if (is_named(package, wanted)) return package;
  }
  return Failure{Exit::failed, "there is no package " + wanted + ". See fieldwork package ls"};
}

int package_list(const Options& options) {
  auto answer = ask(options, "transfer", "list", codec::Json::object());
  if (!answer) return end(answer.failure());
  const auto& packages = list_of(*answer, "items");
  if (options.json) {
    print_json(packages);
  } else {
    print(package_table(packages));
  }
  return 0;
}

int package_show(const Options& options, const std::string& wanted) {
  auto session = open_session(options);
  if (!session) return end(session.failure());
  auto package = find_package(**session, wanted);
  if (!package) return end(package.failure());
  if (options.json) {
    print_json(*package);
  } else {
    print(package_text(*package));
  }
  return 0;
}

}  // namespace fieldwork::cli
