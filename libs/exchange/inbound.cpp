#include "exchange/inbound.hpp"

#include <fcntl.h>

#include <fstream>
#include <sstream>

#include "codec/transfer.hpp"
#include "content/encode.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "exchange/durable.hpp"
#include "file.hpp"

namespace fieldwork::exchange {
namespace {

namespace fs = std::filesystem;

Result<void> check(const Offer& offer, std::int64_t size_max) {
  const auto invalid = [](const char* path, std::string reason) {
    return Error{Code::invalid, std::move(reason), path};
  };
  if (offer.size_bytes < 0 || offer.size_bytes > size_max) {
    return invalid("/size_bytes", "is more than the limit of " + std::to_string(size_max) + " bytes");
  }
  if (offer.encoded_bytes < 1 || offer.encoded_bytes > encoded_bytes_max(offer.size_bytes)) {
    return invalid("/encoded_bytes", "is implausible for " + std::to_string(offer.size_bytes) + " bytes of content");
  }
  if (offer.encoding == "identity") {
    if (offer.encoded_bytes != offer.size_bytes) return invalid("/encoded_bytes", "must be size_bytes for identity");
  } else if (offer.encoding != "zstd") {
    return invalid("/encoding", "must be zstd or identity");
  }
  if (!crypto::is_hex(offer.transfer.value, 32)) return invalid("/transfer", "must be 32 hex digits");
  if (!crypto::is_digest(offer.digest)) return invalid("/digest", "must be sha256: and 64 hex digits");
  return {};
}

// The first line of the sidecar (.ranges): the content to which its ranges belong.
std::string content_line(const Offer& offer) {
  return offer.digest + " " + offer.encoding + " " + std::to_string(offer.encoded_bytes);
}

// The ranges in the sidecar, if it belongs to the content of the offer and the part is there.
content::Ranges stored_ranges(const fs::path& sidecar, const fs::path& part, const Offer& offer) {
  std::ifstream file(sidecar);
  std::string line, json;
  if (!fs::exists(part) || !std::getline(file, line) || line != content_line(offer) || !std::getline(file, json))
    return {};
  const auto received = codec::decode_received(json);
  if (!received || received->transfer != offer.transfer) return {};
  auto ranges = content::Ranges::parse(received->ranges, static_cast<std::uint64_t>(offer.encoded_bytes));
  return ranges ? *ranges : content::Ranges{};
}

constexpr Duration longest_pause = seconds(5);  // between two frames; a longer one is no part of the transfer's pace

content::Receiver::Time since_origin(Time now) { return now.time_since_epoch(); }

}  // namespace

struct Inbound::Impl {
  Offer offer;
  std::string key;
  fs::path part, sidecar, plain;
  std::shared_ptr<const File> file;  // shared with checkpoints that run elsewhere
  content::Receiver receiver;
  bool announce = true;
  bool elsewhere = false;
  std::uint64_t unsaved_bytes = 0;
  std::optional<Time> unsaved_since;
  std::optional<Time> last_at;    // when the newest piece came
  Duration took{};                // from the first new piece to it, without pauses
  std::uint64_t later_bytes = 0;  // of the pieces after the first

  [[nodiscard]] bool checkpoint_due(Time now) const {
    return unsaved_since && (unsaved_bytes >= checkpoint_bytes || now - *unsaved_since >= checkpoint_after);
  }

  void remove_files() const {
    std::error_code ignored;
    for (const auto& path : {part, sidecar, plain}) fs::remove(path, ignored);
  }

  // The error for a content that is not what was offered; deletes all its files.
  Error refuse(std::string reason) const {
    remove_files();
    return Error{Code::denied, std::move(reason)};
  }

