// Room for who fits nowhere: by preemption, or by a reservation.
#include <algorithm>
#include <bit>

#include "scheduler/core/plan/plan.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

struct Victim {
  AttemptKey key;
  const Requirements* need = nullptr;
  Duration ran{};
};
using Victims = std::vector<Victim>;

// Calls visit(spec, execution) for each attempt on the device that is its execution's newest.
template <class Visit>
void each_attempt(const Snapshot& from, const DeviceId& device, Visit visit) {
  const auto there = from.on_device.find(device);
  if (there == from.on_device.end()) return;
  for (const auto& key : there->second) {
    const auto* job = from.jobs.find(key.job);
    if (job == nullptr) continue;
    const auto& execution = job->executions[static_cast<std::size_t>(key.execution)];
    if (execution.attempt && execution.attempt->key == key) visit(*job->spec, execution);
  }
}

// Attempts on the device that a job of this class may preempt, the shortest run first.
Victims victims_on(const Snapshot& from, const DeviceId& device, PriorityClass of, Time now) {
  Victims out;
  each_attempt(from, device, [&](const JobSpec& spec, const Execution& execution) {
    if (class_of(spec.priority) >= of || !may_be_preempted(spec)) return;
    const auto& attempt = *execution.attempt;
    if (execution.is<Live>() && !is_told_to_end(attempt) && attempt.state != AttemptState::unreachable &&
        execution.preempted < from.limits.preempted_max)
      out.push_back({attempt.key, &spec.requirements, ran_for(execution, now)});
  });
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return std::tie(a.ran, a.key) < std::tie(b.ran, b.key); });
  return out;
}

// What attempts use that were told to make room there.
Use used_by_ending(const Snapshot& from, const DeviceId& device) {
  Use out;
  each_attempt(from, device, [&](const JobSpec& spec, const Execution& execution) {
    if (is_told_to_end(*execution.attempt)) out.add(spec.requirements);
  });
  if (const auto there = from.leaving.find(device); there != from.leaving.end()) {
    for (const auto& [key, one] : there->second) out.add(one.load.need);
  }
  return out;
}

