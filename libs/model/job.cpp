#include "model/job.hpp"

#include <array>
#include <utility>

namespace fieldwork {
namespace {

constexpr std::array<std::string_view, 10> job_words{"submitted", "queued", "assigned",  "running", "succeeded",
                                                     "failed",    "denied", "cancelled", "expired", "quarantined"};
constexpr std::array<std::string_view, 10> attempt_words{"assigned",  "fetching", "running",   "unreachable",
                                                         "succeeded", "failed",   "timed_out", "cancelled",
                                                         "rejected",  "lost"};
constexpr std::array<std::string_view, 14> execution_words{
    "queued", "waiting",   "assigned",  "fetching", "running", "unreachable", "succeeded",
    "failed", "timed_out", "cancelled", "lost",     "denied",  "expired",     "quarantined"};

constexpr std::array<std::string_view, 4> privacy_words{"none", "low", "medium", "high"};
constexpr std::array<std::string_view, 3> reconcile_words{"keep_replacement", "keep_original", "best_score"};

template <class State, std::size_t size>
std::optional<State> find(const std::array<std::string_view, size>& words, std::string_view text) {
  for (std::size_t i = 0; i < size; ++i) {
    if (words[i] == text) return static_cast<State>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(PrivacyLevel level) { return privacy_words[static_cast<std::size_t>(level)]; }
std::optional<PrivacyLevel> privacy_level(std::string_view text) { return find<PrivacyLevel>(privacy_words, text); }
std::string_view name(Reconcile reconcile) { return reconcile_words[static_cast<std::size_t>(reconcile)]; }
std::optional<Reconcile> reconcile_word(std::string_view text) { return find<Reconcile>(reconcile_words, text); }
std::string_view name(JobState state) { return job_words[static_cast<std::size_t>(state)]; }
std::string_view name(AttemptState state) { return attempt_words[static_cast<std::size_t>(state)]; }
std::string_view name(ExecutionState state) { return execution_words[static_cast<std::size_t>(state)]; }
std::optional<JobState> job_state(std::string_view text) { return find<JobState>(job_words, text); }
std::optional<AttemptState> attempt_state(std::string_view text) { return find<AttemptState>(attempt_words, text); }
std::optional<ExecutionState> execution_state(std::string_view text) {
  return find<ExecutionState>(execution_words, text);
}
std::vector<std::string_view> job_state_names() { return {job_words.begin(), job_words.end()}; }
std::vector<std::string_view> attempt_state_names() { return {attempt_words.begin(), attempt_words.end()}; }
std::vector<std::string_view> execution_state_names() { return {execution_words.begin(), execution_words.end()}; }

bool settled(JobState state) { return state >= JobState::succeeded; }
bool settled(AttemptState state) { return state >= AttemptState::succeeded; }
bool settled(ExecutionState state) { return state >= ExecutionState::succeeded; }

Contract contract_of(const JobSpec& job, bool bound, int lost_after_s) {
  Contract out;
  out.lost_after_s = job.offline.lost_after_s;
  if (!out.lost_after_s && !bound) out.lost_after_s = lost_after_s;
  out.stop_after_s = job.offline.stop_after_s;
  // Work that is bound to a device has nowhere else to go: if it is tried again, then on that device.
  out.replace = job.offline.replace.value_or(!at_most_once(job));
  out.restart_on_reboot = job.offline.restart_on_reboot;
  if (job.offline.stage_s) out.start_at_ms = job.start_at_ms;
  return out;
}

}  // namespace fieldwork
