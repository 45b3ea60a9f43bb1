// Packages and transfers <-> JSON. Frames are binary: crypto/sealed.hpp.
#pragma once

#include "codec/json.hpp"
#include "model/package.hpp"

namespace fieldwork::codec {

// device/{device}/up/want, device/{device}/down/want
struct Want {
  std::string digest;
  std::string certificate;  // PEM; of the receiver that wants the content
  TransferId transfer{};    // of which the receiver already holds a part; empty: none
  Accepts accepts{};
  int priority = 5;            // of the job that waits for it
  std::int64_t receivers = 1;  // so many devices will want it at about the same time
};
[[nodiscard]] std::string encode(const Want& want);
[[nodiscard]] Result<Want> decode_want(std::string_view text);

[[nodiscard]] std::string encode(const Offer& offer);
[[nodiscard]] Result<Offer> decode_offer(std::string_view text);

// The payload of the JWS in an envelope: what is sealed under this content id, and the root over its chunks.
struct ContentHeader {
  std::string content;
  std::int64_t epoch = 1;
  std::string digest;
  std::int64_t size_bytes = 0;
  std::string encoding, base;
  std::int64_t encoded_bytes = 0;
  std::string encoded_digest;
  std::string encryption_algorithm;
  std::int64_t chunk_bytes = 0;
  std::string root;  // 64 hex digits
  bool operator==(const ContentHeader&) const = default;
};
[[nodiscard]] std::string encode(const ContentHeader& header);
[[nodiscard]] Result<ContentHeader> decode_content_header(std::string_view text);

// `strategy` in OUTPUT, UPLOAD and STATE_TRANSFER.
[[nodiscard]] Json encode(const SaidStrategy& strategy);

// The other kind of message on an offer channel: why there is no offer.
struct NotOffered {
  std::string digest;
  std::string reason;
};
[[nodiscard]] std::string encode(const NotOffered& answer);
// Empty when the message is an OFFER or malformed: decode_offer says which.
[[nodiscard]] std::optional<NotOffered> decode_not_offered(std::string_view text);

[[nodiscard]] std::string encode(const Received& received);
[[nodiscard]] Result<Received> decode_received(std::string_view text);

// device/{device}/up/output: a result file too large for the report waits on the device, or did.
struct OutputOffer {
  std::string digest;
  std::int64_t size_bytes = 0;
  std::string job;
  std::int64_t execution = 0;
  std::int64_t fence = 0;
  std::string dropped{};                   // why the device has deleted it; empty: it waits
  std::optional<SaidStrategy> strategy{};  // it is being sent, and so
  bool operator==(const OutputOffer&) const = default;
};
[[nodiscard]] std::string encode(const OutputOffer& offer);
[[nodiscard]] Result<OutputOffer> decode_output_offer(std::string_view text);

// device/{device}/down/output: the answer, once the offered content is stored or never will be.
struct OutputStored {
  std::string digest;
  std::string refused{};  // why it will never be stored; empty: it is stored
};
[[nodiscard]] std::string encode(const OutputStored& stored);
[[nodiscard]] Result<OutputStored> decode_output_stored(std::string_view text);

// service/transfer/offer/{from}
struct Upload {
  std::string digest;
  std::int64_t size_bytes = 0;
  std::string name;
  std::string version;
  std::string release;                     // JWS
  std::optional<SaidStrategy> strategy{};  // it is being sent, and so
};
[[nodiscard]] std::string encode(const Upload& upload);
[[nodiscard]] Result<Upload> decode_upload(std::string_view text);

// state/package/{hex digest}
[[nodiscard]] Json encode(const Package& package);
[[nodiscard]] Result<Package> decode_package(const Json& value);

// The payload of a release's JWS.
struct Release {
  std::string digest;
  std::int64_t size_bytes = 0;
  std::string name;
  std::string version;
  std::int64_t released_ms = 0;
  PackageAbout about{};  // as the package's manifest says it
};
[[nodiscard]] std::string encode(const Release& release);
[[nodiscard]] Result<Release> decode_release(std::string_view text);

}  // namespace fieldwork::codec
