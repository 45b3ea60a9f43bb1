#include "upsets.hpp"

namespace fieldwork::sim {
namespace {

constexpr std::size_t copies_max = 3;
constexpr Duration copy_every = seconds(7);
constexpr Duration year = std::chrono::hours{24 * 365};

}  // namespace

Upsets::Upsets(World& world, Fleet& fleet, Upset kind, Duration end)
    : world_(world), fleet_(fleet), kind_(kind), end_(end) {}

void Upsets::start() {
  auto& scheduler = fleet_.party("scheduler");
  if (kind_.store_back_every > Duration::zero()) world_.plan(copy_every, [this, &scheduler] { copy(scheduler); });
  world_.plan(kind_.store_back_every, [this, &scheduler] { set_back(scheduler, false); });
  world_.plan(kind_.store_new_every, [this, &scheduler] { set_back(scheduler, true); });
  if (kind_.journal_back_every > Duration::zero()) {
    for (auto* device : fleet_.devices()) world_.plan(copy_every, [this, device] { copy(*device); });
  }
  world_.plan(kind_.journal_back_every, [this] { set_back(any_device(), false); });
  world_.plan(kind_.journal_new_every, [this] {
    auto& device = any_device();
    fleet_.set_clock(device.name(), -world_.random().between(seconds(1), 10 * year));
    set_back(device, true);
  });
  world_.plan(kind_.clock_jump_every, [this] {
    ++world_.counts["clock jumps"];
    const auto far = world_.random().chance(0.5) ? 3 * year : Duration(seconds(600));
    fleet_.set_clock(any_device().name(), world_.random().between(Duration::zero(), far * 2) - far);
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

void Upsets::copy(Party& party) {
  auto& copies = copies_[party.name()];
  copies.push_back({party.disk_copy(), fleet_.checks().disk(party.name())});
  if (copies.size() > copies_max) copies.erase(copies.begin());
}

// What was copied later than what is restored is a copy of another history now, and just as good.
void Upsets::set_back(Party& party, bool anew) {
  const auto& copies = copies_[party.name()];
  if (!anew && copies.empty()) return;
  ++world_.counts[anew ? "new memories" : "older memories"];
  world_.note(party.name() + (anew ? " forgets everything" : " goes back to a copy"));
  party.kill();
  const auto copy = anew ? Copy() : copies[world_.random().below(copies.size())];
  party.restore(copy.disk);
  fleet_.went_back(party, copy.checked);
  world_.restart_later(party);
}

}  // namespace fieldwork::sim