  Result<void> verify(const fs::path& path) const {
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (error) return Error{Code::unavailable, error.message(), path.string()};
    if (size != static_cast<std::uint64_t>(offer.size_bytes))
      return refuse("the content is not as long as was offered");
    const auto digest = crypto::digest_of_file(path);
    if (!digest) return digest.error();
    if (*digest != offer.digest) return refuse("the content does not have the digest that was offered");
    return {};
  }
};

Result<std::string> check_offer(const Offer& offer, const crypto::PrivateKey& own_key,
                                std::string_view own_certificate_fingerprint_hex, std::int64_t size_max) {
  if (auto good = check(offer, size_max); !good) return good.error();
  auto key = crypto::unwrap_key({offer.key.alg, offer.key.ephemeral, offer.key.wrapped}, own_key,
                                own_certificate_fingerprint_hex, offer.transfer.value);
  if (!key) return Error{key.error().code, key.error().reason, "/key" + key.error().path};
  return key;
}

Inbound::Inbound(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Inbound::Inbound(Inbound&&) noexcept = default;
Inbound& Inbound::operator=(Inbound&&) noexcept = default;
Inbound::~Inbound() = default;

Result<Inbound> Inbound::open(const Offer& offer, const crypto::PrivateKey& own_key,
                              std::string_view own_certificate_fingerprint_hex, const fs::path& directory,
                              std::int64_t size_max) {
  auto key = check_offer(offer, own_key, own_certificate_fingerprint_hex, size_max);
  if (!key) return key.error();
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return Error{Code::unavailable, error.message(), directory.string()};
  const auto base = directory / offer.transfer.value;  // 32 hex digits, as checked
  const auto named = [&](const char* suffix) { return fs::path(base.string() + suffix); };
  auto have = stored_ranges(named(".ranges"), named(".part"), offer);
  auto file = File::open(named(".part"), O_RDWR | O_CREAT | (have.covered_bytes() == 0 ? O_TRUNC : 0));
  if (!file) return file.error();
  const content::ReceiverConfig config{.encoded_bytes = static_cast<std::uint64_t>(offer.encoded_bytes)};
  return Inbound(std::make_unique<Impl>(Impl{offer, std::move(*key), named(".part"), named(".ranges"), named(".plain"),
                                             std::make_shared<const File>(std::move(*file)),
                                             content::Receiver(config, std::move(have))}));
}

Result<bool> Inbound::frame(std::string_view bytes, Time now) {
  auto& in = *impl_;
  auto frame = crypto::open_frame(in.key, bytes);
  if (!frame) return frame.error();
  if (frame->transfer_id_hex != in.offer.transfer.value)
    return Error{Code::invalid, "the frame is of another transfer"};
  const auto total = static_cast<std::uint64_t>(in.offer.encoded_bytes);
  const std::uint64_t end = frame->offset + frame->piece.size();
  if (end > total) return Error{Code::invalid, "the frame ends after the content"};
  // The piece is written before it counts as received, so that every acknowledged byte is in the file.
  if (!in.receiver.ranges().contains(frame->offset, end)) {
    if (auto written = in.file->write_at(frame->piece, frame->offset); !written) return written.error();
  }
  auto fresh = in.receiver.accept(frame->offset, frame->piece.size(), since_origin(now));
  if (!fresh) return fresh.error();
  if (!*fresh) return false;
  if (in.last_at) {
    in.later_bytes += frame->piece.size();
    in.took += std::min<Duration>(now - *in.last_at, longest_pause);
  }
  in.last_at = now;
  in.unsaved_bytes += frame->piece.size();
  if (!in.unsaved_since) in.unsaved_since = now;
  if (!in.elsewhere && (in.checkpoint_due(now) || complete())) {
    if (auto saved = checkpoint(); !saved) return saved.error();
  }
  return true;
}

Received Inbound::received() const {
  return Received{impl_->offer.transfer, ReceivedState::receiving, impl_->receiver.ranges().as_pairs(), {}};
}

std::optional<Received> Inbound::ack_due(Time now) {
  if (!impl_->announce && !impl_->receiver.ack_due(since_origin(now))) return std::nullopt;
  impl_->announce = false;
  impl_->receiver.ack_sent();
  return received();
}

std::optional<Time> Inbound::next_due() const {
  if (impl_->announce) return Time{};
  const auto due = impl_->receiver.next_due();
  if (!due) return std::nullopt;
  return Time{*due};
}

bool Inbound::complete() const { return impl_->receiver.complete(); }
const Offer& Inbound::offer() const { return impl_->offer; }
std::uint64_t Inbound::received_bytes() const { return impl_->receiver.ranges().covered_bytes(); }

std::optional<std::int64_t> Inbound::goodput_bit_per_s() const {
  const auto took = static_cast<double>(impl_->took.count());
  if (took <= 0) return std::nullopt;
  return static_cast<std::int64_t>(8e6 * static_cast<double>(impl_->later_bytes) / took);
}

std::optional<double> Inbound::loss() const { return impl_->receiver.loss(); }

Result<void> Inbound::checkpoint() {
  auto& in = *impl_;
  if (auto synced = in.file->sync(); !synced) return synced;
  auto saved = replace_file(in.sidecar, content_line(in.offer) + "\n" + codec::encode(received()) + "\n");
  if (!saved) return saved;
  in.unsaved_bytes = 0;
  in.unsaved_since.reset();
  return {};
}

void Inbound::checkpoint_elsewhere() { impl_->elsewhere = true; }

std::function<Result<void>()> Inbound::checkpoint_due(Time now) {
  auto& in = *impl_;
  if (!in.elsewhere || !in.checkpoint_due(now)) return {};
  in.unsaved_bytes = 0;
  in.unsaved_since.reset();
  auto text = content_line(in.offer) + "\n" + codec::encode(received()) + "\n";
  return [file = in.file, sidecar = in.sidecar, text = std::move(text)]() -> Result<void> {
    if (auto synced = file->sync(); !synced) return synced;
    return replace_file(sidecar, text);
  };
}

Result<void> Inbound::reserve() { return impl_->file->reserve(static_cast<std::uint64_t>(impl_->offer.encoded_bytes)); }

Result<std::string> Inbound::finish(const fs::path& final_path) {
  auto& in = *impl_;
  if (!complete()) return Error{Code::conflict, "the transfer is not complete"};
  const bool encoded = in.offer.encoding == "zstd";
  if (encoded) {
    const auto size = static_cast<std::uint64_t>(in.offer.size_bytes);
    auto decoded = content::decompress_file(in.part, in.plain, size);
    if (!decoded)
      return decoded.error().code == Code::unavailable ? decoded.error() : in.refuse(decoded.error().reason);
  }
  const auto& plain = encoded ? in.plain : in.part;
  if (auto good = in.verify(plain); !good) return good.error();
  if (auto moved = move_durably(plain, final_path); !moved) return moved.error();
  in.remove_files();
  return final_path.string();
}

void Inbound::discard() { impl_->remove_files(); }

void Inbound::discard(const fs::path& directory, const TransferId& transfer) {
  std::error_code ignored;
  for (const char* suffix : {".part", ".ranges", ".plain"}) fs::remove(directory / (transfer.value + suffix), ignored);
}

}  // namespace fieldwork::exchange
