#include <zstd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/freer.hpp"
#include "content/encoding.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "files.hpp"
#include "frame_header.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;
using Encoder = std::unique_ptr<ZSTD_CCtx, Freer<ZSTD_freeCCtx>>;

constexpr std::size_t slice_bytes = 256 * 1024;  // of the plain content, from one look at the stop flag to the next

/// The encoded bytes on their way into the file.
struct Output {
  NewFile file;
  const std::atomic<bool>* stop = nullptr;
  crypto::Sha256 hash{};
  std::int64_t bytes = 0;
  std::string head{};

  Result<void> add(std::string_view part) {
    head += part.substr(0, frame_header_bytes - head.size());
    hash.update(part);
    bytes += static_cast<std::int64_t>(part.size());
    return file.write(part);
  }

  [[nodiscard]] Result<void> go_on() const {
    if (stop == nullptr || !stop->load(std::memory_order_relaxed)) return {};
    return Error{Code::unavailable, "is no longer wanted"};
  }
};

Result<void> copy(std::string_view plain, Output& output) {
  for (std::size_t at = 0; at < plain.size(); at += slice_bytes) {
    if (auto wanted = output.go_on(); !wanted) return wanted;
    if (auto added = output.add(plain.substr(at, slice_bytes)); !added) return added;
  }
  return {};
}

/// A context for one frame. Its parameters are in their bounds, so setting them cannot fail.
Encoder encoder_of(const Encoding& encoding, std::string_view plain, std::string_view base, int threads) {
  Encoder encoder(ZSTD_createCCtx());
  if (!encoder) return encoder;
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    ZSTD_CCtx_setParameter(encoder.get(), parameter, value);
  };
  const int level = std::clamp(encoding.level, 1, 19);
  set(ZSTD_c_compressionLevel, level);
  set(ZSTD_c_checksumFlag, 1);
  if (encoding.window_log > 0) set(ZSTD_c_windowLog, std::clamp(encoding.window_log, 10, patch_window_log_max));
  if (encoding.kind == EncodingKind::patch) {
    // The base is reached as long as the position is within the window.
    const int log = std::max(log2_of(std::max(plain.size(), base.size())), 10);
    set(ZSTD_c_windowLog, log);
    set(ZSTD_c_enableLongDistanceMatching, 1);
  } else if (threads > 1) {
    set(ZSTD_c_nbWorkers, threads);
    // A worker that was told to stop ends its job first, and slow levels take a megabyte in half a second.
    if (level > 12) set(ZSTD_c_jobSize, 1 << 20);
    if (level > 12) set(ZSTD_c_overlapLog, 6);
    return encoder;
  }
  // stableInBuffer: the content is in memory already, and need not be copied into a window.
  set(ZSTD_c_experimentalParam9, 1);
  return encoder;
}

/// Encodes up to the end of `in`; with `last`, up to the end of the frame.
Result<void> encode_some(ZSTD_CCtx* encoder, ZSTD_inBuffer& in, bool last, std::vector<char>& buffer, Output& output) {
  for (bool more = true; more;) {
    if (auto wanted = output.go_on(); !wanted) return wanted;
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    const std::size_t left = ZSTD_compressStream2(encoder, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left) != 0) return Error{Code::unavailable, ZSTD_getErrorName(left)};
    if (auto added = output.add({buffer.data(), out.pos}); !added) return added;
    more = last ? left != 0 : in.pos < in.size;
  }
  return {};
}

Result<void> encode(const Encoding& encoding, std::string_view plain, std::string_view base, int threads,
                    Output& output) {
  if (log2_of(std::max(plain.size(), base.size())) > patch_window_log_max && encoding.kind == EncodingKind::patch) {
    return Error{Code::invalid, "is too large for a patch"};
  }
  const auto encoder = encoder_of(encoding, plain, base, threads);
  if (!encoder) return Error{Code::unavailable, "no memory"};
  ZSTD_CCtx_setPledgedSrcSize(encoder.get(), plain.size());
  if (!base.empty()) ZSTD_CCtx_refPrefix(encoder.get(), base.data(), base.size());
  std::vector<char> buffer(ZSTD_CStreamOutSize());
  ZSTD_inBuffer in{plain.data(), 0, 0};
  do {
    in.size = std::min(in.size + slice_bytes, plain.size());
    if (auto done = encode_some(encoder.get(), in, in.size == plain.size(), buffer, output); !done) return done;
  } while (in.size < plain.size());
  return {};
}

/// Writes the encoding into `output`.
Result<Encoded> fill(const Encoding& encoding, std::string_view plain, std::string_view base, int threads,
                     Output& output) {
  auto done =
      encoding.kind == EncodingKind::identity ? copy(plain, output) : encode(encoding, plain, base, threads, output);
  if (!done) return done.error();
  Encoded made{encoding, output.bytes, "sha256:" + crypto::to_hex(output.hash.finish())};
  if (encoding.kind != EncodingKind::identity) {
    const auto header = frame_header(output.head);
    if (!header) return header.error();
    made.window_log = log2_of((*header)->window_bytes);
  }
  return made;
}

}  // namespace

Result<Encoded> make(const Encoding& encoding, const fs::path& plain, const fs::path& base, const fs::path& encoded,
                     int threads, const std::atomic<bool>* stop) {
  const bool patch = encoding.kind == EncodingKind::patch;
  if (are_one_file(plain, encoded) || (patch && are_one_file(base, encoded))) {
    return Error{Code::invalid, "is the input", encoded.string()};
  }
  const auto from = Mapping::of(plain);
  if (!from) return from.error();
  std::optional<Mapping> against;
  if (patch) {
    auto mapped = Mapping::of(base);
    if (!mapped) return mapped.error();
    against = std::move(*mapped);
  }
  auto file = NewFile::create(encoded.string() + ".new");
  if (!file) return file.error();
  Output output{std::move(*file), stop};
  auto made = fill(encoding, from->bytes(), against ? against->bytes() : std::string_view{}, threads, output);
  if (!made) return made;
  if (auto kept = output.file.keep_as(encoded); !kept) return kept.error();
  return made;
}

}  // namespace fieldwork::content
