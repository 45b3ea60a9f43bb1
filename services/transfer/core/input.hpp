// The bounds of the transfer service's core, what is stored to begin with, and what it is told.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"
#include "base/result.hpp"
#include "crypto/certificate.hpp"
#include "transfer/core/state.hpp"

namespace fieldwork::transfer {

struct Limits {
  std::int64_t content_bytes_max = std::int64_t{4} << 30;
  std::size_t slots_max = 1000;        // sendings that run; and receivings that were heard within slot_silence
  std::size_t party_slots_max = 16;    // of these, with one party
  std::size_t party_rows_max = 256;    // sendings that are not over, with one party; and receivings
  std::size_t rows_max = 100'000;      // of all parties; beyond either bound the longest silent one is forgotten
  Duration slot_silence{seconds{30}};  // then the slot goes to the next
  Duration offer_again_max{std::chrono::minutes{10}};  // to a silent receiver, which may have forgotten: 30 s, 60 s, …
  int attempts_max = 4;  // of transfers of one content to one device that fail, one soon after the other
  Duration retry_hold{std::chrono::minutes{10}};  // after a failure; later a want counts as the first again
  Duration silence_max{std::chrono::hours{24}};
  Duration client_silence_max{std::chrono::minutes{10}};  // also of an upload that was announced and not started
  Duration say_every{seconds{1}};                         // progress, as retained state
  Duration packages_again{seconds{60}};                   // each package's retained state: someone may have missed it
  Duration resay_pause{milliseconds{1}};                  // between two retained states, after the broker came back
  Duration save_every{seconds{2}};                        // progress, as row; or
  std::int64_t save_bytes = 4 << 20;                      // this much more acknowledged
  Duration state_kept{std::chrono::hours{1}};             // retained state of an ended transfer
  Duration row_kept{std::chrono::hours{24 * 30}};
  std::size_t ended_max = 20'000;      // rows of ended transfers
  std::size_t announced_max = 10'000;  // outputs that devices said they have; beyond it the oldest word is forgotten
  std::size_t names_max = 100;         // of one content
  Duration nameless_kept{std::chrono::hours{24 * 30}};  // outputs, and what else no name refers to
  std::size_t device_outputs_max = 10'000;              // stored for one device, and under way
  std::int64_t device_output_bytes_max = std::int64_t{64} << 30;
  std::size_t refused_max = 10'000;  // outputs of which it is remembered why they were refused
  std::size_t prune_max = 100;       // rows and files that one TimePassed deletes
};

// --- inputs. What the shell does with files it tells in a later batch. `fresh` is a new transfer id, used if one is
// needed. ---
struct DeviceHeard {  // the registry's word; none: it removed the device
  std::string device;
  std::optional<Standing> standing;
};
struct Wanted {  // the certificate is verified, and its name is the party's
  Asker from;
  std::string digest;
  crypto::Certificate certificate;
  TransferId fresh;
};
struct OfferMade {
  TransferId id;
  Offer offer;
  std::string content_key;
  Asker asker;
};
struct OfferFailed {
  TransferId id;
  std::string reason;
  Asker asker;
};
struct Answered {  // the receiver said how it stands
  Asker from;
  TransferId id;
  ReceivedState state = ReceivedState::receiving;
  std::string reason;
};
struct Progressed {
  TransferId id;
  ByteRanges acked;
  std::int64_t acked_bytes = 0;
  std::int64_t sent_bytes = 0;  // since the last Progressed
};
struct SendingBroke {  // our file cannot be read
  TransferId id;
  std::string reason;
};
struct PackageAnnounced {  // its release is verified and says the same
  Asker from;
  Package package;
  TransferId fresh;
};
struct OutputAnnounced {
  Asker from;
  std::string digest;
  std::int64_t size_bytes = 0;
};
struct Offered {
  Asker from;
  Offer offer;
};
struct ReceivingHeard {
  TransferId id;
};
struct AllReceived {
  TransferId id;
};
struct ContentArrived {  // verified and in its place
  TransferId id;
  std::string encoding;
  std::int64_t encoded_bytes = 0;
};
struct FrameNotKept {  // our disk does not take it; the sender repeats it
  TransferId id;
  Error error;
};
struct ContentRefused {
  TransferId id;
  Error error;
};
struct StrayFrame {  // of a transfer that is not open here; `end`: the first byte behind it
  Asker from;
  TransferId id;
  std::int64_t end = 0;
};
using Input =
    std::variant<DeviceHeard, Wanted, OfferMade, OfferFailed, Answered, Progressed, SendingBroke, PackageAnnounced,
                 OutputAnnounced, Offered, ReceivingHeard, AllReceived, ContentArrived, ContentRefused, FrameNotKept,
                 StrayFrame, LinkLost, LinkBack, Stalled, TimePassed, BatchEnded>;

struct Saved {
  std::vector<Content> contents;
  std::vector<Name> names;  // in any order
  std::vector<Sending> sendings;
  std::vector<Receiving> receivings;
};

}  // namespace fieldwork::transfer
