// Settings from a file, the environment and flags; a flag is stronger than the environment, the environment stronger
// than the file. Keys are section.key (broker.url), FIELDWORK_BROKER_URL in the environment and --set broker.url=… as a
// flag. Every error names the setting and where its value came from.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace fieldwork::runtime {

class Config {
 public:
  // `file` may be empty. `sets` are key=value. `environment` is usually that of the process.
  static Result<Config> load(const std::string& file, const std::vector<std::string>& sets,
                             const std::map<std::string, std::string>& environment);
  static std::map<std::string, std::string> process_environment();

  // A missing setting without a fallback, or one of the wrong type, is kept as the first mistake: ask finish().
  std::string text(const std::string& key);
  std::string text(const std::string& key, const std::string& fallback);
  std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  double number(const std::string& key, double fallback, double min, double max);
  bool boolean(const std::string& key, bool fallback);
  std::map<std::string, std::string> table(const std::string& prefix);  // device.labels.* -> *

  // Where the value came from, for messages: "broker.url (environment FIELDWORK_BROKER_URL)".
  [[nodiscard]] std::string origin(const std::string& key) const;
  // The first mistake, if there is one. A setting of the file or a flag that nobody read is a mistake, too. A missing
  // setting is named first, unless an unread one looks like the missing one, mistyped.
  Result<void> finish();
  // The FIELDWORK_ variables that nobody read, as sentences; FIELDWORK_CONFIG is left to the caller. Call it after all
  // settings were read.
  [[nodiscard]] std::vector<std::string> unknown_variables() const;

 private:
  struct Value {
    std::string text;
    std::string from;
    bool strict = true;  // false: an unread one is no mistake (environment variables)
  };
  const std::string* find(const std::string& key);
  [[nodiscard]] std::string meant(const std::string& key, bool as_variable) const;

  std::map<std::string, Value> values_;
  std::set<std::string> used_;
  std::vector<Error> mistakes_;
};

}  // namespace fieldwork::runtime
