// The output of the transfer service's core: what one batch wants done, as values. The shell (shell/says.cpp, work.cpp)
// turns it into rows, work on keys and files, and messages:
//   saves           one transaction, the commit of the batch
//   work            done in the batch, before the commit; only RemoveContent after it
//   answers, facts  published once, after the commit
// The core never asks what became of its output: the outcome of work is an input of a later batch.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "crypto/certificate.hpp"
#include "model/policy.hpp"
#include "transfer/core/stages.hpp"
#include "transfer/core/state.hpp"

namespace fieldwork::transfer {

// --- work on keys and files ---

// Make this encoding of the content, if it is not there, and seal it. EncodingMade or EncodingFailed must follow.
struct MakeEncoding {
  MakingOf making;
  std::int64_t size_bytes = 0;  // of the plain content
  std::int64_t epoch = 1;
  std::optional<content::Encoded> known{};  // it was made before: its file may be there
  Duration at_most{};                       // then making it is given up: EncodingFailed
  bool ahead = false;                       // nobody waits for it, and it may take long. Its outcome says so, too
};
// Delete the file of this encoding after the commit, unless it is made again by then.
struct RemoveEncoding {
  SealedEncoding encoding;
};
// Make the offer of a new sending. OfferMade or OfferFailed must follow.
struct MakeOffer {
  TransferId id;
  Party to;
  int attempt = 1;
  Content content;
  SealedEncoding encoding;
  crypto::Certificate certificate;  // the receiver's: the content key is wrapped for it
  Asker asker;                      // the outcome carries it back
};
// The sending has a slot: open its file, and send frames in each batch until CloseSending. Progressed must follow what
// was sent or acknowledged; SendingBroke, when the file cannot be read.
struct OpenSending {
  Sending sending;
  SealedEncoding encoding;
  bool shared = false;  // together with others of the same encoding, as far as there are any
};
// The receiver of an open sending came back: send what it did not acknowledge again.
struct AskedAgain {
  TransferId id;
};
// Send frames of this open sending at most at that rate; 0: as fast as the link takes them.
struct PaceSending {
  TransferId id;
  std::int64_t bit_per_s_max = 0;
};
// The receiver of this open sending went offline, or is back: without a link nothing is sent, and no retry is counted.
struct LinkSending {
  TransferId id;
  bool up = true;
};
// The sending has settled, or lost its slot: send no more frames of it. Not open: nothing happens.
struct CloseSending {
  TransferId id;
};
// Take frames of this receiving, and acknowledge them. ReceivingHeard must follow acknowledgements, AllReceived the
// last frame (at once where nothing is missing).
struct OpenReceiving {
  Receiving receiving;
  // A client is answered with what has arrived; any asker hears why the receiving cannot be opened. None: after a
  // restart.
  std::optional<Asker> asker{};
};
// Verify what was received and put it in its place. ContentArrived or ContentRefused must follow.
struct FinishReceiving {
  TransferId id;
  Offer offer;
};
// Take no more frames of this receiving, and delete what has arrived.
struct CloseReceiving {
  TransferId id;
};
// Delete the content's files after the commit, unless the content is stored again or on its way by then.
struct RemoveContent {
  std::string digest;
};
using Work = std::variant<MakeEncoding, RemoveEncoding, MakeOffer, OpenSending, AskedAgain, PaceSending, LinkSending,
                          CloseSending, OpenReceiving, FinishReceiving, CloseReceiving, RemoveContent>;

// --- answers. A device is answered on device/{device}/down/{channel}, a client on its response topic, or, without an
// asker, on reply/{client}/{channel}. ---

// The offer of a sending, on `offer`.
struct SendOffer {
  Sending sending;
  std::optional<Asker> asker{};  // none: nobody asked, the core repeats the offer
};
// To a client that controlled a sending: how it stands now.
struct AnswerControlled {
  Asker to;
  Sending sending;
};
// To a client that cancelled a receiving: how it ended.
struct AnswerCancelled {
  Asker to;
  Receiving receiving;
};
// To a client that asked for stages, or ended them: what became of that for each device.
struct AnswerStaged {
  struct One {
    std::string device;
    std::string refused;  // why; empty: it is done
  };
  Asker to;
  std::string digest;
  std::vector<One> items;
  std::size_t unanswered = 0;  // of these, because security-policy did not answer; logged as a warning
};
// No offer follows. To a device on `offer` (state `unknown`), to a client an error.
struct SayNotOffered {
  Asker to;
  std::string digest;
  std::string reason;
};
// What the message asked for is not done. To a device on `rejected`, to a client an error; counted, and logged once per
// burst.
struct Reject {
  Asker to;
  Error error;
};
// To a client that removed a package: it is removed.
struct AnswerRemoved {
  Asker to;
  std::vector<std::string> digests;
  std::vector<PackageName> names;
};
// To a client that announced a package: the transfer to start, with the certificate of this service.
struct AnswerUpload {
  Asker to;
  TransferId id;
};
// The content is stored. To a device on `output`, to a client on its reply topic.
struct AnswerStored {
  Asker to;
  std::string digest;
};
// To a device on `output`: the output is refused for good, the device announces it no more. Also logged, and counted in
// fieldwork_outputs_refused_total.
struct RefuseOutput {
  Asker to;
  std::string digest;
  std::string reason;
};
// To a device on `output`, as a refusal: that the device dropped the output has been heard, it tells it no more. The
// first time also logged, and counted in fieldwork_device_outputs_dropped_total.
struct AnswerDropped {
  Asker to;
  std::string digest;
  std::string reason;
  bool first = true;
};
// To a device on `want`: send the output, to the certificate of this service.
struct AskOutput {
  Asker from;
  std::string digest;
  TransferId under_way{};  // the transfer of which a part is here; empty: none
};
// Every byte has arrived and is being verified. To a device on `received`.
struct AnswerFinishing {
  Asker asker;
  Receiving receiving;
};
// To the sender on `received`, with what has arrived: a part, or all of it, cannot be stored now. The sender tries
// again.
struct AckHeld {
  Receiving receiving;
  std::string reason;
};
// To the sender on `received`: the last word, `complete` or `failed`.
struct AckEnded {
  Receiving receiving;
  std::string error;             // empty: the content is stored
  std::optional<Asker> asker{};  // a client whose message asked for this is answered, too
  std::optional<TransferFailure> failure{};
};
using Answer = std::variant<SendOffer, AnswerControlled, AnswerCancelled, AnswerStaged, SayNotOffered, Reject,
                            AnswerRemoved, AnswerUpload, AnswerStored, RefuseOutput, AnswerDropped, AskOutput,
                            AnswerFinishing, AckHeld, AckEnded>;

// To the scheduler, on service/scheduler/uses/transfer: who needs these packages. UsesSaid follows, or not.
struct AskUses {
  std::int64_t question = 0;
  std::vector<std::string> digests;  // at most package_uses_max
};
// A package was removed: logged, and counted in fieldwork_packages_removed_total{by}.
struct RemovedPackage {
  Package package;
  std::string by;  // rule or operator
  std::string reason;
};

struct Output {
  // --- saved, all in one transaction ---
  // Table `content`: upsert; of the dropped, remove. RemoveContent deletes the files after the commit.
  std::vector<Content> contents;
  std::vector<std::string> dropped_contents;
  // Table `name`: upsert; of the dropped, remove. The names of a dropped content stay, as removed ones.
  std::vector<Name> names;
  std::vector<Name> dropped_names;
  // Table `encoding`: upsert; of the dropped, remove. Its key is saved before its first frame leaves.
  std::vector<SealedEncoding> encodings;
  std::vector<std::string> dropped_encodings;
  // Table `sending`: upsert; of the dropped, remove.
  std::vector<Sending> sendings;
  std::vector<TransferId> dropped_sendings;
  // Table `receiving`: upsert; of the dropped, remove.
  std::vector<Receiving> receivings;
  std::vector<TransferId> dropped_receivings;

