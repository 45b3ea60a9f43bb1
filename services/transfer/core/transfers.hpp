// The transfer service's core: who gets which content under which transfer, and what becomes of it. Pure. Bytes do not
// pass here: the shell holds an exchange::Outbound for each sending that has a slot and an exchange::Inbound for each
// receiving, and tells what came of them.
//
//   Wanted -> MakeOffer -> OfferMade -> SendOffer, OpenSending … Progressed … Answered(complete | failed) -> ended
//   PackageAnnounced | OutputAnnounced -> Offered -> OpenReceiving … AllReceived -> FinishReceiving -> ContentArrived
//
// One door in: step(input, now, out). The last input of a batch is BatchEnded, which puts out each change of the batch
// once. One door out: Output (output.hpp).
//
// Slots: at most slots_max sendings run at once. A sending keeps its slot while its receiver was heard within
// slot_silence. Then the slot goes to another sending; row and ranges of the first stay. Slots are given in turn to the
// parties that wait, and within a party to the oldest want.
//
// Devices are served while the registry calls them ready, suspect or lost, under the certificate they are enrolled
// with. (A lost device that speaks is back; the registry says so a little later.)
//
// Time without the broker, and time in which this process stood still, counts as nobody's silence.
//
// The other side repeats until it is answered: every input may come twice, late or never.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.hpp"
#include "transfer/core/encodings.hpp"
#include "transfer/core/input.hpp"
#include "transfer/core/output.hpp"

namespace fieldwork::transfer {

class Transfers {
 public:
  using Input = transfer::Input;
  using Output = transfer::Output;
  // Where a page of packages() ends: the next page begins behind it.
  using Place = std::pair<Time, std::string>;  // time of storing and digest of the last content

  Transfers(Limits limits, Saved saved, Time now);

  void step(const Input& input, Time now, Output& out);

  [[nodiscard]] const Content* content(const std::string& digest) const;
  // The content of that name, or null.
  [[nodiscard]] const Content* named(const PackageName& name) const;
  [[nodiscard]] const Name* name(const PackageName& name) const;
  [[nodiscard]] const SealedEncoding* encoding(const std::string& id) const { return encodings_.find(id); }
  // One that uses the same file.
  [[nodiscard]] bool has_encoding(const SealedEncoding& one) const { return encodings_.shares_file(one); }
  [[nodiscard]] const Sending* sending(const TransferId& id) const;
  [[nodiscard]] const Receiving* receiving(const TransferId& id) const;
  [[nodiscard]] const std::map<std::string, Content>& contents() const { return contents_; }
  [[nodiscard]] const std::map<TransferId, Receiving>& receivings() const { return receivings_; }
  [[nodiscard]] const std::set<TransferId>& live() const { return live_; }
  [[nodiscard]] bool has_slot(const TransferId& id) const;
  // Packages, the newest first, those behind `after`.
  [[nodiscard]] std::vector<const Content*> packages(const std::optional<Place>& after, std::size_t count_max) const;
  // Sendings of one content, the newest first.
  [[nodiscard]] std::vector<const Sending*> sendings_of(const std::string& digest, std::size_t count_max) const;
  // The stored content that this transfer brought; null: not known, or not any more.
  [[nodiscard]] const Content* brought_by(const TransferId& id) const;
  // Whether frames of this party are taken and its wants served.
  [[nodiscard]] bool serves(const Party& party) const;

 private:
  struct Track {  // what a live sending has besides its row
    Time said{}, saved{};
    std::int64_t saved_acked_bytes = 0;
    bool unsaid = false;
    bool slot = false;
    bool queued = false;  // is in waiting_
    Time awake{};         // when the receiver was heard last, or the sending loaded
    bool answered_once = false;
    Time answered{};  // when the receiver said last what it has, or the sending got its slot
    Time offer_at{};  // without a slot: when the offer is repeated
    Duration offer_wait{};
    TransferId before{};  // until the offer is made: what latest_ named before
  };
  struct Waiter {  // for an encoding that is being made
    TransferId id{};
    crypto::Certificate certificate;
    Asker asker{};
  };
  struct Announced {
    std::int64_t size_bytes = 0;
    Time at{};
  };
  struct Usage {
    std::size_t outputs = 0;
    std::int64_t bytes = 0;  // stored
  };
  using Target = std::tuple<Party, std::string, std::string>;  // receiver, its MQTT client id, digest
  using Announcement = std::pair<Party, std::string>;          // party, digest

