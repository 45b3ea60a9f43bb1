#include "scheduler/core/fleet/failures.hpp"

#include <algorithm>
#include <charconv>

#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {
namespace {

bool is_share(double value) { return value >= failure_least && value <= 1; }

}  // namespace

Failures::Failures(std::vector<FailureRecord> saved) {
  for (auto& one : saved) {
    Work work = 0;
    std::from_chars(one.work.data(), one.work.data() + one.work.size(), work);
    if (std::to_string(work) != one.work || work == 0 || by_work_.contains(work)) continue;  // not written by this
    std::erase_if(one.failing, [](const auto& there) { return !is_share(there.second); });
    while (one.failing.size() > devices_failing_max) one.failing.erase(one.failing.begin());
    if (one.failing.empty() || by_work_.size() >= works_failing_max) {
      dirty_.insert(work);
      continue;
    }
    by_work_[work] = {std::move(one.failing), order_.insert(order_.end(), work)};
  }
}

void Failures::add(Work work, const DeviceId& device, bool failed) {
  const auto known = by_work_.find(work);
  if (!failed && (known == by_work_.end() || !known->second.failing.contains(device))) return;
  if (work == 0) return;
  dirty_.insert(work);
  auto& here = known != by_work_.end()
                   ? known->second
                   : by_work_.emplace(work, Known{{}, order_.insert(order_.end(), work)}).first->second;
  order_.splice(order_.end(), order_, here.place);
  auto& share = here.failing[device];
  share = (1 - failure_step) * share + (failed ? failure_step : 0);
  if (share < failure_least) here.failing.erase(device);
  if (here.failing.size() > devices_failing_max)  // the least of the others gives way
    here.failing.erase(std::min_element(here.failing.begin(), here.failing.end(), [&](const auto& a, const auto& b) {
      return std::pair(a.first == device, a.second) < std::pair(b.first == device, b.second);
    }));
  if (here.failing.empty()) forget_work(work);
  if (by_work_.size() > works_failing_max) forget_work(order_.front());
}

void Failures::forget_work(Work work) {
  const auto it = by_work_.find(work);
  order_.erase(it->second.place);
  by_work_.erase(it);
  dirty_.insert(work);
}

void Failures::forget(const DeviceId& device) {
  for (auto it = order_.begin(); it != order_.end();) {
    const auto work = *it++;
    auto& failing = by_work_.at(work).failing;
    if (failing.erase(device) == 0) continue;
    dirty_.insert(work);
    if (failing.empty()) forget_work(work);
  }
}

double Failures::failing(Work work, const DeviceId& device) const {
  if (by_work_.empty()) return 0;
  const auto known = by_work_.find(work);
  if (known == by_work_.end()) return 0;
  const auto there = known->second.failing.find(device);
  return there == known->second.failing.end() ? 0 : there->second;
}

std::vector<FailureRecord> Failures::changed(std::size_t most) {
  std::vector<FailureRecord> out;
  while (!dirty_.empty() && out.size() < most) {
    const auto work = dirty_.extract(dirty_.begin()).value();
    const auto known = by_work_.find(work);
    const bool gone = known == by_work_.end();
    out.push_back({std::to_string(work), gone ? Failing{} : known->second.failing, gone});
  }
  return out;
}

}  // namespace fieldwork::scheduler
