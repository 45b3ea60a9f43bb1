// Finds the devices that match an expression without looking at each of them.
//
// Of each text value there is a sorted list of the devices that have it; numbers and words stand in columns, one per
// attribute, which are scanned: they change with each heartbeat. From both, candidates() makes a list that holds every
// device that matches; each of them is then evaluated exactly. An expression that most devices match is evaluated for
// all devices.
//
// Memory: about 200 bytes per device for the columns, and 4 bytes per text value and device.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "fleet/expression.hpp"

namespace fieldwork::fleet {

class Index {
 public:
  // Adds the device, or takes up its new values. It must stay where it is until the next put() of its id or erase().
  void put(const Device& device);
  // Takes up new numbers and words of a device that is here and whose texts did not change: after a heartbeat.
  void measured(const Device& device);
  void erase(const DeviceId& device);

  // By id, those behind `after`, at most `limit`.
  [[nodiscard]] std::vector<const Device*> find(const Expression& expression, const DeviceId& after = {},
                                                std::size_t limit = SIZE_MAX) const;
  [[nodiscard]] std::size_t size() const { return numbers_.size(); }

 private:
  using Number = std::uint32_t;  // of a device, by which columns and lists name it
  using Lists = std::map<std::string, std::vector<Number>>;
  struct Entry {
    const Device* device = nullptr;  // none: the number is free
    std::vector<Lists::iterator> lists;
  };

  void link(Number number);
  // A list that holds every device for which `node` is true; none: it would hold too many.
  [[nodiscard]] std::optional<std::vector<Number>> candidates(const Node& node) const;
  [[nodiscard]] std::optional<std::vector<Number>> of_all(const Node& node) const;
  [[nodiscard]] std::optional<std::vector<Number>> of_any(const Node& node) const;
  [[nodiscard]] std::optional<std::vector<Number>> of_texts(const Term& term) const;
  [[nodiscard]] std::optional<std::vector<Number>> of_numbers(const Term& term) const;
  [[nodiscard]] std::size_t many() const { return entries_.size() / 4 + 64; }  // beyond this, all are looked at

  std::vector<Entry> entries_;
  std::vector<Number> free_;
  std::unordered_map<DeviceId, Number> numbers_;
  Lists lists_;  // by kind, key and value of a text
  std::vector<std::vector<double>> columns_;
};

}  // namespace fieldwork::fleet
