// A world in one thread: parties, each an engine over its own disk, and one broker that may lose, repeat, delay and
// reorder everything. Time is virtual; all chance comes from one seed, so that a run can be repeated.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/engine.hpp"
#include "store/memory.hpp"

namespace fieldwork::sim {

inline constexpr Duration hop = milliseconds(2);  // the least delay of every message

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  bool chance(double p) { return static_cast<double>(below(1'000'000)) < p * 1e6; }
  Duration between(Duration least, Duration most) {
    return least + Duration(below(static_cast<std::uint64_t>((most - least).count()) + 1));
  }

 private:
  std::mt19937_64 engine_;
};

// A named invariant does not hold.
struct Violation : std::runtime_error {
  Violation(std::string invariant, const std::string& detail)
      : std::runtime_error(invariant + ": " + detail), name(std::move(invariant)) {}
  std::string name;
};

inline void require(bool holds, const char* invariant, const std::string& detail) {
  if (!holds) throw Violation(invariant, detail);
}

// The faults of the world while it is faulty. Numbers of type double are probabilities.
struct Faults {
  double lose = 0;             // a delivery is lost
  double lose_publish = 0;     // a message on its way to the broker: nobody gets it, nor is it retained
  double repeat = 0;           // a delivery comes twice
  double damage = 0;           // of a sealed frame: one byte of a delivery is changed
  Duration delay_max{0};       // of each delivery; different delays reorder
  double commit_fails = 0;     // nothing was stored, or (half of these) everything was and the answer is lost
  double read_fails = 0;       // a read of a store fails
  double dies_in_commit = 0;   // the party dies before a commit, or after it; then some of its messages may still leave
  Duration crash_every{0};     // of any one party, on average; zero: never
  Duration link_cut_every{0};  // of any one party
  Duration wipe_every{0};      // the broker forgets all and everyone connects again
  // One long outage: of the broker (nobody is connected), or of the services' database (no commit and no read).
  Duration outage_at{0};
  Duration outage_lasts{0};  // zero: none
  bool outage_of_store = false;
  Duration full_every{0};   // a device's disk takes nothing for up to a minute
  bool slow_links = false;  // links of devices carry some kB/s
};

class World;

// A service (or an agent) that lives, dies and is made again from its disk.
class Party {
 public:
  using Make = std::function<std::unique_ptr<runtime::Service>(Party& self)>;

  Party(World& world, std::string name, Duration tick, Make make);

  // Starts from what is on the disk, and connects.
  void start();
  void kill();
  void retire();  // dies and is not started again
  void connect();
  void disconnect();
  void post(runtime::Input input);
  // The party's disk as it is now; and the disk that it finds when it starts next. It must not be up.
  [[nodiscard]] const store::MemoryStore& disk_copy() const { return disk_; }
  void restore(store::MemoryStore copy) { disk_ = std::move(copy); }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool up() const { return service_ != nullptr; }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int life() const { return life_; }
  [[nodiscard]] store::MemoryStore& disk() { return disk_; }
  [[nodiscard]] runtime::Service* service() { return service_.get(); }
  [[nodiscard]] std::size_t outbox_size() const { return engine_ ? engine_->outbox_size() : 0; }
  [[nodiscard]] bool idle() const { return up() && inbox_.empty() && batch_.empty() && !engine_->waits(); }
  // False when the party has died in the middle of a batch: what it does now does not happen.
  bool acts();
  // The client id: the broker closes the older of two connections with the same one. It is the name unless set.
  std::string identity;
  bool is_device = false;
  bool uses_database = true;  // the database of the services; devices and clients do not use it
  // birth: the MQTT client publishes it on each connect. will: the broker publishes it when the client is gone.
  std::optional<bus::Message> birth, will;

 private:
  friend class World;
  class Line : public bus::Bus {  // to the broker
   public:
    Line(World& world, Party& party) : world_(world), party_(party) {}
    Result<void> publish(bus::Message message) override;

   private:
    World& world_;
    Party& party_;
  };
  class Disk : public store::Store {  // fails now and then
   public:
    Disk(World& world, Party& party) : world_(world), party_(party) {}
    Result<void> commit(const std::vector<store::Change>& changes) override;
    Result<std::vector<std::string>> select(const store::Query& query) override;
    Result<std::vector<std::string>> find(const std::string& table, const std::string& column,
                                          const std::vector<std::string>& keys) override;
    Result<store::Page> range(const store::Range& range) override;
    Result<std::int64_t> prune(const store::Prune& prune) override;
    Result<std::int64_t> now_us() override;

