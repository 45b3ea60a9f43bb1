#include "exchange/inbound.hpp"

#include <fcntl.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "codec/transfer.hpp"
#include "content/encoding.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "decoding.hpp"
#include "exchange/durable.hpp"
#include "file.hpp"

namespace fieldwork::exchange {
namespace {

namespace fs = std::filesystem;

// The first line of the sidecar (.ranges): the content to which its ranges belong.
std::string content_line(const Offer& offer) {
  return offer.digest + " " + offer.encoded_digest + " " + std::to_string(offer.encoded_bytes);
}

struct Stored {
  content::Ranges ranges;
  std::int64_t bad_frames = 0;
};
// What the sidecar says, if it belongs to the content of the offer, as far as the part goes: a disk may have lost what
// it had confirmed.
Stored stored(const fs::path& sidecar, const fs::path& part, const Offer& offer) {
  std::ifstream file(sidecar);
  std::string line, json;
  std::error_code error;
  const auto size = fs::file_size(part, error);
  if (error || !std::getline(file, line) || line != content_line(offer) || !std::getline(file, json)) return {};
  auto received = codec::decode_received(json);
  if (!received || received->transfer != offer.transfer) return {};
  for (auto& [begin, end] : received->ranges) end = std::min<std::uint64_t>(end, size);
  std::erase_if(received->ranges, [](const auto& range) { return range.first >= range.second; });
  auto ranges = content::Ranges::parse(received->ranges, static_cast<std::uint64_t>(offer.encoded_bytes));
  if (!ranges) return {};
  return {std::move(*ranges), received->bad_frames};
}

constexpr std::uint64_t hashed_at_once = 1 << 20;  // bytes of the file, with one piece
constexpr std::uint64_t decode_bytes_at_least = 256 << 10, decode_bytes_at_most = 4 << 20;  // encoded, in one job
constexpr Duration longest_pause = seconds(5);  // between two frames; a longer one is no part of the transfer's pace

content::Receiver::Time since_origin(Time now) { return now.time_since_epoch(); }

}  // namespace

struct Inbound::Impl {
  Offer offer;
  crypto::Sealed sealed;
  std::string piece;  // of the newest frame; its room is used again
  fs::path base;
  fs::path part, sidecar, plain;
  std::shared_ptr<const File> file;  // shared with checkpoints that run elsewhere
  content::Receiver receiver;
  std::int64_t bad_frames = 0;
  Came came{};
  crypto::Sha256 hash;  // of an identity: of the first `hashed` bytes
  std::uint64_t hashed = 0;
  bool announce = true;
  bool elsewhere = false;
  std::shared_ptr<Decoding> decoding;  // shared with jobs that run elsewhere; none: finish() decodes all
  std::uint64_t decoding_to = 0;       // the encoded bytes before it are decoded, or will be by a job
  std::uint64_t unsaved_bytes = 0;
  std::optional<Time> unsaved_since;
  std::optional<Time> last_at;    // when the newest piece came
  Duration took{};                // from the first new piece to it, without pauses
  std::uint64_t later_bytes = 0;  // of the pieces after the first

  [[nodiscard]] bool checkpoint_due(Time now) const {
    return unsaved_since && (unsaved_bytes >= checkpoint_bytes || now - *unsaved_since >= checkpoint_after);
  }

  void count(bool fresh) {
    const auto bytes = static_cast<std::int64_t>(piece.size());
    ++came.frames;
    came.bytes += bytes;
    if (fresh) return;
    ++came.again_frames;
    came.again_bytes += bytes;
  }

  void remove_files() const {
    std::error_code ignored;
    for (const auto& path : {part, sidecar, plain}) fs::remove(path, ignored);
  }

  [[nodiscard]] bool base_is_whole() const {
    const auto digest = offer.base.empty() ? Result<std::string>(offer.base) : crypto::digest_of_file(base);
    return digest && *digest == offer.base;
  }

  // The error for a content that is not what was offered; deletes all its files.
  [[nodiscard]] Error refuse(std::string reason) const {
    const auto encoded = crypto::digest_of_file(part);
    if (!encoded) return encoded.error();
    const bool promised = *encoded == offer.encoded_digest && base_is_whole();
    remove_files();
    if (promised) return Error{Code::denied, std::move(reason)};
    return Error{Code::conflict, "bytes were changed on their way or on the disk: " + reason};
  }

