// What goes wrong with the parties themselves, beyond the bus and the disks' moods: memory that goes back, copied
// devices, wrong clocks. All of it stops when the faults stop.
#pragma once

#include "fleet.hpp"

namespace fieldwork::sim {

struct Upset {
  // On average, while the world is faulty; zero: never.
  Duration store_back_every{0};    // the scheduler's database becomes an older copy of itself
  Duration store_new_every{0};     // or an empty one
  Duration journal_back_every{0};  // a device's journal
  Duration journal_new_every{0};   // by an earlier clock
  Duration clock_jump_every{0};    // of a device
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
  void copy(Party& party);
  void set_back(Party& party, bool anew);
  Party& any_device();

  World& world_;
  Fleet& fleet_;
  Upset kind_;
  Duration end_;
  std::map<std::string, std::vector<Copy>> copies_;  // by party, the newest last
};

}  // namespace fieldwork::sim
