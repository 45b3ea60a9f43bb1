// The devices as the scheduler sees them, with indexes that find a device with room without a walk over the whole
// fleet.
//
// Devices have dense numbers. Ready devices stand in orders: by free processor (overall and per label), and by number
// of attempts (overall). Every reservation updates the orders. A fleet of at most walk_max devices is walked instead.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/core/state.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {

class Fleet {
 public:
  using Number = std::uint32_t;
  // Sorted by (free processor in thousandths of a core, or number of attempts; device number).
  using Order = std::set<std::pair<std::int64_t, Number>>;

  // The execution that a device is kept free for.
  struct Hold {
    JobId job;
    int execution = 0;
    bool operator==(const Hold&) const = default;
  };

  [[nodiscard]] const DeviceView* find(const DeviceId& device) const;
  [[nodiscard]] const DeviceView& view(Number number) const { return entries_[number].view; }
  [[nodiscard]] const std::optional<Hold>& hold(Number number) const { return entries_[number].hold; }
  [[nodiscard]] std::optional<Number> number_of(const DeviceId& device) const;
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }
  [[nodiscard]] const std::unordered_map<DeviceId, Number>& all() const { return numbers_; }
  // The largest capacity of each kind that any device has; all zero while no device is known.
  [[nodiscard]] Capacity largest() const;

  // Ready devices by free processor: those that have the rarest of these labels, or all when `labels` is empty. Null:
  // no ready device has one of the labels.
  [[nodiscard]] const Order* by_room(const Labels& labels) const;
  [[nodiscard]] const Order& by_attempts() const { return by_attempts_; }
  // Devices that ran this package, at most devices_per_package_max of them, the newest last. Null: none.
  [[nodiscard]] const std::vector<Number>* with_package(const std::string& digest) const;

  // What the registry says of a device. True: an execution may fit now that did not fit before.
  bool seen(const Device& device);
  void gone(const DeviceId& device);
  // Takes (sign 1) or gives back (sign -1) the room of an attempt or of a proposal.
  void reserve(const DeviceId& device, const Requirements& need, int sign);
  void ran(const DeviceId& device, const std::string& package);
  void set_hold(Number number, std::optional<Hold> hold) { entries_[number].hold = std::move(hold); }
  // Changes a view and keeps the orders up to date; `change` must leave id, capacity and packages alone.
  template <class Change>
  void update(const DeviceId& device, Change change) {
    const auto number = make(device);
    unlist(number);
    change(entries_[number].view);
    list(number);
  }

 private:
  struct Entry {
    DeviceView view;
    std::optional<Hold> hold;
    bool listed = false;
    bool gone = false;     // the registry removed the device, but an open question reserves room on it
    bool counted = false;  // cpu_, memory_ and disk_ contain its capacity
  };
  Number make(const DeviceId& device);
  void list(Number number);
  void unlist(Number number);
  void count(Number number, bool in);
  [[nodiscard]] static std::string label_key(const std::string& key, const std::string& value);

  std::unordered_map<DeviceId, Number> numbers_;
  std::vector<Entry> entries_;
  std::vector<Number> free_;  // numbers of devices that are gone
  Order by_room_;
  Order by_attempts_;
  std::unordered_map<std::string, Order> by_label_;
  std::unordered_map<std::string, std::vector<Number>> by_package_;
  std::multiset<std::int64_t> cpu_, memory_, disk_;  // capacities of all known devices
};

}  // namespace fieldwork::scheduler
