// The transfer service's core: who gets which content under which transfer, and what becomes of it. Pure. Bytes do not
// pass here: the shell holds an exchange::Outbound per sending and an exchange::Inbound per receiving, and reports.
//
//   Wanted -> BeginSending -> OfferMade -> SendOffer … Progressed … Answered(complete | failed) -> SayEnded
//   PackageAnnounced | OutputAnnounced -> Offered -> OpenReceiving … AllReceived -> FinishReceiving -> ContentArrived
//
// The other side repeats until it is answered; every input may come twice, late or never.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "crypto/certificate.hpp"
#include "transfer/core/state.hpp"

namespace fieldwork::transfer {

struct Limits {
  std::int64_t content_bytes_max = std::int64_t{4} << 30;
  std::size_t live_max = 1000;  // sendings; and as many receivings
  std::size_t party_max = 16;   // of these, with one party
  int attempts_max = 4;         // of transfers of one content to one device that fail, one soon after the other
  Duration retry_hold{std::chrono::minutes{10}};  // after a failure; later a want counts as the first again
  Duration silence_max{std::chrono::hours{24}};
  Duration client_silence_max{std::chrono::minutes{10}};  // also of an upload that was announced and not started
  Duration say_every{seconds{1}};                         // progress, as retained state
  Duration packages_again{seconds{60}};                   // each package's retained state: someone may have missed it
  Duration save_every{seconds{2}};                        // progress, as row; or
  std::int64_t save_bytes = 4 << 20;                      // this much more acknowledged
  Duration state_kept{std::chrono::hours{1}};             // retained state of an ended transfer
  Duration row_kept{std::chrono::hours{24 * 30}};
  std::size_t ended_max = 20'000;      // rows of ended transfers
  std::size_t announced_max = 10'000;  // outputs that devices said they have
};

// --- inputs. `fresh` is a new transfer id, used if one is needed. ---
struct Wanted {  // the certificate is verified, and its name is the party's
  Party to;
  std::string reply;
  std::string digest;
  crypto::Certificate certificate;
  TransferId fresh;
};
struct OfferMade {
  TransferId id;
  Offer offer;
  std::string content_key;
};
struct OfferFailed {
  TransferId id;
  std::string reason;
};
struct Answered {  // the receiver said how it stands
  Party from;
  TransferId id;
  ReceivedState state = ReceivedState::receiving;
  std::string reason;
};
struct Progressed {
  TransferId id;
  ByteRanges acked;
  std::int64_t acked_bytes = 0;
  std::int64_t sent_bytes = 0;  // more than before
};
struct SendingBroke {  // our file cannot be read
  TransferId id;
  std::string reason;
};
struct PackageAnnounced {  // its release is verified and says the same
  Party from;
  std::string reply;
  Package package;
  TransferId fresh;
};
struct OutputAnnounced {
  Party from;
  std::string digest;
  std::int64_t size_bytes = 0;
};
struct Offered {
  Party from;
  std::string reply;
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
struct ContentRefused {
  TransferId id;
  Error error;
};
struct BrokerReturned {};
struct TimePassed {};
using Input =
    std::variant<Wanted, OfferMade, OfferFailed, Answered, Progressed, SendingBroke, PackageAnnounced, OutputAnnounced,
                 Offered, ReceivingHeard, AllReceived, ContentArrived, ContentRefused, BrokerReturned, TimePassed>;

// --- effects ---
struct BeginSending {  // make key and offer: OfferMade or OfferFailed follows at once
  TransferId id;
  crypto::Certificate certificate;
};
struct OpenSending {
  TransferId id;
};
struct AskedAgain {  // the receiver of an open sending came back
  TransferId id;
};
struct CloseSending {
  TransferId id;
};
struct SendOffer {
  TransferId id;
};
struct SayNotOffered {
  Party to;
  std::string digest;
  std::string reason;
};
struct Reject {  // what the party's present message asked for is not done
  Party to;
  std::string channel;
  Error error;
};
struct SaveSending {
  TransferId id;
};
struct DropSending {
  TransferId id;
};
struct PublishSending {
  TransferId id;
};
struct ClearSending {
  TransferId id;
};
struct SayEnded {
  TransferId id;
};
struct AnswerUpload {
  TransferId id;
};
struct AnswerStored {
  Party to;
  std::string digest;
};
struct AskOutput {
  Party from;
  std::string digest;
};
struct OpenReceiving {
  TransferId id;
};
struct AnswerFinishing {  // all is here, and being verified
  TransferId id;
};
struct FinishReceiving {  // ContentArrived or ContentRefused follows, later
  TransferId id;
};
struct CloseReceiving {  // and delete its files
  TransferId id;
};
struct SaveReceiving {
  TransferId id;
};
struct DropReceiving {
  TransferId id;
};
struct AckEnded {  // the last word to who sent it; `error` empty: it is stored
  Receiving receiving;
  std::string error;
};
struct SaveContent {
  std::string digest;
};
struct PublishPackage {
  std::string digest;
};
using Effect = std::variant<BeginSending, OpenSending, AskedAgain, CloseSending, SendOffer, SayNotOffered, Reject,
                            SaveSending, DropSending, PublishSending, ClearSending, SayEnded, AnswerUpload,
                            AnswerStored, AskOutput, OpenReceiving, AnswerFinishing, FinishReceiving, CloseReceiving,
                            SaveReceiving, DropReceiving, AckEnded, SaveContent, PublishPackage>;
using Effects = std::vector<Effect>;

struct Saved {
  std::vector<Content> contents;
  std::vector<Sending> sendings;
  std::vector<Receiving> receivings;
};

class Transfers {
 public:
  Transfers(Limits limits, Saved saved, Time now);

