// What a scenario is made of: one conversation of a small fleet, written down message by message.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "fleet.hpp"

namespace fieldwork::sim {

// One conversation from the start of all parties to when nobody owes anybody anything.
struct Talk {
  explicit Talk(int devices, std::vector<std::pair<std::string, std::size_t>> packages = {});

  Wish& wish(std::string command);
  // The first message like this makes `then` happen, in the same moment.
  void when(std::string topic, std::string text, std::function<void()> then);
  void cut_link(Party& party, Duration lasts);
  // The device that has work. There must be one.
  [[nodiscard]] Party& working();
  // `said`: what the conversation is about, in this sequence. `never`: what must not be said in it.
  std::string run(const std::vector<std::string>& said, const std::vector<std::string>& never = {});

  struct Trigger {
    std::string topic, text;
    std::function<void()> then;
  };
  bool routine = false;  // also write down what only says that a device lives
  const Supplies supplies;
  World world;
  Fleet fleet;
  std::vector<Trigger> triggers;

 private:
  void listen();
  // Looks how many of `said` were said, in this sequence; true: all.
  bool is_said(const std::vector<std::string>& said);
  std::string trace_;
  std::size_t said_ = 0;       // so many were said
  std::size_t looked_at_ = 0;  // so much of the trace was searched for them
};

struct Scenario {
  const char* name;
  std::string (*run)();
};

[[nodiscard]] std::vector<Scenario> scenarios_of_work();      // what a job may be, and how it may end
[[nodiscard]] std::vector<Scenario> scenarios_of_failures();  // what goes wrong around a job

}  // namespace fieldwork::sim