  void on(const DeviceHeard& input, Time now, Output& out);
  void on(const Wanted& input, Time now, Output& out);
  void on(const EncodingMade& input, Time now, Output& out);
  void on(const EncodingFailed& input, Time now, Output& out);
  void on(const OfferMade& input, Time now, Output& out);
  void on(const OfferFailed& input, Time now, Output& out);
  void on(const Answered& input, Time now, Output& out);
  void on(const Progressed& input, Time now, Output& out);
  void on(const SendingBroke& input, Time now, Output& out);
  void on(const ContentLost& input, Time now, Output& out);
  void on(const PackageAnnounced& input, Time now, Output& out);
  void on(const OutputAnnounced& input, Time now, Output& out);
  void on(const OutputDropped& input, Time now, Output& out);
  void on(const Offered& input, Time now, Output& out);
  void on(const ReceivingHeard& input, Time now, Output& out);
  void on(const AllReceived& input, Time now, Output& out);
  void on(const ContentArrived& input, Time now, Output& out);
  void on(const ContentRefused& input, Time now, Output& out);
  void on(const FrameNotKept& input, Time now, Output& out);
  void on(const StrayFrame& input, Time now, Output& out);
  void on(const LinkLost& input, Time now, Output& out);
  void on(const LinkBack& input, Time now, Output& out);
  void on(const Stalled& input, Time now, Output& out);
  void on(const TimePassed& input, Time now, Output& out);
  void on(const BatchEnded& input, Time now, Output& out);

  // sending.cpp
  void begin(Sending sending, const Wanted& input, Time now, Output& out);
  // The offer, at once or when its encoding is made.
  void offer(const TransferId& id, const Encodings::Choice& choice, Waiter waiter, Time now, Output& out);
  // Contents that the receiver has and that could be bases of patches for this one.
  [[nodiscard]] std::vector<std::string> bases_of(const Content& content, const Accepts& accepts) const;
  void prune_encodings(Time now, Output& out);
  // Which attempt a new want is, or why the want has to wait.
  [[nodiscard]] Result<int> attempt_for(const Target& target, Time now) const;
  [[nodiscard]] std::string why_not_stored(const std::string& digest) const;
  void settle(Sending& sending, SendingState state, std::string reason, bool say, Time now, Output& out);
  void end_live(const TransferId& id, Output& out);
  void withdraw(const TransferId& id, Output& out);
  void remember_ended(const Sending& sending);
  void forget(const TransferId& id, Output& out);
  void save(Sending& sending, Time now);
  void measured(Sending& sending, const Measurements& now_measured, Time now, Output& out);
  [[nodiscard]] Phase phase_of(const Sending& sending) const;
  void publish(Sending& sending, Time now);
  void pass_time(Sending& sending, Time now, Output& out);
  Sending* live_for(const Target& target);
  static Target target_of(const Sending& sending) { return {sending.to, sending.reply, sending.digest}; }

  void give_full_time(Time now);
  // slots.cpp
  void add_live(const Sending& sending, Time now);
  void heard(Sending& sending, Time now);
  void wait(const Sending& sending);
  void give_slots(Time now, Output& out);
  // The next of this party's sendings that may get a slot. Removes from the queue those that may not.
  std::optional<TransferId> next_of(const Party& party, Time now);
  void fill_slot(Sending& sending, Time now, Output& out);
  void park(Sending& sending, Time now, Output& out);
  void give_back(const Sending& sending, Output& out);
  // Divides the receiver's rate among its open sendings, where it has a limit; `always`: where it had one, too.
  void pace(const Party& to, bool always, Output& out);
  bool make_room(const Party& to, Output& out);
  void tell_link(const Party& to, bool up, Output& out) const;

