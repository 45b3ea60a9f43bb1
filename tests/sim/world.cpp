#include "world.hpp"

#include <algorithm>

#include "said.hpp"
#include "topic/topic.hpp"

namespace fieldwork::sim {
namespace {

constexpr std::int64_t start_ms = 2'000'000'000'000;  // 2033: certificates that are made today are valid then
constexpr Duration ask_every = milliseconds(50);

}  // namespace

World::World(std::uint64_t seed) : random_(seed), start_(from_ms(start_ms)), now_(start_), faults_end_(start_) {}

void World::be_faulty(Faults faults, Duration end) {
  faults_ = faults;
  faults_end_ = start_ + end;
}

Party& World::add(std::string name, Duration tick, Party::Make make) {
  return *parties_.emplace_back(std::make_unique<Party>(*this, std::move(name), tick, std::move(make)));
}

Duration World::age() const { return now_ - start_; }

bool World::store_away(const Party& party) const { return away() && faults_.outage_of_store && party.uses_database; }

const Faults& World::faults() const {
  static const Faults none;
  return faulty() ? faults_ : none;
}

void World::note(const std::string& line) const {
  if (!trace) return;
  const auto ms = std::to_string(to_ms(now_) - to_ms(start_));
  trace(std::string(ms.size() < 8 ? 8 - ms.size() : 0, ' ') + ms + " " + line);
}

void World::plan(Duration every, const std::function<void()>& what) {
  if (every == Duration::zero()) return;
  after(random_.between(Duration::zero(), every * 2), [this, every, what] {
    if (!faulty()) return;
    what();
    plan(every, what);
  });
}

void World::harass(Party& party) {
  auto* p = &party;
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
  if (!p->is_device) return;
  if (faults_.slow_links && random_.chance(0.5)) p->link_bytes_per_s_ = 3'000 + random_.below(30'000);
  plan(faults_.full_every, [this, p] {
    ++counts["full disks"];
    p->full_until_ = std::min(now_ + random_.between(seconds(1), seconds(60)), faults_end_);
  });
}

void World::start() {
  for (auto& party : parties_) {
    party->start();
    harass(*party);
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
  plan(faults_.wipe_every, [this] { wipe(); });
}

void World::wipe() {
  ++counts["broker wipes"];
  note("the broker forgets everything");
  for (auto& party : parties_) party->disconnect();
  retained_.clear();
  for (auto& party : parties_) {
    after(random_.between(milliseconds(100), seconds(3)), [p = party.get()] { p->connect(); });
  }
}

void World::restart_later(Party& party) {
  // Whoever restarts a party waits longer each time; in hours without a store, starts that find none are all that
  // happens.
  const auto most = store_away(party) ? seconds(180) : seconds(10);
  after(random_.between(milliseconds(50), most), [p = &party] {
    if (!p->up()) p->start();
  });
}

bool World::run(const std::function<bool()>& done, Duration deadline) {
  Time asked{};
  while (!events_.empty() && events_.begin()->first <= start_ + deadline) {
    const bool moved = events_.begin()->first > now_;
    if (moved && now_ - asked >= ask_every) {
      asked = now_;
      if (done()) return true;
    }
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
  const auto sending = carry(from, from.up_free_, message);
  for (auto& party : parties_) {
    if (!party->up() || !party->connected_) continue;
    const auto filters = party->service_->subscriptions();
    if (std::any_of(filters.begin(), filters.end(), [&](const auto& f) { return matches(f.first, message.topic); })) {
      deliver(*party, message, sending);
    }
  }
}

// How long a slow link needs for this message and for what waits before it.
Duration World::carry(const Party& party, Time& free, const bus::Message& message) const {
  if (party.link_bytes_per_s_ == 0 || !faulty()) return {};
  const auto bytes = message.topic.size() + message.payload.size();
  free = std::max(free, now_) + milliseconds(bytes * 1000 / party.link_bytes_per_s_);
  return free - now_;
}

void World::deliver_retained(Party& to) {
  const auto filters = to.service_->subscriptions();
  for (const auto& [topic, message] : retained_) {
    if (std::any_of(filters.begin(), filters.end(), [&t = topic](const auto& f) { return matches(f.first, t); })) {
      deliver(to, message);
    }
  }
}

void World::deliver(Party& to, const bus::Message& message, Duration sending) {
  if (loses && loses(to, message)) return note(to.name_ + " does not get " + message.topic);
  int copies = 1;
  if (random_.chance(faults().lose)) {
    ++counts["lost"];
    copies = 0;
  } else if (random_.chance(faults().repeat)) {
    ++counts["repeated"];
    copies = 2;
  }
  for (; copies > 0; --copies) deliver_once(to, message, sending);
}

void World::deliver_once(Party& to, bus::Message message, Duration sending) {
  const bool damaged = is_frame(message) && random_.chance(faults().damage);
  if (damaged) {
    ++counts["damaged"];
    auto& byte = message.payload[random_.below(message.payload.size())];
    byte = static_cast<char>(byte ^ (1 << random_.below(8)));
  }
  const auto wait =
      hop + sending + carry(to, to.down_free_, message) + random_.between(Duration::zero(), faults().delay_max);
  after(wait, [this, p = &to, life = to.life_, damaged, message = std::move(message)] {
    if (p->life_ != life || !p->connected_) return;  // the receiver died or lost its link meanwhile
    if (trace) note(p->name_ + " <- " + message.topic + " " + payload_text(message).substr(0, 400));
    if (on_deliver) on_deliver(*p, message, !damaged);
    auto arrived = message;
    arrived.arrived = now_;
    p->post(std::move(arrived));
  });
}

}  // namespace fieldwork::sim
