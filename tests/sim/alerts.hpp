// What people are told: compares alerting's rows with the states that they are about, and has a target that takes
// messages.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "alerting/shell/courier.hpp"
#include "checks.hpp"
#include "client.hpp"
#include "world.hpp"

namespace fieldwork::sim {

class Alerts {
 public:
  // The target of the whole fleet.
  [[nodiscard]] static alerting::Target target();
  // Carries messages to it. It takes its time, and while the world is faulty it does not take all of them.
  std::unique_ptr<alerting::Courier> courier(World& world, Party& party, alerting::Courier::Done done);

  // What is not as it must be in the end: an alert that fires and should not, or should and does not, or was not told.
  // Empty: all is well.
  [[nodiscard]] std::string open(const Checks& checks, const std::vector<Wish>& wishes) const;
  [[nodiscard]] static std::string open_of_device(const Checks& checks, const std::string& device);
  void at_the_end() const;
  // Alerting's memory is older now: of what was told since, it cannot tell the end.
  void went_back();

 private:
  class Phone;
  void heard(const alerting::Send& send);

  std::map<std::string, std::pair<alerting::Alert::State, Time>> told_;  // the newest, with its `since`, by alert
  std::set<std::string> sent_;                                           // alerts of messages that left
  std::set<std::string> forgotten_;  // those of which messages had left when its memory went back
  int repeats_ = 0;                  // messages with something that was told before
  int lives_ = 0;                    // lives of alerting
};

}  // namespace fieldwork::sim
