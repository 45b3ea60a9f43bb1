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
// one are ignored. A smaller session is believed only in an enrolment of a device that is not online: it was set up
// anew. A greater one makes the device `starting`; it is online when that start has shown its key and beats.
//
// An id belongs to the key that enrolled under it first. Another key is refused (`already_registered`) until an
// operator removes the device (claimed_ms says when). Two devices with one key throw each other out of the broker in
// turn (starts.hpp, duplicated_since_ms).
#pragma once

#include <array>
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
#include "model/limits.hpp"
#include "model/policy.hpp"
#include "registry/core/health.hpp"
#include "registry/core/history.hpp"
#include "registry/core/starts.hpp"

namespace fieldwork::registry {

struct Limits {
  Duration heartbeat = seconds{5};       // between heartbeats, as devices of a small fleet are told
  Duration suspect_after = seconds{15};  // without a sign of life, while they are told that
  Duration lost_after = seconds{45};     // without a sign of life, while they are told that
  int beats_per_s_max = 200;             // of all devices: a large fleet is told longer intervals
  std::size_t devices_max = 100'000;
  bool activate_new = true;                         // a new device is active as soon as its certificate is good
  Duration save_every = seconds{60};                // rows, while only measurements change
  Duration publish_every = seconds{30};             // states, while only measurements change, and little
  Duration judge_every = milliseconds{500};         // how often silence is looked at
  Duration pressed_after = seconds{30};             // cpu and network above the threshold: both jump
  Duration relieved_after = seconds{60};            // below the hysteresis: what relieves must not end its own cause
  Duration report_every = std::chrono::minutes{5};  // health reports, while the score moves little
  Duration summary_every = seconds{5};              // of the fleet, and a second more for each 10,000 devices
  int history_rows_per_s = 1000;                    // raw rows of all devices
  Duration prune_every = std::chrono::minutes{10};  // requests to a device whose storage stays under pressure
  Values weights = equal_weights;
  Thresholds thresholds;
};

// What is saved of a device.
struct Record {
  Device device;
  std::int64_t enrolled_session = 0;  // the session in which its certificate was checked
  std::string key;                    // hex SHA-256 of its public key; empty: of an earlier version's row
  std::string boot_id;                // of the machine's boot in which it last enrolled; empty: not known
  Signs signs;                        // of its health, as they were at faded_ms
  std::int64_t faded_ms = 0;          // 0: there are none
  History history;
  Duration told{};  // between its heartbeats, as it was told last; zero: not known
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
enum class Verb { activate, drain, deactivate, retire, remove, configure, prune };
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
// An operator defines, changes, removes or only asks for a group: service/registry/group/{from}.
struct GroupRequested {
  std::uint64_t reply = 0;
  std::string group;
  std::string by;
  std::optional<fleet::Expression> expression;  // makes it dynamic
  std::vector<DeviceId> add, drop;              // make it static
  bool remove = false;
};
// The others come from runtime::Shell (base/core.hpp says when). While the link is away, or this process stands still,
// no device is judged by its silence; afterwards each has the full time again.
using Input = std::variant<EnrolmentArrived, PresenceArrived, HeartbeatArrived, ConfiguredArrived, CertificateChecked,
                           Requested, GroupRequested, LinkLost, LinkBack, Stalled, TimePassed, BatchEnded>;

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
using OutboxChange = std::variant<AskCertificate, CloseQuestion, SendConfiguration, CloseConfiguration>;

// The answer to an enrolment, which repeats it until one arrives; also unasked, when devices are to beat less or more.
struct EnrolmentAnswer {
  DeviceId device;
  std::int64_t session = 0;
  bool enrolled = false;
  std::string reason;
  int heartbeat_s = 5;   // between its heartbeats
  bool unknown = false;  // the answer to a heartbeat: it is to enrol (again)
  bool operator==(const EnrolmentAnswer&) const = default;
};
// The answer to Requested: the device as it is then (of remove: as it was), or why nothing was done.
struct RequestAnswer {
  std::uint64_t reply = 0;
  std::variant<Device, Error> answer;
  bool operator==(const RequestAnswer&) const = default;
};
// A group of devices. Its members are those whose state names it.
struct Group {
  std::string name;
  std::optional<fleet::Expression> expression;  // none: static
  std::int64_t changed_ms = 0;
  bool operator==(const Group&) const = default;
};
struct GroupShown {
  Group group;  // as it is then; of one that was removed: as it was
  std::int64_t devices = 0;
  bool operator==(const GroupShown&) const = default;
};
// The answer to GroupRequested.
struct GroupAnswer {
  std::uint64_t reply = 0;
  std::variant<GroupShown, Error> answer;
  bool operator==(const GroupAnswer&) const = default;
};
struct Rejection {  // why a message of a device was not applied
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
  // but for a part. Of pressure: optimization (a resource is over its threshold: the remedy), relieved.
  std::string event;
  std::string reason;
  std::string by;  // the operator whose request it is; else empty
  bool operator==(const DeviceEvent&) const = default;
};

struct Output {
  // --- saved, in one transaction with the changes of the outbox ---
  // Table `device`: upsert.
  std::vector<Record> devices;
  std::vector<DeviceId> removed;    // `device`: remove; the retained state is cleared: everyone hears that it is gone
  std::vector<HistoryRow> history;  // `history_raw`, `history_minute`, `history_hour`: insert
  // Table `device_group`: upsert; remove. A name is in one of the two, as its last change in the batch was.
  std::vector<Group> groups;
  std::vector<std::string> removed_groups;
  // --- the outbox, applied in this order ---
  std::vector<OutboxChange> outbox;
  // --- answers: published once, after the commit ---
  // On device/{device}/down/enrolled, with the heartbeat interval and this service's clock. `enrolled` is true only of
  // a device whose row, with this certificate, is saved.
  std::vector<EnrolmentAnswer> answers;
  std::vector<RequestAnswer> requests;  // to the client of `reply`
  std::vector<GroupAnswer> group_answers;
  // On device/{device}/down/rejected; also counted, and logged once per burst.
  std::vector<Rejection> rejections;
  // --- facts: published once, after the commit ---
  // On event/device/{device}; also logged.
  std::vector<DeviceEvent> events;
  std::vector<Device> states;  // on state/device/{device}, retained; all devices after LinkBack
  // On state/health/{device}, retained, as report() says. All devices after LinkBack.
  std::vector<DeviceId> reports;
  // On state/fleet/summary, retained: devices have changed, and the newest is summary_every old; also after LinkBack.
  bool summary = false;
  bool operator==(const Output&) const = default;
};

class Registry {
 public:
  using Input = registry::Input;
  using Output = registry::Output;

