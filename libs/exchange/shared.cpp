#include "exchange/shared.hpp"

#include <fcntl.h>

#include <algorithm>

#include "crypto/sealed.hpp"
#include "exchange/sealing.hpp"
#include "sealed_file.hpp"

namespace fieldwork::exchange {

struct Shared::Impl {
  crypto::Sealed sealed;
  File file;
  std::uint64_t encoded_bytes;
  content::Group group;
  std::vector<TransferId> released;

  void hear_released() {
    for (auto& name : group.take_released()) released.emplace_back(std::move(name));
  }
};

Shared::Shared(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Shared::Shared(Shared&&) noexcept = default;
Shared& Shared::operator=(Shared&&) noexcept = default;
Shared::~Shared() = default;

Result<Shared> Shared::open(const Offer& offer, std::string content_key, const std::filesystem::path& encoded_path,
                            content::SenderConfig config) {
  auto opened = SealedFile::open(offer, content_key, encoded_path, config);
  if (!opened) return opened.error();
  return Shared(std::make_unique<Impl>(
      Impl{std::move(opened->sealed), std::move(opened->file), config.encoded_bytes, content::Group(config), {}}));
}

void Shared::join(const TransferId& transfer, content::Ranges acked, Time now) {
  impl_->group.join(transfer.value, std::move(acked), now.time_since_epoch());
}

void Shared::leave(const TransferId& transfer) { impl_->group.leave(transfer.value); }

std::uint64_t Shared::sent_bytes() const { return impl_->group.sent_bytes(); }
void Shared::give_time(Time now) { impl_->group.give_time(now.time_since_epoch()); }
std::size_t Shared::size() const { return impl_->group.size(); }
const content::Sender& Shared::sender() const { return impl_->group.sender(); }

void Shared::received(const Received& answer, Time now) {
  const auto ranges = content::Ranges::parse(answer.ranges, impl_->encoded_bytes);
  if (!ranges) return;
  impl_->group.acknowledged(answer.transfer.value, *ranges, now.time_since_epoch());
  impl_->hear_released();
}

void Shared::limit(std::int64_t bit_per_s_max) {
  impl_->group.limit(static_cast<std::uint64_t>(std::max<std::int64_t>(bit_per_s_max, 0)) / 8);
}

std::vector<std::string> Shared::due(Time now) {
  std::vector<std::string> frames;
  for (const auto& piece : impl_->group.due(now.time_since_epoch())) {
    const auto bytes = impl_->file.read_at(piece.offset, piece.length);
    if (!bytes) {  // each finds out for itself
      impl_->group.release_all();
      break;
    }
    frames.push_back(impl_->sealed.frame(piece.offset, *bytes));
  }
  impl_->hear_released();
  return frames;
}

std::optional<Time> Shared::next_due() const {
  const auto due = impl_->group.next_due();
  if (!due) return std::nullopt;
  return Time{*due};
}

std::vector<TransferId> Shared::take_released() { return std::exchange(impl_->released, {}); }

}  // namespace fieldwork::exchange
