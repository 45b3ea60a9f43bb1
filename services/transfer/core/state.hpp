// What the transfer service knows: contents, transfers away from it (sendings) and towards it (receivings).
#pragma once

#include <cstdint>
#include <string>

#include "base/id.hpp"
#include "base/time.hpp"
#include "model/package.hpp"

namespace fieldwork::transfer {

// Who is at the other end, by the name in its topic.
struct Party {
  enum class Kind { device, client };
  Kind kind = Kind::device;
  std::string name;
  auto operator<=>(const Party&) const = default;
};

enum class ContentKind { package, output };

// Stored and verified. Of an output only the package's digest and size_bytes are known.
struct Content {
  ContentKind kind = ContentKind::package;
  Package package;
  std::string encoding;  // of the file that is sent: zstd or identity
  std::int64_t encoded_bytes = 0;
  Party brought_by;
  TransferId transfer;  // that brought it
  Time stored{};
};

enum class SendingState { sending, complete, failed };

struct Sending {
  TransferId id;
  Party to;
  std::string reply;  // of a client: the MQTT client that gets frames
  std::string digest;
  std::string fingerprint;  // of the certificate that the key is wrapped for
  SendingState state = SendingState::sending;
  std::string reason;
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

}  // namespace fieldwork::transfer
