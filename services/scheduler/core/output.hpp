// What the scheduler's core wants done, in the order of duty: what is saved and put into the outbox is one transaction;
// everything below it is said after the commit, except questions, which promise nothing (docs/decisions/0003). All of
// it is values: nobody asks the core back.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "model/policy.hpp"
#include "scheduler/core/input.hpp"
#include "scheduler/core/state.hpp"

namespace fieldwork::scheduler {

// A part of a result, kept until its job is pruned.
struct PartRecord {
  AttemptKey key;
  ResultPart part;
};
struct StreamRecord {
  DeviceId device;
  Stream stream;
  bool remove = false;
};

// Commands are repeated by the outbox until a report settles their key. One that is not kept follows from a live
// attempt that its device has not spoken of (Scheduler::open_commands).
struct PutCommand {
  std::string key;
  DeviceId device;
  std::variant<Assign, Cancel, Inquire> command;
  Duration life{};  // 0: until it is settled
  bool kept = true;
};
struct CloseCommand {
  std::string key;
};
struct HastenCommands {  // the device is back: what waits for it is due now
  DeviceId device;
};
using OutboxChange = std::variant<PutCommand, CloseCommand, HastenCommands>;  // applied in order

struct SubmissionAnswer {
  Reply reply = 0;
  JobId job;
  std::string state;
  std::string reason;
};
struct ErrorAnswer {
  Reply reply = 0;
  Error error;
};
// Whoever asked has asked again, more often than answers are kept for: the newest are answered.
struct NoAnswer {
  Reply reply = 0;
};
using Answer = std::variant<SubmissionAnswer, ErrorAnswer, NoAnswer>;

// To a device, once: an attempt that is not, or no more, its own.
struct TellStale {
  DeviceId device;
  Stale stale;
};
// To a device, once: up to where its stream is stored, or the epoch that it must begin; or that a heartbeat arrived.
struct Acknowledge {
  DeviceId device;
  Stream stream;
  std::int64_t begin = 0;
  std::int64_t beat = 0;
  bool ask = false;  // we have just begun: it says at once what it has
};
struct ForgetJob {  // leaves memory and its state topic; the database keeps it
  JobId job;
  bool bulk = false;
};
struct ForgetExecution {  // its state topic is cleared
  JobId job;
  int execution = 0;
};
// Something that a person should read in the log, once.
struct Notice {
  std::string text;
  DeviceId device;
  JobId job;
};

// An ended execution whose state topic is retained until then; or no more.
struct ShownRecord {
  JobId job;
  int execution = 0;
  std::int64_t until_ms = 0;
  bool remove = false;
};

struct Output {
  // Saved with the batch.
  std::vector<JobRecord> jobs;
  std::vector<ExecutionRecord> executions;
  std::vector<Attempt> attempts;
  std::vector<PartRecord> parts;
  std::vector<StreamRecord> streams;
  std::vector<ShownRecord> shown;
  std::vector<PlaceableRecord> placeable;  // also said
  // The outbox, in order.
  std::vector<OutboxChange> outbox;
  // Questions.
  std::vector<Question> questions;
  // Answers.
  std::vector<Answer> answers;
  // Facts.
  std::vector<TellStale> stale;
  std::vector<Acknowledge> acknowledgements;
  std::vector<JobRecord> job_states;
  std::vector<ExecutionRecord> execution_states;
  std::vector<ForgetJob> forgotten_jobs;
  std::vector<ForgetExecution> forgotten_executions;
  std::vector<Notice> notices;
};

}  // namespace fieldwork::scheduler
