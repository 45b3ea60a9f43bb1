#include "upsets.hpp"

namespace fieldwork::sim {
namespace {

constexpr std::size_t copies_max = 3;
constexpr Duration copy_every = seconds(7);
constexpr Duration year = std::chrono::hours{24 * 365};

}  // namespace

Upsets::Upsets(World& world, Fleet& fleet, Upset kind, Duration end)
    : world_(world), fleet_(fleet), kind_(kind), end_(end) {}

Upsets::Parties Upsets::database() {
  Parties out{&fleet_.party("scheduler")};
  if (!kind_.of_all) return out;
  for (const char* name : {"registry", "security-policy", "transfer", "alerting"}) out.push_back(&fleet_.party(name));
  return out;
}

void Upsets::start() {
  const auto database = this->database();
  if (kind_.store_back_every > Duration::zero()) world_.plan(copy_every, [this, database] { copy(database); });
  world_.plan(kind_.store_back_every, [this, database] { set_back(database, false); });
  world_.plan(kind_.store_new_every, [this, database] { set_back(database, true); });
  if (kind_.journal_back_every > Duration::zero()) {
    for (auto* device : fleet_.devices()) world_.plan(copy_every, [this, device] { copy({device}); });
  }
  world_.plan(kind_.journal_back_every, [this] { set_back({&any_device()}, false); });
  world_.plan(kind_.journal_new_every, [this] {
    auto& device = any_device();
    fleet_.set_clock(device.name(), -world_.random().between(seconds(1), 10 * year));
    set_back({&device}, true);
  });
  world_.plan(kind_.clock_jump_every, [this] {
    ++world_.counts["clock jumps"];
    const auto far = world_.random().chance(0.5) ? 3 * year : Duration(seconds(600));
    fleet_.set_clock(any_device().name(), world_.random().between(Duration::zero(), far * 2) - far);
  });
  world_.plan(kind_.away_every, [this] {
    auto& device = any_device();
    ++world_.counts["devices away"];
    device.kill();
    world_.after(world_.random().between(seconds(60), seconds(200)), [&device] {
      if (!device.up()) device.start();
    });
  });
  world_.plan(kind_.press_every, [this] {
    ++world_.counts["devices under pressure"];
    fleet_.press(any_device().name(), world_.random().between(seconds(10), seconds(120)));
  });
  if (!kind_.twin) return;
  world_.after(world_.random().between(seconds(5), end_ / 2), [this] {
    auto& device = *fleet_.devices().back();
    world_.note(device.name() + " is copied");
    auto& twin = fleet_.add_twin(device);
    twin.start();
  });
  world_.after(end_, [this] {
    if (auto* twin = fleet_.twin()) twin->retire();
  });
}

Party& Upsets::any_device() {
  const auto all = fleet_.devices();
  return *all[world_.random().below(all.size())];
}

void Upsets::copy(const Parties& parties) {
  auto& copies = copies_[parties.front()->name()];
  auto& newest = copies.emplace_back();
  for (const auto* party : parties) newest.push_back({party->disk_copy(), fleet_.checks().disk(party->name())});
  if (copies.size() > copies_max) copies.erase(copies.begin());
}

// Copies later than the restored one are of another history now, and just as good.
void Upsets::set_back(const Parties& parties, bool anew) {
  const auto& name = parties.front()->name();
  const auto& copies = copies_[name];
  if (!anew && copies.empty()) return;
  ++world_.counts[anew ? "new memories" : "older memories"];
  world_.note(name + (parties.size() > 1 ? " and all that share its database" : "") +
              (anew ? " forgets everything" : " goes back to a copy"));
  for (auto* party : parties) party->kill();
  const auto copy = anew ? std::vector<Copy>(parties.size()) : copies[world_.random().below(copies.size())];
  for (std::size_t i = 0; i < parties.size(); ++i) {
    parties[i]->restore(copy[i].disk);
    fleet_.went_back(*parties[i], copy[i].checked);
    world_.restart_later(*parties[i]);
  }
  if (parties.size() > 1) world_.wipe();  // as docs/operations.md says: the broker holds states of what is unknown now
}

}  // namespace fieldwork::sim
