// Every frame of an offered transfer, once, as a sender with an open window makes them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../support/pki.hpp"
#include "crypto/seal.hpp"
#include "exchange/outbound.hpp"

namespace fieldwork::support {

inline std::vector<std::string> frames_of(const Offer& offer, const std::string& key, const fs::path& encoded) {
  auto sender = exchange::Outbound::open(offer, key, encoded, {}, {.window_bytes = 1 << 30}, wall()).value();
  std::vector<std::string> all;
  Received received{.transfer = offer.transfer};
  while (sender.acked_bytes() < sender.total_bytes()) {
    for (auto& frame : sender.due(wall())) {
      const auto header = crypto::frame_header(frame).value();
      received.ranges.emplace_back(header.offset, header.offset + header.length);
      all.push_back(std::move(frame));
    }
    sender.received(received, wall());
  }
  return all;
}

}  // namespace fieldwork::support
