// What people are told: compares alerting's rows with the states that they are about, and has a target that takes
// notifications.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "alerting/shell/target.hpp"
#include "checks.hpp"
#include "client.hpp"
#include "world.hpp"

namespace fieldwork::sim {

class Alerts {
 public:
  // A target for notifications. It takes its time, and while the world is faulty it does not take all of them.
  std::unique_ptr<alerting::Target> target(World& world, Party& party, alerting::Target::Done done);

  // What is not as it must be in the end: an alert that fires and should not, or should and does not, or was not told.
  // Empty: all is well.
  [[nodiscard]] std::string open(const Checks& checks, const std::vector<Wish>& wishes) const;
  [[nodiscard]] static std::string open_of_device(const Checks& checks, const std::string& device);
  void at_the_end() const;

 private:
  class Phone;
  void heard(const std::string& body);

  std::map<std::string, codec::Json> told_;  // the newest notification, by alert
  int repeats_ = 0;
  int lives_ = 0;  // lives of alerting
};

}  // namespace fieldwork::sim
