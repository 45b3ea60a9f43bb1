// What a plan has given out, over a fleet that it leaves as it is.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/core/fleet/fleet.hpp"
#include "scheduler/limits.hpp"

namespace fieldwork::scheduler {

class Overlay {
 public:
  explicit Overlay(const Fleet& fleet) : fleet_(fleet), slots_(fleet.numbers(), 0) {}

  [[nodiscard]] const Fleet& fleet() const { return fleet_; }
  [[nodiscard]] const Use& used(Fleet::Number number) const {
    return slots_[number] == 0 ? fleet_.view(number).used : changed_[slots_[number] - 1].used;
  }
  // The place in log() behind the newest use of the device; 0: the plan has not used it.
  [[nodiscard]] std::size_t changed_at(Fleet::Number number) const {
    return slots_[number] == 0 ? 0 : changed_[slots_[number] - 1].at;
  }
  // The devices that the plan has used, in this order.
  [[nodiscard]] const std::vector<Fleet::Number>& log() const { return log_; }

  // Devices that match, the first sampled_max by id: asked of the fleet once for each text.
  [[nodiscard]] const std::vector<Fleet::Number>& matching(const std::string& text,
                                                           const fleet::Expression& where) const {
    const auto [it, fresh] = matching_.try_emplace(text);
    if (!fresh) return it->second;
    for (const auto* device : fleet_.matching(where)) {
      if (it->second.size() >= sampled_max) break;
      it->second.push_back(*fleet_.number_of(device->id));
    }
    return it->second;
  }

  // These devices as they are now.
  [[nodiscard]] const Order& order() const { return order_; }

  void reserve(Fleet::Number number, const Requirements& need) {
    log_.push_back(number);
    const auto& view = fleet_.view(number);
    auto& slot = slots_[number];
    if (slot == 0) {
      changed_.push_back({view.used, 0, {}});
      slot = static_cast<std::uint32_t>(changed_.size());
    }
    auto& one = changed_[slot - 1];
    if (one.at > 0) order_.erase(one.place, number);
    one.used.add(need);
    one.at = log_.size();
    one.place = fleet_.place_of(view.device, one.used);
    order_.insert(one.place, number);
  }

 private:
  struct Changed {
    Use used;
    std::size_t at = 0;
    Order::Place place;
  };
  const Fleet& fleet_;
  std::vector<std::uint32_t> slots_;  // by device: 1 + its place in changed_; 0: it has none
  std::vector<Changed> changed_;
  std::vector<Fleet::Number> log_;
  Order order_;
  mutable std::unordered_map<std::string, std::vector<Fleet::Number>> matching_;  // by text of the expression
};

}  // namespace fieldwork::scheduler
