// What the transfer service knows: contents and their names, transfers away from it (sendings) and towards it
// (receivings), and how devices stand with the registry.
#pragma once

#include <cstdint>
#include <string>

#include "base/id.hpp"
#include "base/time.hpp"
#include "model/device.hpp"
#include "model/package.hpp"

namespace fieldwork::transfer {

// Who is at the other end, by the name in its topic.
struct Party {
  enum class Kind { device, client };
  Kind kind = Kind::device;
  std::string name;
  auto operator<=>(const Party&) const = default;
};

// Who sent a message, and what an answer to this one message needs. An answer carries it back as it came.
struct Asker {
  Party party;
  std::string client{};   // of a client: the MQTT client that gets frames and acknowledgements
  std::string channel{};  // the message's, for a rejection
  std::string answer{};   // where the shell answers; empty: it cannot be answered
  std::string correlation{};
};

enum class ContentKind { package, output };

// Stored and verified. Of an output only the package's digest and size_bytes are known. A package has names, and the
// first of them, by age, is the package's own.
struct Content {
  ContentKind kind = ContentKind::package;
  Package package;
  std::string encoding;  // of the file that is sent: zstd or identity
  std::int64_t encoded_bytes = 0;
  Party brought_by;
  TransferId transfer;  // that brought it
  Time stored{};
};

// NAME@VERSION says one content, for ever.
struct Name {
  PackageName of;
  std::string digest;
  std::string release;  // JWS
  std::string released_by;
  Time named{};
};

enum class SendingState { sending, complete, failed };

struct Sending {
  TransferId id;
  Party to;
  std::string reply;  // of a client: the MQTT client that gets frames
  std::string digest;
  std::string fingerprint;  // of the certificate that the key is wrapped for
  SendingState state = SendingState::sending;
  std::string reason;  // of a failure; while it is sending: why it waits, if it does
  int attempt = 1;
  Offer offer;
  std::string content_key;  // empty once ended
  ByteRanges acked;
  std::int64_t acked_bytes = 0;
  std::int64_t sent_bytes = 0;
  bool said = false;  // a retained state of it is out
  Time started{}, heard{}, changed{};
};

struct Receiving {
  TransferId id;
  Party from;
  std::string reply;  // of a client: the MQTT client that gets acknowledgements
  ContentKind kind = ContentKind::package;
  Package package;  // as announced
  Offer offer;      // its transfer is empty until the sender has started
  Time heard{};
};

// What the registry says of a device.
struct Standing {
  DeviceState state = DeviceState::enrolling;
  std::string reason;
  std::string fingerprint;  // of the certificate it is enrolled with
};

}  // namespace fieldwork::transfer
