#include "exchange/outbound.hpp"

#include <fcntl.h>

#include <algorithm>

#include "content/encode.hpp"
#include "crypto/seal.hpp"
#include "exchange/durable.hpp"
#include "file.hpp"

namespace fieldwork::exchange {
namespace {

namespace fs = std::filesystem;
constexpr Duration prod_first = seconds(1);
constexpr Duration prod_last = seconds(60);
constexpr Duration held_pause = seconds(10);  // after the receiver said that it cannot store more now

}  // namespace

Result<Encoded> encode_beside(const fs::path& plain_path, int level) {
  const fs::path encoded = plain_path.string() + ".zst";
  std::error_code error;
  const auto plain_bytes = fs::file_size(plain_path, error);
  if (error) return Error{Code::unavailable, error.message(), plain_path.string()};
  if (!fs::exists(encoded, error)) {
    const fs::path fresh = encoded.string() + ".new";
    if (auto done = content::compress_file(plain_path, fresh, level); !done) return done.error();
    const auto bytes = fs::file_size(fresh, error);
    // Empty content is sent as an empty zstd stream: an offer of 0 encoded bytes does not exist.
    if (!error && bytes >= plain_bytes && plain_bytes > 0) {
      fs::remove(fresh, error);
      return Encoded{"identity", plain_path, static_cast<std::int64_t>(plain_bytes)};
    }
    if (auto moved = move_durably(fresh, encoded); !moved) return moved.error();
  }
  const auto bytes = fs::file_size(encoded, error);
  if (error) return Error{Code::unavailable, error.message(), encoded.string()};
  return Encoded{"zstd", encoded, static_cast<std::int64_t>(bytes)};
}

Result<Offer> make_offer(const TransferId& transfer, const std::string& digest, std::int64_t size_bytes,
                         const std::string& encoding, std::int64_t encoded_bytes, std::int64_t frame_bytes,
                         std::string_view content_key, const crypto::Certificate& receiver,
                         const std::string& release) {
  auto wrapped = crypto::wrap_key(content_key, receiver.public_key(), receiver.fingerprint(), transfer.value);
  if (!wrapped) return wrapped.error();
  return Offer{.transfer = transfer,
               .digest = digest,
               .size_bytes = size_bytes,
               .encoding = encoding,
               .encoded_bytes = encoded_bytes,
               .frame_bytes = frame_bytes,
               .key = {std::move(wrapped->alg), std::move(wrapped->ephemeral), std::move(wrapped->wrapped)},
               .release = release};
}

struct Outbound::Impl {
  Offer offer;
  std::string key;
  File file;
  content::SenderConfig config;
  content::Sender sender;
  Time heard;
  Time prod_at;
  Duration prod_wait = prod_first;
  Time held_until{};
  std::int64_t bit_per_s_max = 0;  // 0: no limit
  Time paced_until{};              // when what was sent is within the limit
  std::uint64_t sent_before = 0;   // encoded bytes sent by replaced senders and by prods
  bool replace = false;            // the ranges of the next answer replace those that were acknowledged
  bool finished = false;
  bool failed = false;
  std::string reason;

  void serve_from(content::Ranges acked, Time now) {
    sent_before += sender.bytes_sent();
    sender = content::Sender(config, std::move(acked));
    prod_at = now;
    prod_wait = prod_first;
  }

  // Within the limit one piece at a time: each takes as long as the link would need for it at that rate.
  std::vector<content::Piece> due(Time now) {
    if (bit_per_s_max == 0) return sender.due(now.time_since_epoch());
    std::vector<content::Piece> pieces;
    while (paced_until <= now) {
      const auto one = sender.due(now.time_since_epoch(), 1);
      if (one.empty()) break;
      pieces.push_back(one.front());
      const auto lasts = 8e6 * static_cast<double>(one.front().length) / static_cast<double>(bit_per_s_max);
      // What could not be sent while nobody asked is made up for, within a tenth of a second.
      paced_until = std::max(paced_until, now - milliseconds(100)) + Duration(static_cast<std::int64_t>(lasts));
    }
    return pieces;
  }

