// What people are told: alerting's rows against what they are about, and a target that takes what it says.
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
  // Takes its time, and while the world is faulty not all.
  std::unique_ptr<alerting::Target> target(World& world, Party& party, alerting::Target::Done done);

  // What is not as it must be in the end: what fires that should not, or does not, or was not told. Empty: nothing.
  [[nodiscard]] std::string open(const Checks& checks, const std::vector<Wish>& wishes) const;
  [[nodiscard]] static std::string open_of_device(const Checks& checks, const std::string& device);
  void at_the_end() const;

 private:
  class Phone;
  void heard(const std::string& body);

  std::map<std::string, codec::Json> told_;  // by alert, the newest
  int repeats_ = 0;
  int lives_ = 0;  // of alerting
};

}  // namespace fieldwork::sim
