#include "agent/shell/output_room.hpp"

namespace fieldwork::agent {

void OutputRoom::put(const std::string& digest, std::int64_t bytes) {
  remove(digest);
  all_[digest] = {++turn_, bytes};
  in_order_[turn_] = digest;
  bytes_ += bytes;
}

void OutputRoom::resize(const std::string& digest, std::int64_t bytes) {
  const auto it = all_.find(digest);
  if (it == all_.end()) return;
  bytes_ += bytes - it->second.bytes;
  it->second.bytes = bytes;
}

void OutputRoom::remove(const std::string& digest) {
  const auto it = all_.find(digest);
  if (it == all_.end()) return;
  bytes_ -= it->second.bytes;
  in_order_.erase(it->second.turn);
  all_.erase(it);
}

std::int64_t OutputRoom::bytes(const std::string& digest) const {
  const auto it = all_.find(digest);
  return it == all_.end() ? 0 : it->second.bytes;
}

}  // namespace fieldwork::agent
