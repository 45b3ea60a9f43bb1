// The encoded file of an offer, opened to be sent. Private to this library.
#pragma once

#include <fcntl.h>

#include <filesystem>
#include <string>
#include <utility>

#include "content/sender.hpp"
#include "crypto/sealed.hpp"
#include "exchange/sealing.hpp"
#include "file.hpp"

namespace fieldwork::exchange {

struct SealedFile {
  crypto::Sealed sealed;
  File file;

  /// Fills in encoded_bytes and align of `config`. Unavailable where the file cannot be read, invalid where it is not
  /// as long as the offer says.
  [[nodiscard]] static Result<SealedFile> open(const Offer& offer, const std::string& content_key,
                                               const std::filesystem::path& encoded_path,
                                               content::SenderConfig& config) {
    auto header = sealed_header(offer);
    if (!header) return header.error();
    auto sealed = crypto::Sealed::make(std::move(*header), content_key);
    if (!sealed) return sealed.error();
    auto file = File::open(encoded_path, O_RDONLY);
    if (!file) return file.error();
    const auto size = file->size();
    if (!size) return size.error();
    if (*size != static_cast<std::uint64_t>(offer.encoded_bytes))
      return Error{Code::invalid, "is not as long as was offered", encoded_path.string()};
    config.encoded_bytes = *size;
    config.align = static_cast<std::uint32_t>(offer.envelope.chunk_bytes);
    return SealedFile{std::move(*sealed), std::move(*file)};
  }
};

}  // namespace fieldwork::exchange
