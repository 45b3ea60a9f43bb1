// What the device owes the scheduler: a stream of reports (epoch, number, tag), repeated from the first one that is not
// acknowledged (docs/decisions/0011). Pure.
//
// Reports get numbers and tags when a batch ends; of several reports of one attempt in a batch only the last is kept
// (parts of a result: all). At most window_bytes of reports are on their way at once. They are repeated only when all
// of them have left the device and no answer came.
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
  std::int64_t acked_tag = 0;                // of the newest acknowledged report; 0: none
  std::map<std::int64_t, Numbered> waiting;  // not acknowledged, by number
};

struct ReportLimits {
  Duration again{seconds{2}};  // until a repeat; doubles up to again_max while nothing is acknowledged
  Duration again_max{seconds{30}};
  std::size_t items_max = 256;                           // of one message
  std::size_t message_bytes = limits::report_bytes_max;  // of one message, about
  std::size_t window_bytes = 128U << 10;                 // of all reports on their way, about
};

// What an acknowledgement says of the stream (down/ack in docs/topics.md).
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
    std::vector<std::int64_t> dropped;  // numbers: acknowledged, or given anew
    std::vector<std::int64_t> added;    // numbers; the reports are in state().waiting
    bool position = false;              // epoch, next_seq or acked_tag changed
  };

  Reports(ReportLimits limits, StreamState state, Time now);

  void add(AttemptReport report);
  // Whether a report of this attempt is not acknowledged yet.
  [[nodiscard]] bool owes(const AttemptKey& key) const;
  // Gives numbers and tags to the reports added since. `random`: 64 fresh bits.
  void number(std::uint64_t random, Changes& changes);
  // The messages to send now. `idle`: every report that was sent before has left the device.
  [[nodiscard]] std::vector<Message> due(Time now, bool idle);

  void connected(Time now);  // all reports on their way are taken for lost
  void disconnected() { connected_ = false; }
  // True: the two histories parted, and a new epoch began, which is at least `wall_ms`, the device's clock.
  bool answered(const StreamAnswer& answer, std::int64_t wall_ms, Time now, Changes& changes);
  // Something came from the scheduler, so it can be reached: reports that it did not answer are soon repeated.
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

// The size of the report as JSON, about, in bytes.
[[nodiscard]] std::size_t size_of(const AttemptReport& report);

// The end of an attempt as reports: first the parts of a result that is too large for one report, last how it ended.
[[nodiscard]] std::vector<AttemptReport> in_parts(AttemptReport end);
// The same in one report, with a result that is cut to fit: for whoever asks later.
[[nodiscard]] AttemptReport in_short(AttemptReport end);

}  // namespace fieldwork::agent
