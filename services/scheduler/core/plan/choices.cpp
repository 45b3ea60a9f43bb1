#include "scheduler/core/plan/choices.hpp"

namespace fieldwork::scheduler {

// Of equally good devices the first by id, so that the same fleet gives the same plan.
bool Choices::worse(const Rated& a, const Rated& b) const {
  if (a.score != b.score) return a.score < b.score;
  return overlay_.fleet().view(b.number).device.id < overlay_.fleet().view(a.number).device.id;
}

void Choices::push(const Want& want, Fleet::Number number) {
  const auto at = overlay_.changed_at(number);
  known_[number] = at;
  heap_.push_back({rate(want, overlay_.fleet(), number, overlay_.used(number), limits_).score, number, at});
  std::push_heap(heap_.begin(), heap_.end(), [this](const auto& a, const auto& b) { return worse(a, b); });
}

void Choices::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), [this](const auto& a, const auto& b) { return worse(a, b); });
  heap_.pop_back();
}

// Room is only taken: what does not fit once will not fit later in this plan.
void Choices::visit(const Want& want, Fleet::Number number) {
  if (!known_.emplace(number, never).second) return;
  if (!fits(want, overlay_.fleet(), number, overlay_.used(number), limits_)) return;
  push(want, number);
}

// What others have filled further may be the best now.
void Choices::follow(const Want& want) {
  const auto& log = overlay_.log();
  const auto newest = !all_ && log.size() > followed_max ? log.size() - followed_max : 0;
  for (auto i = std::max(followed_, newest); i < log.size(); ++i) {
    const auto number = log[i];
    if (overlay_.changed_at(number) != i + 1) continue;  // it is used again further on
    const auto known = known_.find(number);
    if (known == known_.end()) {
      visit(want, number);
    } else if (known->second != never && known->second != i + 1) {
      known->second = never;
      if (has_room(want, overlay_.fleet().view(number), overlay_.used(number), limits_)) push(want, number);
    }
  }
  followed_ = log.size();
}

void Choices::begin(const Want& want) {
  begun_ = true;
  followed_ = 0;
  const auto& fleet = overlay_.fleet();
  if (!want.target.empty()) {
    over_ = true;
    if (const auto number = fleet.number_of(want.target)) visit(want, *number);
    return;
  }
  const auto& labels = want.spec.requirements.labels;
  const auto* ready =
      want.value == nullptr ? fleet.ready(labels) : fleet.ready(labels, want.spec.placement.spread_by, *want.value);
  if (ready == nullptr) return void(over_ = true);
  all_ = all_ || ready->size() <= walk_max;
  walk_ = Order::Walk(*ready, least_cpu(want));
  each_with_package(want, fleet, [&](Fleet::Number number) { visit(want, number); });
  bounded_ = !has_own_order(want.spec);
  if (!bounded_ && !all_) sample(want);
}

// Devices that meet an affinity, and others by chance: of so many the best is among the best few percent of the fleet.
void Choices::sample(const Want& want) {
  const auto& fleet = overlay_.fleet();
  for (std::size_t i = 0; i < want.affinity->size(); ++i) {
    const auto& wish = want.spec.placement.affinity[i];
    if (wish.weight < 0) continue;
    if (const auto& where = (*want.affinity)[i]) {
      for (const auto number : overlay_.matching(wish.expression, *where)) visit(want, number);
    } else if (const auto* there = fleet.with_job(wish.job)) {
      std::size_t count = 0;
      for (const auto& [number, times] : *there) {
        if (++count > sampled_max) break;
        visit(want, number);
      }
    }
  }
  auto random = seed_;  // Knuth's MMIX generator
  const auto enough = heap_.size() + sampled_max;
  for (std::size_t looked = 0; looked < sample_looks_max && heap_.size() < enough; ++looked) {
    random = random * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
    visit(want, static_cast<Fleet::Number>((random >> 33U) % fleet.numbers()));
  }
}

// Goes on with the devices of the highest potential, until there are `enough` to choose from: those that this plan has
// used as they are now, and the others. The former do not count as visited.
void Choices::fill(const Want& want, std::size_t enough) {
  const auto& fleet = overlay_.fleet();
  Order::Walk used(overlay_.order(), least_cpu(want));
  std::size_t looked = 0, visited = 0;
  while (!over_ && (all_ || heap_.size() < enough)) {
    if (!all_ && !used.over() && looked < looked_max && (walk_.over() || used.potential() >= walk_.potential())) {
      visit(want, used.number());
      used.next();
      ++looked;
      continue;
    }
    if (walk_.over()) return void(over_ = true);
    const auto number = walk_.number();
    walk_.next();
    if (overlay_.changed_at(number) == 0) ++visited;
    visit(want, number);
    if (all_ || visited < visited_max) continue;
    if (!heap_.empty()) return;
    if (want.where == nullptr) continue;
    over_ = true;
    for (const auto* device : fleet.matching(*want.where)) visit(want, *fleet.number_of(device->id));
  }
}

std::optional<Choice> Choices::best(const Want& wanted) {
  auto want = wanted;
  want.lane = 0;
  if (!begun_) begin(want);
  if (want.target.empty()) follow(want);
  while (true) {
    if (!over_ && (all_ || heap_.empty() || (bounded_ && heap_.size() < limits_.examined_max / 2)))
      fill(want, std::max<std::size_t>(limits_.examined_max, 1));
    if (heap_.empty()) {
      if (over_) return std::nullopt;
      continue;
    }
    const auto top = heap_.front();
    const auto& view = overlay_.fleet().view(top.number);
    const auto& used = overlay_.used(top.number);
    const auto known = known_.at(top.number);
    if (top.at == known && known == overlay_.changed_at(top.number)) {
      // Is there a better one among those that were not visited yet?
      const auto score = rate(want, overlay_.fleet(), top.number, used, limits_);
      const auto least =
          overlay_.fleet().potential(view.device, used) + std::max(score.history, -limits_.weights.history);
      if (bounded_ && !over_ && !walk_.over() && walk_.potential() > least) {
        fill(want, heap_.size() + more_max);
        continue;
      }
      return Choice{top.number, score};
    }
    pop();
    if (top.at != known) continue;  // there is a newer entry, or it is left out
    known_[top.number] = never;
    if (has_room(want, view, used, limits_)) push(want, top.number);
  }
}

void Choices::leave_out() {
  known_[heap_.front().number] = never;
  pop();
}

}  // namespace fieldwork::scheduler
