// What the transfer service knows: contents and their names, transfers from here (sendings) and to here (receivings),
// and how devices stand with the registry.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/id.hpp"
#include "base/time.hpp"
#include "content/encoding.hpp"
#include "content/strategy.hpp"
#include "model/device.hpp"
#include "model/package.hpp"

namespace fieldwork::transfer {

// The other end of a transfer, by the name in its topic.
struct Party {
  enum class Kind { device, client };
  Kind kind = Kind::device;
  std::string name;
  auto operator<=>(const Party&) const = default;
};

// Who sent a message, and what an answer to it needs. The core hands it on to the answer unchanged.
struct Asker {
  Party party;
  std::string client{};       // of a client: the MQTT client id that gets frames and acknowledgements
  std::string channel{};      // of the message; a rejection names it
  std::string answer{};       // the response topic; empty: no answer is possible
  std::string correlation{};  // correlation data of the message
  bool operator==(const Asker&) const = default;
};

enum class ContentKind { package, output };

// A content that is stored and verified. Of an output only the package's digest and size_bytes are set. A package has
// at least one name; its name, version and release are those of the oldest one.
struct Content {
  ContentKind kind = ContentKind::package;
  Package package;
  std::string encoding;  // of the file that is sent: zstd or identity
  std::int64_t encoded_bytes = 0;
  Party brought_by;
  TransferId transfer;  // the transfer that brought it
  Time stored{};
  Time used{};  // of a package: when it was named or wanted last, up to an hour earlier
};

// The encoding that is made when a content comes, if it is smaller; and the window of zstd at that level.
inline const content::Encoding stored_encoding{content::EncodingKind::zstd, 3};
inline constexpr int stored_window_log = 21;

// Which encoding of which content, and how it is sealed.
struct MakingOf {
  std::string digest;  // of the content
  content::Encoding encoding;
  std::string cipher;
  auto operator<=>(const MakingOf& other) const {
    const auto all = [](const MakingOf& one) {
      return std::tie(one.digest, one.encoding.kind, one.encoding.level, one.encoding.base, one.encoding.window_log,
                      one.cipher);
    };
    return all(*this) <=> all(other);
  }
  bool operator==(const MakingOf& other) const { return (*this <=> other) == 0; }
};

// A content in one encoding, sealed under one id and key: what transfers of it send.
struct SealedEncoding {
  std::string id;      // content id of its frames: 32 hex digits
  std::string digest;  // of the content
  content::Encoded encoded;
  std::string cipher;
  std::int64_t epoch = 1;
  std::string key;     // 32 bytes
  std::string header;  // JWS
  Time made{}, used{};
  [[nodiscard]] MakingOf making() const { return {digest, encoded.encoding, cipher}; }
};

// NAME@VERSION names one content for each architecture, or one for all, for ever.
struct Name {
  PackageName of;
  std::string digest;
  std::string release;  // JWS
  std::string released_by;
  Time named{};
  PackageAbout about{};  // the same in all names of a content
  Time removed{};        // then its content was removed; until the same content is pushed again the name is nobody's
};

enum class SendingState { sending, complete, failed, cancelled };

// What a sending does while its state is `sending`.
enum class Phase {
  offered,    // the receiver has not answered yet
  sending,    //
  suspended,  // paused, or the receiver is silent: nothing is sent, nothing is forgotten
  verifying,  // all bytes have arrived
};

// What the sender has measured, and what it has decided for that (content/strategy.hpp).
struct Measurements {
  std::string strategy;  // far, narrow, near or unknown
  std::string why;       // one line
  std::int64_t frame_bytes = 0;
  std::int64_t bit_per_s = 0;  // what the link delivers; 0: not known
  double round_trip_ms = 0;    // 0: not known
  bool suspended = false;
  bool operator==(const Measurements&) const = default;
};

struct StrategyNote {
  Time at{};
  std::string why;
  bool operator==(const StrategyNote&) const = default;
};

struct Sending {
  // A transfer of a stored content to a receiver.
  TransferId id;
  Party to;
  std::string reply;  // of a client: the MQTT client id that gets frames
  std::string digest;
  std::string fingerprint;  // of the receiver's certificate, for which the content key is wrapped
  SendingState state = SendingState::sending;
  std::string reason;  // of a failure; of a sending that waits: why
  int attempt = 1;
  int priority = 5;            // of the job that waits for it
  std::int64_t receivers = 1;  // that will want it at about the same time; not saved
  content::Measured link{};    // of the receiver, as it said; not saved
  Offer offer;
  ByteRanges acked;
  std::int64_t acked_bytes = 0;
  std::int64_t sent_bytes = 0;
  std::int64_t resent_bytes = 0;
  std::int64_t frames_sent = 0;  // with those that were sent again
  std::int64_t frames_resent = 0;
  std::int64_t tries_most = 0;               // of one frame
  std::int64_t bad_frames = 0;               // that the receiver could not open, as it says
  std::optional<TransferFailure> failure{};  // of a failed one; none: the receiver did not say
  Phase phase = Phase::offered;              // as it was published last; not saved
  std::int64_t resumed_from = 0;             // bytes that the receiver had when it answered first, or came back
  Measurements measured{};                   // not saved
  std::vector<StrategyNote> strategies{};    // the newest strategies_max
  std::string paused_by;                     // an operator; empty: it is not paused
  std::int64_t throttled_bit_per_s = 0;      // its share of a budget; 0: none draws on it; not saved
  bool said = false;                         // a retained state of it is published
  Time started{}, heard{}, changed{};
};

// A transfer of a content to this service. Its states and phases are those of sendings: `offered` until a frame has
// come, `suspended` while its sender is silent or this service's disk takes no more.
struct Receiving {
  TransferId id;
  Party from;
  std::string reply;  // of a client: the MQTT client id that gets acknowledgements
  ContentKind kind = ContentKind::package;
  Package package;  // as announced
  Offer offer;      // its transfer id is empty until the sender has started
  Time heard{};
  SendingState state = SendingState::sending;
  std::string reason{};                      // of a failure; of a suspended one: why
  std::optional<TransferFailure> failure{};  // of a failed one
  Phase phase = Phase::offered;              // as it was published last; not saved
  std::int64_t received_bytes = 0;           // encoded bytes that are here
  // What came by frames; `again`: of these, what was here already.
  std::int64_t came_bytes = 0, again_bytes = 0, came_frames = 0, again_frames = 0;
  std::int64_t bad_frames = 0;             // that could not be opened
  std::int64_t resumed_from = 0;           // bytes that were here when it went on for the last time
  std::int64_t bit_per_s = 0;              // of the last seconds; 0: not known; not saved
  std::optional<SaidStrategy> strategy{};  // as its sender says; not saved
  std::vector<StrategyNote> strategies{};  // the newest strategies_max
  bool said = false;                       // a retained state of it is published
  Time started{}, changed{};
};

// What the registry says of a device.
struct Standing {
  Lifecycle lifecycle = Lifecycle::enrolling;
  std::string reason;
  std::string fingerprint;         // of the certificate that the device is enrolled with
  std::int64_t bit_per_s_max = 0;  // for all sendings to it together, while its network is under pressure; 0: no limit
  bool offline = false;            // its connection to the broker has ended
  std::string site{};              // where it stands; empty: not known
  std::int64_t session = 0;        // grows with each start of its agent
};

// Why it is not served, for people.
[[nodiscard]] inline std::string barred_text(const Standing& standing) {
  return "the device is " + std::string(fieldwork::name(standing.lifecycle)) + ": " + standing.reason;
}

}  // namespace fieldwork::transfer