  // Silence of the saved devices counts from `now`.
  Registry(Limits limits, std::vector<Record> saved, Time now, std::vector<Group> groups = {});
  Registry(Registry&&) = default;
  Registry& operator=(Registry&&) = default;  // the index points into devices_, which a copy would not have

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] const Record* find(const DeviceId& device) const;
  // By id, those behind `after`, at most `limit`; with an expression those that match it.
  [[nodiscard]] std::vector<const Device*> list(const std::optional<fleet::Expression>& where, const DeviceId& after,
                                                std::size_t limit) const;
  [[nodiscard]] std::size_t size() const { return devices_.size(); }
  // All of them, by name.
  [[nodiscard]] std::vector<GroupShown> groups() const;
  [[nodiscard]] std::optional<HealthReport> report(const DeviceId& device, Time now) const;

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
    Starts starts;
    std::int64_t proven = 0;  // the newest session that has shown the registered key: a later one is not believed yet
    bool foreign = false;     // the newest start to connect has shown another key
    std::int64_t beat = 0;    // number of the newest heartbeat of its session; 0: none has come
    bool excused = false;     // the next gap in the numbers is this service's, which did not listen
    bool overslept = false;   // it is not back from the sleep that the broker's copy of its presence still says
    bool drained = false;     // said of this drain
    Time heard_at{};          // when it was heard last; zero: not by this process
    Time sign_of_life{};      // the newest; of a sleeping device when it said that it will be back
    Time faded_at{};          // when the signs last lost weight
    Time kept_at{};           // the newest heartbeat that is in the history itself
    Time saved_at{};
    Time published_at{};
    double published_health = -1;
    Time reported_at{};
    double reported_health = -1;
    std::array<std::optional<Time>, resource_names.size()> high_since;  // above the threshold
    std::array<std::optional<Time>, resource_names.size()> low_since;   // below the hysteresis, while under pressure
    Time pruned_at{};                                                   // when this service asked for it by itself
    std::int64_t prune_version = 0;                                     // of the configuration that asks for it
  };

  void apply(const EnrolmentArrived& input, Time now, Output& out);
  void apply(const PresenceArrived& input, Time now, Output& out);
  void apply(const HeartbeatArrived& input, Time now, Output& out);
  void apply(const ConfiguredArrived& input, Time now, Output& out);
  void apply(const CertificateChecked& input, Time now, Output& out);
  void apply(const Requested& input, Time now, Output& out);
  void apply(const GroupRequested& input, Time now, Output& out);
  void apply(const LinkLost& input, Time now, Output& out);
  void apply(const LinkBack& input, Time now, Output& out);
  void apply(const Stalled& input, Time now, Output& out);
  void apply(const TimePassed& input, Time now, Output& out);
  void apply(const BatchEnded& input, Time now, Output& out);

