// The output of the scheduler's core: what one batch wants done, as values. The shell (shell/says.cpp) turns it into
// rows and messages; the runtime does these in the order of duty:
//   questions          published before the commit: a question promises nothing (docs/decisions/0003)
//   saves and outbox   one transaction, the commit of the batch
//   outbox             commands that are due: published after the commit, repeated until closed by key
//   answers, facts     published once, after the commit
// The core never asks what became of its output.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "model/policy.hpp"
#include "scheduler/core/fleet/failures.hpp"
#include "scheduler/core/follow/durations.hpp"
#include "scheduler/core/model/input.hpp"
#include "scheduler/core/model/state.hpp"

namespace fieldwork::scheduler {

// A part of a result; its row is kept until its job is pruned.
struct PartRecord {
  AttemptKey key;
  ResultPart part;
};
struct StreamRecord {
  DeviceId device;
  Stream stream;
  bool remove = false;  // remove the row: an operator reset the stream
};

// Put a command into the outbox, as an item of device/{device}/down/command. It is repeated after 2 s, doubling to
// 60 s, until its key is closed. The core closes it with the report that answers it.
struct PutCommand {
  std::string key;  // assign:JOB:EXECUTION:FENCE, cancel:… or inquire:…
  DeviceId device;
  std::variant<Assign, Cancel, Inquire> command;
  Duration life{};   // after it the outbox closes the command itself; 0: repeated until it is closed
  bool kept = true;  // false: no outbox row; after a load the shell puts it again (Scheduler::open_commands)
};
// Close the command of this key: it is not repeated any more, and its row is removed. No such key: nothing happens.
struct CloseCommand {
  std::string key;
};
// The device is back: what the outbox has for it is due now.
struct HastenCommands {
  DeviceId device;
};
using OutboxChange = std::variant<PutCommand, CloseCommand, HastenCommands>;

// To the client of `reply`: the job and its state.
struct SubmissionAnswer {
  Reply reply = 0;
  JobId job;
  std::string state;
  std::string reason;
};
// To the client of `reply`: why nothing was done.
struct ErrorAnswer {
  Reply reply = 0;
  Error error;
};
// The client of `reply` gets no answer: more repeats of one submission wait than are answered (replies_per_job_max).
// The shell forgets the reply.
struct NoAnswer {
  Reply reply = 0;
};
using Answer = std::variant<SubmissionAnswer, ErrorAnswer, NoAnswer>;

// To a device that speaks of an attempt which is not, or no longer, its own: it gives the attempt up.
struct TellStale {
  DeviceId device;
  Stale stale;
};
// To a device: how far its reports are stored.
struct Acknowledge {
  DeviceId device;
  Stream stream;           // everything up to stream.seq is stored
  std::int64_t begin = 0;  // the least epoch in which the device must begin its stream anew; 0: it goes on
  std::int64_t beat = 0;   // number of the heartbeat that is confirmed; 0: none is
  bool ask = false;        // the scheduler has just started: the device sends a heartbeat with `ended` at once
};
// The core has forgotten a settled job; its rows stay in the database.
struct ForgetJob {
  JobId job;
  bool bulk = false;  // the job never had a state topic
};
// A settled execution is no longer shown.
struct ForgetExecution {
  JobId job;
  int execution = 0;
};
// The attempt's device was told to end it, to make room for a job of a higher priority class.
struct Preempted {
  AttemptKey key;
  DeviceId device;
  JobId by;
  Duration ran{};                         // since its program began
  std::optional<RunProgress> progress{};  // that it loses
};
// Work lost its device, got another one, or is on two of them of which one keeps it.
struct Moved {
  // lost: the attempt `key` was given up on `from`. moved: its next attempt, `key`, is on `to`. reconciled: `from`
  // (empty: none) stops, `to` goes on.
  enum class What { lost, moved, reconciled };
  What what = What::lost;
  AttemptKey key;
  DeviceId from, to;
  std::string reason;
  bool original = false;  // reconciled: the one on the device that came back stays
};
// To a device: what another execution of the job of its attempt says.
struct TellLines {
  DeviceId device;
  AttemptKey key;
  int from = 0;  // execution
  std::vector<std::string> lines;
};
// A line for the log, for a person to read.
struct Notice {
  std::string text;
  DeviceId device;  // empty: of no device
  JobId job;        // empty: of no job
};

// A settled execution whose state topic stays until `until_ms`.
struct ShownRecord {
  JobId job;
  int execution = 0;
  std::int64_t until_ms = 0;  // Unix time
  bool remove = false;        // remove the row: that time has come
};

struct Output {
  // --- saved, all in one transaction with the changes of the outbox ---
  // Table `job`: upsert; where `stored`, update only the columns that can change.
  std::vector<JobRecord> jobs;
  // Table `execution`: upsert. An execution that follows from its newest attempt is not among these.
  std::vector<ExecutionRecord> executions;
  // Table `attempt`: upsert; where `stored`, update only the columns that can change.
  std::vector<Attempt> attempts;
  // Table `part`: upsert. The acknowledgement of the report that brought the part is in the same output.
  std::vector<PartRecord> parts;
  // Table `stream`: upsert, or remove. A new position is acknowledged in the same output.
  std::vector<StreamRecord> streams;
  // Table `shown`: upsert; or remove, together with forgotten_executions.
  std::vector<ShownRecord> shown;
  // Table `unplaceable`: upsert; where `placeable`, remove. After the commit published on state/placement/{device},
  // retained; where `placeable`, cleared.
  std::vector<PlaceableRecord> placeable;

