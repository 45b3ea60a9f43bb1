// The devices as the scheduler sees them, with indexes that find room without walking all of them.
//
// Devices have dense numbers. Those that may take work stand in orders by free processor and by attempts, overall and
// per label; the orders follow every reservation. A fleet of at most walk_max devices is simply walked.
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
  // By (free processor or attempts, device).
  using Order = std::set<std::pair<std::int64_t, Number>>;

  // For whom a device is kept free.
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
  // The most that any device has of each; all zero when none is known.
  [[nodiscard]] Capacity largest() const;

  // Devices that may take work, for a job with these labels: by free processor, or null when none has them.
  [[nodiscard]] const Order* by_room(const Labels& labels) const;
  [[nodiscard]] const Order& by_attempts() const { return by_attempts_; }
  // That ran this package before, at most 64 of them.
  [[nodiscard]] const std::vector<Number>* with_package(const std::string& digest) const;

  // The registry's word. True when it may let something fit that did not before.
  bool seen(const Device& device);
  void gone(const DeviceId& device);
  // What an attempt or a proposal takes (sign 1) or gives back (-1).
  void reserve(const DeviceId& device, const Requirements& need, int sign);
  void ran(const DeviceId& device, const std::string& package);
  void set_hold(Number number, std::optional<Hold> hold) { entries_[number].hold = std::move(hold); }
  // Everything else of a view; `change` may not touch what is indexed but unplaceable_until.
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
    bool gone = false;     // but a question about it is open
    bool counted = false;  // its capacity is in the largest ones
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
  std::multiset<std::int64_t> cpu_, memory_, disk_;  // capacities
};

}  // namespace fieldwork::scheduler