  // enrolment.cpp
  bool asked_already(const DeviceId& device, const Enrolment& enrolment);
  Entry& added(const EnrolmentArrived& input, Time now);
  bool claims(Entry& entry, const Enrolment& enrolment, const std::string& key, Time now, Output& out);
  void enrol(Entry& entry, Time now, Output& out);
  void begin_session(Entry& entry, const Enrolment& enrolment, Output& out);
  void refuse(Entry& entry, const std::string& fingerprint, const std::string& reason, Time now, Output& out);
  void close_question(Entry& entry, Output& out);  // of its pending enrolment, if there is one

  // presence.cpp
  void hear(Entry& entry, Presence presence, const std::string& reason, Time now, Output& out);
  void say_offline(Entry& entry, const PresenceArrived& input, Time now, Output& out);
  static bool is_its(const Entry& entry, std::int64_t session);
  bool measure(Entry& entry, const Heartbeat& heartbeat, Time now);
  void remember(Entry& entry, Time now, Output& out);
  void press(Entry& entry, Time now, Output& out);
  void judge(Entry& entry, Time now, Output& out);
  bool watch_identity(Entry& entry, Time now, Output& out);
  void give_grace(Time now);
  // Between heartbeats in a fleet of this size, in whole seconds.
  [[nodiscard]] Duration interval() const;
  [[nodiscard]] EnrolmentAnswer answer(const DeviceId& device, std::int64_t session, bool enrolled,
                                       const std::string& reason) const;
  void tell_interval(Entry& entry, Time now, Output& out);
  void retell(Time now, Output& out);
  [[nodiscard]] static bool is_enrolled(const Entry& entry);
  // How long a device may be silent: `limit`, stretched as its interval is; at least so many beats of its
  // configuration.
  [[nodiscard]] Duration stretched(const Entry& entry, Duration limit, int beats) const;
  static void count_anew(Entry& entry, std::int64_t session);

  // lifecycle.cpp
  void want(Entry& entry, Lifecycle lifecycle, const std::string& by, Time now, Output& out);
  bool configure(Entry& entry, const Requested& input, Time now, Output& out);
  void prune(Entry& entry, const std::string& by, Time now, Output& out);
  void retire(Entry& entry, const std::string& by, Time now, Output& out);
  void remove(Entry& entry, const std::string& by, Output& out);
  void follow(Entry& entry, Output& out);
  static bool believed(std::int64_t configured, const Configuration& wanted);
  void say_drained(Entry& entry, Time now, Output& out);

  // groups.cpp
  void change_group(const GroupRequested& input, Time now, Output& out);
  void remove_group(const std::string& name, Time now, Output& out);
  void set_member(Entry& entry, const std::string& group, bool is_in, Time now);
  static bool mark_member(Device& device, const std::string& group, bool is_in);
  bool regroup(Entry& entry);
  void say_reports_again();
  [[nodiscard]] std::int64_t count(const std::string& group) const;

  void become(Entry& entry, Lifecycle lifecycle, const std::string& reason, const std::string& by, Time now,
              Output& out);
  void relabel(Entry& entry);  // its own labels and those of its configuration, which win; also in the index
  // Its health and its dynamic groups as they are now; also in the index, with its numbers and words. True: it is in
  // other groups than before.
  bool rate(Entry& entry);
  void touch(Entry& entry, Time now);  // rated; saved and published at the end of the batch
  void save(Entry& entry, Time now);
  void publish(Entry& entry, Time now);

  static constexpr double moved_by = 0.05;                  // a score that is worth telling
  static constexpr Duration untold_interval = seconds{60};  // of a device of which it is not known what it was told
  static constexpr Duration heartbeat_max = seconds{limits::heartbeat_s_max};
  static constexpr Duration history_each = seconds{4};  // at most one raw row of a device
  static constexpr std::int64_t late_max = 64;          // heartbeats that may be on their way at once
  static constexpr std::size_t resaid_max = 500;        // reports that are said again in one judge_every
  static constexpr std::size_t closed_max = 500;        // periods of silent devices that end in one judge_every
  static constexpr std::size_t retold_max = 200;        // devices that hear of another interval in one judge_every

  Limits limits_;
  std::map<DeviceId, Entry> devices_;
  fleet::Index index_;  // of the devices in devices_
  std::map<std::string, Group> groups_;
  bool unsummarised_ = false;
  Time summarised_at_{};
  bool link_ = false;
  Time judged_at_{};

  std::set<DeviceId> unsaved_;  // of this batch, all three
  std::set<DeviceId> unsaid_;
  std::set<DeviceId> unreported_;
  std::optional<DeviceId> resaid_;  // the last one whose report was said again after LinkBack; none: all are
};

static_assert(Core<Registry>);

}  // namespace fieldwork::registry