  // The digest of the plain content, which is in its file then: `plain`, or `part` where that is the same.
  [[nodiscard]] Result<std::string> decoded() {
    if (decoding) return decoding->finish(static_cast<std::uint64_t>(offer.encoded_bytes));
    const auto kind = content::encoding_kind(offer.encoding);
    if (kind && *kind != content::EncodingKind::identity)
      return content::decode(*kind, part, base, plain, static_cast<std::uint64_t>(offer.size_bytes));
    while (hashed < static_cast<std::uint64_t>(offer.size_bytes)) {
      if (auto done = hash_on(hashed_at_once); !done) return done.error();
    }
    hashed = 0;  // if this has to be done again
    return "sha256:" + crypto::to_hex(hash.finish());
  }

  // Plain bytes are hashed when they come, as far as they come in order; others when the gap before them is filled.
  Result<void> hash_piece(std::uint64_t offset) {
    if (offer.encoding != "identity") return {};
    if (offset == hashed) {
      hash.update(piece);
      hashed += piece.size();
    }
    return hash_on(hashed_at_once);
  }

  // Goes on with bytes that are in the file.
  Result<void> hash_on(std::uint64_t bytes_max) {
    const auto gap = receiver.ranges().first_missing(hashed, static_cast<std::uint64_t>(offer.encoded_bytes));
    const auto end = std::min(gap ? gap->first : static_cast<std::uint64_t>(offer.encoded_bytes), hashed + bytes_max);
    if (end <= hashed) return {};
    const auto bytes = file->read_at(hashed, end - hashed);
    if (!bytes) return bytes.error();
    hash.update(*bytes);
    hashed = end;
    return {};
  }
};

Inbound::Inbound(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Inbound::Inbound(Inbound&&) noexcept = default;
Inbound& Inbound::operator=(Inbound&&) noexcept = default;
Inbound::~Inbound() = default;

Result<Inbound> Inbound::open(const Offer& offer, const crypto::PrivateKey& own_key,
                              std::string_view own_certificate_fingerprint_hex, const fs::path& directory,
                              std::int64_t size_max, const fs::path& base, const Inbound* before) {
  auto key = check_offer(offer, own_key, own_certificate_fingerprint_hex, size_max);
  if (!key) return key.error();
  auto sealed = crypto::Sealed::make(sealed_header(offer).value(), *key);
  if (!sealed) return sealed.error();
  std::error_code error;
  if (!offer.base.empty() && (base.empty() || !fs::exists(base, error)))
    return Error{Code::invalid, "the content is not here against which the patch is made", "/base"};
  fs::create_directories(directory, error);
  if (error) return Error{Code::unavailable, error.message(), directory.string()};
  const auto stem = directory / offer.transfer.value;  // 32 hex digits, as checked
  const auto named = [&](const char* suffix) { return fs::path(stem.string() + suffix); };
  auto [have, bad_frames] = stored(named(".ranges"), named(".part"), offer);
  if (before != nullptr && before->offer().transfer == offer.transfer &&
      content_line(before->offer()) == content_line(offer)) {
    have = before->impl_->receiver.ranges();
    bad_frames = before->impl_->bad_frames;
  }
  if (have.covered_bytes() == 0) fs::remove(named(".ranges"), error);  // of a part that is cut now
  auto file = File::open(named(".part"), O_RDWR | O_CREAT | (have.covered_bytes() == 0 ? O_TRUNC : 0));
  if (!file) return file.error();
  const content::ReceiverConfig config{.encoded_bytes = static_cast<std::uint64_t>(offer.encoded_bytes)};
  return Inbound(std::make_unique<Impl>(Impl{offer,
                                             std::move(*sealed),
                                             {},
                                             base,
                                             named(".part"),
                                             named(".ranges"),
                                             named(".plain"),
                                             std::make_shared<const File>(std::move(*file)),
                                             content::Receiver(config, std::move(have)),
                                             bad_frames,
                                             {},
                                             {}}));
}

Result<bool> Inbound::frame(std::string_view bytes, Time now) {
  auto& in = *impl_;
  const auto offset = in.sealed.open_into(bytes, in.piece);
  if (!offset) {
    ++in.bad_frames;
    return offset.error();
  }
  // The piece is written before it counts as received, so that every acknowledged byte is in the file.
  if (!in.receiver.ranges().contains(*offset, *offset + in.piece.size())) {
    if (auto written = in.file->write_at(in.piece, *offset); !written) return written.error();
  }
  auto fresh = in.receiver.accept(*offset, in.piece.size());
  if (!fresh) return fresh.error();
  in.count(*fresh);
  if (!*fresh) return false;
  if (in.last_at) {
    in.later_bytes += in.piece.size();
    in.took += std::min<Duration>(now - *in.last_at, longest_pause);
  }
  in.last_at = now;
  if (auto done = in.hash_piece(*offset); !done) return done.error();
  in.unsaved_bytes += in.piece.size();
  if (!in.unsaved_since) in.unsaved_since = now;
  if (!in.elsewhere && (in.checkpoint_due(now) || complete())) {
    if (auto saved = checkpoint(); !saved) return saved.error();
  }
  return true;
}

Received Inbound::received() const {
  return Received{.transfer = impl_->offer.transfer,
                  .ranges = impl_->receiver.ranges().as_pairs(),
                  .reason = {},
                  .bad_frames = impl_->bad_frames};
}

std::optional<Received> Inbound::ack_due(Time now) {
  if (!impl_->announce && !impl_->receiver.ack_due(since_origin(now))) return std::nullopt;
  impl_->announce = false;
  impl_->receiver.ack_sent(since_origin(now));
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

Inbound::Came Inbound::take_came() { return std::exchange(impl_->came, {}); }
std::int64_t Inbound::bad_frames() const { return impl_->bad_frames; }

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

std::function<void()> Inbound::decode_due() {
  auto& in = *impl_;
  if (!in.elsewhere || in.offer.encoding != "zstd") return {};
  const auto all = static_cast<std::uint64_t>(in.offer.encoded_bytes);
  const auto gap = in.receiver.ranges().first_missing(in.decoding_to, all);
  const auto end = std::min(gap ? gap->first : all, in.decoding_to + decode_bytes_at_most);
  if (end < in.decoding_to + decode_bytes_at_least) return {};
  if (!in.decoding) {
    in.decoding = std::make_shared<Decoding>(in.file, in.plain, static_cast<std::uint64_t>(in.offer.size_bytes));
    in.decoding->open();
  }
  in.decoding_to = end;
  return [decoding = in.decoding, end] { decoding->go_on(end); };
}

// The plain file is a new one: an earlier Inbound's job may still write into the one before.
Result<void> Inbound::reserve() {
  const auto& in = *impl_;
  if (auto done = in.file->reserve(static_cast<std::uint64_t>(in.offer.encoded_bytes)); !done) return done;
  if (in.offer.encoding == "identity") return {};
  std::error_code ignored;
  fs::remove(in.plain, ignored);
  auto plain = File::open(in.plain, O_WRONLY | O_CREAT);
  if (!plain) return plain.error();
  auto done = plain->reserve(static_cast<std::uint64_t>(in.offer.size_bytes));
  if (!done) fs::remove(in.plain, ignored);
  return done;
}

Result<std::string> Inbound::finish(const fs::path& final_path, const Check& check) {
  auto& in = *impl_;
  if (!complete()) return Error{Code::conflict, "the transfer is not complete"};
  const auto digest = in.decoded();
  if (!digest)
    return digest.error().code == Code::unavailable ? digest.error() : in.refuse("encoding: " + digest.error().reason);
  if (*digest != in.offer.digest) return in.refuse("digest: the content does not have the digest that was offered");
  const auto& plain = in.offer.encoding == "identity" ? in.part : in.plain;
  std::error_code error;
  if (fs::file_size(plain, error) != static_cast<std::uint64_t>(in.offer.size_bytes) || error)
    return Error{Code::unavailable, "is not what was decoded", plain.string()};
  if (const auto good = check ? check(plain) : Result<void>(); !good) return good.error();
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