  // --- work: done in this order ---
  std::vector<Work> work;

  // --- questions: published once, after the commit; the core repeats them ---
  // On service/security-policy/permit/transfer, several in one message. PermitsAnswered answers.
  std::vector<PermitQuestion> permits;

  // --- answers: published once, after the commit ---
  std::vector<Answer> answers;

  // --- questions: published once, after the commit ---
  std::vector<AskUses> uses;

  // --- facts: published once, after the commit ---
  // On event/transfer/{transfer}; also logged, and counted in fieldwork_transfers_ended_total.
  std::vector<Sending> ended;
  std::vector<Receiving> ended_receivings;
  // On event/transfer/{transfer}: the sending has begun with a strategy, or changed it.
  std::vector<Sending> new_strategies;
  std::vector<Receiving> new_receiving_strategies;  // as its sender says
  // On state/package/{hex digest}, retained.
  std::vector<Package> packages;
  // Clears state/package/{hex digest}.
  std::vector<std::string> cleared_packages;
  std::vector<RemovedPackage> removed_packages;
  // On state/transfer/{transfer}, retained.
  std::vector<Sending> sending_states;
  std::vector<Receiving> receiving_states;
  // Clears state/transfer/{transfer}.
  std::vector<TransferId> cleared_states;

  // Rows, commands and states of stages. Commands stand in the outbox.
  StageChanges stages;
};

}  // namespace fieldwork::transfer
