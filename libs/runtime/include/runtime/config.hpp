// Settings: file < environment < flag. Keys are section.key (broker.url); the environment says FIELDWORK_BROKER_URL,
// the flag says --set broker.url=…. Every error names the setting and where its value came from.
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
  // Also a mistake: a setting in the file or a flag that nobody asked for. One that is missing is named first, unless
  // the other looks like it, mistyped.
  Result<void> finish();
  // FIELDWORK_ variables that nobody asked for, as sentences; FIELDWORK_CONFIG is the caller's. Ask when all was read.
  [[nodiscard]] std::vector<std::string> unknown_variables() const;

 private:
  struct Value {
    std::string text;
    std::string from;
    bool strict = true;  // unknown environment variables are not ours to judge
  };
  const std::string* find(const std::string& key);
  [[nodiscard]] std::string meant(const std::string& key, bool as_variable) const;

  std::map<std::string, Value> values_;
  std::set<std::string> used_;
  std::vector<Error> mistakes_;
};

}  // namespace fieldwork::runtime
