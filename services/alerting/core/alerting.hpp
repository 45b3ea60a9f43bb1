// Alerting's core: what a person should know, from the states of devices, jobs, transfers and the audit. Pure. One door
// in: step(input, now, out). One door out: Output, values in the order of duty. BatchEnded puts out each alert that
// changed in the batch: once, as it is then. A restart constructs the core from what was saved.
//
// clang-format off
//   rule                fires while                        value       resolves when
//   device_lost         the device is lost                 1           its presence is any other, or it is gone
//   device_health       online, health < threshold         the health  online, health >= threshold + margin; refused; gone
//   device_duplicated   two devices use its identity       1           one device uses it again, or it is gone
//   device_claimed      another key asked for its id        1           an hour after the last time, or it is gone
//   device_unplaceable  the scheduler gives it no work     1           it is placeable again, or gone
//   job_failed          the job failed                     1           a later state says otherwise, or after forget_after
//   job_quarantined     devices were lost under the job    1           a later state says otherwise, or after forget_after
//   transfer_failed     the transfer failed                1           a later state says otherwise, or after forget_after
//   audit_broken        the audit has lost or changed rows 1           its head no longer says so
// clang-format on
//
// Rules look at states, not at events: the same state may be seen any number of times. An alert's id is rule.subject.
// Each rule has room of its own for rule_max firing alerts. Subjects beyond that share one alert, rule._many, whose
// value is their number ("312 more jobs failed"), so that a flood of one kind does not hide the others.
//
// Notifications go to the webhook one at a time: those about devices first, otherwise the oldest first; of each alert
// only the newest. A notification that is not taken waits out a backoff of its own while others go. A notification that
// the target refuses for good, or does not take within give_up_after, is dropped and counted. After a restart at most
// one notification, the one that was on its way, is sent twice.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"
#include "model/device.hpp"
#include "model/job.hpp"

namespace fieldwork::alerting {

struct Limits {
  double health_below = 0.7;                       // device_health fires below it
  double health_margin = 0.05;                     // above health_below, before device_health resolves
  std::size_t alerts_max = 10'000;                 // of all rules together, resolved ones too
  std::size_t rule_max = 1'000;                    // firing alerts of one rule; at most an eighth of alerts_max
  std::size_t many_max = 100'000;                  // subjects of one rule beyond rule_max that are known by name
  std::size_t notifications_max = 10'000;          // waiting
  Duration resolved_keep = seconds{3600};          // of a resolved alert
  Duration claimed_for = std::chrono::hours{1};    // device_claimed fires after the last time
  Duration forget_after = std::chrono::hours{24};  // an older failure does not fire; one that fires resolves
  Duration retry_first = seconds{1};               // backoff; doubles up to retry_last
  Duration retry_last = seconds{600};
  Duration give_up_after = std::chrono::hours{6};  // since the alert changed
  // Of rule._many after a restart, from LinkBack on, until the states have named the subjects again.
  Duration many_keep = seconds{600};
  Duration sweep_every = seconds{1};  // between looks at what is old
  bool notify = true;                 // there is a webhook
};

struct Alert {
  std::string id;
  std::string rule;
  std::string subject;
  bool firing = true;
  double value = 1;
  std::string reason;
  Time since{};    // of the current firing; when resolved: of the one that ended
  Time changed{};  // when state or value changed
  bool operator==(const Alert&) const = default;
};

// An alert as it was when somebody was to be told.
struct Notification {
  std::int64_t number = 0;  // a sequence number, greater than that of every notification that waits
  Alert alert;
  bool operator==(const Notification&) const = default;
};

// What is stored: a restarted core begins with it.
struct Saved {
  std::vector<Alert> alerts;
  std::vector<Notification> notifications;  // in any order
};

// --- inputs: each comment names who says the fact, and what turns it into the input (shell/wire.cpp) ---
// The registry published a device's state: state/device/{device}, retained.
struct DeviceSeen {
  DeviceId device;
  Lifecycle lifecycle = Lifecycle::active;
  Presence presence = Presence::online;
  double health = 1;
  std::string reason;
  bool duplicated = false;
  Time claimed{};  // when a device with another key last asked for its id; Time{}: never
};
// The registry cleared state/device/{device}: the device was removed.
struct DeviceGone {
  DeviceId device;
};
// The scheduler published a job's state: state/job/{job}, retained, or an item of event/job/changed.
struct JobSeen {
  JobId job;
  JobState state = JobState::queued;
  std::string reason;
  Time changed{};            // of an event: when it arrived
  bool quarantined = false;  // the state is `quarantined`: attempts were lost on several devices; `state` says nothing
};
// The transfer service published a transfer's state: state/transfer/{transfer}, retained.
struct TransferSeen {
  TransferId transfer;
  bool failed = false;
  std::string reason;
  Time changed{};  // the state's own time of its last change
};
// The scheduler published whether a device gets work: state/placement/{device}, retained; cleared: it does.
struct PlacementSeen {
  DeviceId device;
  bool placeable = true;
  std::string reason;
};
// Security-policy published the audit's head: state/audit/head, retained. `broken`: the head says that rows were lost
// or changed.
struct AuditSeen {
  bool broken = false;
  std::string reason;
};
// The webhook took a notification of Output::sends. From the target's thread, through the runtime's queue.
struct NotificationDelivered {
  std::int64_t number = 0;
};
// The webhook did not take a notification of Output::sends; the same way.
struct NotificationFailed {
  std::int64_t number = 0;
  bool for_good = false;  // the target refuses this notification: sending it again would be in vain
  std::string reason;
};
// LinkBack, TimePassed and BatchEnded come from runtime::Shell (base/core.hpp says when). After LinkBack every alert is
// published again. TimePassed forgets old alerts and sends what is due. BatchEnded puts out what changed.
using Input = std::variant<DeviceSeen, DeviceGone, JobSeen, TransferSeen, PlacementSeen, AuditSeen,
                           NotificationDelivered, NotificationFailed, LinkBack, TimePassed, BatchEnded>;

// --- output ---
struct AlertRecord {
  std::string id;
  std::optional<Alert> alert;  // none: the alert is gone
  bool operator==(const AlertRecord&) const = default;
};
struct NotificationRecord {
  Notification notification;
  bool remove = false;
  bool operator==(const NotificationRecord&) const = default;
};
// A notification that nobody will get: the target refused it for good, or took nothing for too long.
struct DeadLetter {
  Notification notification;
  std::string reason;
  bool operator==(const DeadLetter&) const = default;
};

struct Output {
  // --- saved, in one transaction ---
  // Table `alert`: upsert; without an alert, remove. An alert that fires or resolves is also logged.
  std::vector<AlertRecord> alerts;
  // Table `notification`: upsert, or remove. It stays until the webhook took it or it is given up.
  std::vector<NotificationRecord> notifications;
  // --- sent to the webhook, after the commit ---
  // One at a time: NotificationDelivered or NotificationFailed must name its number before the next comes.
  std::vector<Notification> sends;
  // --- facts: published once, after the commit ---
  // On state/alert/{alert}, retained; without an alert, cleared. All alerts after LinkBack.
  std::vector<AlertRecord> states;
  // Logged as an error, and counted in fieldwork_notifications_dead_total; the row is removed above.
  std::vector<DeadLetter> dead;
  // Counted in fieldwork_notifications_dropped_total: notifications that a full queue dropped, the oldest first, and
  // those about devices last.
  std::size_t dropped = 0;
  bool operator==(const Output&) const = default;
};

// The subject of the alert that stands for all subjects beyond a rule's room. No id begins with _.
inline constexpr const char* many = "_many";

// The command that shows more about the alert.
[[nodiscard]] std::string next_step(const Alert& alert);
[[nodiscard]] std::string alert_id(const std::string& rule, const std::string& subject);

class Alerting {
 public:
  using Input = alerting::Input;
  using Output = alerting::Output;

