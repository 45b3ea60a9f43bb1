// Both ends of a transfer over files in a directory of its own.
#pragma once

#include "crypto/digest.hpp"
#include "crypto/seal.hpp"
#include "exchange/inbound.hpp"
#include "exchange/outbound.hpp"
#include "support/frames.hpp"
#include "support/pki.hpp"

namespace fieldwork::support {

struct Ends {
  TempDir dir;
  std::string bytes;
  Offer offer;
  std::string key = crypto::generate_content_key();
  exchange::Encoded encoded;

  explicit Ends(std::string content, const std::string& receiver = "d1", std::int64_t frame_bytes = 4096)
      : bytes(std::move(content)) {
    write(dir / "plain", bytes);
    encoded = exchange::encode_beside(dir / "plain").value();
    offer =
        exchange::make_offer(id_of(7), crypto::digest_of(bytes), static_cast<std::int64_t>(bytes.size()),
                             encoded.encoding, encoded.encoded_bytes, frame_bytes, key, pki().certificate(receiver), "")
            .value();
  }
  [[nodiscard]] exchange::Outbound outbound(content::Ranges acked, Time now) const {
    return exchange::Outbound::open(offer, key, encoded.path, std::move(acked), {.window_bytes = 64 << 10}, now)
        .value();
  }
  [[nodiscard]] Result<exchange::Inbound> inbound(const std::string& receiver = "d1") const {
    return exchange::Inbound::open(offer, pki().key(receiver), pki().certificate(receiver).fingerprint(), dir / "in",
                                   1 << 30);
  }
  // Every frame, once.
  [[nodiscard]] std::vector<std::string> frames() const { return frames_of(offer, key, encoded.path); }
};

}  // namespace fieldwork::support
