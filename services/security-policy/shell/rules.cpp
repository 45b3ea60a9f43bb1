#include "security-policy/shell/rules.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <set>

#include "crypto/digest.hpp"

namespace fieldwork::security_policy {
namespace {

namespace fs = std::filesystem;

// Reads one [[rule]]; keeps the first mistake.
class RuleReader {
 public:
  RuleReader(const fs::path& file, const toml::table& table) : file_(file), table_(table) {}

  Result<policy::Rule> read() {
    for (const auto& [key, node] : table_) {
      static const std::set<std::string_view> known{"name",     "effect",   "actions", "submitters",
                                                    "commands", "packages", "devices"};
      if (!known.contains(key.str())) fail(node, std::string(key.str()), "is not a key of a rule");
    }
    policy::Rule rule;
    rule.name = text("name");
    if (rule.name.empty() || rule.name.size() > 64) fail(table_, "name", "must be 1 to 64 bytes");
    const auto effect = text("effect");
    if (effect != "allow" && effect != "deny") fail(table_, "effect", "must be \"allow\" or \"deny\"");
    rule.effect = effect == "allow" ? policy::Effect::allow : policy::Effect::deny;
    patterns("submitters", rule.submitters);
    patterns("commands", rule.commands);
    patterns("devices", rule.devices);
    packages(rule);
    actions(rule);
    if (error_) return *error_;
    return rule;
  }

 private:
  void fail(const toml::node& at, const std::string& key, const std::string& reason) {
    if (error_) return;
    error_ = Error{Code::invalid, reason, file_.string() + ":" + std::to_string(at.source().begin.line) + " " + key};
  }

  std::string text(const char* key) {
    const auto* node = table_.get(key);
    if (node == nullptr) return {};
    if (const auto* value = node->as_string()) return value->get();
    fail(*node, key, "must be a string");
    return {};
  }

  void patterns(const char* key, std::vector<std::string>& into) {
    if (const auto* node = table_.get(key)) into = texts(*node, key);
  }

  std::vector<std::string> texts(const toml::node& node, const char* key) {
    std::vector<std::string> out;
    const auto* list = node.as_array();
    if (list == nullptr || list->empty() || list->size() > 1000) {
      fail(node, key, "must be a list of 1 to 1000 strings");
      return out;
    }
    for (const auto& entry : *list) {
      const auto* value = entry.as_string();
      if (value == nullptr || value->get().empty() || value->get().size() > 256) {
        fail(entry, key, "must hold strings of 1 to 256 bytes");
        return out;
      }
      out.push_back(value->get());
    }
    return out;
  }

  void actions(policy::Rule& rule) {
    const auto* node = table_.get("actions");
    if (node == nullptr) return;
    rule.actions = texts(*node, "actions");
    for (const auto& word : rule.actions) {
      const bool known = std::find(action_words.begin(), action_words.end(), word) != action_words.end();
      if (!known && word != "*") fail(*node, "actions", "must hold \"run\", \"stage\" or \"*\", not \"" + word + "\"");
    }
  }

  void packages(policy::Rule& rule) {
    const auto* node = table_.get("packages");
    if (node == nullptr) return;
    if (const auto* word = node->as_string()) {
      if (word->get() == "none") {
        rule.packages = policy::Packages::none;
      } else if (word->get() == "required") {
        rule.packages = policy::Packages::required;
      } else if (word->get() != "any") {
        fail(*node, "packages", "must be \"any\", \"none\", \"required\" or a list of digests");
      }
      return;
    }
    rule.packages = policy::Packages::listed;
    rule.digests = texts(*node, "packages");
    for (const auto& digest : rule.digests) {
      if (!crypto::is_digest(digest)) fail(*node, "packages", "must hold digests, sha256: and 64 hex digits");
    }
  }

  const fs::path& file_;
  const toml::table& table_;
  std::optional<Error> error_;
};

Result<void> load_file(const fs::path& file, std::vector<policy::Rule>& rules, std::set<std::string>& names) {
  toml::table parsed;
  try {
    parsed = toml::parse_file(file.string());
  } catch (const toml::parse_error& e) {
    return Error{Code::invalid, std::string(e.description()),
                 file.string() + ":" + std::to_string(e.source().begin.line)};
  }
  for (const auto& [key, node] : parsed) {
    const auto where = file.string() + ":" + std::to_string(node.source().begin.line) + " " + std::string(key.str());
    const auto* list = node.as_array();
    if (key.str() != "rule") return Error{Code::invalid, "is not a key of a policy file", where};
    if (list == nullptr) return Error{Code::invalid, "must be written [[rule]]", where};
    for (const auto& entry : *list) {
      if (!entry.is_table()) return Error{Code::invalid, "must be written [[rule]]", where};
      auto rule = RuleReader(file, *entry.as_table()).read();
      if (!rule) return rule.error();
      if (!names.insert(rule->name).second) {
        return Error{Code::invalid, "a rule " + rule->name + " is there already", where};
      }
      if (rules.size() == rules_max)
        return Error{Code::invalid, "more than " + std::to_string(rules_max) + " rules", where};
      rules.push_back(std::move(*rule));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<policy::Rule>> load_rules(const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".toml") files.push_back(it->path());
  }
  if (error) return Error{Code::invalid, error.message(), directory.string()};
  std::sort(files.begin(), files.end());
  std::vector<policy::Rule> rules;
  std::set<std::string> names;
  for (const auto& file : files) {
    if (auto done = load_file(file, rules, names); !done) return done.error();
  }
  return rules;
}

}  // namespace fieldwork::security_policy
