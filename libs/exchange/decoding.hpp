// Decodes a zstd content on its way, as far as its bytes have come in order. Private to this library.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "content/decoder.hpp"
#include "file.hpp"

namespace fieldwork::exchange {

/// go_on() and finish() may run on another thread than open(), one after the other.
class Decoding {
 public:
  /// `part`: the encoded bytes; `plain`: the file to write, of `size` bytes.
  Decoding(std::shared_ptr<const File> part, std::filesystem::path plain, std::uint64_t size)
      : part_(std::move(part)), plain_(std::move(plain)), size_(size) {}
  Decoding(const Decoding&) = delete;
  Decoding& operator=(const Decoding&) = delete;
  ~Decoding();  // the file stays: its room is needed after a restart

  /// Makes the file. What fails here and in go_on() is said by finish().
  void open();
  /// Up to the encoded byte `end`: all bytes before it are in the part. Stops after some 16 MiB of plain bytes; the
  /// next one goes on there.
  void go_on(std::uint64_t end);
  /// Decodes the rest, up to `end`; the digest of what is in the file then. After an Error there is no file, and
  /// finish() may be called again: it begins anew.
  [[nodiscard]] Result<std::string> finish(std::uint64_t end);

 private:
  static constexpr std::uint64_t plain_bytes_max = 16 << 20;
  void decode(std::uint64_t end, std::uint64_t plain_max);

  std::shared_ptr<const File> part_;
  std::filesystem::path plain_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;  // the encoded bytes before it are decoded
  std::optional<content::Decoder> decoder_{};
  std::optional<Error> failed_{};
};

}  // namespace fieldwork::exchange
