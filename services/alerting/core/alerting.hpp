// What a person should know, from the state of devices, jobs and transfers. Pure. One door in, step(input, now, out);
// one door out, Output: values in the order of duty. With BatchEnded each alert that changed in the batch is saved and
// said once, as it is then. A restart is constructing it from what was saved.
//
// clang-format off
//   rule                fires while                        value       resolves when
//   device_lost         the device is lost                 1           it is anything else, or gone
//   device_health       it is ready, health < threshold    the health  ready, health >= threshold + margin; refused; gone
//   device_duplicated   two devices use its identity       1           one does again, or it is gone
//   device_unplaceable  the scheduler gives it no work     1           it is placeable again, or gone
//   job_failed          the job failed                     1           a later state says otherwise, or after forget_after
//   job_quarantined     devices were lost under the job    1           a later state says otherwise, or after forget_after
//   transfer_failed     the transfer failed                1           a later state says otherwise, or after forget_after
//   audit_broken        the audit has lost or changed rows 1           its head no longer says so
// clang-format on
//
// Rules look at levels, not at events: the same state may be seen any number of times. An alert is named rule.subject.
// Each rule has room of its own for rule_max firing alerts: what comes beyond is told by one alert, rule._many, whose
// value is how many they are ("312 more jobs failed"), so that no flood of one kind hides the others.
//
// Notifications go to the webhook one at a time, those about devices first, otherwise the oldest first; of each alert
// only the newest. What is not taken is tried again with a backoff of its own while others go; what the target refuses
// for good, or for give_up_after, is dropped and counted. After a restart at most the one that was on its way goes
// twice.
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
  double health_below = 0.7;
  double health_margin = 0.05;
  std::size_t alerts_max = 10'000;  // all rules together, resolved ones too
  std::size_t rule_max = 1'000;     // firing, of one rule; never more than an eighth of alerts_max
  std::size_t many_max = 100'000;   // subjects beyond rule_max that are told apart, of one rule
  std::size_t notifications_max = 10'000;
  Duration resolved_keep = seconds{3600};
  Duration forget_after = std::chrono::hours{24};  // failures older than this are not news
  Duration retry_first = seconds{1};               // doubles up to retry_last
  Duration retry_last = seconds{600};
  Duration give_up_after = std::chrono::hours{6};  // since the alert changed
  Duration many_keep = seconds{600};  // of rule._many after a restart, until the states have said again who they are
  Duration sweep_every = seconds{1};
  bool notify = true;  // there is a webhook
};

struct Alert {
  std::string id;
  std::string rule;
  std::string subject;
  bool firing = true;
  double value = 1;
  std::string reason;
  Time since{};    // firing since; when resolved: of the firing that ended
  Time changed{};  // state or value
  bool operator==(const Alert&) const = default;
};

struct Notification {
  std::int64_t number = 0;
  Alert alert;
  bool operator==(const Notification&) const = default;
};

struct Saved {
  std::vector<Alert> alerts;
  std::vector<Notification> notifications;  // in any order
};

// Inputs.
struct DeviceSeen {
  DeviceId device;
  DeviceState state = DeviceState::ready;
  double health = 1;
  std::string reason;
  bool duplicated = false;
};
struct DeviceGone {
  DeviceId device;
};
struct JobSeen {
  JobId job;
  JobState state = JobState::queued;
  std::string reason;
  Time changed{};
  bool quarantined = false;  // settled, as several devices were lost under it; `state` does not count then
};
struct TransferSeen {
  TransferId transfer;
  bool failed = false;
  std::string reason;
  Time changed{};
};
// Whether the scheduler would give it work at all.
struct PlacementSeen {
  DeviceId device;
  bool placeable = true;
  std::string reason;
};
// The end of the audit: whether its head says that rows of it were lost or changed.
struct AuditSeen {
  bool broken = false;
  std::string reason;
};
struct NotificationDelivered {
  std::int64_t number = 0;
};
struct NotificationFailed {
  std::int64_t number = 0;
  bool for_good = false;  // the target refuses this one: to send it again is in vain
  std::string reason;
};
using Input = std::variant<DeviceSeen, DeviceGone, JobSeen, TransferSeen, PlacementSeen, AuditSeen,
                           NotificationDelivered, NotificationFailed, LinkBack, TimePassed, BatchEnded>;

// Outputs.
struct AlertRecord {
  std::string id;
  std::optional<Alert> alert;  // absent: it is no more
  bool operator==(const AlertRecord&) const = default;
};
struct NotificationRecord {
  Notification notification;
  bool remove = false;
  bool operator==(const NotificationRecord&) const = default;
};
// A notification that nobody will get: refused for good, or for too long.
struct DeadLetter {
  Notification notification;
  std::string reason;
  bool operator==(const DeadLetter&) const = default;
};

struct Output {
  // Saved with the batch, in order.
  std::vector<AlertRecord> alerts;
  std::vector<NotificationRecord> notifications;
  // To the webhook: one at a time, until NotificationDelivered or NotificationFailed names it.
  std::vector<Notification> sends;
  // Facts.
  std::vector<AlertRecord> states;
  std::vector<DeadLetter> dead;
  std::size_t dropped = 0;  // notifications: the queue is full, and the oldest went, one about a job before a device's
  bool operator==(const Output&) const = default;
};

// The subject of a rule's alert about all that are beyond its room. No id begins with _.
inline constexpr const char* many = "_many";

// What to do first, as a command.
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
  void tell_many(const std::string& rule, Time now, Output& out);
  [[nodiscard]] std::size_t firing(const std::string& rule) const;
  void sweep(Time now, Output& out);
  void notify(const Alert& alert, Time now, Output& out);
  void send_next(Time now, Output& out);
  void forget(std::int64_t number, Output& out);

  Limits limits_;
  std::map<std::string, Alert> alerts_;        // by id
  std::map<std::string, std::size_t> firing_;  // by rule, without that of the many
  struct Many {
    std::map<std::string, Time> subjects;  // since when
    std::size_t untold = 0;                // beyond many_max
    bool changed = false;                  // not yet in its alert
    double notified = 0;                   // the value that was last worth a notification
  };
  std::map<std::string, Many> many_;  // by rule
  std::set<std::string> changed_;     // alerts, in this batch
  bool say_all_ = false;              // the broker came back in it
  Time swept_at_{};
  Time forgot_at_{};

  struct Waiting {
    Notification notification;
    int failures = 0;
    Time due{};
  };
  std::map<std::int64_t, Waiting> queue_;       // by number
  std::map<std::string, std::int64_t> newest_;  // number by alert
  std::int64_t next_number_ = 1;
  std::optional<std::int64_t> sending_;
  int failures_ = 0;  // of the target, one after the other
  Time send_at_{};    // not before: a target that is away is not asked for each that waits
};

static_assert(Core<Alerting>);

}  // namespace fieldwork::alerting
