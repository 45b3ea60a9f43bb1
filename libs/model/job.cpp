#include "model/job.hpp"

#include <array>
#include <utility>

namespace fieldwork {
namespace {

constexpr std::array<std::pair<JobState, std::string_view>, 9> job_states{{
    {JobState::submitted, "submitted"},
    {JobState::queued, "queued"},
    {JobState::assigned, "assigned"},
    {JobState::running, "running"},
    {JobState::succeeded, "succeeded"},
    {JobState::failed, "failed"},
    {JobState::denied, "denied"},
    {JobState::cancelled, "cancelled"},
    {JobState::expired, "expired"},
}};

constexpr std::array<std::pair<AttemptState, std::string_view>, 8> attempt_states{{
    {AttemptState::assigned, "assigned"},
    {AttemptState::accepted, "accepted"},
    {AttemptState::running, "running"},
    {AttemptState::succeeded, "succeeded"},
    {AttemptState::failed, "failed"},
    {AttemptState::cancelled, "cancelled"},
    {AttemptState::refused, "refused"},
    {AttemptState::lost, "lost"},
}};

}  // namespace

std::string_view name(JobState state) { return job_states[static_cast<std::size_t>(state)].second; }
std::string_view name(AttemptState state) { return attempt_states[static_cast<std::size_t>(state)].second; }

std::optional<JobState> job_state(std::string_view text) {
  for (const auto& [state, word] : job_states) {
    if (word == text) return state;
  }
  return std::nullopt;
}

std::optional<AttemptState> attempt_state(std::string_view text) {
  for (const auto& [state, word] : attempt_states) {
    if (word == text) return state;
  }
  return std::nullopt;
}

bool settled(JobState state) { return state >= JobState::succeeded; }
bool settled(AttemptState state) { return state >= AttemptState::succeeded; }

bool may_follow(AttemptState from, AttemptState to) {
  // A live attempt may jump ahead (a report can carry only the last of several changes); nothing follows an end.
  if (from == to) return true;
  if (settled(from)) return false;
  return to > from;
}

}  // namespace fieldwork