// The places in `all` of the victims without which the job has room on the device: the cheapest set where there are few
// to choose from, else the first that suffice, without those that are not needed after all. Empty: not even all
// suffice.
std::vector<std::size_t> enough(const Victims& all, const Want& want, const DeviceView& view, const Use& used,
                                const Limits& limits) {
  std::vector<std::size_t> out;
  if (all.size() <= subsets_of_max) {
    std::optional<std::pair<Duration, int>> least;
    unsigned best = 0;
    for (unsigned set = 1; set < (1U << all.size()); ++set) {
      std::pair<Duration, int> loss{{}, std::popcount(set)};
      auto left = used;
      for (std::size_t i = 0; i < all.size(); ++i) {
        if ((set >> i & 1U) == 0) continue;
        loss.first += all[i].ran;
        left.add(*all[i].need, -1);
      }
      if ((least && *least <= loss) || !has_room(want, view, left, limits)) continue;
      least = loss;
      best = set;
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      if ((best >> i & 1U) != 0) out.push_back(i);
    }
    return out;
  }
  auto left = used;
  for (std::size_t i = 0; i < all.size() && (i == 0 || !has_room(want, view, left, limits)); ++i) {
    left.add(*all[i].need, -1);
    out.push_back(i);
  }
  if (!has_room(want, view, left, limits)) return {};
  for (auto i = out.size(); i-- > 0 && out.size() > 1;) {
    auto with = left;
    with.add(*all[out[i]].need);
    if (!has_room(want, view, with, limits)) continue;
    left = with;
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return out;
}

std::size_t endings(const Snapshot& from) {
  return static_cast<std::size_t>(
      std::count_if(from.holds.begin(), from.holds.end(), [&](const auto& one) { return is_ending(from, one.first); }));
}

bool is_for(const Fleet::Hold& hold, const Waiter& who) {
  return hold.lane == who.lane && hold.job == who.job && hold.execution == who.execution;
}

// Looks for the device where a waiter loses others least.
class Weighing {
 public:
  Weighing(const Snapshot& from, const Overlay& overlay, const Waiter& who, const Given& given, Time now)
      : from_(from),
        overlay_(overlay),
        who_(who),
        given_(given),
        now_(now),
        job_(from.jobs.at(who.job)),
        of_(class_of(job_.spec->priority)),
        want_(want_of(job_, job_.executions[static_cast<std::size_t>(who.execution)], now)) {}

  std::optional<Preempt> run() {
    if (!want_.target.empty()) {
      if (const auto number = from_.fleet.number_of(want_.target)) weigh(*number);
      return std::move(best_);
    }
    const auto* ready = from_.fleet.ready(want_.spec.requirements.labels);
    if (ready == nullptr) return std::nullopt;
    std::size_t walked = 0;
    for (Order::Walk walk(*ready, 0); !walk.over() && weighed_ < weighed_max && walked < walked_max; walk.next()) {
      weigh(walk.number());
      ++walked;
    }
    return std::move(best_);
  }

 private:
  // What is held for another stays its own, but a reservation gives way.
  bool is_kept(Fleet::Number number, Want& want) const {
    const auto hold = from_.holds.find(number);
    if (hold == from_.holds.end()) return false;
    want.lane = hold->second.lane;
    if (hold->second.lane == who_.lane) return is_ending(from_, number);
    return !gives_way(from_, number, of_);
  }

  void weigh(Fleet::Number number) {
    const auto& view = from_.fleet.view(number);
    const auto& used = overlay_.used(number);
    auto least = used;
    for (std::size_t below = 0; below < static_cast<std::size_t>(of_); ++below) least.remove(view.preemptible[below]);
    if (least == used || given_.promised.contains(number) || given_.has(who_.job, number) ||
        given_.has_neighbour(*job_.spec, number))
      return;
    auto want = want_;
    if (is_kept(number, want) || !fits(want, from_.fleet, number, least, from_.limits)) return;
    if (has_room(want, view, used, from_.limits)) return;  // nobody need end for that
    ++weighed_;
    auto left = used;
    left.remove(used_by_ending(from_, view.device.id));
    const auto all = victims_on(from_, view.device.id, of_, now_);
    std::vector<std::size_t> some;
    if (!has_room(want, view, left, from_.limits)) {
      some = enough(all, want, view, left, from_.limits);
      if (some.empty()) return;
    }
    Preempt made{.who = who_, .number = number};
    for (const auto i : some) {
      made.victims.push_back(all[i].key);
      made.lost += all[i].ran;
    }
    const auto rank = [&](const Preempt& one) {
      return std::tuple(one.lost, one.victims.size(), from_.fleet.view(one.number).device.id);
    };
    if (!best_ || rank(made) < rank(*best_)) best_ = std::move(made);
  }

  const Snapshot& from_;
  const Overlay& overlay_;
  Waiter who_;
  const Given& given_;
  Time now_;
  const Job& job_;
  PriorityClass of_;
  Want want_;
  std::size_t weighed_ = 0;
  std::optional<Preempt> best_;
};

}  // namespace

bool is_ending(const Snapshot& from, Fleet::Number number) {
  const auto& device = from.fleet.view(number).device;
  return gets_work(device) && used_by_ending(from, device.id).attempts > 0;
}

bool is_for_lower(const Snapshot& from, const Fleet::Hold& hold, PriorityClass of) {
  const auto* holder = from.jobs.find(hold.job);
  return holder == nullptr || class_of(holder->spec->priority) < of;
}

bool gives_way(const Snapshot& from, Fleet::Number number, PriorityClass of) {
  const auto hold = from.holds.find(number);
  return hold != from.holds.end() && is_for_lower(from, hold->second, of) && !is_ending(from, number);
}

std::optional<Fleet::Number> makes_room(const Snapshot& from, const JobId& job, int execution) {
  for (const auto& [number, hold] : from.holds) {
    if (hold.job != job || hold.execution != execution || !is_ending(from, number)) continue;
    const auto& device = from.fleet.view(number).device.id;
    bool preempted = from.leaving.contains(device);
    each_attempt(from, device, [&](const JobSpec&, const Execution& one) {
      preempted = preempted || !one.attempt->preempted_by.empty();
    });
    if (preempted) return number;
  }
  return std::nullopt;
}

std::optional<Preempt> preempt(const Snapshot& from, const Overlay& overlay, const Waiter& who, const Given& given,
                               Time now) {
  const auto& job = from.jobs.at(who.job);
  if (!job.authorised || !from.fleet.may_preempt(class_of(job.spec->priority))) return std::nullopt;
  if (endings(from) + given.promised.size() >= from.limits.holds_max) return std::nullopt;
  return Weighing(from, overlay, who, given, now).run();
}

