// The inputs of the scheduler's core: facts, in the past tense. Each comment names who says the fact, and the topic or
// the part of the shell that turns it into the input (shell/wire.cpp, shell/requests.cpp).
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"
#include "base/result.hpp"
#include "model/policy.hpp"
#include "scheduler/core/model/state.hpp"

namespace fieldwork::scheduler {

using Reply = std::uint64_t;  // the number of an answer that is due; given by the shell, never 0 (runtime/replies.hpp)

// A client submitted a job: one item of service/scheduler/submit/{from} that passed codec::decode_job. The answer to
// `reply` is an error at once, or the job's state as soon as it is no longer `submitted`: security-policy has decided,
// or the job ended.
struct JobSubmitted {
  Reply reply = 0;
  JobId job;              // made from submitter and request: a repeat names the same job
  std::string submitter;  // {from} of the topic, the name in the client's certificate
  std::string request;    // the client's id of this item
  JobSpec spec;
  std::string made_of;      // NAME@VERSION of its template; empty: none
  JobId retry_of{};         // the job whose failed executions it tries again; empty: none
  std::string spec_digest;  // SHA-256 of the spec as JSON, or of what was asked of the template: another digest under
                            // the same request is a conflict
  std::string traceparent;  // W3C Trace Context; empty: none
  bool bulk = false;        // submitted with 16 others or more: the job has no state topics of its own
  // The stored row of a job that is not in memory, as prefetch found it.
  struct Known {
    std::string state;
    std::string reason;
    std::string spec_digest;
    std::int64_t changed_ms = 0;
  };
  std::optional<Known> known;  // none: the store has no such job, or the job is in memory
};
// A client asked to cancel a job: service/scheduler/cancel/{from}. Answered in this batch. Where only the store knows
// the job, the shell answers without the core.
struct CancelRequested {
  Reply reply = 0;
  JobId job;
  std::optional<std::int64_t> expects{};  // the job's changed_ms as the client saw it; another one is a conflict
};
// An operator asked to reset a device's report stream: service/scheduler/reset/{from}, for a device that is known. The
// device's next report begins its stream. The shell answers.
struct StreamReset {
  DeviceId device;
};
// Security-policy answered a question of Output::questions: one item of
// service/scheduler/authorised/security-policy.
struct DecisionMade {
  Decision decision;
};
// The registry published a device's state: state/device/{device}, retained. So this comes again after each connect.
struct DeviceSeen {
  Device device;
};
// The registry cleared state/device/{device}, an empty payload: the device was removed.
struct DeviceGone {
  DeviceId device;
};
// The device connected to the broker: device/{device}/up/presence with state `online`, but not the retained copy.
struct DeviceReturned {
  DeviceId device;
};
// The transfer service published a package: state/package/{digest}, retained. The shell saves what is new in table
// `package` in the same transaction.
struct PackageSeen {
  std::string digest;
  std::int64_t size_bytes = 0;
  std::string name{};
  std::vector<PackageName> names{};
  std::string architecture{};  // empty: any
  Capacity needs{};
  bool operator==(const PackageSeen&) const = default;
};
// The transfer service cleared state/package/{digest}, an empty payload: the package was removed. Jobs that were
// accepted before go on. It comes again for a while.
struct PackageGone {
  std::string digest;
};
struct ReportItem {
  std::int64_t tag = 0;  // 32 random bits, made by the device together with the report's number
  AttemptReport report;  // a report that cannot be read arrives as `failed`, with that as its reason
};
// The device sent reports from its journal: device/{device}/up/report. Answered by Output::acknowledgements.
struct ReportArrived {
  DeviceId device;
  std::int64_t epoch = 0;         // of the device's stream; grows when the device begins its stream anew
  std::int64_t first = 1;         // lowest number that the device still holds
  std::int64_t seq = 1;           // number of items[0]; the others follow it
  std::int64_t after = 0;         // tag of report seq - 1; 0: the device has none
  std::vector<ReportItem> items;  // by number
  Time at{};                      // when the message arrived here: the contact of the attempts it reports
};
// The device says how far programs are: device/{device}/up/progress.
struct ProgressArrived {
  DeviceId device;
  std::vector<std::pair<AttemptKey, RunProgress>> items;
  Time at{};  // when the message arrived here: the contact of these attempts
};
// The device sent a heartbeat: device/{device}/up/heartbeat.
struct HeartbeatArrived {
  DeviceId device;
  std::int64_t beat = 0;             // number of the heartbeat; 0: the device gives none, so none is confirmed
  std::vector<AttemptKey> attempts;  // live on the device; at most 512
  Time at{};                         // when the message arrived here: the contact of the attempts it lists
  // Only in the answer to an acknowledgement with `ask`: the newest attempts that ended there, which this memory may
  // have forgotten.
  std::optional<std::vector<AttemptKey>> ended{};
};
// Programs say lines to the other executions of their jobs: device/{device}/up/message.
struct LinesSaid {
  struct Item {
    AttemptKey key;
    std::vector<std::string> lines;
  };
  DeviceId device;
  std::vector<Item> items;
};
// LinkLost, LinkBack, Stalled, TimePassed and BatchEnded come from runtime::Shell (base/core.hpp says when). After
// LinkBack and Stalled every live attempt has its full time again. TimePassed ends what is due. BatchEnded places
// executions that wait, then puts out every change of the batch.
using Input = std::variant<JobSubmitted, CancelRequested, StreamReset, DecisionMade, DeviceSeen, DeviceGone,
                           DeviceReturned, PackageSeen, PackageGone, ReportArrived, ProgressArrived, LinesSaid,
                           HeartbeatArrived, LinkLost, LinkBack, Stalled, TimePassed, BatchEnded>;

}  // namespace fieldwork::scheduler
