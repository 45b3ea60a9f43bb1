// What alerting looks at itself: the rules file, disks and certificates of the server it runs on.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "alerts/rules.hpp"

namespace fieldwork::alerting {

struct WatchConfig {
  std::string rules;                      // a file; empty: the shipped rules alone
  std::vector<alerts::Target> targets;    // beside those of the file
  std::vector<std::string> disks;         // paths
  std::vector<std::string> certificates;  // files with certificates or revocation lists
  Duration each = seconds{60};            // between two looks at disks and certificates
  Duration rules_each = seconds{2};       // at the rules file
};

class Watch {
 public:
  explicit Watch(WatchConfig config) : config_(std::move(config)) {}

  // Reads the rules. An Error names the line. If `before`, the file's text when it was good last, is not empty, it is
  // used instead of a bad file; then problem() says why.
  [[nodiscard]] Result<alerts::RuleBook> read(const std::string& before = "");
  // The file's text as it was read last without an error.
  [[nodiscard]] const std::string& text() const { return text_; }
  // The rules, if the file has changed since it was read and is good. A bad one is said once, in the log and by
  // problem().
  [[nodiscard]] std::optional<alerts::RuleBook> reread(Time now);
  [[nodiscard]] const std::string& problem() const { return problem_; }
  // What disks and certificates are like, when it is time to look. What cannot be read is logged and left out.
  [[nodiscard]] std::vector<alerts::Sample> look(Time now);

 private:
  void look_at_disks(std::vector<alerts::Sample>& out);
  void look_at_certificates(Time now, std::vector<alerts::Sample>& out);
  [[nodiscard]] std::string stamp() const;
  [[nodiscard]] Result<std::string> read_file();
  [[nodiscard]] Result<alerts::RuleBook> with_targets(Result<alerts::RuleBook> book) const;
  void stale(const Error& error, const char* what);

  WatchConfig config_;
  std::string read_;  // the file's stamp when it was read
  std::string seen_;  // its stamp at the last look
  std::string problem_, text_;
  std::optional<Time> looked_at_, reread_at_;
};

}  // namespace fieldwork::alerting