std::vector<Preempt> preempt_for_lane(const Snapshot& from, const Overlay& overlay, Queue::Lane lane,
                                      std::set<QueueEntry>::const_iterator first, Given& given, Time now) {
  std::vector<Preempt> out;
  // Whoever stands first takes the room that is being made for one of the lane.
  auto covered = std::count_if(from.holds.begin(), from.holds.end(), [&](const auto& one) {
    return one.second.lane == lane && is_ending(from, one.first) && overlay.changed_at(one.first) == 0;
  });
  const auto& entries = from.queue.lane(lane).entries;
  std::size_t count = 0;
  for (auto it = first; it != entries.end() && count < preempts_of_lane_max; ++it, ++count) {
    if (covered > 0) {
      --covered;
      continue;
    }
    const Waiter who{lane, it->job, it->execution};
    auto found = preempt(from, overlay, who, given, now);
    if (!found) break;
    given.promised.insert(found->number);
    given.to_job[it->job].insert(found->number);
    out.push_back(std::move(*found));
  }
  return out;
}

std::vector<Preempt> preempt_for_sleepers(const Snapshot& from, Time now) {
  std::vector<Preempt> out;
  if (!from.fleet.may_preempt(PriorityClass::high)) return out;
  const Overlay overlay(from.fleet);
  Given given;
  auto heads = from.queue.sleeping(stuck_max);
  std::stable_sort(heads.begin(), heads.end(), [&](const auto& one, const auto& other) {
    const auto of = [&](const auto& head) { return class_of(from.queue.lane(head.lane).shape.priority); };
    return of(one) > of(other);
  });
  for (const auto& head : heads) {
    const auto first = from.queue.lane(head.lane).entries.begin();
    for (auto& found : preempt_for_lane(from, overlay, head.lane, first, given, now)) out.push_back(std::move(found));
  }
  return out;
}

bool is_idle(const Snapshot& from, Fleet::Number number, const Fleet::Hold& hold, Time now) {
  if (is_ending(from, number)) return false;
  const auto* job = from.jobs.find(hold.job);
  if (job == nullptr) return true;
  auto want = want_of(*job, job->executions[static_cast<std::size_t>(hold.execution)], now);
  want.lane = hold.lane;
  return !fits(want, from.fleet, number, Use{}, from.limits);
}

std::vector<Reservation> reserve(const Snapshot& from, Time now) {
  std::vector<Reservation> out;
  std::set<Fleet::Number> taken;
  const auto kept = from.holds.size() - endings(from);
  for (const auto& head : from.queue.sleeping(from.limits.holds_max)) {
    if (kept + out.size() >= from.limits.holds_max) break;
    const auto& job = from.jobs.at(head.entry.job);
    const auto& execution = job.executions[static_cast<std::size_t>(head.entry.execution)];
    const Waiter who{head.lane, job.id, execution.index};
    const bool has_one =
        std::any_of(from.holds.begin(), from.holds.end(), [&](const auto& one) { return is_for(one.second, who); });
    if (has_one || std::get<Queued>(execution.phase).since + from.limits.hold_after > now) continue;
    const auto want = want_of(job, execution, now);
    std::optional<Fleet::Number> best;
    std::int64_t most = 0;
    const auto look = [&](Fleet::Number number) {
      if (from.holds.contains(number) || taken.contains(number)) return;
      if (!fits(want, from.fleet, number, Use{}, from.limits)) return;
      const auto& view = from.fleet.view(number);
      const auto room = view.device.about.capacity.cpu_millis - view.used.cpu_millis;
      if (best && (room < most || (room == most && from.fleet.view(*best).device.id < view.device.id))) return;
      best = number;
      most = room;
    };
    if (const auto* ready = from.fleet.ready(want.spec.requirements.labels); ready != nullptr && want.target.empty()) {
      std::size_t walked = 0;
      for (Order::Walk walk(*ready, 0); !walk.over() && walked < walked_max; walk.next(), ++walked) look(walk.number());
    } else if (const auto number = from.fleet.number_of(want.target)) {
      look(*number);
    }
    if (!best) continue;
    taken.insert(*best);
    out.push_back({who, *best});
  }
  return out;
}

}  // namespace fieldwork::scheduler
