#include "exchange/outbound.hpp"

#include <fcntl.h>

#include <algorithm>

#include "crypto/sealed.hpp"
#include "exchange/sealing.hpp"
#include "sealed_file.hpp"

namespace fieldwork::exchange {
namespace {

constexpr Duration prod_first = seconds(1);
constexpr Duration prod_last = seconds(60);
constexpr Duration held_pause = seconds(10);  // after the receiver said that it cannot store more now

}  // namespace

struct Outbound::Impl {
  Offer offer;
  crypto::Sealed sealed;
  File file;
  content::SenderConfig config;
  content::Sender sender;
  Time heard;
  Time prod_at;
  Duration prod_wait = prod_first;
  Time held_until{};
  std::uint64_t limit = 0;  // bytes per second; 0: none
  bool up = true;
  std::uint64_t sent_before = 0;  // encoded bytes sent by replaced senders and by prods
  std::uint64_t resent_before = 0;
  std::uint64_t frames_before = 0, frames_again_before = 0;
  std::uint32_t tries_before = 0;
  std::string said{};    // strategy
  bool replace = false;  // the ranges of the next answer replace those that were acknowledged
  bool finished = false;
  bool failed = false;
  std::string reason;

  void serve_from(content::Ranges acked, Time now) {
    sent_before += sender.pieces().bytes_sent();
    resent_before += sender.pieces().bytes_resent();
    frames_before += sender.pieces().pieces_sent();
    frames_again_before += sender.pieces().pieces_resent();
    tries_before = tries_most();
    config.link = sender.measured();
    config.goes_on = true;
    sender = content::Sender(config, std::move(acked));
    sender.limit(limit);
    sender.link(up, now.time_since_epoch());
    prod_at = now;
    prod_wait = prod_first;
  }

  [[nodiscard]] std::uint32_t tries_most() const { return std::max(tries_before, sender.pieces().tries_most()); }

