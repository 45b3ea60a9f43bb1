// Messages between the executions of a job (docs/decisions/0025): passed on to those that run now, kept nowhere.
#include <algorithm>

#include "scheduler/core/scheduler.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

// A device that keeps to limits.messages_per_s never meets this: two seconds' worth may arrive at once.
bool may_say(Live& live, std::size_t lines, int per_s, Time now) {
  if (now >= live.said_since + seconds{1}) {
    live.said_since = now;
    live.said = 0;
  }
  live.said += static_cast<int>(lines);
  return live.said <= 2 * per_s;
}

}  // namespace

void Scheduler::on(const LinesSaid& input, Time now, Output& out) {
  if (now >= lines_since_ + seconds{1}) {
    lines_since_ = now;
    lines_ = 0;
  }
  for (const auto& item : input.items) {
    Job* job = nullptr;
    auto* execution = find(item.key, job);
    const bool current = execution != nullptr && execution->is<Live>() && execution->attempt->key == item.key &&
                         execution->attempt->device == input.device;
    const auto per_s = current ? job->spec->limits.messages_per_s : 0;
    if (per_s == 0 || !may_say(std::get<Live>(execution->phase), item.lines.size(), per_s, now)) {
      out.lines_dropped += item.lines.size();
      continue;
    }
    for (const auto& other : job->executions) {
      if (other.index == execution->index || !other.is<Live>() || other.attempt->reported != AttemptState::running)
        continue;
      lines_ += item.lines.size();
      if (lines_ > lines_per_s_max) {
        out.lines_dropped += item.lines.size();
        continue;
      }
      out.lines.push_back({other.attempt->device, other.attempt->key, execution->index, item.lines});
    }
  }
}

}  // namespace fieldwork::scheduler
