// The registry's core: which devices there are, whether their certificates are good, what is wanted of them, and how
// they are.
//
// Pure. One door in: step(input, now, out). One door out: Output, values in the order of duty. BatchEnded puts out each
// device that changed in the batch: once, as it is then. A restart constructs the core from the saved devices.
//
// A device has a lifecycle and a presence (decision 0015; transitions: libs/model/transitions.cpp).
//
//   lifecycle   enrolling --certificate valid--> active | inactive (Limits::activate_new)
//               active | draining | inactive: as operators want it (Requested)
//               refused: the certificate is not good; when it is again, what was wanted before
//               retired: for good; only Verb::remove ends it
//   presence    starting: connected; online: heartbeats; sleeping, disconnected: it said so;
//               suspect: silent for suspect_after, or its last will; lost: silent for lost_after
//
// Sessions: a device's session number grows with each start of its agent. Signs of life of a session before the current
// one are ignored, so that a late last will does no harm. A smaller session is believed only in an enrolment of a
// device that is not online: such a device was set up anew.
//
// An id belongs to the key that enrolled under it first. Another key is refused (`already_registered`) until an
// operator removes the device; the device's state says when that was last tried (claimed_ms). Two devices with one key
// throw each other out of the broker in turn (starts.hpp): the state says since when (duplicated_since_ms), one event
// begins this and one ends it, and each start that connects meanwhile is told.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"
#include "base/result.hpp"
#include "fleet/index.hpp"
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
  bool activate_new = true;                  // a new device is active as soon as its certificate is good
  Duration save_every = seconds{60};         // rows, while only measurements change
  Duration publish_every = seconds{30};      // states, while only measurements change, and little
  Duration judge_every = milliseconds{500};  // how often silence is looked at
};

// What is saved of a device.
struct Record {
  Device device;
  std::int64_t enrolled_session = 0;  // the session in which its certificate was checked
  std::string key;                    // hex SHA-256 of its public key; empty: of an earlier version's row
  std::string boot_id;                // of the machine's boot in which it last enrolled; empty: not known
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
  PresenceSaid said;
  bool retained = false;  // the broker's copy, not said now: a device that is "online" there may be long gone
};
// A device is alive: device/{device}/up/heartbeat.
struct HeartbeatArrived {
  DeviceId device;
  Heartbeat heartbeat;
};
// A device follows a configuration: device/{device}/up/configured. The answer to SendConfiguration.
struct ConfiguredArrived {
  DeviceId device;
  std::int64_t version = 0;
  std::string reason;  // why a part of it cannot be followed; empty: all is
};
// Security-policy checked a certificate: an item of service/registry/certificate/security-policy. The answer to
// AskCertificate, or unasked: a certificate that was good was revoked or has expired.
struct CertificateChecked {
  CertificateAnswer answer;
};
// An operator wants something of a device: service/registry/{verb}/{from}. It is done once however often it arrives:
// what is so already is answered as done. An illegal one is refused with the state that forbids it.
enum class Verb { activate, drain, deactivate, retire, remove, configure };
[[nodiscard]] std::string_view name(Verb verb);
[[nodiscard]] std::optional<Verb> verb(std::string_view text);
struct Settings {                  // of configure: what is not named stays
  Configuration set;               // its version and lifecycle are ignored; only fields that are there
  std::vector<std::string> unset;  // names of fields, or `labels/NAME`
};
struct Requested {
  std::uint64_t reply = 0;
  DeviceId device;
  Verb verb = Verb::configure;
  std::string by;
  Settings settings;
};
// LinkLost, LinkBack, Stalled, TimePassed and BatchEnded come from runtime::Shell (base/core.hpp says when). While the
// link is away, or this process stands still, no device is judged by its silence; afterwards each has the full time
// again.
using Input = std::variant<EnrolmentArrived, PresenceArrived, HeartbeatArrived, ConfiguredArrived, CertificateChecked,
                           Requested, LinkLost, LinkBack, Stalled, TimePassed, BatchEnded>;

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
// Tell a device what is wanted of it: device/{device}/down/configure under the key configure:DEVICE, which a newer
// version replaces. The outbox repeats it until CloseConfiguration closes the key.
struct SendConfiguration {
  DeviceId device;
  Configuration configuration;
  bool operator==(const SendConfiguration&) const = default;
};
// Close that key: ConfiguredArrived has named this version, or the device is gone.
struct CloseConfiguration {
  DeviceId device;
  bool operator==(const CloseConfiguration&) const = default;
};
using OutboxChange =
    std::variant<AskCertificate, CloseQuestion, SendConfiguration, CloseConfiguration>;  // applied in order

// The answer to an enrolment. The device repeats the enrolment until an answer arrives, so this is not repeated.
struct EnrolmentAnswer {
  DeviceId device;
  std::int64_t session = 0;
  bool enrolled = false;
  std::string reason;
  bool operator==(const EnrolmentAnswer&) const = default;
};
// The answer to Requested: the device as it is then (of remove: as it was), or why nothing was done.
struct RequestAnswer {
  std::uint64_t reply = 0;
  std::variant<Device, Error> answer;
  bool operator==(const RequestAnswer&) const = default;
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
  // Of presence: online, back, sleeping, disconnected, suspect, lost, rebooted, restarted. Of lifecycle: active,
  // draining, drained, inactive, refused, retired, removed. Of identity: duplicated, single, already_registered.
  // wanted: an operator asks for this lifecycle or changed its configuration. configured: it follows; misconfigured:
  // but for a part.
  std::string event;
  std::string reason;
  std::string by;  // the operator whose request it is; else empty
  bool operator==(const DeviceEvent&) const = default;
};

