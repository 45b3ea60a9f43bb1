// Sendings of one encoding to several receivers, as one pass (docs/decisions/0029). The core says which may be
// together; here they are: a group for each content id and kind of link. A member that is
// released goes on alone, as any sending.
#include <algorithm>

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {
namespace {

constexpr double alike_within = 8;

// Whether one pace suits both. Of a link that was not measured yet nobody knows, and who cannot follow is released.
bool alike(const content::Measured& a, const content::Measured& b) {
  const bool known = a.bit_per_s.value_or(0) > 0 && b.bit_per_s.value_or(0) > 0;
  if (!known) return true;
  const auto [less, more] = std::minmax(*a.bit_per_s, *b.bit_per_s);
  return content::strategy(a).row == content::strategy(b).row && more <= alike_within * less;
}

}  // namespace

bool TransferService::join(const OpenSending& work, Time now) {
  const auto& sending = work.sending;
  const auto config = sender_config(sending);
  const auto key = work.encoding.id + "/" + std::to_string(++groups_made_);
  auto it = std::find_if(groups_.begin(), groups_.end(), [&](const auto& one) {
    return one.second.content == work.encoding.id && alike(config.link, one.second.shared.sender().measured());
  });
  if (it == groups_.end()) {
    auto shared =
        exchange::Shared::open(sending.offer, work.encoding.key,
                               settings_.store.encoded(sending.digest, work.encoding.encoded.encoding), config);
    if (!shared) return false;
    it = groups_.emplace(key, Group{work.encoding.id, std::move(*shared), {}, false}).first;
  }
  auto acked = content::Ranges::parse(sending.acked, static_cast<std::uint64_t>(sending.offer.encoded_bytes));
  it->second.shared.join(sending.id, acked ? std::move(*acked) : content::Ranges{}, now);
  it->second.limits[sending.id] = 0;
  it->second.relimit = true;
  group_of_[sending.id] = it->first;
  return true;
}

exchange::Shared* TransferService::shared_of(const TransferId& id) {
  const auto it = group_of_.find(id);
  return it == group_of_.end() ? nullptr : &groups_.at(it->second).shared;
}

void TransferService::leave(const TransferId& id) {
  if (const auto it = group_of_.find(id); it != group_of_.end()) {
    auto& group = groups_.at(it->second);
    group.shared.leave(id);
    group.limits.erase(id);
  }
  group_of_.erase(id);  // an empty group goes with the next pump_shared()
}

void TransferService::connected(Time now, runtime::Output& out) {
  for (auto& [key, group] : groups_) group.shared.give_time(now);
  Shell::connected(now, out);
}

void TransferService::stalled(Duration lasted, Time now, runtime::Output& out) {
  for (auto& [key, group] : groups_) group.shared.give_time(now);
  Shell::stalled(lasted, now, out);
}

// The group is as fast as the slowest of its members may be. Who may get less than half of what another may goes on
// alone.
void TransferService::limit_group(Group& group, Time now) {
  group.relimit = false;
  const auto at_most = [](std::int64_t limit) { return limit > 0 ? static_cast<double>(limit) : unlimited; };
  double most = 0, least = unlimited;
  for (const auto& [id, limit] : group.limits) most = std::max(most, at_most(limit));
  std::vector<TransferId> far_below;
  for (const auto& [id, limit] : group.limits) {
    if (at_most(limit) < most / 2) {
      far_below.push_back(id);
    } else {
      least = std::min(least, at_most(limit));
    }
  }
  for (const auto& id : far_below) {
    go_on_alone(id, now);
    step(LeftGroup{id}, now);
  }
  group.shared.limit(least == unlimited ? 0 : static_cast<std::int64_t>(least));
}

void TransferService::go_on_alone(const TransferId& id, Time now) {
  leave(id);
  const auto* sending = core_->sending(id);
  if (sending == nullptr || sending->state != SendingState::sending) return;
  if (const auto* encoding = core_->encoding(sending->offer.envelope.content)) open_alone(*sending, *encoding, now);
  if (const auto it = outbounds_.find(id); it != outbounds_.end()) it->second.limit(sending->throttled_bit_per_s);
}

void TransferService::leave_group(const TransferId& id, Time now) {
  if (shared_of(id) == nullptr) return;
  go_on_alone(id, now);
  later(LeftGroup{id});
}

// After the commit, as send_frames(). What a group sends counts once, for the service and not for its members: their
// records name what was sent to each alone.
void TransferService::pump_shared(Time now, runtime::Output& out) {
  if (!core_->linked()) return;  // nobody is heard
  for (auto& [key, group] : groups_) {
    if (group.relimit) limit_group(group, now);
    const auto due = group.shared.next_due();
    if (due && *due <= now && in_flight_bytes() < settings_.in_flight_bytes_max) {
      const auto before = group.shared.sent_bytes();
      const auto topic = topics_.content(group.content, "frame");
      for (auto& frame : group.shared.due(now))
        out.messages.push_back({.topic = topic, .payload = std::move(frame), .qos = 0});
      metrics::count("fieldwork_transfer_sent_bytes_total", {},
                     static_cast<double>(group.shared.sent_bytes() - before));
    }
    const bool over = !group.shared.sender().pieces().unsent();
    for (const auto& id : group.shared.take_released()) {
      go_on_alone(id, now);
      if (!over) step(LeftGroup{id}, now);
    }
  }
  std::erase_if(groups_, [](const auto& one) { return one.second.shared.size() == 0; });
}

}  // namespace fieldwork::transfer
