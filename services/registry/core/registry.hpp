// The registry's decisions: which devices there are, whether their certificate is good, and how they are.
//
// Pure: every input comes with the time it is applied at. A restart is constructing it from the saved devices.
//
//   enrolling --valid--> ready <--sign of life-- suspect --silence--> lost
//       |                  \--silence or will-->    ^                  |
//       \--not valid--> refused                     ready <--sign of life
//
// Sessions: a device's session number grows with each start of its agent. Signs of an older session than the current
// one are ignored, so that an old last will cannot hurt. A smaller session is believed only in an enrolment of a device
// that is not ready: the device was set up anew.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "model/device.hpp"
#include "model/policy.hpp"
#include "registry/core/health.hpp"

namespace fieldwork::registry {

struct Limits {
  Duration heartbeat = seconds{5};       // what devices are told
  Duration suspect_after = seconds{15};  // without a sign of life
  Duration lost_after = seconds{45};     // without a sign of life
  std::size_t devices_max = 100'000;
  Duration save_every = seconds{60};     // rows, when nothing but measurements changed
  Duration publish_every = seconds{30};  // states, when nothing but measurements changed a little
  Duration judge_every = milliseconds{500};
  Duration stall = seconds{3};  // a longer pause between ticks is ours, not the devices': everyone gets grace
};

// What is saved: the device, and the session that its certificate was checked in.
struct Record {
  Device device;
  std::int64_t enrolled_session = 0;
  bool operator==(const Record&) const = default;
};

// Inputs.
struct EnrolmentArrived {
  DeviceId device;
  Enrolment enrolment;
};
struct PresenceArrived {
  DeviceId device;
  Presence presence;
  bool retained = false;  // not said now: who is "online" there may be long gone
};
struct HeartbeatArrived {
  DeviceId device;
  Heartbeat heartbeat;
};
struct CertificateChecked {
  CertificateAnswer answer;
};
struct BrokerLeft {};      // nobody is judged by silence until it is back
struct BrokerReturned {};  // and then everyone has the full time again
struct TimePassed {};
using Input = std::variant<EnrolmentArrived, PresenceArrived, HeartbeatArrived, CertificateChecked, BrokerLeft,
                           BrokerReturned, TimePassed>;

// Effects.
struct AskCertificate {  // until CertificateChecked or ForgetQuestion
  DeviceId device;
  std::string fingerprint;
  std::string certificate;
  bool operator==(const AskCertificate&) const = default;
};
struct ForgetQuestion {
  DeviceId device;
  std::string fingerprint;
  bool operator==(const ForgetQuestion&) const = default;
};
struct AnswerEnrolment {
  DeviceId device;
  std::int64_t session = 0;
  bool enrolled = false;
  std::string reason;
  bool operator==(const AnswerEnrolment&) const = default;
};
struct RejectMessage {
  DeviceId device;
  std::string channel;
  Error error;
  bool operator==(const RejectMessage&) const = default;
};
struct SaveDevice {
  DeviceId device;
  bool operator==(const SaveDevice&) const = default;
};
struct PublishState {
  DeviceId device;
  bool operator==(const PublishState&) const = default;
};
struct PublishEvent {
  DeviceId device;
  std::string event;
  std::string reason;
  bool operator==(const PublishEvent&) const = default;
};
using Effect = std::variant<AskCertificate, ForgetQuestion, AnswerEnrolment, RejectMessage, SaveDevice, PublishState,
                            PublishEvent>;
using Effects = std::vector<Effect>;

class Registry {
 public:
  // Devices that were saved have suspect_after from `now` before silence counts.
  Registry(Limits limits, std::vector<Record> saved, Time now);

  [[nodiscard]] Effects step(const Input& input, Time now);

  [[nodiscard]] const Record* find(const DeviceId& device) const;
  [[nodiscard]] std::vector<const Device*> list(const DeviceId& after) const;  // by id, behind this one
  [[nodiscard]] std::size_t size() const { return devices_.size(); }

 private:
  // An enrolment whose certificate is being checked. Not saved: the device repeats it.
  struct Pending {
    Enrolment enrolment;
    std::string fingerprint;
  };
  struct Entry {
    Record record;
    std::optional<Pending> pending;
    Signs signs;
    Time sign_of_life{};
    Time faded_at{};
    Time saved_at{};
    Time published_at{};
    double published_health = -1;
  };

  void apply(const EnrolmentArrived& input, Time now, Effects& out);
  void apply(const PresenceArrived& input, Time now, Effects& out);
  void apply(const HeartbeatArrived& input, Time now, Effects& out);
  void apply(const CertificateChecked& input, Time now, Effects& out);
  void apply(const BrokerLeft& input, Time now, Effects& out);
  void apply(const BrokerReturned& input, Time now, Effects& out);
  void apply(const TimePassed& input, Time now, Effects& out);

  void enrol(Entry& entry, Time now, Effects& out);
  void refuse(Entry& entry, const std::string& fingerprint, const std::string& reason, Time now, Effects& out);
  void measure(Entry& entry, const Heartbeat& heartbeat, Time now);
  void judge(Entry& entry, Time now, Effects& out);
  void revive(Entry& entry, Time now, Effects& out);
  void change(Entry& entry, DeviceState state, const std::string& event, const std::string& reason, Time now,
              Effects& out);
  void save(Entry& entry, Time now, Effects& out);
  void publish(Entry& entry, Time now, Effects& out);
  void give_grace(Time now);

  Limits limits_;
  std::map<DeviceId, Entry> devices_;
  bool broker_there_ = false;
  Time judged_at_{};
  Time ticked_at_{};
};

}  // namespace fieldwork::registry
