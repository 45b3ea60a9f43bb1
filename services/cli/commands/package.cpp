#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "crypto/digest.hpp"
#include "ids.hpp"
#include "limits.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

Outcome<codec::Json> all_packages(Session& session, bool unused = false) {
  codec::Json question{{"limit", packages_page_max}};
  if (unused) question["unused"] = true;
  return all_items(session, "transfer", std::move(question));
}

Outcome<std::string> whole_digest(Session& session, const std::string& beginning) {
  auto packages = all_packages(session);
  if (!packages) return packages.failure();
  std::vector<std::string> digests;
  for (const auto& package : *packages) digests.push_back(text_of(package, "digest"));
  return only_one(beginning, digests, "among the packages. See fieldwork package ls");
}

}  // namespace

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

Outcome<codec::Json> all_items(Session& session, const std::string& service, codec::Json body,
                               const std::string& operation) {
  auto items = codec::Json::array();
  while (true) {
    auto answer = session.request(service, operation, body);
    if (!answer) return answer.failure();
    for (const auto& one : list_of(*answer, "items")) items.push_back(one);
    const auto after = text_of(*answer, "next");
    if (after.empty()) return items;
    body["after"] = after;
  }
}

int show(const Options& options, Outcome<codec::Json> answer, const char* field,
         std::string (*text)(const codec::Json& value, std::int64_t now_ms)) {
  if (!answer) return end(answer.failure());
  const auto& found = member(*answer, field);
  if (options.json) {
    print_json(found);
  } else {
    print(text(found, now_ms()));
  }
  return 0;
}

Outcome<codec::Json> find_package(Session& session, const std::string& wanted, const std::string& architecture) {
  if (const auto beginning = digest_beginning(wanted)) {
    auto digest = whole_digest(session, *beginning);
    return digest ? find_package(session, *digest) : digest.failure();
  }
  codec::Json question{{"digest", wanted}};
  if (!crypto::is_digest(wanted)) {
    const auto at = wanted.find('@');
    if (at == std::string::npos) {
      return Failure{Exit::usage,
                     "'" + wanted + "' is neither a digest (sha256:…, 6 digits at least) nor NAME@VERSION"};
    }
    question = {{"name", wanted.substr(0, at)}, {"version", wanted.substr(at + 1)}};
    if (!architecture.empty()) question["architecture"] = architecture;
  }
  auto answer = session.request("transfer", "show", std::move(question));
  if (answer) {
    auto package = member(*answer, "package");
    if (const auto& variants = member(*answer, "variants"); package.is_object() && variants.is_array())
      package["variants"] = variants;
    return package;
  }
  if (answer.failure().exit != Exit::failed) return answer.failure();
  return Failure{Exit::failed, "there is no package " + wanted + (architecture.empty() ? "" : " for " + architecture) +
                                   ". See fieldwork package ls"};
}

int package_list(const Options& options, bool unused) {
  auto session = open_session(options);
  if (!session) return end(session.failure());
  auto packages = all_packages(**session, unused);
  if (!packages) return end(packages.failure());
  if (options.json) {
    print_json(*packages);
  } else {
    print(package_table(*packages, now_ms()));
  }
  return 0;
}

int package_show(const Options& options, const std::string& wanted, const std::string& architecture) {
  auto session = open_session(options);
  if (!session) return end(session.failure());
  auto package = find_package(**session, wanted, architecture);
  if (!package) return end(package.failure());
  if (options.json) {
    print_json(*package);
  } else {
    print(package_text(*package, now_ms()));
  }
  return 0;
}

int package_remove(const Options& options, const std::string& wanted, const std::string& architecture) {
  auto session = open_session(options);
  if (!session) return end(session.failure());
  auto package = find_package(**session, wanted, architecture);
  if (!package) return end(package.failure());
  codec::Json question{{"digest", text_of(*package, "digest")}};
  if (const auto at = wanted.find('@'); at != std::string::npos) {
    question = {{"name", wanted.substr(0, at)}, {"version", wanted.substr(at + 1)}};
    if (!architecture.empty()) question["architecture"] = architecture;
  }
  auto answer = (*session)->request("transfer", "remove", std::move(question));
  if (!answer) return end(answer.failure());
  if (options.json) {
    print_json(*answer);
    return 0;
  }
  std::string names;
  for (const auto& of : list_of(*answer, "names"))
    names += (names.empty() ? "" : ", ") + text_of(of, "name") + "@" + text_of(of, "version");
  const auto count = list_of(*answer, "digests").size();
  print("removed " + printable(names) + (count > 1 ? " for " + std::to_string(count) + " architectures" : "") +
        "; running jobs keep what they have\n");
  return 0;
}

}  // namespace fieldwork::cli