  // receiving.cpp
  std::optional<Error> room_for(const Party& from, Time now, Output& out);
  // The receiving that this offer starts or takes up again; null: it is an output over the quota, which is said.
  Result<Receiving*> announced_as(const Offered& input, Time now, Output& out);
  Result<Receiving*> receive_output(const Offered& input, Time now, Output& out);
  void forget_receiving(const TransferId& id, Output& out);
  void hold(const Receiving& receiving, const Error& error, Duration wait_max, Time now, Output& out);
  void sweep_receivings(Time now, Output& out);
  [[nodiscard]] std::optional<Error> bad_device(const Party& party, const std::string& fingerprint) const;
  [[nodiscard]] Duration patience_with(const Receiving& receiving) const;

  // contents.cpp
  void load_contents(Saved& saved);
  // The content, if its file is there too.
  Content* at_hand(const std::string& digest);
  Content& store(const Receiving& receiving, const ContentArrived& arrived, Time now);
  // Why the content cannot have that name: the name is another content's, or the content has too many.
  [[nodiscard]] std::optional<Error> bad_name(const Package& package) const;
  void add_name(Content& content, const Package& package, Time now, Output& out);
  void count_usage(const Content& content, int sign);
  [[nodiscard]] std::optional<std::string> over_quota(const Party& device, std::int64_t size_bytes) const;
  void refuse_output(const OutputAnnounced& input, std::string reason, Output& out);
  // False: it was remembered already, for the same reason.
  bool remember_refused(const Asker& from, const std::string& digest, std::string why);
  void prune(Time now, Output& out);
  void say_packages(Time now);
  void say_again(Time now);

  Limits limits_;
  std::map<std::string, Content> contents_;  // by digest
  std::set<std::string> lost_;               // of these the file is lost
  Encodings encodings_;
  std::map<MakingOf, std::vector<Waiter>> making_;
  std::map<PackageName, Name> names_;
  std::set<Place> packages_, nameless_;        // each content is in one of the two
  std::map<TransferId, std::string> brought_;  // transfer -> digest
  std::map<std::string, Usage> usage_;         // by device
  std::map<std::string, Standing> standings_;  // by device
  std::map<TransferId, Sending> sendings_;
  std::set<TransferId> live_;
  std::map<Party, std::set<TransferId>> live_with_;
  std::map<TransferId, Track> tracks_;
  std::size_t slots_ = 0;
  std::map<Party, std::size_t> slots_with_;
  std::map<Party, std::deque<TransferId>> waiting_;  // for a slot
  Party served_;  // the party that got the last slot: the one that follows it in sequence is next
  std::map<Target, TransferId> latest_;                 // newest sending of each target that is remembered
  std::multimap<Time, TransferId> clear_at_, drop_at_;  // settled sendings
  std::map<TransferId, Receiving> receivings_;
  std::set<TransferId> finishing_;
  struct Hold {  // the disk refused it: not tried before `until`, however often the sender asks
    Time until{};
    Duration wait{};
  };
  std::map<TransferId, Hold> held_;
  std::map<Announcement, Announced> announced_;
  std::map<std::string, std::string> refused_;  // outputs that will not come: digest -> why, as a sentence
  std::deque<std::string> refused_order_;
  Time swept_{};
  Time say_package_at_;
  Place said_package_;  // the last one published again; the next follows it
  std::deque<std::string> packages_to_say_;
  std::deque<TransferId> sendings_to_say_;
  Time say_again_at_{};
  bool link_ = true;
  // Changed in this batch.
  std::set<std::string> unsaved_contents_, unsaid_packages_;
  std::set<TransferId> unsaved_sendings_, unsaved_receivings_, unsaid_sendings_;
};

static_assert(Core<Transfers>);

}  // namespace fieldwork::transfer
