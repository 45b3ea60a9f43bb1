#include "exchange/deliver.hpp"

#include <algorithm>
#include <utility>

namespace fieldwork::exchange::deliver {

void Deliveries::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& one) { on(one, now, out); }, input);
}

Deliveries::One* Deliveries::find(const std::string& digest) {
  const auto it = all_.find(digest);
  return it == all_.end() ? nullptr : &it->second;
}

bool Deliveries::busy(const std::string& digest) const {
  const auto it = all_.find(digest);
  return it != all_.end() && it->second.state != State::waiting;
}

void Deliveries::on(const Add& input, Time now, Output& /*out*/) {
  const auto [it, fresh] = all_.try_emplace(
      input.digest, One{.added = added_, .announce_at = now, .wait = limits_.announce_first, .heard = now});
  if (!fresh) return;
  ++added_;
  turns_.push_back(input.digest);
}

void Deliveries::on(const Wanted& input, Time now, Output& out) {
  auto* one = find(input.digest);
  if (one == nullptr || one->state == State::making) return;
  const bool stands = one->terms == input.terms;
  if (one->state == State::sending && stands) return;  // a late repeat of the want that is being served
  if (one->state == State::sending) out.work.emplace_back(Close{input.digest});
  one->asked.reset();
  one->heard = now;
  one->silent_at = now + limits_.silent;
  one->state = stands ? State::sending : State::making;
  one->terms = input.terms;
  if (stands) {
    out.work.emplace_back(Resume{input.digest});
  } else {
    out.work.emplace_back(Make{input.digest});
  }
}

void Deliveries::on(const Made& input, Time now, Output& /*out*/) {
  auto* one = find(input.digest);
  if (one == nullptr || one->state != State::making) return;
  one->state = State::sending;
  one->silent_at = now + limits_.silent;
}

void Deliveries::on(const Heard& input, Time now, Output& /*out*/) {
  auto* one = find(input.digest);
  if (one == nullptr) return;
  one->heard = now;
  one->silent_at = now + limits_.silent;
  one->wait = limits_.announce_first;
}

void Deliveries::on(const Delivered& input, Time /*now*/, Output& out) { settle(input.digest, std::nullopt, out); }

void Deliveries::on(const Refused& input, Time /*now*/, Output& out) { settle(input.digest, input.reason, out); }

void Deliveries::settle(const std::string& digest, std::optional<std::string> refused, Output& out) {
  if (all_.erase(digest) == 0) return;
  out.ended.push_back({digest, std::move(refused)});
  std::erase(turns_, out.ended.back().digest);
}

// The content is announced again after a growing wait, and sent under a new offer; after failures_max failures it
// counts as refused.
void Deliveries::on(const Failed& input, Time now, Output& out) {
  auto* one = find(input.digest);
  if (one == nullptr) return;
  if (++one->failures >= limits_.failures_max) return settle(input.digest, input.reason, out);
  const auto wait = std::min(one->wait * 2, limits_.announce_last);
  close(input.digest, *one, now, out);
  one->terms.clear();
  one->wait = wait;
  one->announce_at = now + wait;
}

void Deliveries::close(const std::string& digest, One& one, Time now, Output& out) const {
  if (one.state != State::waiting) out.work.emplace_back(Close{digest});
  one.state = State::waiting;
  one.asked.reset();
  one.announce_at = now;
}

// A transfer that was under way is announced again and goes on where the receiver says, which may have lost some bytes.
// An offer that is being made may be for an outdated want by now; it is made all the same. Turns that nobody answered
// during the outage do not count.
void Deliveries::on(const LinkBack&, Time now, Output& out) {
  for (auto& [digest, one] : all_) {
    one.heard = now;
    if (one.state == State::making) continue;
    close(digest, one, now, out);
    one.wait = limits_.announce_first;
  }
  std::sort(turns_.begin(), turns_.end(),
            [this](const auto& a, const auto& b) { return all_.at(a).added < all_.at(b).added; });
}

void Deliveries::give_up(Time now, Output& out) {
  std::vector<std::string> silent;
  for (const auto& [digest, one] : all_) {
    if (now - one.heard > *limits_.give_up) silent.push_back(digest);
  }
  for (const auto& digest : silent)
    settle(digest, "nothing was heard of it for " + std::to_string(*limits_.give_up / seconds(1)) + " s", out);
}

void Deliveries::on(const TimePassed&, Time now, Output& out) {
  if (limits_.give_up) give_up(now, out);
  std::size_t busy = 0;
  for (auto& [digest, one] : all_) {
    if (one.state == State::sending && now >= one.silent_at) close(digest, one, now, out);
    busy += one.state != State::waiting || (one.asked && now < *one.asked) ? 1 : 0;
  }
  // Announces the next contents in turn; a content that is not answered waits longer for its next announcement.
  for (auto left = turns_.size(); left > 0 && busy < limits_.at_once; --left) {
    auto digest = std::move(turns_.front());
    turns_.pop_front();
    auto* one = find(digest);
    turns_.push_back(digest);
    if (one->state != State::waiting || now < one->announce_at) continue;
    one->asked = now + limits_.announce_first;
    one->announce_at = now + one->wait;
    one->wait = std::min(one->wait * 2, limits_.announce_last);
    out.announcements.push_back({std::move(digest)});
    ++busy;
  }
}

}  // namespace fieldwork::exchange::deliver
