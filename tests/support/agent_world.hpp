// An agent's core with a journal that holds what its outputs save, and nothing else: a restart makes a new core from
// the journal.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "agent/core/agent.hpp"

namespace fieldwork::agent {

using Words = std::vector<std::string>;

inline AttemptKey key(const std::string& job, std::int64_t fence = 1) { return {JobId(job), 0, fence}; }

// An assignment whose grant is good from 100 ms to 1,000 ms; the device's clock says 500 ms. The number of the try is
// the fence.
inline AssignArrived assignment(const AttemptKey& k, const std::string& package = "", const Contract& contract = {}) {
  Assign assign{.key = k,
                .attempt = static_cast<int>(k.fence),
                .contract = contract,
                .command = {"run"},
                .package = package,
                .grant = "jws"};
  Grant grant{
      .key = k, .device = DeviceId("a"), .package = package, .work_digest = "d", .issued_ms = 100, .expires_ms = 1000};
  return {.assign = std::move(assign), .grant = std::move(grant), .work_digest = "d", .wall_ms = 500};
}

// A scheduler whose database went back gives out the same try again.
inline AssignArrived same_try(const AttemptKey& k, int number) {
  auto out = assignment(k);
  out.assign.attempt = number;
  return out;
}

inline RunEnded ended(const AttemptKey& k, int exit_code = 0) {
  return {.key = k, .result = RunResult{.exit_code = exit_code}, .reason = ""};
}
inline RunEnded killed(const AttemptKey& k) {
  return {.key = k, .result = RunResult{.exit_code = -1}, .reason = "killed"};
}

// Whether the shell stores the same row for both attempts.
inline bool same_row(const Attempt& a, const Attempt& b) {
  return a.assign == b.assign && a.phase == b.phase && a.cancelled == b.cancelled && a.stale == b.stale &&
         a.stopped == b.stopped && a.deactivated == b.deactivated && a.number == b.number && a.runs_as == b.runs_as &&
         a.order == b.order && a.outcome == b.outcome && a.decided == b.decided;
}

struct World {
  Time now = from_ms(1'000'000);
  Limits limits;
  Saved journal;
  Agent core;
  Output said;  // of the last batch
  std::uint64_t random = 0;
  bool idle = true;
  std::int64_t wall_ms = 500;  // the device's clock

  explicit World(Limits with = {}) : limits(with), journal(fresh()), core(limits, DeviceId("a"), journal, now) {}

  static Saved fresh() {
    Saved out;
    out.session = 3;
    out.stream.epoch = 7;
    return out;
  }

  // Steps one batch.
  void step(const std::vector<Input>& inputs) {
    said = Output{};
    for (const auto& input : inputs) core.step(input, now, said);
    core.step(BatchEnded{++random, idle}, now, said);
    keep();
  }
  void pass(Duration time) {
    now += time;
    wall_ms += std::chrono::duration_cast<milliseconds>(time).count();
    step({TimePassed{.wall_ms = wall_ms}});
  }
  // A restart after which all that was said since the last batch is lost.
  void restart() {
    ++journal.session;
    core = Agent(limits, DeviceId("a"), journal, now);
    step({Started{wall_ms}});
  }
  // An acknowledgement: the scheduler has all reports up to this one.
  [[nodiscard]] AckArrived acknowledge(std::int64_t seq) const {
    const auto& waiting = journal.stream.waiting;
    const auto it = waiting.find(seq);
    return {.answer = {journal.stream.epoch, seq, it == waiting.end() ? 0 : it->second.tag, 0}};
  }
  void acknowledge_all() { step({acknowledge(journal.stream.next_seq - 1)}); }
  // An acknowledgement: heartbeat `beat` has arrived, the newest one.
  [[nodiscard]] static AckArrived confirmed(std::int64_t beat) { return {.answer = {}, .beat = beat}; }

  void keep() {
    for (const auto& save : said.attempts) {
      if (save.attempt)
        journal.attempts[save.key] = *save.attempt;
      else
        journal.attempts.erase(save.key);
    }
    for (const auto& save : said.reports) {
      if (save.report)
        journal.stream.waiting[save.seq] = *save.report;
      else
        journal.stream.waiting.erase(save.seq);
    }
    if (said.position) {
      journal.stream.epoch = said.position->epoch;
      journal.stream.next_seq = said.position->next_seq;
      journal.stream.acked_tag = said.position->acked_tag;
    }
    if (said.configuration) journal.configuration = *said.configuration;
    expect_journal_is_state();
  }

  void expect_journal_is_state() const {
    for (const auto& [k, row] : journal.attempts) {
      const auto* attempt = core.find(k);
      ASSERT_NE(attempt, nullptr) << k.job.value;
      EXPECT_TRUE(same_row(*attempt, row)) << k.job.value << k.fence;
    }
    for (const auto& k : core.live()) EXPECT_TRUE(journal.attempts.contains(k)) << k.job.value << k.fence;
    EXPECT_EQ(core.configuration(), journal.configuration);
    const auto& stream = core.stream();
    EXPECT_EQ(stream.epoch, journal.stream.epoch);
    EXPECT_EQ(stream.next_seq, journal.stream.next_seq);
    EXPECT_EQ(stream.acked_tag, journal.stream.acked_tag);
    ASSERT_EQ(stream.waiting.size(), journal.stream.waiting.size());
    for (const auto& [seq, one] : journal.stream.waiting) {
      const auto it = stream.waiting.find(seq);
      ASSERT_NE(it, stream.waiting.end()) << seq;
      EXPECT_TRUE(it->second.tag == one.tag && it->second.report == one.report) << seq;
    }
  }

  template <class T>
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> out;
    for (const auto& act : said.acts) {
      if (const auto* one = std::get_if<T>(&act)) out.push_back(*one);
    }
    return out;
  }
  // The last batch saved, said and did nothing.
  [[nodiscard]] bool quiet() const {
    return said.attempts.empty() && said.reports.empty() && !said.position && !said.configuration && !said.configured &&
           !said.enrol && !said.heartbeat && said.progress.empty() && said.messages.empty() && said.notices.empty() &&
           said.acts.empty();
  }
  // The reports that the batch made, as "j1 running".
  [[nodiscard]] Words reported() const {
    Words out;
    for (const auto& save : said.reports) {
      if (!save.report) continue;
      const auto& report = save.report->report;
      out.push_back(report.key.job.value + std::to_string(report.key.fence) + " " + std::string(name(report.state)));
    }
    return out;
  }
  [[nodiscard]] AttemptReport last_report() const {
    for (auto it = said.reports.rbegin(); it != said.reports.rend(); ++it) {
      if (it->report) return it->report->report;
    }
    ADD_FAILURE() << "nothing was reported";
    return {};
  }
};

}  // namespace fieldwork::agent
