// The devices as the scheduler sees them, with indexes that find a device with room without a walk over the whole
// fleet.
//
// Devices have dense numbers. Ready devices stand in orders, overall and per label. Every reservation updates the
// orders.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "fleet/index.hpp"
#include "model/package.hpp"
#include "scheduler/core/fleet/failures.hpp"
#include "scheduler/core/fleet/order.hpp"
#include "scheduler/core/model/state.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {

// The parts of a device's score that no job's wants change: 0 to their weights (plan/placement.hpp).
struct Merit {
  double health = 0, link = 0, spread = 0;
};
[[nodiscard]] Merit merit_of(const Device& device, int attempts, const Weights& weights, int attempts_per_device_max);

// A number for each architecture that was heard of; 0: none was said.
using Architecture = std::uint32_t;

struct Variant {
  Architecture architecture = 0;  // 0: it is for any
  std::string digest;
  bool operator==(const Variant&) const = default;
};

// What is known of a package.
struct Content {
  std::int64_t size_bytes = 0;
  std::string name{};
  std::vector<PackageName> names{};
  std::string architecture{};
  Capacity needs{};
  // The fleet fills these in. The package itself, and those of its names that stand for it on other architectures.
  std::vector<Variant> variants{};
  Capacity needs_most{};  // of all variants
  bool removed = false;   // transfer has it no more; a job may still name it

  // Which of them a device of that architecture gets; null: there is none for it.
  [[nodiscard]] const std::string* for_architecture(Architecture one) const {
    for (const auto& variant : variants) {
      if (variant.architecture == 0 || variant.architecture == one) return &variant.digest;
    }
    return nullptr;
  }
};

class Fleet {
 public:
  using Number = Order::Number;

  explicit Fleet(const Limits& limits = {}, std::vector<FailureRecord> failures = {})
      : weights_(limits.weights),
        attempts_per_device_max_(limits.attempts_per_device_max),
        failures_(std::move(failures)) {}

  // What a device is kept free for: whoever stands first in the lane may use it, the hold ends with its execution.
  struct Hold {
    std::uint64_t lane = 0;
    JobId job;
    int execution = 0;
    bool operator==(const Hold&) const = default;
  };
  // What an attempt, or a proposal, takes.
  struct Load {
    Requirements need{};
    PriorityClass of = PriorityClass::normal;
    bool preemptible = false;
    std::string name{};  // of its job
  };