   private:
    World& world_;
    Party& party_;
  };
  void turn();
  void settled();
  void turn_soon(Duration wait);
  void tick_later();

  World& world_;
  std::string name_;
  Duration tick_;
  Make make_;
  store::MemoryStore disk_;
  Line line_;
  Disk faulty_disk_;
  std::unique_ptr<runtime::Service> service_;
  std::unique_ptr<runtime::Engine> engine_;
  std::vector<runtime::Input> inbox_, batch_;  // what came, and what is being carried out
  std::optional<Time> stuck_since_;            // since when its store does not take a batch
  std::optional<std::uint64_t> fuse_;          // the party is dying: so many more messages and acts happen
  Time active_at_{};                           // when it last heard, said, saved or did something
  Time full_until_{};
  std::uint64_t link_bytes_per_s_ = 0;  // 0: no limit
  Time up_free_{}, down_free_{};        // when its link has carried what was given to it
  bool turn_due_ = false;
  bool retired_ = false;
  bool leaves_ = false;  // it has left the broker, because of its store
  bool connected_ = false;
  int life_ = 0;
};

class World {
 public:
  explicit World(std::uint64_t seed);
  // Before the start. Faults happen until `end`, counted from the start.
  void be_faulty(Faults faults, Duration end);

  Party& add(std::string name, Duration tick, Party::Make make);
  void start();
  // Goes on until `done` (asked when the clock moves) or `deadline`, counted from the start. Returns whether it was
  // done.
  bool run(const std::function<bool()>& done, Duration deadline);
  void at(Time when, std::function<void()> what) { events_.emplace(when, std::move(what)); }
  void after(Duration wait, std::function<void()> what) { at(now_ + wait, std::move(what)); }

  void publish(Party& from, bus::Message message);
  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] Duration age() const;
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] const Faults& faults() const;  // none once they have stopped
  [[nodiscard]] bool faulty() const { return now_ < faults_end_; }
  [[nodiscard]] bool broker_away() const { return away() && !faults_.outage_of_store; }
  // Whether the store of this party is away: devices have their own.
  [[nodiscard]] bool store_away(const Party& party) const;
  [[nodiscard]] std::vector<std::unique_ptr<Party>>& parties() { return parties_; }
  void note(const std::string& line) const;
  // Calls `what` again and again while the world is faulty, `every` apart on average.
  void plan(Duration every, const std::function<void()>& what);
  void restart_later(Party& party);
  void wipe();  // the broker begins anew, without retained messages

  // Observers. on_start: before a party reads its disk. on_publish: before a message leaves a party that lives.
  // on_deliver: as a message reaches a party; `whole`: the message is as it was sent. on_commit: after changes are on
  // the disk. on_stall: a commit failed, so that the messages of its batch come late.
  std::function<void(Party& party)> on_start;
  std::function<void(Party& from, const bus::Message& message)> on_publish;
  std::function<void(Party& to, const bus::Message& message, bool whole)> on_deliver;
  std::function<void(Party& from, const std::vector<store::Change>& changes)> on_commit;
  std::function<void(Party& party)> on_stall;
  std::function<void(const std::string& line)> trace;
  // Messages that are lost on their way to a party, beside those that faults lose.
  std::function<bool(const Party& to, const bus::Message& message)> loses;

  std::map<std::string, std::uint64_t> counts;  // how often each kind of thing happened

 private:
  friend class Party;
  [[nodiscard]] bool away() const {
    const auto begin = start_ + faults_.outage_at;
    return now_ >= begin && now_ < begin + faults_.outage_lasts;
  }
  void harass(Party& party);
  void deliver(Party& to, const bus::Message& message, Duration sending = {});
  void deliver_once(Party& to, bus::Message message, Duration sending);
  Duration carry(const Party& party, Time& free, const bus::Message& message) const;
  void deliver_retained(Party& to);

  Random random_;
  Faults faults_;
  Time start_;
  Time now_;
  Time faults_end_;
  std::multimap<Time, std::function<void()>> events_;
  std::vector<std::unique_ptr<Party>> parties_;
  std::map<std::string, bus::Message> retained_;
};

}  // namespace fieldwork::sim