  Alerting(Limits limits, Saved saved);

  void step(const Input& input, Time now, Output& out);
  [[nodiscard]] const Alert* find(const std::string& id) const;
  [[nodiscard]] std::size_t size() const { return alerts_.size(); }
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

 private:
  void apply(const DeviceSeen& input, Time now, Output& out);
  void apply(const DeviceGone& input, Time now, Output& out);
  void apply(const JobSeen& input, Time now, Output& out);
  void apply(const TransferSeen& input, Time now, Output& out);
  void apply(const PlacementSeen& input, Time now, Output& out);
  void apply(const AuditSeen& input, Time now, Output& out);
  void apply(const NotificationDelivered& input, Time now, Output& out);
  void apply(const NotificationFailed& input, Time now, Output& out);
  void apply(const LinkBack& input, Time now, Output& out);
  void apply(const TimePassed& input, Time now, Output& out);
  void apply(const BatchEnded& input, Time now, Output& out);

  void fire(const std::string& rule, const std::string& subject, double value, const std::string& reason, Time now,
            Output& out);
  void resolve(const std::string& rule, const std::string& subject, const std::string& reason, Time now, Output& out);
  bool make_room();
  void remove(const std::string& id);
  void change(Alert& alert, bool told, Time now, Output& out);
  void overflow(const std::string& rule, const std::string& subject, Time now, Output& out);
  void leave_many(const std::string& rule, const std::string& subject, Time now, Output& out);
  void tell_many(const std::string& rule, Time now, Output& out);
  [[nodiscard]] std::size_t firing(const std::string& rule) const;
  void sweep(Time now, Output& out);
  void notify(const Alert& alert, Time now, Output& out);
  void send_next(Time now, Output& out);
  void forget(std::int64_t number, Output& out);

  Limits limits_;
  std::map<std::string, Alert> alerts_;        // by id
  std::map<std::string, std::size_t> firing_;  // firing alerts by rule, without rule._many
  struct Many {
    std::map<std::string, Time> subjects;  // by subject, since when
    std::size_t untold = 0;                // subjects beyond many_max
    bool changed = false;                  // its alert does not say it yet
    double notified = 0;                   // the alert's value at its last notification
  };
  std::map<std::string, Many> many_;  // by rule
  std::set<std::string> changed_;     // ids of alerts that changed in this batch
  bool say_all_ = false;              // the broker came back in this batch
  std::optional<Time> linked_at_;     // when it did so last
  Time swept_at_{};
  Time forgot_at_{};

  struct Waiting {
    Notification notification;
    int failures = 0;
    Time due{};
  };
  std::map<std::int64_t, Waiting> queue_;       // by number
  std::map<std::string, std::int64_t> newest_;  // by alert id, the number of its newest notification
  std::int64_t next_number_ = 1;
  std::optional<std::int64_t> sending_;
  int failures_ = 0;  // of the target, in a row
  Time send_at_{};    // not before this: a target that does not answer is not asked for each notification that waits
};

static_assert(Core<Alerting>);

}  // namespace fieldwork::alerting
