#include "runtime/reject.hpp"

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::runtime {
namespace {
const std::string other = "other";
}

void Rejections::note(const std::string& said, const std::string& from, const Error& error, Time now) {
  const auto& channel = bursts_.contains(said) || bursts_.size() < channels_max ? said : other;
  metrics::count("fieldwork_rejected_total", {{"channel", channel}});
  auto [it, first] = bursts_.try_emplace(channel);
  auto& burst = it->second;
  const bool goes_on = !first && now - burst.logged < seconds(10);
  if (goes_on && (burst.senders.size() >= senders_max || burst.senders.contains(from))) {
    ++burst.silent;
    return;
  }
  log::warn("rejected", {{"channel", channel},
                         {"from", from},
                         {"reason", describe(error)},
                         {"more_since", std::to_string(burst.silent)}});
  if (!goes_on) burst = Burst{now, 0, {}};
  burst.senders.insert(from);
}

}  // namespace fieldwork::runtime
