// What the transfer service knows: contents and their names, transfers from here (sendings) and to here (receivings),
// and how devices stand with the registry.
#pragma once

#include <cstdint>
#include <string>

#include "base/id.hpp"
#include "base/time.hpp"
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
};

// NAME@VERSION names one content, for ever.
struct Name {
  PackageName of;
  std::string digest;
  std::string release;  // JWS
  std::string released_by;
  Time named{};
};

enum class SendingState { sending, complete, failed };

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
  Offer offer;
  std::string content_key;  // empty once settled
  ByteRanges acked;
  std::int64_t acked_bytes = 0;
  std::int64_t sent_bytes = 0;
  bool said = false;  // a retained state of it is published
  Time started{}, heard{}, changed{};
};

// A transfer of a content to this service.
struct Receiving {
  TransferId id;
  Party from;
  std::string reply;  // of a client: the MQTT client id that gets acknowledgements
  ContentKind kind = ContentKind::package;
  Package package;  // as announced
  Offer offer;      // its transfer id is empty until the sender has started
  Time heard{};
};

// What the registry says of a device.
struct Standing {
  Lifecycle lifecycle = Lifecycle::enrolling;
  std::string reason;
  std::string fingerprint;         // of the certificate that the device is enrolled with
  std::int64_t bit_per_s_max = 0;  // for all sendings to it together, while its network is under pressure; 0: no limit
};

}  // namespace fieldwork::transfer
