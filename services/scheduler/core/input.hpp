// What the scheduler's core is told. Facts, in the past tense; each says who says it.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"
#include "base/result.hpp"
#include "model/policy.hpp"
#include "scheduler/core/state.hpp"

namespace fieldwork::scheduler {

using Reply = std::uint64_t;  // who waits for an answer; the shell's own number

// A client, after its job was checked against the schema. Answered once security-policy has decided.
struct JobSubmitted {
  Reply reply = 0;
  JobId job;  // made from submitter and request, so that a repeat names the same job
  std::string submitter;
  std::string request;
  JobSpec spec;
  std::string spec_digest;
  std::string traceparent;
  bool bulk = false;
  // What the store knows of this job, if it is not in memory.
  struct Known {
    std::string state;
    std::string reason;
    std::string spec_digest;
  };
  std::optional<Known> known;
};
// A client. Answered at once.
struct CancelRequested {
  Reply reply = 0;
  JobId job;
};
// An operator: whatever this device reports next is taken as the beginning of its stream.
struct StreamReset {
  DeviceId device;
};
// Security-policy.
struct DecisionMade {
  Decision decision;
};
// The registry's retained state.
struct DeviceSeen {
  Device device;
};
// The registry: its state was removed, the device is no more.
struct DeviceGone {
  DeviceId device;
};
// The device said hello on a new connection.
struct DeviceReturned {
  DeviceId device;
};
// The transfer service has this package.
struct PackageSeen {
  std::string digest;
};
struct ReportItem {
  std::int64_t tag = 0;
  AttemptReport report;
};
// The device, from its journal; `at`: when it arrived.
struct ReportArrived {
  DeviceId device;
  std::int64_t epoch = 0;
  std::int64_t first = 1;
  std::int64_t seq = 1;
  std::int64_t after = 0;
  std::vector<ReportItem> items;
  Time at{};
};
struct HeartbeatArrived {
  DeviceId device;
  std::int64_t beat = 0;
  std::vector<AttemptKey> attempts;
  Time at{};
  std::optional<std::vector<AttemptKey>> ended{};  // it was asked: those that may be forgotten here
};
// LinkLost, LinkBack, Stalled, TimePassed and BatchEnded are those of base/core.hpp: with LinkBack and Stalled everyone
// has the full time again; BatchEnded places what waits, then says and saves what changed.
using Input =
    std::variant<JobSubmitted, CancelRequested, StreamReset, DecisionMade, DeviceSeen, DeviceGone, DeviceReturned,
                 PackageSeen, ReportArrived, HeartbeatArrived, LinkLost, LinkBack, Stalled, TimePassed, BatchEnded>;

}  // namespace fieldwork::scheduler