  [[nodiscard]] const DeviceView* find(const DeviceId& device) const;
  [[nodiscard]] const DeviceView& view(Number number) const { return entries_[number].view; }
  [[nodiscard]] Architecture architecture(Number number) const { return entries_[number].architecture; }
  [[nodiscard]] const std::optional<Hold>& hold(Number number) const { return entries_[number].hold; }
  [[nodiscard]] std::optional<Number> number_of(const DeviceId& device) const;
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }
  [[nodiscard]] std::size_t numbers() const { return entries_.size(); }  // all device numbers are below it
  [[nodiscard]] const std::unordered_map<DeviceId, Number>& all() const { return numbers_; }
  // The largest capacity of each kind that any device has; all zero while no device is known.
  [[nodiscard]] Capacity largest() const;
  // The sum over all devices.
  [[nodiscard]] const Capacity& capacity() const { return total_; }
  // Whether work of a lower class runs anywhere that may be preempted.
  [[nodiscard]] bool may_preempt(PriorityClass of) const;
  // Devices that match, ready or not.
  [[nodiscard]] std::vector<const Device*> matching(const fleet::Expression& where) const { return index_.find(where); }

  // Ready devices: those that have the rarest of these labels, or all when `labels` is empty. Null: no ready device has
  // one of the labels.
  [[nodiscard]] const Order* ready(const Labels& labels) const;
  // Of these, devices with this value of the label. Null: there is none.
  [[nodiscard]] const Order* ready(const Labels& labels, const std::string& key, const std::string& value) const;
  // The values that ready devices have of a label. Null: none has it.
  using ByValue = std::map<std::string, Order>;
  [[nodiscard]] const ByValue* values_of(const std::string& label) const;
  // Devices that have an attempt, or a proposal, of a job of this name. Null: none has.
  using Counted = std::map<Number, int>;
  [[nodiscard]] const Counted* with_job(const std::string& name) const;
  [[nodiscard]] bool has_job(Number number, const std::string& name) const {
    const auto* there = with_job(name);
    return there != nullptr && there->contains(number);
  }
  // The score there, with `used` taken, of an execution that wants nearly nothing.
  [[nodiscard]] double potential(const Device& device, const Use& used) const;
  [[nodiscard]] Order::Place place_of(const Device& device, const Use& used) const {
    return {Order::bucket(device.about.capacity.cpu_millis - used.cpu_millis), potential(device, used)};
  }
  // Devices that ran this package, at most devices_per_package_max of them, the newest last. Null: none.
  [[nodiscard]] const std::vector<Number>* with_package(const std::string& digest) const;

  [[nodiscard]] const Failures& failures() const { return failures_; }
  [[nodiscard]] Failures& failures() { return failures_; }

  // Null: nothing is known of it. What is known stays where it is, and follows what is heard, until forget_removed().
  [[nodiscard]] const Content* content(const std::string& digest) const;
  // The packages of its name, this one too, as they became known, at most versions_max.
  [[nodiscard]] const std::vector<std::string>& versions_of(const Content& content) const;

  // This package and all that share a NAME@VERSION with it.
  [[nodiscard]] std::set<std::string> named_alike(const std::string& digest) const;

  // What the registry says of a device. True: an execution may fit now that did not fit before.
  bool seen(const Device& device);
  void gone(const DeviceId& device);
  // Takes (sign 1) or gives back (sign -1) the room of an attempt or of a proposal.
  void reserve(const DeviceId& device, const Load& load, int sign);
  void ran(const DeviceId& device, const std::string& package);
  void evicted(const DeviceId& device, const std::string& package);
  // True: a package that was known has other variants now.
  bool released(const std::string& digest, Content content);
  // It stands for no other package any more, and stays for the jobs that name it.
  void removed(const std::string& digest);
  // Forgets the removed ones but these.
  void forget_removed(const std::set<const Content*>& named);
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
  Weights weights_;
  int attempts_per_device_max_;
  struct Entry {
    DeviceView view;
    std::optional<Hold> hold;
    std::optional<Order::Place> listed;
    Architecture architecture = 0;
    bool gone = false;     // the registry removed the device, but an open question reserves room on it
    bool counted = false;  // cpu_, memory_ and disk_ contain its capacity
  };
  Number make(const DeviceId& device);
  Architecture number_of_architecture(std::string_view word);
  bool find_variants(const std::string& digest);
  void unname(const std::string& digest);
  [[nodiscard]] const Order* with_label(const std::string& key, const std::string& value) const;
  void list(Number number);
  void unlist(Number number);
  void count(Number number, bool in);

  std::unordered_map<DeviceId, Number> numbers_;
  std::deque<Entry> entries_;  // the index points to their devices
  std::vector<Number> free_;   // numbers of devices that are gone
  Order ready_;
  std::unordered_map<std::string, ByValue> by_label_;
  std::unordered_map<std::string, Counted> by_job_;  // by its name
  std::unordered_map<std::string, std::vector<Number>> by_package_;
  std::unordered_map<std::string, Content> contents_;
  std::unordered_map<std::string, std::vector<std::string>> versions_;  // digests, by name
  std::map<PackageName, std::vector<std::string>> named_;               // digests
  std::set<std::string> removed_;                                       // digests
  std::map<std::string, Architecture, std::less<>> architectures_;
  std::multiset<std::int64_t> cpu_, memory_, disk_;  // capacities of all known devices
  Capacity total_;
  std::array<int, 2> preemptible_{};  // attempts of the classes low and normal
  fleet::Index index_;
  Failures failures_;
};

}  // namespace fieldwork::scheduler
