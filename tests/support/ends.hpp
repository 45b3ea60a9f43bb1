// Both ends of a transfer over files in a directory of its own: a content of the transfer service, for d1.
#pragma once

#include "content/encoding.hpp"
#include "crypto/digest.hpp"
#include "exchange/inbound.hpp"
#include "exchange/outbound.hpp"
#include "exchange/sealing.hpp"
#include "support/frames.hpp"
#include "support/pki.hpp"

namespace fieldwork::support {

struct Ends {
  static constexpr const char* content_id = "0123456789abcdef0123456789abcdef";

  TempDir dir;
  std::string bytes;
  exchange::Encoded encoded;
  exchange::Sealing sealing;
  Offer offer;

  explicit Ends(std::string content) : bytes(std::move(content)) {
    write(dir / "plain", bytes);
    encoded = exchange::encode_beside(dir / "plain", digest()).value();
    seal();
  }
  // The content that `encoded` is, as one against `base_bytes` that the receiver has at base().
  Ends(std::string content, const std::string& base_bytes) : bytes(std::move(content)) {
    write(dir / "plain", bytes);
    write(base(), base_bytes);
    const content::Encoding patch{content::EncodingKind::patch, 3, crypto::digest_of(base_bytes)};
    const auto made = content::make(patch, dir / "plain", base(), dir / "patch").value();
    encoded = {"zstd-patch", dir / "patch", made.bytes, made.digest, patch.base};
    seal();
  }
  void seal() {
    sealing = exchange::seal(encoded, digest(), size_bytes(), content_id, 1, crypto::Cipher::aes_256_gcm,
                             pki().key("transfer"), pki().certificate("transfer"))
                  .value();
    offer =
        exchange::make_offer(id_of(7), digest(), size_bytes(), encoded, sealing, pki().certificate("d1"), "").value();
  }
  [[nodiscard]] std::string digest() const { return crypto::digest_of(bytes); }
  [[nodiscard]] std::int64_t size_bytes() const { return static_cast<std::int64_t>(bytes.size()); }
  [[nodiscard]] fs::path base() const { return dir / "base"; }
  [[nodiscard]] exchange::Outbound outbound(content::Ranges acked, Time now) const {
    return exchange::Outbound::open(offer, sealing.key, encoded.path, std::move(acked),
                                    {.pace = {.window_max = 64 << 10}}, now)
        .value();
  }
  [[nodiscard]] Result<exchange::Inbound> inbound(const std::string& receiver = "d1") const {
    return exchange::Inbound::open(offer, pki().key(receiver), pki().certificate(receiver).fingerprint(), dir / "in",
                                   1 << 30, offer.base.empty() ? fs::path() : base());
  }
  // Every frame, once.
  [[nodiscard]] std::vector<std::string> frames() const { return frames_of(offer, sealing.key, encoded.path); }
};

}  // namespace fieldwork::support
