// The transfer service's core: its bounds, its inputs, and what is stored for a restart.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"
#include "base/result.hpp"
#include "crypto/certificate.hpp"
#include "model/limits.hpp"
#include "model/policy.hpp"
#include "transfer/core/permits.hpp"
#include "transfer/core/stages.hpp"
#include "transfer/core/state.hpp"

namespace fieldwork::transfer {

struct Limits {
  std::int64_t content_bytes_max = std::int64_t{4} << 30;
  std::size_t slots_max = 1000;        // sendings with a slot; also receivings that were heard within slot_silence
  std::size_t party_slots_max = 16;    // of these, with one party
  std::size_t party_rows_max = 256;    // live sendings with one party; also receivings
  std::size_t rows_max = 100'000;      // of all parties; beyond either bound the longest silent one is forgotten
  Duration slot_silence{seconds{30}};  // then the slot is given to the next sending
  Duration offer_again_max{std::chrono::minutes{10}};  // between offers to a silent receiver; begins at 30 s, doubles
  int attempts_max = 4;  // failed transfers of one content to one device, each within retry_hold of the last
  Duration retry_hold{std::chrono::minutes{10}};          // after a failure; a later want counts as the first again
  Duration silence_max{std::chrono::hours{24}};           // of a device that receives; of whoever began to send
  Duration client_silence_max{std::chrono::minutes{10}};  // of a client that fetches; of an upload not started
  Duration say_every{seconds{1}};                         // progress as retained state
  Duration packages_again{seconds{60}};            // repeats of each package's state: somebody may have missed it
  Duration resay_pause{milliseconds{1}};           // between two retained states after the broker came back
  Duration save_every{seconds{2}};                 // progress as a row, or
  std::int64_t save_bytes = 4 << 20;               // when this much more is acknowledged
  Duration state_kept{std::chrono::hours{1}};      // retained state of a settled transfer
  Duration row_kept{std::chrono::hours{24 * 30}};  // row of a settled transfer
  std::size_t ended_max = 20'000;                  // rows of settled transfers
  std::size_t announced_max = 10'000;              // announced outputs; beyond it the oldest announcement is forgotten
  std::size_t names_max = 100;                     // of one content
  std::size_t strategies_max = 16;                 // changes of its strategy that a transfer's record keeps
  Duration nameless_kept{std::chrono::hours{24 * 30}};            // outputs, and other contents without a name
  std::size_t package_versions_kept = 0;                          // of each name, the newest; 0: all are kept
  Duration package_unused{std::chrono::hours{24 * 30}};           // then one that is not kept may be collected
  Duration collect_first{std::chrono::minutes{10}};               // after the start, and then
  Duration collect_every{std::chrono::hours{1}};                  // the rule looks for packages to collect
  Duration removed_again{std::chrono::hours{24 * 30}};            // so long a removal is published again
  Duration removed_kept{std::chrono::hours{24 * 3650}};           // names of removed packages
  std::size_t device_outputs_max = 10'000;                        // of one device, stored and under way
  std::int64_t device_output_bytes_max = std::int64_t{64} << 30;  // of one device, stored and under way
  std::size_t refused_max = 10'000;          // outputs that will not come and whose reason is remembered
  std::size_t prune_max = 100;               // rows and files that one TimePassed deletes
  Duration gather_quiet{milliseconds{300}};  // a sending that others will follow begins when none has come for so long
  Duration gather_max{seconds{2}};           // but not later than this after the first
  std::int64_t encodings_bytes_max = std::int64_t{16} << 30;  // of encodings besides the stored ones
  std::int64_t ahead_bytes_max = 0;                           // packages up to this size are encoded ahead; 0: none
  Duration ahead_at_most = std::chrono::minutes{15};          // for one
  Duration epoch_kept{std::chrono::hours{24 * 30}};           // then a content key is used for no new transfer
  // Budgets in bit/s, 0: none. All sendings together; those to the devices of one site, and of a site without an own
  // number.
  std::int64_t bit_per_s_max = 0;
  std::int64_t site_bit_per_s_max = 0;
  std::map<std::string, std::int64_t> sites{};
  std::int64_t share_min = 32'000;              // bit/s; as many sendings get a slot as may have that much
  Duration class_up{std::chrono::minutes{10}};  // a sending that waits so long for a slot counts as one class higher
  StageLimits stages{.per_device_max = limits::stages_per_device_max,
                     .all_max = 100'000,  // with those that ended less than state_kept ago
                     .again = std::chrono::minutes{10},
                     .state_kept = std::chrono::hours{1}};
  Duration stage_default{std::chrono::hours{24 * 7}};    // how long a package is kept where nobody says it
  Duration stage_longest{std::chrono::hours{24 * 366}};  // and at most
  PermitLimits permits{.waiting_max = 200,
                       .of_one_max = 20,
                       .devices_max = 10'000,  // half of what security-policy remembers
                       .again = seconds{2},
                       .patience = seconds{10}};
  Duration hearing{seconds{10}};  // after the link came up: a device that is not known may still be heard of
};

// --- inputs: each comment names who says the fact, and what turns it into the input (shell/wire.cpp, work.cpp,
// service.cpp). The outcome of work arrives in a later batch. `fresh`: a new transfer id, used if one is needed. ---

// The registry published a device's state, or cleared it: state/device/{device}, retained.
struct DeviceHeard {
  std::string device;
  std::optional<Standing> standing;  // none: the device was removed
};
// A device wants a package (device/{device}/up/want), or a client fetches a content (service/transfer/fetch/{from}).
struct Wanted {
  Asker from;
  std::string digest;
  crypto::Certificate certificate;  // verified, and issued to the party
  TransferId fresh;
  Accepts accepts{};
  int priority = 5;
  std::int64_t receivers = 1;  // that will want it at about the same time
};
// An operator pauses a sending, lets it go on, or ends it: service/transfer/{pause,resume,cancel}/{from}.
struct Controlled {
  enum class Verb { pause, resume, cancel };
  Asker from;
  TransferId id;
  Verb verb = Verb::pause;
};
// An operator wants a package to lie on devices: service/transfer/stage/{from}.
struct StageAsked {
  Asker from;
  std::string digest;
  std::vector<std::string> devices;
  std::optional<std::int64_t> until_ms{};
  int priority = 5;
  std::string file{};  // where its only file goes; empty: it is only kept
  bool operator==(const StageAsked&) const = default;
};
// Security-policy answered Output::permits: the readable items of one message on
// service/transfer/permitted/security-policy.
struct PermitsAnswered {
  std::vector<Permit> permits;
};
// An operator wants that no more: service/transfer/unstage/{from}.
struct StageEnded {
  Asker from;
  std::string digest;
  std::vector<std::string> devices;
};
// A device said how its stages are: device/{device}/up/stage.
struct DeviceStaged {
  Asker from;
  StageReport report;
};
// An open sending that was sent together with others goes on alone, before their pass is over.
struct LeftGroup {
  TransferId id;
};
// The outcome of MakeEncoding.
struct EncodingMade {
  SealedEncoding encoding;
  bool ahead = false;
};
// The outcome of MakeEncoding.
struct EncodingFailed {
  MakingOf making;
  std::string reason;
  bool ahead = false;
};
// The outcome of MakeOffer.
struct OfferMade {
  TransferId id;
  Offer offer;
  Asker asker;  // as MakeOffer said it
};
// The outcome of MakeOffer.
struct OfferFailed {
  TransferId id;
  std::string reason;
  Asker asker;  // as MakeOffer said it
};
// The receiver of a sending said how it stands: device/{device}/up/received, service/transfer/received/{from}.
struct Answered {
  Asker from;
  TransferId id;
  ReceivedState state = ReceivedState::receiving;
  std::string reason;
  std::optional<TransferFailure> failure{};
  std::int64_t bad_frames = 0;
};
// An open sending got on: the shell sent frames of it, or the receiver acknowledged some.
struct Progressed {
  TransferId id;
  ByteRanges acked;
  std::int64_t acked_bytes = 0;
  std::int64_t sent_bytes = 0;    // since the last Progressed; 0: an acknowledgement
  std::int64_t resent_bytes = 0;  // of these
  Measurements measured{};
  std::int64_t sent_frames = 0;    // as sent_bytes
  std::int64_t resent_frames = 0;  // of these
  std::int64_t tries_most = 0;     // of one frame
};
// The outcome of OpenSending, or of sending frames: the stored file cannot be read.
struct SendingBroke {
  TransferId id;
  std::string reason;
};
// load() or OpenSending found that the file of a stored content is not there, or has another size: somebody deleted it,
// or the database was restored twice and the file was swept in between. Whoever pushes the content brings it back.
struct ContentLost {
  std::string digest;
};
// A client announced a package: service/transfer/offer/{from}.
struct PackageAnnounced {
  Asker from;
  Package package;  // its release is verified and says the same
  TransferId fresh;
  std::optional<SaidStrategy> strategy{};  // it is being sent, and so
};
// An operator removes a package: service/transfer/remove/{from}. All of it or nothing goes.
struct RemovalAsked {
  Asker from;
  std::string digest{};  // empty: what the name says, for this architecture or for all
  PackageName of{};
  std::string architecture{};
};
// The scheduler answered AskUses: service/transfer/used/scheduler. It may come twice, late or never.
struct UsesSaid {
  std::int64_t question = 0;
  std::vector<PackageUse> items;
};
// A device announced an output that waits there: device/{device}/up/output.
struct OutputAnnounced {
  Asker from;
  std::string digest;
  std::int64_t size_bytes = 0;
  std::optional<SaidStrategy> strategy{};  // it is being sent, and so
};
// A device deleted an output before it was stored here, to keep within its disk: device/{device}/up/output.
struct OutputDropped {
  Asker from;
  std::string digest;
  std::string reason;
};
// A sender starts a transfer, or takes it up again: device/{device}/up/offer, service/transfer/start/{from}.
struct Offered {
  Asker from;
  Offer offer;  // its key can be unwrapped, its sizes are within the limits
};
// The shell acknowledged frames of a receiving that had arrived: its sender was heard.
struct ReceivingHeard {
  TransferId id;
  std::int64_t received_bytes = 0;  // all that are here
  // Since the last ReceivingHeard: what came by frames; `again`: of these, what was here already.
  std::int64_t came_bytes = 0, again_bytes = 0, came_frames = 0, again_frames = 0;
  std::int64_t bad_frames = 0;  // all that could not be opened
};
// OpenReceiving is done: so much was here.
struct ReceivingOpened {
  TransferId id;
  std::int64_t received_bytes = 0;
};
// The last frame of a receiving has arrived; or OpenReceiving found that nothing is missing.
struct AllReceived {
  TransferId id;
};
// The outcome of FinishReceiving: the content is verified and in its place.
struct ContentArrived {
  TransferId id;
  std::string encoding;
  std::int64_t encoded_bytes = 0;
};
// A frame of a receiving arrived, and this service's disk did not take it. The sender repeats the frame.
struct FrameNotKept {
  TransferId id;
  Error error;
};
// The outcome of FinishReceiving: the content is not what was announced, or (Code::unavailable) the disk failed.
struct ContentRefused {
  TransferId id;
  Error error;
};
// A frame arrived whose transfer is not a receiving from this party.
struct StrayFrame {
  Asker from;
  TransferId id;
  std::int64_t end = 0;  // the offset of the first byte behind the frame
};
// LinkLost, LinkBack, Stalled, TimePassed and BatchEnded come from runtime::Shell (base/core.hpp says when); the first
// LinkLost comes from load(), since nobody can be heard before the first connection. After LinkBack and Stalled every
// party has its full time again, and whoever waits keeps its turn; after LinkBack offers and states are published
// again. TimePassed gives slots, repeats offers and deletes what is old. BatchEnded puts out every change of the batch.
using Input =
    std::variant<DeviceHeard, Wanted, Controlled, LeftGroup, StageAsked, PermitsAnswered, StageEnded, DeviceStaged,
                 EncodingMade, EncodingFailed, OfferMade, OfferFailed, Answered, Progressed, SendingBroke, ContentLost,
                 PackageAnnounced, RemovalAsked, UsesSaid, OutputAnnounced, OutputDropped, Offered, ReceivingHeard,
                 ReceivingOpened, AllReceived, ContentArrived, ContentRefused, FrameNotKept, StrayFrame, LinkLost,
                 LinkBack, Stalled, TimePassed, BatchEnded>;

// What is stored: a restarted core begins with it.
struct Saved {
  std::vector<Content> contents;
  std::vector<Name> names;  // in any order
  std::vector<SealedEncoding> encodings{};
  std::vector<Sending> sendings;
  std::vector<Receiving> receivings;
  std::vector<Stage> stages{};
};

}  // namespace fieldwork::transfer
