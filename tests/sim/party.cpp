#include "bus/bus.hpp"
#include "world.hpp"

namespace fieldwork::sim {
namespace {

// A party that has had nothing to do for a while looks at its timers less often: no timer here is finer, and simulated
// hours must be cheap.
constexpr Duration drowsy_after = seconds(1);
constexpr Duration drowsy_tick = seconds(1);
constexpr Duration asleep_after = seconds(60);
constexpr Duration asleep_tick = milliseconds(1900);  // below the 2 s that a service takes for a standstill
constexpr Duration speaks_for = seconds(3);           // how long a party may speak without its store
constexpr Duration gives_up_after = seconds(120);     // how long a process lives whose store takes nothing

}  // namespace

Party::Party(World& world, std::string name, Duration tick, Make make)
    : world_(world),
      name_(std::move(name)),
      tick_(tick),
      make_(std::move(make)),
      line_(world, *this),
      faulty_disk_(world, *this) {
  identity = name_;
}

void Party::start() {
  if (retired_) return;
  ++life_;
  fuse_.reset();
  world_.note(name_ + " starts");
  if (world_.on_start) world_.on_start(*this);
  service_ = make_(*this);
  engine_ = std::make_unique<runtime::Engine>(*service_, faulty_disk_, line_);
  if (auto loaded = engine_->load(world_.now()); !loaded) {
    if (loaded.error().code != Code::unavailable)
      throw Violation("what was saved can be loaded", describe(loaded.error()));
    kill();
    return world_.restart_later(*this);
  }
  connect();
  tick_later();
}

void Party::kill() {
  if (!up()) return;
  world_.note(name_ + " dies");
  if (connected_ && will) world_.publish(*this, *will);
  connected_ = false;
  engine_.reset();
  service_.reset();
  inbox_.clear();
  batch_.clear();
  leaves_ = false;
  stuck_since_.reset();
  turn_due_ = false;
  ++life_;
}

void Party::retire() {
  retired_ = true;
  kill();
}

void Party::connect() {
  if (!up() || connected_ || leaves_ || world_.broker_away()) return;
  for (auto& other : world_.parties()) {
    if (other.get() == this || !other->connected_ || other->identity != identity) continue;
    ++world_.counts["taken over"];
    other->disconnect();
    world_.after(world_.random().between(seconds(1), seconds(5)), [p = other.get()] { p->connect(); });
  }
  connected_ = true;
  world_.note(name_ + " connects");
  if (birth) world_.publish(*this, *birth);
  post(runtime::Connected{});
  world_.deliver_retained(*this);
}

void Party::disconnect() {
  if (!up() || !connected_) return;
  world_.note(name_ + " loses its link");
  if (will) world_.publish(*this, *will);
  connected_ = false;
  post(runtime::Disconnected{});
}

void Party::post(runtime::Input input) {
  if (!up()) return;
  active_at_ = world_.now();
  inbox_.push_back(std::move(input));
  turn_soon(hop / 2);
}

void Party::turn_soon(Duration wait) {
  if (turn_due_) return;
  turn_due_ = true;
  world_.after(wait, [this, life = life_] {
    if (life != life_) return;
    turn_due_ = false;
    turn();
  });
}

void Party::tick_later() {
  const auto quiet = world_.now() - active_at_;
  const auto wait = quiet < drowsy_after ? tick_ : quiet < asleep_after ? std::max(tick_, drowsy_tick) : asleep_tick;
  world_.after(wait, [this, life = life_] {
    if (life != life_) return;
    if (!stuck_since_) turn();  // a party whose commit is stuck tries again at its own pace
    if (life == life_) tick_later();
  });
}

// As the runner does (libs/runtime/runner.cpp): a batch that the store does not take is tried again, and nothing else
// is done; a party without a store leaves the broker, and ends after two minutes.
void Party::turn() {
  auto done = world_.store_away(*this) ? Result<void>(Error{Code::unavailable, "the store is away"})
              : engine_->waits()       ? engine_->commit(world_.now())
                                       : Result<void>();
  if (done) {
    if (batch_.empty()) batch_ = std::exchange(inbox_, {});
    done = engine_->run(batch_, world_.now());
    if (done || engine_->waits()) batch_.clear();
  }
  if (!done && done.error().code != Code::unavailable)
    throw Violation("a batch can be carried out", describe(done.error()));
  if (fuse_) {
    ++world_.counts["deaths in a commit"];
    kill();
    return world_.restart_later(*this);
  }
  if (done) return settled();
  if (!stuck_since_) stuck_since_ = world_.now();
  const auto stuck = world_.now() - *stuck_since_;
  if (stuck > gives_up_after) {
    kill();
    return world_.restart_later(*this);
  }
  if (stuck > speaks_for && !is_device && connected_) {
    leaves_ = true;
    disconnect();
  }
  turn_soon(stuck < seconds(1) ? milliseconds(50) : seconds(2));
}

// A party that stood still hears Stalled first.
void Party::settled() {
  if (stuck_since_) {
    const auto lasted = world_.now() - *stuck_since_;
    stuck_since_.reset();
    if (lasted > seconds(2)) inbox_.insert(inbox_.begin(), runtime::Stalled{lasted});
  }
  if (std::exchange(leaves_, false)) connect();
  if (!inbox_.empty()) turn_soon(hop / 2);
}

bool Party::acts() {
  if (!fuse_) return true;
  if (*fuse_ == 0) return false;
  --*fuse_;
  return true;
}

Result<void> Party::Line::publish(bus::Message message) {
  if (auto good = bus::check(message); !good) return good;
  party_.active_at_ = world_.now();
  if (party_.connected_ && party_.acts()) world_.publish(party_, std::move(message));
  return {};
}

Result<void> Party::Disk::commit(const std::vector<store::Change>& changes) {
  if (world_.store_away(party_)) return Error{Code::unavailable, "the store is away"};
  if (world_.now() < party_.full_until_) return Error{Code::unavailable, "the disk is full"};
  party_.active_at_ = world_.now();
  const auto& faults = world_.faults();
  const bool dies = world_.random().chance(faults.dies_in_commit);
  if (dies && world_.random().chance(0.5)) {
    party_.fuse_ = 0;
    return Error{Code::unavailable, "nobody is left to hear the answer"};
  }
  const bool fails = world_.random().chance(faults.commit_fails);
  if (fails) {
    ++world_.counts["commit failures"];
    if (world_.on_stall) world_.on_stall(party_);
  }
  if (fails && world_.random().chance(0.5)) return Error{Code::unavailable, "the store is away"};
  if (auto done = party_.disk_.commit(changes); !done) return done;
  if (world_.on_commit) world_.on_commit(party_, changes);
  if (fails) return Error{Code::unavailable, "the store's answer was lost"};
  if (dies) party_.fuse_ = world_.random().below(4);
  return {};
}

Result<std::vector<std::string>> Party::Disk::select(const store::Query& query) {
  if (world_.store_away(party_) || world_.random().chance(world_.faults().read_fails))
    return Error{Code::unavailable, "the store is away"};
  return party_.disk_.select(query);
}

Result<std::vector<std::string>> Party::Disk::find(const std::string& table, const std::string& column,
                                                   const std::vector<std::string>& keys) {
  if (world_.store_away(party_) || world_.random().chance(world_.faults().read_fails))
    return Error{Code::unavailable, "the store is away"};
  return party_.disk_.find(table, column, keys);
}

Result<store::Page> Party::Disk::range(const store::Range& range) { return party_.disk_.range(range); }

Result<std::int64_t> Party::Disk::prune(const store::Prune& prune) { return party_.disk_.prune(prune); }

Result<std::int64_t> Party::Disk::now_us() { return world_.now().time_since_epoch().count(); }

}  // namespace fieldwork::sim
