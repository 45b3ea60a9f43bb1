#include "world.hpp"

#include <algorithm>

#include "said.hpp"
#include "topic/topic.hpp"

namespace fieldwork::sim {
namespace {

constexpr std::int64_t start_ms = 2'000'000'000'000;  // 2033: certificates that are made today are valid then
constexpr Duration hop = milliseconds(2);

}  // namespace

// --- a party --------------------------------------------------------------------------------------------------------

Party::Party(World& world, std::string name, Duration tick, Make make)
    : world_(world),
      name_(std::move(name)),
      tick_(tick),
      make_(std::move(make)),
      line_(world, *this),
      faulty_disk_(world, *this) {}

void Party::start() {
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
  stuck_since_.reset();
  turn_due_ = false;
  ++life_;
}

void Party::connect() {
  if (!up() || connected_ || world_.broker_away()) return;
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
  world_.after(tick_, [this, life = life_] {
    if (life != life_) return;
    if (!engine_->waits()) turn();
    if (life == life_) tick_later();
  });
}

void Party::turn() {
  const auto wait = milliseconds(50);
  auto done = engine_->waits() ? engine_->commit(world_.now()) : Result<void>();
  if (done) {
    auto batch = std::exchange(inbox_, {});
    done = engine_->run(batch, world_.now());
    if (!done && !engine_->waits()) {
      batch.insert(batch.end(), inbox_.begin(), inbox_.end());
      inbox_ = std::move(batch);
    }
  }
  // As the runner does: who stood still hears so first.
  if (!done && !stuck_since_) stuck_since_ = world_.now();
  if (done && stuck_since_) {
    const auto lasted = world_.now() - *stuck_since_;
    stuck_since_.reset();
    if (lasted > seconds(2)) inbox_.insert(inbox_.begin(), runtime::Stalled{lasted});
  }
  if (!done && done.error().code != Code::unavailable)
    throw Violation("a batch can be carried out", describe(done.error()));
  if (fuse_) {
    ++world_.counts["deaths in a commit"];
    kill();
    return world_.restart_later(*this);
  }
  if (!done) turn_soon(stuck_since_ && world_.now() - *stuck_since_ > seconds(1) ? milliseconds(2000) : wait);
}

bool Party::acts() {
  if (!fuse_) return true;
  if (*fuse_ == 0) return false;
  --*fuse_;
  return true;
}

Result<void> Party::Line::publish(bus::Message message) {
  if (auto good = bus::check(message); !good) return good;
  if (party_.connected_ && party_.acts()) world_.publish(party_, std::move(message));
  return {};
}

Result<void> Party::Disk::commit(const std::vector<store::Change>& changes) {
  if (world_.store_away(party_.name())) return Error{Code::unavailable, "the store is away"};
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
  if (world_.store_away(party_.name()) || world_.random().chance(world_.faults().read_fails))
    return Error{Code::unavailable, "the store is away"};
  return party_.disk_.select(query);
}

Result<std::vector<std::string>> Party::Disk::find(const std::string& table, const std::string& column,
                                                   const std::vector<std::string>& keys) {
  if (world_.store_away(party_.name()) || world_.random().chance(world_.faults().read_fails))
    return Error{Code::unavailable, "the store is away"};
  return party_.disk_.find(table, column, keys);
}

Result<store::Page> Party::Disk::range(const store::Range& range) { return party_.disk_.range(range); }

Result<std::int64_t> Party::Disk::prune(const store::Prune& prune) { return party_.disk_.prune(prune); }

Result<std::int64_t> Party::Disk::now_us() { return world_.now().time_since_epoch().count(); }

// --- the world ------------------------------------------------------------------------------------------------------

World::World(std::uint64_t seed, Faults faults, Duration faults_end)
    : random_(seed), faults_(faults), start_(from_ms(start_ms)), now_(start_), faults_end_(start_ + faults_end) {}

Party& World::add(std::string name, Duration tick, Party::Make make) {
  return *parties_.emplace_back(std::make_unique<Party>(*this, std::move(name), tick, std::move(make)));
}

Duration World::age() const { return now_ - start_; }

const Faults& World::faults() const {
  static const Faults none;
  return faulty() ? faults_ : none;
}

void World::note(const std::string& line) const {
  if (!trace) return;
  const auto ms = std::to_string(to_ms(now_) - to_ms(start_));
  trace(std::string(ms.size() < 8 ? 8 - ms.size() : 0, ' ') + ms + " " + line);
}

// Again and again while the world is faulty, `every` on average.
void World::plan(Duration every, const std::function<void()>& what) {
  if (every == Duration::zero()) return;
  after(random_.between(Duration::zero(), every * 2), [this, every, what] {
    if (!faulty()) return;
    what();
    plan(every, what);
  });
}

void World::start() {
  for (auto& party : parties_) {
    auto* p = party.get();
    p->start();
    plan(faults_.crash_every, [this, p] {
      if (!p->up()) return;
      ++counts["crashes"];
      p->kill();
      restart_later(*p);
    });
    plan(faults_.link_cut_every, [this, p] {
      ++counts["link cuts"];
      p->disconnect();
      after(random_.between(milliseconds(100), seconds(8)), [p] { p->connect(); });
    });
  }
  if (faults_.outage_lasts > Duration::zero() && !faults_.outage_of_store) {
    after(faults_.outage_at, [this] {
      note("the broker is away");
      for (auto& party : parties_) party->disconnect();
    });
    after(faults_.outage_at + faults_.outage_lasts, [this] {
      note("the broker is back");
      for (auto& party : parties_) {
        after(random_.between(milliseconds(1), seconds(10)), [p = party.get()] { p->connect(); });
      }
    });
  }
  plan(faults_.wipe_every, [this] {
    ++counts["broker wipes"];
    note("the broker forgets everything");
    for (auto& party : parties_) party->disconnect();
    retained_.clear();
    for (auto& party : parties_) {
      after(random_.between(milliseconds(100), seconds(3)), [p = party.get()] { p->connect(); });
    }
  });
}

void World::restart_later(Party& party) {
  after(random_.between(milliseconds(50), seconds(10)), [p = &party] {
    if (!p->up()) p->start();
  });
}

bool World::run(const std::function<bool()>& done, Duration deadline) {
  while (!events_.empty() && events_.begin()->first <= start_ + deadline) {
    const bool moved = events_.begin()->first > now_;
    if (moved && done()) return true;
    now_ = events_.begin()->first;
    const auto what = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    what();
  }
  return done();
}

void World::publish(Party& from, bus::Message message) {
  if (on_publish) on_publish(from, message);
  ++counts["messages"];
  if (random_.chance(faults().lose_publish)) {
    ++counts["lost"];
    return;
  }
  if (message.retain) {
    if (message.payload.empty()) {
      retained_.erase(message.topic);
    } else {
      retained_[message.topic] = message;
    }
  }
  message.retain = false;
  for (auto& party : parties_) {
    if (!party->up() || !party->connected_) continue;
    const auto filters = party->service_->subscriptions();
    if (std::any_of(filters.begin(), filters.end(), [&](const auto& f) { return matches(f.first, message.topic); })) {
      deliver(*party, message);
    }
  }
}

void World::deliver_retained(Party& to) {
  const auto filters = to.service_->subscriptions();
  for (const auto& [topic, message] : retained_) {
    if (std::any_of(filters.begin(), filters.end(), [&t = topic](const auto& f) { return matches(f.first, t); })) {
      deliver(to, message);
    }
  }
}

void World::deliver(Party& to, const bus::Message& message) {
  int copies = 1;
  if (random_.chance(faults().lose)) {
    ++counts["lost"];
    copies = 0;
  } else if (random_.chance(faults().repeat)) {
    ++counts["repeated"];
    copies = 2;
  }
  for (; copies > 0; --copies) deliver_once(to, message);
}

void World::deliver_once(Party& to, bus::Message message) {
  const bool damaged = is_frame(message) && random_.chance(faults().damage);
  if (damaged) {
    ++counts["damaged"];
    auto& byte = message.payload[random_.below(message.payload.size())];
    byte = static_cast<char>(byte ^ (1 << random_.below(8)));
  }
  const auto wait = hop + random_.between(Duration::zero(), faults().delay_max);
  after(wait, [this, p = &to, life = to.life_, damaged, message = std::move(message)] {
    if (p->life_ != life || !p->connected_) return;  // it was for someone who is no more
    if (trace) note(p->name_ + " <- " + message.topic + " " + payload_text(message).substr(0, 400));
    if (on_deliver) on_deliver(*p, message, !damaged);
    auto arrived = message;
    arrived.arrived = now_;
    p->post(std::move(arrived));
  });
}

}  // namespace fieldwork::sim
