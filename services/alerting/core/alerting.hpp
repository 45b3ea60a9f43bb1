// Alerting's core: what a person should know, by rules (libs/alerts) over what the services publish. Pure. One door in:
// step(input, now, out). One door out: Output, values in the order of duty. BatchEnded puts out each alert that changed
// in the batch: once, as it is then. A restart constructs the core from what was saved.
//
// An alert is pending while its condition holds, but not yet for as long as its rule asks; it fires; it is resolved.
// Its id is rule.subject. Each rule has room of its own for rule_max pending and firing alerts. Subjects beyond that
// share one alert, rule._many, whose value is their number ("312 more jobs failed"), so that a flood of one kind does
// not hide the others.
//
// Targets are told by level (0017): each alert says which targets know that it fires. Once a second, who should know
// and does not is told, and who knew is told the end, in messages of at most message_max alerts of one group, one at a
// time to each target. Whom nobody told of the beginning, nobody tells of the end. A message that a target does not
// take waits out the target's backoff; after `give_up` the alert counts as told. One that it refuses for good is sent
// again alert by alert, and a refused alert counts as told. After a restart at most one message to each target, the one
// that was on its way, is sent twice.
//
// core/alerting.cpp: the life of alerts; core/telling.cpp: targets; core/muting.cpp: silences, inhibitions,
// acknowledgements.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "alerting/core/alert.hpp"
#include "alerts/evaluate.hpp"
#include "base/core.hpp"
#include "base/result.hpp"

namespace fieldwork::alerting {

// What is stored: a restarted core begins with it.
struct Saved {
  std::vector<Alert> alerts;
  std::vector<Silence> silences;
};

// --- inputs ---
// A service or the broker said something, or alerting measured something itself (libs/alerts reads the messages).
struct Seen {
  alerts::Sample sample;
};
// The file with the rules changed, and is good. What is true is heard again after it.
struct RulesChanged {
  RuleBook book;
};
// An operator acknowledges an alert, or takes that back: service/alerting/ack.
struct AckAsked {
  std::uint64_t reply = 0;  // 0: nobody waits for an answer
  std::string alert, by, comment;
  bool undo = false;
};
// An operator wants a silence, or its end: service/alerting/silence. `silence.id` is fresh, or that of the one to end.
struct SilenceAsked {
  std::uint64_t reply = 0;
  Silence silence;
  bool end = false;
};
// A target took the message of Output::sends. From the target's thread, through the runtime's queue.
struct Delivered {
  std::int64_t number = 0;
};
// It did not; the same way.
struct Undelivered {
  std::int64_t number = 0;
  bool for_good = false;  // the target refuses this message: sending it again would be in vain
  std::string reason;
};
// LinkBack, TimePassed and BatchEnded come from runtime::Shell (base/core.hpp says when). After LinkBack every alert is
// published again. TimePassed judges what waits, forgets what is old and tells what is owed.
using Input =
    std::variant<Seen, RulesChanged, AckAsked, SilenceAsked, Delivered, Undelivered, LinkBack, TimePassed, BatchEnded>;

// --- output ---
struct AlertRecord {
  std::string id;
  std::optional<Alert> alert;  // none: the alert is gone
  bool operator==(const AlertRecord&) const = default;
};
struct SilenceRecord {
  Silence silence;
  bool remove = false;
  bool operator==(const SilenceRecord&) const = default;
};
// A message to a target.
struct Send {
  std::int64_t number = 0;
  std::string target;
  std::string key;                           // of the group, within the target
  std::map<std::string, std::string> group;  // what its alerts have in common: the labels of group_by
  std::vector<Alert> alerts;                 // firing and resolved ones
  std::size_t more = 0;                      // alerts of the group that follow in later messages
  bool operator==(const Send&) const = default;
};
// An alert of which a target will not hear: it refused it for good, or took nothing for too long.
struct DeadLetter {
  std::string target;
  Alert alert;
  std::string reason;
  bool operator==(const DeadLetter&) const = default;
};
struct Answer {
  std::uint64_t reply = 0;
  std::variant<Alert, Silence, Error> answer;
  bool operator==(const Answer&) const = default;
};

struct Output {
  // --- saved, in one transaction ---
  std::vector<AlertRecord> alerts;      // table `alert`: upsert; without an alert, remove
  std::vector<SilenceRecord> silences;  // table `silence`: upsert or remove
  std::vector<DeadLetter> dead;         // table `dead_letter`: insert. Logged as an error, and counted
  // --- sent to the targets, after the commit ---
  // To each target one at a time: Delivered or Undelivered must name its number before the next comes.
  std::vector<Send> sends;
  // --- facts: published once, after the commit ---
  std::vector<Answer> answers;
  std::vector<AlertRecord> states;  // state/alert/{alert}, retained; without an alert, cleared. All after LinkBack
  std::vector<Alert> begun, ended;  // logged
  bool operator==(const Output&) const = default;
};

// The subject of the alert that stands for all subjects beyond a rule's room. No id begins with _.
inline constexpr const char* many = "_many";
[[nodiscard]] std::string alert_id(const std::string& rule, const std::string& subject);

class Alerting {
 public:
  using Input = alerting::Input;
  using Output = alerting::Output;