  // Table `duration`: upsert, or remove.
  std::vector<DurationRecord> durations;
  // Table `failure`: upsert, or remove.
  std::vector<FailureRecord> failures;

  // --- the outbox ---
  // Applied in this order, in the same transaction: what is put and closed in one batch is gone.
  std::vector<OutboxChange> outbox;

  // --- questions ---
  // Published before the commit on service/security-policy/authorise/scheduler, several in one message. DecisionMade
  // answers; until then the core repeats the question, 2 s to 60 s apart.
  std::vector<Question> questions;

  // --- answers: published once, after the commit ---
  // To the response topic of the request. The answers to the items of one submission leave in one message, when the
  // last is there.
  std::vector<Answer> answers;

  // --- facts: published once, after the commit ---
  // On device/{device}/down/command. Not in the outbox: the device's next heartbeat or report asks for it again.
  std::vector<TellStale> stale;
  // On device/{device}/down/ack. Lost ones are made good by the next: a device repeats what is not acknowledged.
  std::vector<Acknowledge> acknowledgements;
  // On device/{device}/down/message. Counted in fieldwork_lines_total.
  std::vector<TellLines> lines;
  std::size_t lines_dropped = 0;  // counted in fieldwork_lines_dropped_total
  // On state/job/{job}, retained (not where `bulk`), and all together on event/job/changed. A settled job is counted
  // in fieldwork_jobs_total and logged. More of these than in `jobs`: not each change of state is saved.
  std::vector<JobRecord> job_states;
  // On state/execution/{job}.{n}, retained. More of these than saved: progress is not saved by itself.
  std::vector<ExecutionRecord> execution_states;
  // Clears state/job/{job} (not where `bulk`).
  std::vector<ForgetJob> forgotten_jobs;
  // Clears state/execution/{job}.{n}.
  std::vector<ForgetExecution> forgotten_executions;
  // On event/execution/moved, all together. Logged and counted in fieldwork_moved_total.
  std::vector<Moved> moved;
  // Logged, and counted in fieldwork_preemptions_total and fieldwork_preempted_seconds_total.
  std::vector<Preempted> preempted;
  // Logged as a warning, and counted in fieldwork_notices_total.
  std::vector<Notice> notices;
};

}  // namespace fieldwork::scheduler