  std::optional<content::Piece> prod(Time now) {
    if (!sender.finished() || now < prod_at) return std::nullopt;
    prod_at = now + prod_wait;
    prod_wait = std::min(prod_wait * 2, prod_last);
    const auto length = std::min<std::uint64_t>(config.frame_bytes, config.encoded_bytes);
    sent_before += length;
    return content::Piece{0, static_cast<std::uint32_t>(length)};
  }
};

Outbound::Outbound(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Outbound::Outbound(Outbound&&) noexcept = default;
Outbound& Outbound::operator=(Outbound&&) noexcept = default;
Outbound::~Outbound() = default;

Result<Outbound> Outbound::open(const Offer& offer, std::string content_key, const fs::path& encoded_path,
                                content::Ranges acked, content::SenderConfig config, Time now) {
  const auto frame_max = static_cast<std::int64_t>(crypto::frame_piece_bytes_max);
  if (offer.frame_bytes < 1 || offer.frame_bytes > frame_max) {
    return Error{Code::invalid, "must be from 1 to " + std::to_string(frame_max), "/frame_bytes"};
  }
  auto file = File::open(encoded_path, O_RDONLY);
  if (!file) return file.error();
  const auto size = file->size();
  if (!size) return size.error();
  if (*size != static_cast<std::uint64_t>(offer.encoded_bytes)) {
    return Error{Code::invalid, "is not as long as was offered", encoded_path.string()};
  }
  config.encoded_bytes = *size;
  config.frame_bytes = static_cast<std::uint32_t>(offer.frame_bytes);
  content::Sender sender(config, std::move(acked));
  return Outbound(std::make_unique<Impl>(
      Impl{offer, std::move(content_key), std::move(*file), config, std::move(sender), now, now}));
}

std::vector<std::string> Outbound::due(Time now) {
  auto& out = *impl_;
  std::vector<std::string> frames;
  if (out.finished || out.failed || now < out.held_until) return frames;
  auto pieces = out.due(now);
  if (const auto prod = out.prod(now)) pieces.push_back(*prod);
  for (const auto& piece : pieces) {
    const auto bytes = out.file.read_at(piece.offset, piece.length);
    if (!bytes) {
      out.failed = true;
      out.reason = describe(bytes.error());
      break;
    }
    frames.push_back(crypto::seal_frame(out.key, out.offer.transfer.value, piece.offset, *bytes));
  }
  return frames;
}

std::optional<Time> Outbound::next_due() const {
  const auto& out = *impl_;
  if (out.finished || out.failed) return std::nullopt;
  if (out.sender.finished()) return std::max(out.prod_at, out.held_until);
  const auto due = out.sender.next_due();
  if (!due) return std::nullopt;
  return std::max({Time{*due}, out.held_until, out.paced_until});
}

void Outbound::pace(std::int64_t bit_per_s_max) {
  impl_->bit_per_s_max = bit_per_s_max;
  if (bit_per_s_max == 0) impl_->paced_until = {};
}

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
  out.serve_from(out.sender.acked(), now);
}

bool Outbound::finished() const { return impl_->finished; }
bool Outbound::failed() const { return impl_->failed; }
const std::string& Outbound::reason() const { return impl_->reason; }
std::uint64_t Outbound::sent_bytes() const { return impl_->sent_before + impl_->sender.bytes_sent(); }
std::uint64_t Outbound::acked_bytes() const {
  return impl_->finished ? impl_->config.encoded_bytes : impl_->sender.acked_bytes();
}
std::uint64_t Outbound::total_bytes() const { return impl_->config.encoded_bytes; }
std::uint64_t Outbound::in_flight_bytes() const { return impl_->finished ? 0 : impl_->sender.in_flight_bytes(); }
const content::Ranges& Outbound::acked() const { return impl_->sender.acked(); }
const Offer& Outbound::offer() const { return impl_->offer; }
Time Outbound::heard() const { return impl_->heard; }

}  // namespace fieldwork::exchange
