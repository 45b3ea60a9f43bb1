// Every frame of an offered transfer, once, as a sender with an open window makes them.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "../support/pki.hpp"
#include "crypto/sealed.hpp"
#include "exchange/sealing.hpp"

namespace fieldwork::support {

// Of `piece_bytes` each, a multiple of the chunk size; the last may be shorter.
inline std::vector<std::string> frames_of(const Offer& offer, const std::string& key, const fs::path& encoded,
                                          std::size_t piece_bytes = 4096) {
  auto sealed = crypto::Sealed::make(exchange::sealed_header(offer).value(), key).value();
  const auto bytes = read(encoded).substr(0, static_cast<std::size_t>(offer.encoded_bytes));
  std::vector<std::string> all;
  for (std::size_t at = 0; at < bytes.size(); at += piece_bytes)
    all.push_back(sealed.frame(at, std::string_view(bytes).substr(at, piece_bytes)));
  return all;
}

}  // namespace fieldwork::support
