// What goes wrong with the parties themselves, beyond the faults of the bus and the disks: memory that goes back,
// copied devices, wrong clocks. All of it stops when the faults stop.
#pragma once

#include "fleet.hpp"

namespace fieldwork::sim {

struct Upset {
  // Average intervals while the world is faulty; zero: never.
  Duration store_back_every{0};    // the database becomes an older copy of itself
  Duration store_new_every{0};     // or an empty one
  bool of_all = false;             // all services' database; else the scheduler's alone
  Duration journal_back_every{0};  // a device's journal becomes an older copy of itself
  Duration journal_new_every{0};   // or an empty one, begun by an earlier clock
  Duration clock_jump_every{0};    // the clock of a device jumps
  Duration away_every{0};          // a device has no power for a while, longer than it takes to be lost
  Duration press_every{0};         // a device has hardly any memory left for a while
  bool twin = false;               // the last device's disk is copied and comes up elsewhere, for a while
};

class Upsets {
 public:
  Upsets(World& world, Fleet& fleet, Upset kind, Duration end);
  void start();

 private:
  struct Copy {
    store::MemoryStore disk;
    Checks::Disk checked;
  };
  using Parties = std::vector<Party*>;  // parties that share a disk
  void copy(const Parties& parties);
  void set_back(const Parties& parties, bool anew);
  [[nodiscard]] Parties database();
  Party& any_device();

  World& world_;
  Fleet& fleet_;
  Upset kind_;
  Duration end_;
  // By the name of the first of the parties. The newest copy is the last; a copy has one member per party.
  std::map<std::string, std::vector<std::vector<Copy>>> copies_;
};

}  // namespace fieldwork::sim
