#include "transfer/core/encodings.hpp"

#include <algorithm>

#include "content/strategy.hpp"
#include "transfer/limits.hpp"

namespace fieldwork::transfer {
namespace {

constexpr Duration failed_for = std::chrono::hours(1);
constexpr double unknown_bit_per_s = 10e6;
// Whether a patch is small is known when it is made. It is not tried where what is stored arrives sooner than this, and
// whatever is being made is given up after half of the time in which what is stored would arrive.
constexpr double patch_from_s = 1;
constexpr double make_least_s = 1;

bool is_stored(const SealedEncoding& one) {
  return one.encoded.encoding.kind == content::EncodingKind::identity || one.encoded.encoding == stored_encoding;
}

content::DeviceView view(const Accepts& accepts, const std::vector<std::string>& bases) {
  content::DeviceView out{.decoders = {}, .window_log_max = accepts.window_log_max, .bases = bases};
  for (const auto& name : accepts.decoders) {
    if (const auto kind = content::encoding_kind(name)) out.decoders.push_back(*kind);
  }
  return out;
}

std::string cipher_for(const Accepts& accepts) {
  for (const auto& one : accepts.ciphers) {
    if (one == "aes-256-gcm" || one == "chacha20-poly1305") return one;
  }
  return "aes-256-gcm";
}

}  // namespace

content::Measured link_of(const Accepts& accepts) {
  content::Measured out;
  if (accepts.round_trip_ms)
    out.round_trip = std::chrono::microseconds(static_cast<std::int64_t>(1000 * *accepts.round_trip_ms));
  if (accepts.goodput_bit_per_s) out.bit_per_s = static_cast<double>(*accepts.goodput_bit_per_s);
  return out;
}

Encodings::Encodings(std::int64_t bytes_max, Duration epoch_kept, std::vector<SealedEncoding> saved)
    : bytes_max_(bytes_max), epoch_kept_(epoch_kept) {
  for (auto& one : saved) {
    of_[one.digest].insert(one.id);
    all_.emplace(one.id, std::move(one));
  }
}

Encodings::Choice Encodings::choose(const Content& content, const Accepts& accepts,
                                    const std::vector<std::string>& bases, Time now) const {
  const auto& digest = content.package.digest;
  content::ContentView have{.profile = {.plain_bytes = content.package.size_bytes}, .bases = bases};
  have.compression = content::strategy(link_of(accepts)).compression;
  if (content.encoding == "zstd") {
    have.made.push_back(
        {{.encoding = stored_encoding, .bytes = content.encoded_bytes, .window_log = stored_window_log}});
  }
  if (content.encoded_bytes > 0)
    have.profile.ratio = static_cast<double>(content.package.size_bytes) / static_cast<double>(content.encoded_bytes);
  if (const auto it = of_.find(digest); it != of_.end()) {
    for (const auto& id : it->second) {
      const auto& one = all_.at(id);
      if (!is_stored(one)) have.made.push_back({one.encoded});
    }
  }
  const auto bit_per_s = static_cast<double>(accepts.goodput_bit_per_s.value_or(0));
  const double stored_s =
      8 * static_cast<double>(content.encoded_bytes) / (bit_per_s > 0 ? bit_per_s : unknown_bit_per_s);
  if (stored_s < patch_from_s) have.bases.clear();
  const auto chosen =
      content::choose(have, {.bit_per_s = accepts.goodput_bit_per_s, .round_trip_ms = accepts.round_trip_ms},
                      view(accepts, have.bases));
  Choice out{{}, {digest, chosen.encoding, cipher_for(accepts)}, chosen.reason, std::max(stored_s / 2, make_least_s)};
  if (const auto failed = failed_until_.find(out.make); failed != failed_until_.end() && now < failed->second) {
    out.make.encoding = {};
    out.reason = "the plain content: the better encoding cannot be made now";
  }
  if (const auto* there = sealed(out.make, now)) out.id = there->id;
  return out;
}

const SealedEncoding* Encodings::sealed(const MakingOf& making, Time now) const {
  const auto it = of_.find(making.digest);
  if (it == of_.end()) return nullptr;
  const SealedEncoding* newest = nullptr;
  for (const auto& id : it->second) {
    const auto& one = all_.at(id);
    if (one.making() != making || now - one.made > epoch_kept_) continue;
    if (newest == nullptr || newest->epoch < one.epoch) newest = &one;
  }
  return newest;
}

MakeEncoding Encodings::order(const MakingOf& making, std::int64_t size_bytes, double make_s_max) const {
  MakeEncoding out{making, size_bytes};
  out.at_most = Duration(static_cast<std::int64_t>(1e6 * make_s_max));
  const auto it = of_.find(making.digest);
  if (it == of_.end()) return out;
  for (const auto& id : it->second) {
    const auto& one = all_.at(id);
    if (one.encoded.encoding == making.encoding) out.known = one.encoded;
    if (one.making() == making) out.epoch = std::max(out.epoch, one.epoch + 1);
  }
  return out;
}

void Encodings::add(SealedEncoding made) {
  for (const auto& id : std::set<std::string>(of_[made.digest])) {
    const auto& other = all_.at(id).encoded;
    if (other.encoding == made.encoded.encoding && other.digest != made.encoded.digest) remove(id);
  }
  unsaved_.insert(made.id);
  of_[made.digest].insert(made.id);
  all_.insert_or_assign(made.id, std::move(made));
}

void Encodings::used(const std::string& id, Time now) {
  const auto it = all_.find(id);
  if (it == all_.end()) return;
  it->second.used = now;
  unsaved_.insert(id);
}

void Encodings::lost(const std::string& id) {
  if (all_.contains(id)) remove(id);
}

void Encodings::failed(const MakingOf& making, Time now) {
  if (failed_until_.size() >= failed_encodings_max) failed_until_.clear();
  failed_until_[making] = now + failed_for;
}

const SealedEncoding* Encodings::find(const std::string& id) const {
  const auto it = all_.find(id);
  return it == all_.end() ? nullptr : &it->second;
}

bool Encodings::shares_file(const SealedEncoding& one) const {
  const auto it = of_.find(one.digest);
  return is_stored(one) || (it != of_.end() && std::any_of(it->second.begin(), it->second.end(), [&](const auto& id) {
                              return id != one.id && all_.at(id).encoded.encoding == one.encoded.encoding;
                            }));
}

std::vector<SealedEncoding> Encodings::prune(const std::set<std::string>& in_use, Time now) {
  std::vector<SealedEncoding> out;
  std::vector<const SealedEncoding*> idle;  // what may go
  std::int64_t bytes = 0;
  for (const auto& [id, one] : all_) {
    if (!is_stored(one)) bytes += one.encoded.bytes;
    if (!in_use.contains(id)) idle.push_back(&one);
  }
  std::sort(idle.begin(), idle.end(), [](const auto* a, const auto* b) { return a->used < b->used; });
  for (const auto* one : idle) {
    const bool old = now - one->made > epoch_kept_;
    if (!old && (bytes <= bytes_max_ || is_stored(*one))) continue;
    if (!is_stored(*one)) bytes -= one->encoded.bytes;
    out.push_back(*one);
  }
  for (const auto& one : out) remove(one.id);
  return out;
}

std::vector<SealedEncoding> Encodings::forget(const std::string& digest) {
  std::vector<SealedEncoding> out;
  for (const auto& [id, one] : all_) {
    if (one.digest == digest || one.encoded.encoding.base == digest) out.push_back(one);
  }
  for (const auto& one : out) remove(one.id);
  return out;
}

void Encodings::remove(const std::string& id) {
  const auto it = all_.find(id);
  const auto of = of_.find(it->second.digest);
  of->second.erase(id);
  if (of->second.empty()) of_.erase(of);
  all_.erase(it);
  unsaved_.insert(id);
}

Encodings::Changes Encodings::take_changes() {
  Changes out;
  for (const auto& id : std::exchange(unsaved_, {})) {
    if (const auto* one = find(id)) {
      out.saves.push_back(*one);
    } else {
      out.removes.push_back(id);
    }
  }
  return out;
}

}  // namespace fieldwork::transfer
