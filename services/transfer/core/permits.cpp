#include "transfer/core/permits.hpp"

namespace fieldwork::transfer {

bool Permits::has_room(const std::string& principal, std::size_t devices) const {
  std::size_t own = 0;
  for (const auto& [question, request] : waiting_) {
    if (request.about.principal == principal) ++own;
    devices += request.open;
  }
  return waiting_.size() < limits_.waiting_max && own < limits_.of_one_max && devices <= limits_.devices_max;
}

std::int64_t Permits::add(PermitQuestion about, Devices devices, Time now) {
  about.question = next_++;
  auto& request = waiting_[about.question];
  request.about = std::move(about);
  request.devices = std::move(devices);
  request.since = now;
  for (const auto& [name, device] : request.devices) {
    if (device.stand != Stand::settled) ++request.open;
    if (device.stand == Stand::unheard) ++request.unheard;
  }
  return request.about.question;
}

void Permits::settle(PermitRequest& request, PermitRequest::Device& device, std::string refused) {
  if (device.stand == Stand::unheard) --request.unheard;
  --request.open;
  device.stand = Stand::settled;
  device.refused = std::move(refused);
}

void Permits::answered(const Permit& permit) {
  const auto it = waiting_.find(permit.question);
  if (it == waiting_.end()) return;
  const auto device = it->second.devices.find(permit.device.value);
  if (device == it->second.devices.end() || device->second.stand != Stand::asked) return;
  settle(it->second, device->second, permit.allow ? "" : permit.reason);
}

bool Permits::refuse(std::int64_t question, const std::string& device, const std::string& why) {
  const auto it = waiting_.find(question);
  if (it == waiting_.end()) return false;
  const auto found = it->second.devices.find(device);
  if (found == it->second.devices.end() || found->second.stand == Stand::settled) return false;
  settle(it->second, found->second, why);
  return true;
}

void Permits::hear(const Known& known) {
  for (auto& [question, request] : waiting_) {
    if (request.unheard == 0) continue;
    for (auto& [name, device] : request.devices) {
      if (device.stand != Stand::unheard) continue;
      auto refused = known(name);
      if (!refused) continue;
      if (!refused->empty()) {
        settle(request, device, std::move(*refused));
        continue;
      }
      device.stand = Stand::asked;
      --request.unheard;
      request.said = Time{};
    }
  }
}

void Permits::give_full_time(Time now) {
  for (auto& [question, request] : waiting_) {
    request.since = now;
    request.said = Time{};
  }
}

std::vector<PermitQuestion> Permits::take_due(Time now) {
  std::vector<PermitQuestion> out;
  for (auto& [question, request] : waiting_) {
    if (request.open == request.unheard || now - request.said < limits_.again) continue;
    request.said = now;
    for (const auto& [name, device] : request.devices) {
      if (device.stand != Stand::asked) continue;
      auto& asked = out.emplace_back(request.about);
      asked.device = DeviceId(name);
    }
  }
  return out;
}

void Permits::give_up(PermitRequest& request) {
  for (auto& [name, device] : request.devices) {
    if (device.stand == Stand::settled) continue;
    const bool asked = device.stand == Stand::asked;
    if (asked) ++request.unanswered;
    settle(request, device, asked ? "security-policy does not answer" : "no such device");
  }
}

std::vector<std::pair<std::int64_t, PermitRequest>> Permits::take_settled(Time now) {
  std::vector<std::pair<std::int64_t, PermitRequest>> out;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (now - it->second.since >= limits_.patience) give_up(it->second);
    if (it->second.open > 0) {
      ++it;
      continue;
    }
    out.emplace_back(it->first, std::move(it->second));
    it = waiting_.erase(it);
  }
  return out;
}

}  // namespace fieldwork::transfer
