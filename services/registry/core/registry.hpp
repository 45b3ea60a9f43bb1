// The registry's decisions: which devices there are, whether their certificate is good, and how they are.
//
// Pure. One door in, step(input, now, out); one door out, Output: values in the order of duty. With BatchEnded each
// device that changed in the batch is saved and said once, as it is then. A restart is constructing it from the saved
// devices.
//
//   enrolling --valid--> ready <--sign of life-- suspect --silence--> lost
//       |                  \--silence or will-->    ^                  |
//       \--not valid--> refused                     ready <--sign of life
//
// Sessions: a device's session number grows with each start of its agent. Signs of an older session than the current
// one are ignored, so that an old last will cannot hurt. A smaller session is believed only in an enrolment of a device
// that is not ready: the device was set up anew.
//
// Two devices with one identity throw each other out of the broker in turn (starts.hpp). The state says since when
// (duplicated_since_ms), an event begins and ends it, and each that connects meanwhile is told.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"
#include "base/result.hpp"
#include "model/device.hpp"
#include "model/policy.hpp"
#include "registry/core/health.hpp"
#include "registry/core/starts.hpp"

namespace fieldwork::registry {

struct Limits {
  Duration heartbeat = seconds{5};       // what devices are told
  Duration suspect_after = seconds{15};  // without a sign of life
  Duration lost_after = seconds{45};     // without a sign of life
  std::size_t devices_max = 100'000;
  Duration save_every = seconds{60};     // rows, when nothing but measurements changed
  Duration publish_every = seconds{30};  // states, when nothing but measurements changed a little
  Duration judge_every = milliseconds{500};
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
// While the link is away, or this process stood still, nobody is judged by silence; after it everyone has the full
// time.
using Input = std::variant<EnrolmentArrived, PresenceArrived, HeartbeatArrived, CertificateChecked, LinkLost, LinkBack,
                           Stalled, TimePassed, BatchEnded>;

// The outbox.
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
using OutboxChange = std::variant<AskCertificate, ForgetQuestion>;  // applied in order

// To a device, once: it repeats until it is answered.
struct EnrolmentAnswer {
  DeviceId device;
  std::int64_t session = 0;
  bool enrolled = false;
  std::string reason;
  bool operator==(const EnrolmentAnswer&) const = default;
};
struct Rejection {
  DeviceId device;
  std::string channel;
  Error error;
  bool operator==(const Rejection&) const = default;
};
struct DeviceEvent {
  DeviceId device;
  std::string event;
  std::string reason;
  bool operator==(const DeviceEvent&) const = default;
};

struct Output {
  // Saved with the batch.
  std::vector<Record> devices;
  // The outbox, in order.
  std::vector<OutboxChange> outbox;
  // Answers.
  std::vector<EnrolmentAnswer> answers;
  std::vector<Rejection> rejections;
  // Facts.
  std::vector<DeviceEvent> events;
  std::vector<Device> states;
  bool operator==(const Output&) const = default;
};

class Registry {
 public:
  using Input = registry::Input;
  using Output = registry::Output;

  // Devices that were saved have suspect_after from `now` before silence counts.
  Registry(Limits limits, std::vector<Record> saved, Time now);

  void step(const Input& input, Time now, Output& out);

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
    Starts starts;
    Time sign_of_life{};
    Time faded_at{};
    Time saved_at{};
    Time published_at{};
    double published_health = -1;
  };

  void apply(const EnrolmentArrived& input, Time now, Output& out);
  void apply(const PresenceArrived& input, Time now, Output& out);
  void apply(const HeartbeatArrived& input, Time now, Output& out);
  void apply(const CertificateChecked& input, Time now, Output& out);
  void apply(const LinkLost& input, Time now, Output& out);
  void apply(const LinkBack& input, Time now, Output& out);
  void apply(const Stalled& input, Time now, Output& out);
  void apply(const TimePassed& input, Time now, Output& out);
  void apply(const BatchEnded& input, Time now, Output& out);

  void enrol(Entry& entry, Time now, Output& out);
  void refuse(Entry& entry, const std::string& fingerprint, const std::string& reason, Time now, Output& out);
  void measure(Entry& entry, const Heartbeat& heartbeat, Time now);
  void judge(Entry& entry, Time now, Output& out);
  bool watch_identity(Entry& entry, Time now, Output& out);
  void revive(Entry& entry, Time now, Output& out);
  void change(Entry& entry, DeviceState state, const std::string& event, const std::string& reason, Time now,
              Output& out);
  void save(Entry& entry, Time now);
  void publish(Entry& entry, Time now);
  void give_grace(Time now);

  Limits limits_;
  std::map<DeviceId, Entry> devices_;
  bool link_ = false;
  Time judged_at_{};

  std::set<DeviceId> unsaved_;  // of this batch
  std::set<DeviceId> unsaid_;
};

static_assert(Core<Registry>);

}  // namespace fieldwork::registry
