// What the device owes the scheduler: a stream of reports (epoch, number, tag), repeated from the first one that is not
// acknowledged (docs/decisions/0011). Pure.
//
// Numbers and tags are given when a batch ends; several changes of one attempt that were not numbered yet travel as the
// last of them. At most window_bytes are on their way; they are repeated when they are out and nothing was answered.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "model/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::agent {

struct Numbered {
  std::int64_t tag = 0;
  AttemptReport report;
};

struct StreamState {
  std::int64_t epoch = 0;
  std::int64_t next_seq = 1;
  std::int64_t acked_tag = 0;                // of the newest acknowledged number; 0: none
  std::map<std::int64_t, Numbered> waiting;  // not acknowledged
};

struct ReportLimits {
  Duration again{seconds{2}};  // doubles up to again_max while nothing is acknowledged
  Duration again_max{seconds{30}};
  std::size_t items_max = 256;                           // in one message
  std::size_t message_bytes = limits::report_bytes_max;  // of one message, about
  std::size_t window_bytes = 128U << 10;                 // on their way, about
};

// What the scheduler answers.
struct StreamAnswer {
  std::int64_t epoch = 0;
  std::int64_t seq = 0;
  std::int64_t tag = 0;
  std::int64_t begin = 0;
};

struct Message {
  std::int64_t epoch = 0, first = 1, seq = 1, after = 0;
  std::vector<Numbered> items;
};

class Reports {
 public:
  // What must be saved, in this order.
  struct Changes {
    std::vector<std::int64_t> dropped;  // numbers
    std::vector<std::int64_t> added;    // numbers, now in waiting()
    bool position = false;              // epoch, next_seq, acked_tag
  };

  Reports(ReportLimits limits, StreamState state, Time now);

  void add(AttemptReport report);
  // Something of this attempt is yet to be acknowledged.
  [[nodiscard]] bool owes(const AttemptKey& key) const;
  // Numbers what is new. random: 64 fresh bits.
  void number(std::uint64_t random, Changes& changes);
  // What is to be sent now. idle: nothing that was sent before is still on its way out.
  [[nodiscard]] std::vector<Message> due(Time now, bool idle);

  void connected(Time now);  // what was on its way is lost
  void disconnected() { connected_ = false; }
  // True when the two histories parted and a new epoch began: `wall_ms` is its least.
  bool answered(const StreamAnswer& answer, std::int64_t wall_ms, Time now, Changes& changes);
  // Something came from the scheduler, so it can be reached: what it did not answer is said again soon.
  void heard(Time now);

  [[nodiscard]] const StreamState& state() const { return state_; }
  [[nodiscard]] std::size_t size() const { return state_.waiting.size() + unsent_.size(); }

 private:
  void begin(std::int64_t epoch, Time now, Changes& changes);

  ReportLimits limits_;
  StreamState state_;
  std::vector<AttemptReport> unsent_;
  std::map<AttemptKey, int> owed_;
  bool connected_ = false;
  std::int64_t sent_up_to_ = 0;
  Time sent_at_{};
  Time due_{};
  Duration wait_{};
};

// About how many bytes of JSON it takes.
[[nodiscard]] std::size_t size_of(const AttemptReport& report);

// The end of an attempt, in as many reports as its result needs: parts first, how it ended last.
[[nodiscard]] std::vector<AttemptReport> in_parts(AttemptReport end);
// The same in one report: what is told again when someone asks later.
[[nodiscard]] AttemptReport in_short(AttemptReport end);

}  // namespace fieldwork::agent
