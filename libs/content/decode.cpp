#include <zstd.h>

#include <fstream>
#include <memory>
#include <vector>

#include "base/freer.hpp"
#include "content/decoder.hpp"
#include "content/encoding.hpp"
#include "crypto/digest.hpp"
#include "files.hpp"
#include "frame_header.hpp"

namespace fieldwork::content {
namespace {

namespace fs = std::filesystem;

Error at_path(const fs::path& path, Error error) { return {error.code, std::move(error.reason), path.string()}; }

Result<std::string> decode_in_order(EncodingKind kind, const fs::path& encoded, const fs::path& plain,
                                    std::uint64_t size, const DecodeLimits& limits) {
  std::ifstream in(encoded, std::ios::binary);
  if (!in) return Error{Code::unavailable, "cannot be opened", encoded.string()};
  auto decoder = Decoder::open(kind, plain, size, limits);
  if (!decoder) return decoder.error();
  std::vector<char> buffer(ZSTD_DStreamInSize());
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (in.bad()) return Error{Code::unavailable, "cannot be read", encoded.string()};
    const auto done = decoder->push({buffer.data(), static_cast<std::size_t>(in.gcount())});
    if (!done) return done.error().path.empty() ? at_path(encoded, done.error()) : done.error();
  }
  auto digest = decoder->finish();
  return digest || !digest.error().path.empty() ? digest : at_path(encoded, digest.error());
}

/// One frame, whole and nothing after it.
Result<void> check_frame(std::string_view encoded, std::uint64_t size, int window_log_max) {
  const auto header = frame_header(encoded.substr(0, frame_header_bytes));
  if (!header) return header.error();
  if (!*header) return Error{Code::invalid, "ends before the zstd frame does"};
  if (auto good = check(**header, size, window_log_max); !good) return good;
  const std::size_t length = ZSTD_findFrameCompressedSize(encoded.data(), encoded.size());
  if (ZSTD_isError(length) != 0) return Error{Code::invalid, "ends before the zstd frame does"};
  if (length < encoded.size()) return Error{Code::invalid, "goes on after the zstd frame"};
  return {};
}

/// The decoder's window is the file itself, and the base its prefix: neither is copied.
Result<void> apply(std::string_view encoded, std::string_view base, Mapping& plain) {
  const std::unique_ptr<ZSTD_DCtx, Freer<ZSTD_freeDCtx>> zstd(ZSTD_createDCtx());
  if (!zstd) return Error{Code::unavailable, "no memory"};
  if (!base.empty()) ZSTD_DCtx_refPrefix(zstd.get(), base.data(), base.size());
  const std::size_t size = plain.bytes().size();
  const std::size_t done = ZSTD_decompressDCtx(zstd.get(), plain.data(), size, encoded.data(), encoded.size());
  if (ZSTD_isError(done) != 0) {
    return Error{Code::invalid, std::string("is no patch of this base: ") + ZSTD_getErrorName(done)};
  }
  if (done != size) return Error{Code::invalid, "decodes to less than was announced"};
  return {};
}

Result<std::string> decode_patch(const fs::path& encoded, const fs::path& base, const fs::path& plain,
                                 std::uint64_t size, const DecodeLimits& limits) {
  auto file = NewFile::create_to_map(plain);  // first, so that after any Error there is none
  if (!file) return file.error();
  const auto patch = Mapping::of(encoded);
  if (!patch) return patch.error();
  const auto against = Mapping::of(base);
  if (!against) return against.error();
  const auto good = check_frame(patch->bytes(), size, limits.patch_window_log_max);
  if (!good) return at_path(encoded, good.error());
  if (auto reserved = file->reserve(size); !reserved) return reserved.error();
  auto out = Mapping::of(*file, size);
  if (!out) return out.error();
  if (auto applied = apply(patch->bytes(), against->bytes(), *out); !applied) {
    return at_path(encoded, applied.error());
  }
  auto digest = crypto::digest_of(out->bytes());
  if (auto kept = file->keep(); !kept) return kept.error();
  return digest;
}

}  // namespace

std::optional<EncodingKind> encoding_kind(std::string_view text) {
  for (const auto kind : encoding_kinds) {
    if (text == name(kind)) return kind;
  }
  return std::nullopt;
}

Result<std::string> decode(EncodingKind kind, const fs::path& encoded, const fs::path& base, const fs::path& plain,
                           std::uint64_t size, const DecodeLimits& limits) {
  const bool patch = kind == EncodingKind::patch;
  if (are_one_file(encoded, plain) || (patch && are_one_file(base, plain))) {
    return Error{Code::invalid, "is the input", plain.string()};
  }
  return patch ? decode_patch(encoded, base, plain, size, limits) : decode_in_order(kind, encoded, plain, size, limits);
}

}  // namespace fieldwork::content
