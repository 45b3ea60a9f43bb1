// Decodes a content while it arrives: the bytes of an identity or zstd encoding are given in their order, and what is
// decoded is written and hashed at once. When the last byte has come nothing is left to do but to compare the digest.
//
//   auto decoder = Decoder::open(kind, plain_path, size);
//   decoder->push(bytes);                                   for each run of bytes, in order
//   auto digest = decoder->finish();
//
// A decoder lives in memory only: after a restart the encoded bytes that are on the disk are pushed again, or decode()
// (content/encoding.hpp) takes them. A patch is decoded by decode() alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "content/encoding.hpp"

namespace fieldwork::content {

class Decoder {
 public:
  /// Writes `plain` anew; the file is removed again unless finish() was ok. `size`: of the plain content, in bytes.
  /// Invalid for a patch.
  [[nodiscard]] static Result<Decoder> open(EncodingKind kind, const std::filesystem::path& plain, std::uint64_t size,
                                            const DecodeLimits& limits = {});
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

  /// Never writes more than `size` bytes. Errors as of decode(); after one the file is gone, and each later call gives
  /// the same Error.
  [[nodiscard]] Result<void> push(std::string_view encoded);

  /// To be called once, when all bytes were pushed. Returns the digest of the plain content, "sha256:…", which is whole
  /// in its file, not synced. Invalid where the encoding or the content is not complete.
  [[nodiscard]] Result<std::string> finish();

  /// Bytes of the plain content that were written.
  [[nodiscard]] std::uint64_t written_bytes() const;
  /// Ends it; its file stays as it is, half written.
  void leave();

 private:
  struct Impl;
  explicit Decoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::content
