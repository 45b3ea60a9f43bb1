// Room for packages on the disk, and what is left over there.
#include <sys/stat.h>

#include <algorithm>

#include "agent/limits.hpp"
#include "agent/shell/packages.hpp"

namespace fieldwork::agent {
namespace {

namespace fs = std::filesystem;

// Bytes of the disk that the file takes: more than its size where room was reserved.
std::int64_t on_disk(const fs::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::int64_t>(status.st_blocks) * 512 : 0;
}

}  // namespace

std::optional<std::string> Packages::no_room(const Offer& offer) {
  const auto still = [&](const Offer& one, std::int64_t bytes, const char* file) {
    return bytes - std::min(bytes, on_disk(directory_ / (one.transfer.value + file)));
  };
  const auto plain = [&](const Offer& one) {
    return one.encoding == "identity" ? 0 : still(one, one.size_bytes, ".plain");
  };
  auto wanted = still(offer, offer.encoded_bytes, ".part") + plain(offer);
  for (const auto& [transfer, other] : incoming_) {  // where a disk cannot reserve
    if (other.offer.digest != offer.digest) wanted += plain(other.offer);
  }
  auto room = cache_.make_room(offer.size_bytes, wanted, now_);
  if (!room && !leftovers_.empty()) {
    for (const auto& transfer : std::exchange(leftovers_, {})) {
      if (transfer != offer.transfer) exchange::Inbound::discard(directory_, transfer);
    }
    room = cache_.make_room(offer.size_bytes, wanted, now_);
  }
  if (room) return std::nullopt;
  return room.error().reason;
}

void Packages::discard(const TransferId& transfer) {
  run([directory = directory_, transfer] { exchange::Inbound::discard(directory, transfer); });
}

// Deletes parts of transfers from before this start that no sender has taken up again.
void Packages::sweep() {
  if (!started_) started_ = now_;
  if (leftovers_.empty() || now_ - *started_ < leftovers_kept_max) return;
  for (const auto& transfer : std::exchange(leftovers_, {})) discard(transfer);
}

}  // namespace fieldwork::agent
