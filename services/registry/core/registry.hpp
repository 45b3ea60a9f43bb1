// The registry's core: which devices there are, whether their certificates are good, and how the devices are.
//
// Pure. One door in: step(input, now, out). One door out: Output, values in the order of duty. BatchEnded puts out each
// device that changed in the batch: once, as it is then. A restart constructs the core from the saved devices.
//
//   enrolling --valid--> ready <--sign of life-- suspect --silence--> lost
//       |                  \--silence or will-->    ^                  |
//       \--not valid--> refused                     ready <--sign of life
//
// Sessions: a device's session number grows with each start of its agent. Signs of life of a session before the current
// one are ignored, so that a late last will does no harm. A smaller session is believed only in an enrolment of a
// device that is not ready: such a device was set up anew.
//
// Two devices with one identity throw each other out of the broker in turn (starts.hpp). The device's state says since
// when (duplicated_since_ms), one event begins this and one ends it, and each start that connects meanwhile is told.
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
  Duration heartbeat = seconds{5};       // between heartbeats, as devices are told
  Duration suspect_after = seconds{15};  // without a sign of life
  Duration lost_after = seconds{45};     // without a sign of life
  std::size_t devices_max = 100'000;
  Duration save_every = seconds{60};         // rows, while only measurements change
  Duration publish_every = seconds{30};      // states, while only measurements change, and little
  Duration judge_every = milliseconds{500};  // how often silence is looked at
};

// What is saved of a device.
struct Record {
  Device device;
  std::int64_t enrolled_session = 0;  // the session in which its certificate was checked
  bool operator==(const Record&) const = default;
};

// --- inputs: each comment names who says the fact, and what turns it into the input (shell/wire.cpp) ---
// A device asks to be enrolled: device/{device}/up/enrol. The device repeats the enrolment until it is answered.
struct EnrolmentArrived {
  DeviceId device;
  Enrolment enrolment;
};
// A device connected, or ended its connection: device/{device}/up/presence, which is also its last will.
struct PresenceArrived {
  DeviceId device;
  Presence presence;
  bool retained = false;  // the broker's copy, not said now: a device that is "online" there may be long gone
};
// A device is alive: device/{device}/up/heartbeat.
struct HeartbeatArrived {
  DeviceId device;
  Heartbeat heartbeat;
};
// Security-policy checked a certificate: an item of service/registry/certificate/security-policy. The answer to
// AskCertificate, or unasked: a certificate that was good was revoked or has expired.
struct CertificateChecked {
  CertificateAnswer answer;
};
// LinkLost, LinkBack, Stalled, TimePassed and BatchEnded come from runtime::Shell (base/core.hpp says when). While the
// link is away, or this process stands still, no device is judged by its silence; afterwards each has the full time
// again.
using Input = std::variant<EnrolmentArrived, PresenceArrived, HeartbeatArrived, CertificateChecked, LinkLost, LinkBack,
                           Stalled, TimePassed, BatchEnded>;

// --- output ---
// Ask security-policy to check a certificate: an item of service/security-policy/certificate/registry under the key
// cert:DEVICE:FINGERPRINT. The outbox repeats it until CloseQuestion closes the key.
struct AskCertificate {
  DeviceId device;
  std::string fingerprint;
  std::string certificate;  // PEM
  bool operator==(const AskCertificate&) const = default;
};
// Close that key: CertificateChecked has answered, or another certificate took its place.
struct CloseQuestion {
  DeviceId device;
  std::string fingerprint;
  bool operator==(const CloseQuestion&) const = default;
};
using OutboxChange = std::variant<AskCertificate, CloseQuestion>;  // applied in order

// The answer to an enrolment. The device repeats the enrolment until an answer arrives, so this is not repeated.
struct EnrolmentAnswer {
  DeviceId device;
  std::int64_t session = 0;
  bool enrolled = false;
  std::string reason;
  bool operator==(const EnrolmentAnswer&) const = default;
};
// Why a message of a device was not applied.
struct Rejection {
  DeviceId device;
  std::string channel;  // of the message, for example `enrol`
  Error error;
  bool operator==(const Rejection&) const = default;
};
// A change that others may want to hear of.
struct DeviceEvent {
  DeviceId device;
  std::string event;  // ready, suspect, lost, back, refused, duplicated or single
  std::string reason;
  bool operator==(const DeviceEvent&) const = default;
};

struct Output {
  // --- saved, in one transaction with the changes of the outbox ---
  // Table `device`: upsert. duplicated_since_ms is not saved: it is seen again after a restart.
  std::vector<Record> devices;
  // --- the outbox, applied in this order ---
  std::vector<OutboxChange> outbox;
  // --- answers: published once, after the commit ---
  // On device/{device}/down/enrolled, with the heartbeat interval and this service's clock. `enrolled` is true only of
  // a device whose row, with this certificate, is saved.
  std::vector<EnrolmentAnswer> answers;
  // On device/{device}/down/rejected; also counted, and logged once per burst.
  std::vector<Rejection> rejections;
  // --- facts: published once, after the commit ---
  // On event/device/{device}; also logged.
  std::vector<DeviceEvent> events;
  // On state/device/{device}, retained. All devices after LinkBack.
  std::vector<Device> states;
  bool operator==(const Output&) const = default;
};

class Registry {
 public:
  using Input = registry::Input;
  using Output = registry::Output;

  // Silence of the saved devices counts from `now`.
  Registry(Limits limits, std::vector<Record> saved, Time now);

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] const Record* find(const DeviceId& device) const;
  [[nodiscard]] std::vector<const Device*> list(const DeviceId& after) const;  // by id, those behind `after`
  [[nodiscard]] std::size_t size() const { return devices_.size(); }

 private:
  // An enrolment whose certificate is being checked. Not saved: the device repeats the enrolment.
  struct Pending {
    Enrolment enrolment;
    std::string fingerprint;
  };
  struct Entry {
    Record record;
    std::optional<Pending> pending;
    Signs signs;
    Starts starts;
    Time sign_of_life{};  // the newest
    Time faded_at{};      // when `signs` last lost weight
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

  std::set<DeviceId> unsaved_;  // of this batch, both
  std::set<DeviceId> unsaid_;
};

static_assert(Core<Registry>);

}  // namespace fieldwork::registry