  std::optional<content::Piece> prod(Time now) {
    if (!sender.finished() || !up || now < prod_at) return std::nullopt;
    prod_at = now + prod_wait;
    prod_wait = std::min(prod_wait * 2, prod_last);
    const auto length = std::min<std::uint64_t>(config.align, config.encoded_bytes);
    sent_before += length;
    resent_before += length;
    ++frames_before;
    ++frames_again_before;
    return content::Piece{0, static_cast<std::uint32_t>(length)};
  }
};

Outbound::Outbound(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Outbound::Outbound(Outbound&&) noexcept = default;
Outbound& Outbound::operator=(Outbound&&) noexcept = default;
Outbound::~Outbound() = default;

Result<Outbound> Outbound::open(const Offer& offer, std::string content_key, const std::filesystem::path& encoded_path,
                                content::Ranges acked, content::SenderConfig config, Time now) {
  auto opened = SealedFile::open(offer, content_key, encoded_path, config);
  if (!opened) return opened.error();
  content::Sender sender(config, std::move(acked));
  return Outbound(std::make_unique<Impl>(
      Impl{offer, std::move(opened->sealed), std::move(opened->file), config, std::move(sender), now, now}));
}

std::vector<std::string> Outbound::due(Time now) {
  auto& out = *impl_;
  std::vector<std::string> frames;
  if (out.finished || out.failed || now < out.held_until) return frames;
  auto pieces = out.sender.due(now.time_since_epoch());
  if (const auto prod = out.prod(now)) pieces.push_back(*prod);
  for (const auto& piece : pieces) {
    const auto bytes = out.file.read_at(piece.offset, piece.length);
    if (!bytes) {
      out.failed = true;
      out.reason = describe(bytes.error());
      break;
    }
    frames.push_back(out.sealed.frame(piece.offset, *bytes));
  }
  return frames;
}

std::optional<Time> Outbound::next_due() const {
  const auto& out = *impl_;
  if (out.finished || out.failed) return std::nullopt;
  if (out.sender.finished()) return out.up ? std::optional(std::max(out.prod_at, out.held_until)) : std::nullopt;
  const auto due = out.sender.next_due();
  if (!due) return std::nullopt;
  return std::max(Time{*due}, out.held_until);
}

void Outbound::limit(std::int64_t bit_per_s_max) {
  impl_->limit = static_cast<std::uint64_t>(bit_per_s_max) / 8;
  if (bit_per_s_max > 0) impl_->limit = std::max<std::uint64_t>(impl_->limit, 1);
  impl_->sender.limit(impl_->limit);
}

void Outbound::link(bool up, Time now) {
  impl_->up = up;
  impl_->sender.link(up, now.time_since_epoch());
}

bool Outbound::linked() const { return impl_->up; }

bool is_held(const Received& answer) { return answer.state == ReceivedState::receiving && !answer.reason.empty(); }

void Outbound::received(const Received& answer, Time now) {
  auto& out = *impl_;
  if (answer.transfer != out.offer.transfer || out.finished || out.failed) return;
  out.heard = now;
  if (answer.state == ReceivedState::complete) {
    out.finished = true;
    return;
  }
  if (answer.state == ReceivedState::failed) {
    out.failed = true;
    out.reason = answer.reason.empty() ? "the receiver gave it up" : answer.reason;
    return;
  }
  if (answer.state == ReceivedState::unwanted) {
    out.failed = true;
    out.reason = "the receiver does not want it";
    return;
  }
  if (is_held(answer)) out.held_until = now + held_pause;
  auto ranges = content::Ranges::parse(answer.ranges, out.config.encoded_bytes);
  if (!ranges) return;
  // All bytes were acknowledged once, and now some are missing: the receiver came back with less.
  const bool lost = out.sender.finished() && !ranges->complete(out.config.encoded_bytes);
  if (out.replace || lost) {
    out.replace = false;
    out.serve_from(std::move(*ranges), now);
    return;
  }
  const bool was_finished = out.sender.finished();
  out.sender.acknowledged(*ranges, now.time_since_epoch());
  if (!was_finished && out.sender.finished()) out.prod_at = now + out.prod_wait;
}

void Outbound::asked_again(Time now) {
  auto& out = *impl_;
  out.heard = now;
  out.replace = true;
  out.serve_from(out.sender.pieces().acked(), now);
}

bool Outbound::finished() const { return impl_->finished; }
bool Outbound::failed() const { return impl_->failed; }
const std::string& Outbound::reason() const { return impl_->reason; }
std::uint64_t Outbound::sent_bytes() const { return impl_->sent_before + impl_->sender.pieces().bytes_sent(); }
std::uint64_t Outbound::resent_bytes() const { return impl_->resent_before + impl_->sender.pieces().bytes_resent(); }
std::uint64_t Outbound::sent_frames() const { return impl_->frames_before + impl_->sender.pieces().pieces_sent(); }
std::uint64_t Outbound::resent_frames() const {
  return impl_->frames_again_before + impl_->sender.pieces().pieces_resent();
}
std::uint32_t Outbound::tries_most() const { return impl_->tries_most(); }
std::uint64_t Outbound::acked_bytes() const {
  return impl_->finished ? impl_->config.encoded_bytes : acked().covered_bytes();
}
std::uint64_t Outbound::total_bytes() const { return impl_->config.encoded_bytes; }
std::uint64_t Outbound::in_flight_bytes() const {
  return impl_->finished ? 0 : impl_->sender.pieces().in_flight_bytes();
}
const content::Sender& Outbound::sender() const { return impl_->sender; }
std::optional<SaidStrategy> Outbound::new_strategy() {
  const auto& sender = impl_->sender;
  const auto& strategy = sender.strategy();
  const std::string name(content::name_of(strategy.row));
  if (strategy.row == content::Strategy::Row::unknown || name == impl_->said) return std::nullopt;
  impl_->said = name;
  return SaidStrategy{name, content::reason(strategy, sender.measured()), strategy.frame_bytes};
}

const content::Ranges& Outbound::acked() const { return impl_->sender.pieces().acked(); }
const Offer& Outbound::offer() const { return impl_->offer; }
Time Outbound::heard() const { return impl_->heard; }

}  // namespace fieldwork::exchange
