// What a person should know, from the state of devices, jobs and transfers. Pure; a restart is constructing it from
// what was saved.
//
//   rule             fires while                         value           resolves when
//   device_lost      the device is lost                  1               it is anything else, or gone
//   device_health    it is ready, health < threshold     the health      it is ready, health >= threshold + margin;
//   refused; gone job_failed       the job failed                      1               a later state says otherwise, or
//   after forget_after transfer_failed  the transfer failed                 1               a later state says
//   otherwise, or after forget_after
//
// Rules look at levels, not at events: the same state may be seen any number of times. An alert is named rule.subject.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "model/device.hpp"
#include "model/job.hpp"

namespace fieldwork::alerting {

struct Limits {
  double health_below = 0.7;
  double health_margin = 0.05;
  std::size_t alerts_max = 10'000;
  std::size_t notifications_max = 10'000;
  Duration resolved_keep = seconds{3600};
  Duration forget_after = std::chrono::hours{24};  // failures older than this are not news
  Duration retry_first = seconds{1};               // doubles up to retry_last
  Duration retry_last = seconds{60};
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
};
struct DeviceGone {
  DeviceId device;
};
struct JobSeen {
  JobId job;
  JobState state = JobState::queued;
  std::string reason;
  Time changed{};
};
struct TransferSeen {
  TransferId transfer;
  bool failed = false;
  std::string reason;
  Time changed{};
};
struct NotificationDelivered {
  std::int64_t number = 0;
};
struct NotificationFailed {
  std::int64_t number = 0;
};
struct BrokerReturned {};
struct TimePassed {};
using Input = std::variant<DeviceSeen, DeviceGone, JobSeen, TransferSeen, NotificationDelivered, NotificationFailed,
                           BrokerReturned, TimePassed>;

// Effects.
struct SaveAlert {
  Alert alert;
  bool operator==(const SaveAlert&) const = default;
};
struct RemoveAlert {
  std::string id;
  bool operator==(const RemoveAlert&) const = default;
};
struct PublishAlert {
  Alert alert;
  bool operator==(const PublishAlert&) const = default;
};
struct RetractAlert {
  std::string id;
  bool operator==(const RetractAlert&) const = default;
};
struct SaveNotification {
  Notification notification;
  bool operator==(const SaveNotification&) const = default;
};
struct RemoveNotification {
  std::int64_t number = 0;
  bool operator==(const RemoveNotification&) const = default;
};
// One at a time, until NotificationDelivered or NotificationFailed names it.
struct SendNotification {
  Notification notification;
  bool operator==(const SendNotification&) const = default;
};
struct CountDropped {
  std::string what;  // alert or notification
  bool operator==(const CountDropped&) const = default;
};
using Effect = std::variant<SaveAlert, RemoveAlert, PublishAlert, RetractAlert, SaveNotification, RemoveNotification,
                            SendNotification, CountDropped>;
using Effects = std::vector<Effect>;

[[nodiscard]] std::string alert_id(const std::string& rule, const std::string& subject);

class Alerting {
 public:
  Alerting(Limits limits, Saved saved);

  [[nodiscard]] Effects step(const Input& input, Time now);
  [[nodiscard]] const Alert* find(const std::string& id) const;
  [[nodiscard]] std::size_t size() const { return alerts_.size(); }
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }

 private:
  void apply(const DeviceSeen& input, Time now, Effects& out);
  void apply(const DeviceGone& input, Time now, Effects& out);
  void apply(const JobSeen& input, Time now, Effects& out);
  void apply(const TransferSeen& input, Time now, Effects& out);
  void apply(const NotificationDelivered& input, Time now, Effects& out);
  void apply(const NotificationFailed& input, Time now, Effects& out);
  void apply(const BrokerReturned& input, Time now, Effects& out);
  void apply(const TimePassed& input, Time now, Effects& out);

  void fire(const std::string& rule, const std::string& subject, double value, const std::string& reason, Time now,
            Effects& out);
  void resolve(const std::string& rule, const std::string& subject, const std::string& reason, Time now, Effects& out);
  bool make_room(Effects& out);
  void sweep(Time now, Effects& out);
  void notify(const Alert& alert, Time now, Effects& out);
  void send_next(Time now, Effects& out);

  Limits limits_;
  std::map<std::string, Alert> alerts_;  // by id
  Time swept_at_{};

  std::deque<Notification> queue_;  // by number
  std::int64_t next_number_ = 1;
  std::optional<std::int64_t> sending_;
  int failures_ = 0;  // of the first in the queue, one after the other
  Time send_at_{};
};

}  // namespace fieldwork::alerting
