// What the transfer service's core wants done, in the order of duty: what is saved is one transaction, everything below
// it is done or said after that. All of it is values: nobody asks the core back.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "crypto/certificate.hpp"
#include "transfer/core/state.hpp"

namespace fieldwork::transfer {

// --- work on keys and files. What comes of it is an input of a later batch.
struct MakeOffer {  // OfferMade or OfferFailed
  TransferId id;
  Party to;
  int attempt = 1;
  Content content;
  crypto::Certificate certificate;
  Asker asker;
};
struct OpenSending {  // it has a slot: send frames. Progressed, or SendingBroke
  Sending sending;
};
struct AskedAgain {  // the receiver of an open sending came back
  TransferId id;
};
struct CloseSending {  // it has ended, or lost its slot
  TransferId id;
};
struct OpenReceiving {  // take frames, and tell the asker what is here. ReceivingHeard, AllReceived
  Receiving receiving;
  std::optional<Asker> asker{};  // none: after a restart
};
struct FinishReceiving {  // ContentArrived or ContentRefused
  TransferId id;
  Offer offer;
};
struct CloseReceiving {  // and delete its files
  TransferId id;
};
struct RemoveContent {  // its files, after the commit
  std::string digest;
};
using Work = std::variant<MakeOffer, OpenSending, AskedAgain, CloseSending, OpenReceiving, FinishReceiving,
                          CloseReceiving, RemoveContent>;

// --- answers. To who sent the message that the input came from, where nothing else is said.
struct SendOffer {
  Sending sending;
  std::optional<Asker> asker{};  // none: of our own accord
};
struct SayNotOffered {
  Asker to;
  std::string digest;
  std::string reason;
};
struct Reject {  // what the message asked for is not done
  Asker to;
  Error error;
};
struct AnswerUpload {
  Asker to;
  TransferId id;
};
struct AnswerStored {
  Asker to;
  std::string digest;
};
struct RefuseOutput {  // for good: the device need not announce it again
  Asker to;
  std::string digest;
  std::string reason;
};
struct AskOutput {
  Asker from;
  std::string digest;
  TransferId under_way{};  // a part of it is here; empty: none
};
struct AnswerFinishing {  // all is here, and being verified
  Asker asker;
  Receiving receiving;
};
struct AckHeld {  // it cannot be stored now, a part or all that is here: it is tried again
  Receiving receiving;
  std::string reason;
};
struct AckEnded {  // the last word to who sent it; `error` empty: it is stored
  Receiving receiving;
  std::string error;
  std::optional<Asker> asker{};  // of a message that asked for it
};
using Answer = std::variant<SendOffer, SayNotOffered, Reject, AnswerUpload, AnswerStored, RefuseOutput, AskOutput,
                            AnswerFinishing, AckHeld, AckEnded>;

struct Output {
  // Saved with the batch. Dropped: the row goes.
  std::vector<Content> contents;
  std::vector<std::string> dropped_contents;
  std::vector<Name> names;
  std::vector<Sending> sendings;
  std::vector<TransferId> dropped_sendings;
  std::vector<Receiving> receivings;
  std::vector<TransferId> dropped_receivings;
  // In order.
  std::vector<Work> work;
  // Answers.
  std::vector<Answer> answers;
  // Facts.
  std::vector<Sending> ended;
  std::vector<Package> packages;        // retained
  std::vector<Sending> sending_states;  // retained
  std::vector<TransferId> cleared_states;
};

}  // namespace fieldwork::transfer