  Alerting(Limits limits, RuleBook book, Saved saved);

  void step(const Input& input, Time now, Output& out);
  [[nodiscard]] const Alert* find(const std::string& id) const;
  // By id, those behind `after`.
  [[nodiscard]] std::vector<const Alert*> list(const std::optional<fleet::Expression>& expression,
                                               const std::string& after, std::size_t limit) const;
  [[nodiscard]] const std::map<std::string, Silence>& silences() const { return silences_; }
  [[nodiscard]] const RuleBook& book() const { return evaluator_.book(); }
  [[nodiscard]] std::size_t size() const { return alerts_.size(); }
  [[nodiscard]] std::size_t active(const std::string& rule) const;  // pending and firing, without rule._many
  // Of a target: alerts of which it should hear and has not; why it did not take the newest message (empty: it did).
  [[nodiscard]] std::size_t owed(const std::string& target) const;
  [[nodiscard]] std::string trouble(const std::string& target) const;

 private:
  void apply(const Seen& input, Time now, Output& out);
  void apply(const RulesChanged& input, Time now, Output& out);
  void apply(const AckAsked& input, Time now, Output& out);
  void apply(const SilenceAsked& input, Time now, Output& out);
  void apply(const Delivered& input, Time now, Output& out);
  void apply(const Undelivered& input, Time now, Output& out);
  void apply(const LinkBack& input, Time now, Output& out);
  void apply(const TimePassed& input, Time now, Output& out);
  void apply(const BatchEnded& input, Time now, Output& out);

  void hear(const std::vector<alerts::Finding>& findings, Time now, Output& out);
  void hear(const alerts::Finding& finding, Time now, Output& out);
  void resume();
  void describe(Alert& alert, const alerts::Finding& finding) const;
  void fire(Alert& alert, const alerts::Finding& finding, Time now, Output& out);
  void resolve(const std::string& rule, const std::string& subject, const std::string& reason, Time now, Output& out);
  bool make_room(Output& out);
  void forget(const std::string& id, const std::string& reason, Output& out);
  void remove(const std::string& id);
  void overflow(const alerts::Finding& finding, Time now, Output& out);
  void leave_many(const std::string& rule, const std::string& subject, Time now, Output& out);
  void tell_many(const std::string& rule, Time now, Output& out);
  void end_strange(Time now, Output& out);
  void sweep(Time now, Output& out);
  void reconcile(Time now, Output& out);
  void sweep_many(Time now, Output& out);
  void changed(Alert& alert, Time now);
  [[nodiscard]] std::string_view over_of(const Alert& alert) const;

  struct TargetState;
  void tell(Time now, Output& out);
  void tell(const Target& target, Time now, Output& out);
  [[nodiscard]] bool owes(const Target& target, const Alert& alert, Time now) const;
  [[nodiscard]] std::map<std::string, std::string> group_of(const Target& target, const Alert& alert) const;
  void settle(const Target& target, const Send& send, bool taken, const std::string& reason, Time now, Output& out);
  [[nodiscard]] bool is_told(const Alert& alert) const;

  void mute();
  [[nodiscard]] std::string muted_by(const Alert& alert) const;
  void end_silences(Time now, Output& out);

  Limits limits_;
  alerts::Evaluator evaluator_;
  std::map<std::string, Alert> alerts_;  // by id
  std::map<std::string, Alert> soon_;    // pending ones of which there is a resolved alert: they inhibit, and no more
  std::map<std::string, std::size_t> active_;  // pending and firing alerts by rule, without rule._many
  struct Many {
    std::map<std::string, Time> subjects;  // by subject, since when
    std::size_t untold = 0;                // subjects beyond many_max
    bool changed = false;                  // its alert does not say it yet
    double told = 0;                       // the alert's value when it was last worth telling
  };
  std::map<std::string, Many> many_;         // by rule
  std::map<std::string, Silence> silences_;  // by id
  std::set<std::string> changed_;            // ids of alerts that changed in this batch
  bool say_all_ = false;                     // the broker came back in this batch
  bool mute_due_ = true;                     // what mutes what may have changed
  // Of each inhibition, the values of its `equal` labels for which an alert `when` fires.
  std::vector<std::set<std::vector<std::string>>> sources_;
  std::optional<Time> linked_at_;  // when it did so last
  bool reconciled_ = true;
  std::set<std::pair<alerts::Over, std::string>> named_;  // things that were named since, until it is reconciled
  Time swept_at_{};
  Time forgot_at_{};

  struct TargetState {
    std::optional<Send> sending;
    std::map<std::string, Time> sent;   // of a group, when it was told last
    std::set<std::string> alone;        // alerts of a message that was refused: each goes by itself
    std::map<std::string, int> failed;  // of a group, how often since it was told last
    int failures = 0;                   // in a row
    Time send_at{};                     // not before this
    std::string trouble;
    std::map<std::string, Time> owed;  // alerts of which it should hear, since when; as of the last look
  };
  std::map<std::string, TargetState> targets_;  // by name
  std::int64_t next_number_ = 1;
};

static_assert(Core<Alerting>);

}  // namespace fieldwork::alerting
