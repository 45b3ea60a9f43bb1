// What is due when, of all kinds in one order.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "base/id.hpp"
#include "base/time.hpp"
#include "model/job.hpp"

namespace fieldwork::scheduler {

struct DeadlineDue {
  JobId job;
  auto operator<=>(const DeadlineDue&) const = default;
};
// What an execution waits for: at most one of each.
struct ExecutionDue {
  JobId job;
  int execution = 0;
  auto operator<=>(const ExecutionDue&) const = default;
};
// An unplaceable device may get work again.
struct RestOver {
  DeviceId device;
  auto operator<=>(const RestOver&) const = default;
};
// A settled execution was shown long enough.
struct ShownToTheEnd {
  JobId job;
  int execution = 0;
  auto operator<=>(const ShownToTheEnd&) const = default;
};
// Work that should leave a device is looked at again.
struct SickLook {
  DeviceId device;
  auto operator<=>(const SickLook&) const = default;
};
// The device of a cancelled attempt cannot begin it any more: its report is not waited for.
struct CancelOver {
  AttemptKey key;
  auto operator<=>(const CancelOver&) const = default;
};
// Its program has ended by now, though the device has not said so.
struct RoomBack {
  DeviceId device;
  AttemptKey key;
  auto operator<=>(const RoomBack&) const = default;
};
using Timer = std::variant<DeadlineDue, ExecutionDue, RestOver, ShownToTheEnd, CancelOver, RoomBack, SickLook>;

class Timers {
 public:
  // False: it is there already.
  bool set(Time at, Timer what) {
    const auto kind = what.index();
    const bool fresh = all_.emplace(at, std::move(what)).second;
    counts_[kind] += fresh ? 1 : 0;
    return fresh;
  }
  void clear(Time at, const Timer& what) { counts_[what.index()] -= all_.erase({at, what}); }
  // Takes out the first that is due.
  std::optional<std::pair<Time, Timer>> pop(Time now) {
    if (all_.empty() || all_.begin()->first > now) return std::nullopt;
    auto node = all_.extract(all_.begin());
    --counts_[node.value().second.index()];
    return std::move(node.value());
  }
  template <class Kind, class Visit>
  void each(Visit visit) const {
    for (const auto& [at, what] : all_) {
      if (const auto* one = std::get_if<Kind>(&what)) visit(*one);
    }
  }
  template <class Kind>
  [[nodiscard]] std::size_t count() const {
    return counts_[Timer(Kind{}).index()];
  }

 private:
  std::set<std::pair<Time, Timer>> all_;
  std::array<std::size_t, std::variant_size_v<Timer>> counts_{};
};

}  // namespace fieldwork::scheduler