  [[nodiscard]] Effects step(const Input& input, Time now);

  [[nodiscard]] const Content* content(const std::string& digest) const;
  [[nodiscard]] const Sending* sending(const TransferId& id) const;
  [[nodiscard]] const Receiving* receiving(const TransferId& id) const;
  [[nodiscard]] const std::map<std::string, Content>& contents() const { return contents_; }
  [[nodiscard]] const std::map<TransferId, Receiving>& receivings() const { return receivings_; }
  [[nodiscard]] const std::set<TransferId>& live() const { return live_; }
  // Released content, newest first.
  [[nodiscard]] std::vector<const Content*> packages() const;
  // Of one content, newest first.
  [[nodiscard]] std::vector<const Sending*> sendings_of(const std::string& digest, std::size_t count_max) const;
  // The stored content that this transfer brought, if it is remembered.
  [[nodiscard]] const Content* brought_by(const TransferId& id) const;

 private:
  struct Track {  // what is known of a live sending besides its row
    Time said{}, saved{};
    std::int64_t saved_acked_bytes = 0;
    bool unsaid = false;
  };
  struct Announced {
    std::int64_t size_bytes = 0;
    Time at{};
  };
  using Target = std::pair<Party, std::string>;  // party, digest

  void on(const Wanted& input, Time now, Effects& out);
  void on(const OfferMade& input, Time now, Effects& out);
  void on(const OfferFailed& input, Time now, Effects& out);
  void on(const Answered& input, Time now, Effects& out);
  void on(const Progressed& input, Time now, Effects& out);
  void on(const SendingBroke& input, Time now, Effects& out);
  void on(const PackageAnnounced& input, Time now, Effects& out);
  void on(const OutputAnnounced& input, Time now, Effects& out);
  void on(const Offered& input, Time now, Effects& out);
  void on(const ReceivingHeard& input, Time now, Effects& out);
  void on(const AllReceived& input, Time now, Effects& out);
  void on(const ContentArrived& input, Time now, Effects& out);
  void on(const ContentRefused& input, Time now, Effects& out);
  void on(const BrokerReturned& input, Time now, Effects& out);
  void on(const TimePassed& input, Time now, Effects& out);

  void begin(Sending sending, const crypto::Certificate& certificate, Time now, Effects& out);
  // Which attempt a new want is, or why it has to wait.
  [[nodiscard]] Result<int> attempt_for(const Target& target, Time now) const;
  void end(Sending& sending, SendingState state, std::string reason, bool say, Time now, Effects& out);
  void remember_ended(const Sending& sending);
  void forget(const TransferId& id, Effects& out);
  void save(Sending& sending, Time now, Effects& out);
  void publish(Sending& sending, Time now, Effects& out);
  void pass_time(Sending& sending, Time now, Effects& out);
  void say_packages(Time now, Effects& out);
  Sending* live_for(const Target& target);
  [[nodiscard]] std::size_t live_with(const Party& to) const;
  [[nodiscard]] std::size_t receiving_from(const Party& from) const;
  std::optional<Error> room_for(const Party& from) const;
  // The receiving that this offer starts or goes on with.
  Result<Receiving*> announced_as(const Offered& input, Time now, Effects& out);
  void drop(const TransferId& id, Effects& out);
  void store(const Receiving& receiving, const ContentArrived& arrived, Time now, Effects& out);
  void release_again(Content& content, const Package& package, Effects& out);

  Limits limits_;
  std::map<std::string, Content> contents_;    // by digest
  std::map<TransferId, std::string> brought_;  // transfer -> digest
  std::map<TransferId, Sending> sendings_;
  std::set<TransferId> live_;
  std::map<TransferId, Track> tracks_;
  std::map<Target, TransferId> latest_;                 // of each target, while it is remembered
  std::multimap<Time, TransferId> clear_at_, drop_at_;  // ended sendings
  std::map<TransferId, Receiving> receivings_;
  std::set<TransferId> finishing_;
  std::map<Target, Announced> announced_;
  Time swept_{};
  Time say_package_at_;
  std::string said_package_;  // the last one; the next follows it
};

}  // namespace fieldwork::transfer
