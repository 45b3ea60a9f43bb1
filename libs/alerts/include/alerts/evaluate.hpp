// Evaluates rules: samples in, findings out. It remembers what a condition needs (since when, how often, who of a
// group) and nothing of alerts: the same finding comes as often as its sample. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "alerts/rules.hpp"

namespace fieldwork::alerts {

struct Finding {
  enum class Is {
    calm,     // `when` does not hold; of a rule with `until`, what fires may go on
    clear,    // it does not fire any more
    pending,  // `when` holds, but not yet for as long as it must. Where that is more than a minute, what has just begun
              // to hold is not worth a word: see shown_after()
    firing,
  };
  std::string rule;
  std::string subject;
  Is is = Is::calm;
  double value = 1;
  std::string reason;
  std::string next;  // a command
  Labels labels;     // without rule and severity
  Time since{};      // of pending and firing: since when `when` holds
  bool operator==(const Finding&) const = default;
};

class Evaluator {
 public:
  explicit Evaluator(RuleBook book, std::size_t subjects_max = 100'000);

  [[nodiscard]] const RuleBook& book() const { return book_; }
  // What was pending before a restart goes on from then; what a rate had counted is taken as counted at `since`.
  void resume(const Finding& finding);
  // A thing was seen, or is gone.
  void see(const Sample& sample, Time now, std::vector<Finding>& out);
  // Time has passed.
  void pass(Time now, std::vector<Finding>& out);
  // Whether a rule with a share knows anybody of this group.
  [[nodiscard]] bool has_group(const std::string& rule, const std::string& group) const;
  // Nothing was heard until now: absences count from now.
  void deaf_until(Time now);

 private:
  struct Counted {
    std::deque<std::pair<Time, std::string>> seen;  // at most the rule's `count`; of states, which thing
    Finding finding;
    bool firing = false;
  };
  struct Member {
    std::string group;
    bool matches = false;
  };
  struct Group {
    std::int64_t members = 0, matching = 0;
    bool changed = false;
    bool said = false;  // that it fires, or is pending
    Labels labels;
  };
  struct Held {
    Finding finding;  // pending or firing
    bool said = true;
  };
  struct Memory {                            // of one rule
    std::map<std::string, Held> held;        // of a rule with `for`
    std::map<std::string, Finding> watched;  // of an absence, `since`: when it was seen
    std::set<std::string> absent;
    std::map<std::string, Counted> counted;
    std::map<std::string, Member> members;
    std::map<std::string, Group> groups;
  };

  [[nodiscard]] Finding make(const Rule& rule, const Sample& sample, Time since) const;
  void see_state(const Rule& rule, Memory& memory, const Sample& sample, Time now, std::vector<Finding>& out) const;
  void see_watched(const Rule& rule, Memory& memory, const Sample& sample, Time now, std::vector<Finding>& out) const;
  void see_counted(const Rule& rule, Memory& memory, const Sample& sample, Time now, std::vector<Finding>& out) const;
  void see_member(const Rule& rule, Memory& memory, const Sample& sample) const;
  void hold(const Rule& rule, Memory& memory, Finding finding, Time now, std::vector<Finding>& out) const;
  void judge(const Rule& rule, Memory& memory, Time now, std::vector<Finding>& out) const;
  void pass_held(const Rule& rule, Memory& memory, Time now, std::vector<Finding>& out) const;
  static void leave(Memory& memory, const std::string& thing);

  RuleBook book_;
  std::size_t subjects_max_;    // of one rule; beyond it no further one is remembered
  std::vector<Memory> memory_;  // by rule
  Time passed_at_{};
};

}  // namespace fieldwork::alerts
