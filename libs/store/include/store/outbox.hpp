// Commands that must arrive: kept with the state that ordered them, repeated until someone settles them by key.
// Pure: the caller commits the changes and publishes what is due.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"
#include "store/store.hpp"

namespace fieldwork::store {

struct Command {
  std::string key;    // names the command, e.g. assign:job:0:1
  std::string topic;  // items of one topic travel together
  std::string item;   // JSON object
};

class Outbox {
 public:
  struct Limits {
    Duration first_repeat = seconds{2};
    Duration last_repeat = seconds{60};  // doubles up to this
  };
  explicit Outbox(Limits limits) : limits_(limits) {}
  Outbox() : Outbox(Limits{}) {}

  // From the table `outbox`, after a restart: everything is due at once.
  Result<void> load(Store& store, Time now);

  void put(Command command, Time now, std::vector<Change>& changes);
  void settle(const std::string& key, std::vector<Change>& changes);

  // What to send now; each is due again after its repeat interval.
  [[nodiscard]] std::vector<Command> due(Time now);
  // Everything under this topic is due now: its reader came back.
  void hasten(const std::string& topic, Time now);
  // Everything is due now: the broker came back, and may have forgotten all.
  void hasten_all(Time now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Command command;
    Time due;
    Duration repeat;
  };
  void schedule(const std::string& key, Entry& entry, Time due);

  Limits limits_;
  std::unordered_map<std::string, Entry> entries_;
  std::multimap<Time, std::string> timeline_;  // may hold keys that were settled or moved; due() checks
};

}  // namespace fieldwork::store