struct Output {
  // --- saved, in one transaction with the changes of the outbox ---
  // Table `device`: upsert. What is seen again after a restart is not saved: duplicated_since_ms, claimed_ms.
  std::vector<Record> devices;
  // Table `device`: remove. The retained state is cleared: everyone hears that the device is gone.
  std::vector<DeviceId> removed;
  // --- the outbox, applied in this order ---
  std::vector<OutboxChange> outbox;
  // --- answers: published once, after the commit ---
  // On device/{device}/down/enrolled, with the heartbeat interval and this service's clock. `enrolled` is true only of
  // a device whose row, with this certificate, is saved.
  std::vector<EnrolmentAnswer> answers;
  // To the client of `reply`.
  std::vector<RequestAnswer> requests;
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
  Registry(Registry&&) = default;  // the index points into devices_, which a copy would not have

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] const Record* find(const DeviceId& device) const;
  // By id, those behind `after`, at most `limit`; with an expression those that match it.
  [[nodiscard]] std::vector<const Device*> list(const std::optional<fleet::Expression>& where, const DeviceId& after,
                                                std::size_t limit) const;
  [[nodiscard]] std::size_t size() const { return devices_.size(); }

 private:
  // An enrolment whose certificate is being checked. Not saved: the device repeats the enrolment.
  struct Pending {
    Enrolment enrolment;
    std::string fingerprint;
    std::string key;
  };
  struct Entry {
    Record record;
    std::optional<Pending> pending;
    Signs signs;
    Starts starts;
    std::int64_t beat = 0;   // number of the newest heartbeat of its session; 0: none has come
    bool excused = false;    // the next gap in the numbers is this service's, which did not listen
    bool overslept = false;  // it is not back from the sleep that the broker's copy of its presence still says
    bool drained = false;    // said of this drain
    Time sign_of_life{};     // the newest; of a sleeping device when it said that it will be back
    Time faded_at{};         // when `signs` last lost weight
    Time saved_at{};
    Time published_at{};
    double published_health = -1;
  };

  void apply(const EnrolmentArrived& input, Time now, Output& out);
  void apply(const PresenceArrived& input, Time now, Output& out);
  void apply(const HeartbeatArrived& input, Time now, Output& out);
  void apply(const ConfiguredArrived& input, Time now, Output& out);
  void apply(const CertificateChecked& input, Time now, Output& out);
  void apply(const Requested& input, Time now, Output& out);
  void apply(const LinkLost& input, Time now, Output& out);
  void apply(const LinkBack& input, Time now, Output& out);
  void apply(const Stalled& input, Time now, Output& out);
  void apply(const TimePassed& input, Time now, Output& out);
  void apply(const BatchEnded& input, Time now, Output& out);

  // enrolment.cpp
  Entry& added(const EnrolmentArrived& input, Time now);
  bool claims(Entry& entry, const Enrolment& enrolment, const std::string& key, Time now, Output& out);
  void enrol(Entry& entry, Time now, Output& out);
  void begin_session(Entry& entry, const Enrolment& enrolment, Output& out);
  void refuse(Entry& entry, const std::string& fingerprint, const std::string& reason, Time now, Output& out);
  void close_question(Entry& entry, Output& out);  // of its pending enrolment, if there is one

  // presence.cpp
  void hear(Entry& entry, Presence presence, const std::string& reason, Time now, Output& out);
  void say_offline(Entry& entry, const PresenceArrived& input, Time now, Output& out);
  void measure(Entry& entry, const Heartbeat& heartbeat, Time now);
  void judge(Entry& entry, Time now, Output& out);
  bool watch_identity(Entry& entry, Time now, Output& out);
  void give_grace(Time now);
  // How long a device may be silent: what the limits say, or three (nine) of its own intervals where that is longer.
  [[nodiscard]] Duration suspect_after(const Device& device) const;
  [[nodiscard]] Duration lost_after(const Device& device) const;

  // lifecycle.cpp
  void want(Entry& entry, Lifecycle lifecycle, const std::string& by, Time now, Output& out);
  bool configure(Entry& entry, const Requested& input, Time now, Output& out);
  void retire(Entry& entry, const std::string& by, Time now, Output& out);
  void remove(Entry& entry, const std::string& by, Output& out);
  void follow(Entry& entry, Output& out);
  static bool believed(std::int64_t configured, const Configuration& wanted);
  void say_drained(Entry& entry, Time now, Output& out);

  void become(Entry& entry, Lifecycle lifecycle, const std::string& reason, const std::string& by, Time now,
              Output& out);
  void relabel(Entry& entry);          // its own labels and those of its configuration, which win; also in the index
  void rate(Entry& entry);             // its health as it is now; also in the index, with its numbers and words
  void touch(Entry& entry, Time now);  // rated; saved and published at the end of the batch
  void save(Entry& entry, Time now);
  void publish(Entry& entry, Time now);

  Limits limits_;
  std::map<DeviceId, Entry> devices_;
  fleet::Index index_;  // of the devices in devices_
  bool link_ = false;
  Time judged_at_{};

  std::set<DeviceId> unsaved_;  // of this batch, both
  std::set<DeviceId> unsaid_;
};

static_assert(Core<Registry>);

}  // namespace fieldwork::registry
