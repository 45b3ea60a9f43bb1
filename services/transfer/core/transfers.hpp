// The transfer service's core: who gets which content under which transfer, and what becomes of it. Pure. Bytes do not
// pass here: the shell holds an exchange::Outbound for each sending that has a slot and an exchange::Inbound for each
// receiving, and tells what came of them.
//
//   Wanted -> MakeOffer -> OfferMade -> SendOffer, OpenSending … Progressed … Answered(complete | failed) -> ended
//   PackageAnnounced | OutputAnnounced -> Offered -> OpenReceiving … AllReceived -> FinishReceiving -> ContentArrived
//   StageAsked -> permits … PermitsAnswered -> AnswerStaged, TellStage
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
#include "transfer/core/shares.hpp"

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
  // The contents of that name, by architecture.
  [[nodiscard]] std::vector<const Content*> named(const PackageName& name) const;
  // What the name says; of several architectures, for the first.
  [[nodiscard]] const Name* name(const PackageName& name) const;
  [[nodiscard]] const SealedEncoding* encoding(const std::string& id) const { return encodings_.find(id); }
  [[nodiscard]] const std::map<std::string, SealedEncoding>& encodings() const { return encodings_.all(); }  // by id
  // One that uses the same file.
  [[nodiscard]] bool has_encoding(const SealedEncoding& one) const { return encodings_.shares_file(one); }
  [[nodiscard]] const Sending* sending(const TransferId& id) const;
  [[nodiscard]] const Receiving* receiving(const TransferId& id) const;
  [[nodiscard]] const Receiving* ended_receiving(const TransferId& id) const;
  [[nodiscard]] const std::map<std::string, Content>& contents() const { return contents_; }
  [[nodiscard]] const std::map<TransferId, Receiving>& receivings() const { return receivings_; }
  [[nodiscard]] const std::set<TransferId>& live() const { return live_; }
  [[nodiscard]] const std::map<Stages::Key, Stage>& stages() const { return stages_.all(); }
  [[nodiscard]] bool has_slot(const TransferId& id) const;
  // Packages, the newest first, those behind `after`.
  [[nodiscard]] std::vector<const Content*> packages(const std::optional<Place>& after, std::size_t count_max) const;
  // The newest first, of all devices or of one.
  [[nodiscard]] std::vector<const Sending*> newest_sendings(const std::string& device, bool live,
                                                            std::size_t count_max) const;
  // The newest first, of all senders or of one device.
  [[nodiscard]] std::vector<const Receiving*> newest_receivings(const std::string& device, bool live,
                                                                std::size_t count_max) const;
  // Packages that the rule would collect now, if no job names them.
  [[nodiscard]] std::set<std::string> unused_packages(Time now) const;
  // The same as packages() gives them.
  [[nodiscard]] std::vector<const Content*> unused(const std::optional<Place>& after, std::size_t count_max,
                                                   Time now) const;
  // Sendings of one content, the newest first.
  [[nodiscard]] std::vector<const Sending*> sendings_of(const std::string& digest, std::size_t count_max) const;
  // The stored content that this transfer brought; null: not known, or not any more.
  [[nodiscard]] const Content* brought_by(const TransferId& id) const;
  // Whether frames of this party are taken and its wants served.
  [[nodiscard]] bool serves(const Party& party) const;
  [[nodiscard]] bool linked() const { return link_; }  // to the broker

 private:
  struct Track {  // what a live sending has besides its row
    Time said{}, saved{};
    std::int64_t saved_acked_bytes = 0;
    bool unsaid = false;
    bool slot = false;
    bool queued = false;  // is in waiting_
    Time queued_at{};
    std::string site{};  // of the device, when it got the slot
    Time awake{};        // when the receiver was heard last, or the sending loaded
    bool offered = false;
    bool answered_once = false;
    bool came_back = false;  // the receiver asked again: its next answer says from where it goes on
    Time answered{};         // when the receiver said last what it has, or the sending got its slot
    Time offer_at{};         // without a slot: when the offer is repeated
    Duration offer_wait{};
    TransferId before{};  // until the offer is made: what latest_ named before
  };
  struct Waiter {  // for an encoding that is being made
    TransferId id{};
    crypto::Certificate certificate;
    Asker asker{};
  };
  struct Gathering {  // of receivers of one encoding
    Time first{}, last{};
  };
  struct Arriving {  // what a receiving has besides its row
    Time said{}, saved{};
    bool silent = false;                                // its sender is
    std::deque<std::pair<Time, std::int64_t>> bytes{};  // received_bytes, of the last seconds
  };
  struct Announced {
    std::int64_t size_bytes = 0;
    Time at{};
  };
  struct Usage {
    std::size_t outputs = 0;
    std::int64_t bytes = 0;  // stored
  };
  struct PendingStage {  // a request that waits for security-policy
    StageAsked asked;
    Time until{};
  };
  using Target = std::tuple<Party, std::string, std::string>;  // receiver, its MQTT client id, digest
  using Variant = std::pair<PackageName, std::string>;         // and its architecture
  using Announcement = std::pair<Party, std::string>;          // party, digest

  void on(const DeviceHeard& input, Time now, Output& out);
  void on(const Wanted& input, Time now, Output& out);
  void on(const Controlled& input, Time now, Output& out);
  void on(const LeftGroup& input, Time now, Output& out);
  void on(const StageAsked& input, Time now, Output& out);
  void on(const PermitsAnswered& input, Time now, Output& out);
  void on(const StageEnded& input, Time now, Output& out);
  void on(const DeviceStaged& input, Time now, Output& out);
  void on(const EncodingMade& input, Time now, Output& out);
  void on(const EncodingFailed& input, Time now, Output& out);
  void on(const OfferMade& input, Time now, Output& out);
  void on(const OfferFailed& input, Time now, Output& out);
  void on(const Answered& input, Time now, Output& out);
  void on(const Progressed& input, Time now, Output& out);
  void on(const SendingBroke& input, Time now, Output& out);
  void on(const ContentLost& input, Time now, Output& out);
  void on(const PackageAnnounced& input, Time now, Output& out);
  void on(const RemovalAsked& input, Time now, Output& out);
  void on(const UsesSaid& input, Time now, Output& out);
  void on(const OutputAnnounced& input, Time now, Output& out);
  void on(const OutputDropped& input, Time now, Output& out);
  void on(const Offered& input, Time now, Output& out);
  void on(const ReceivingHeard& input, Time now, Output& out);
  void on(const ReceivingOpened& input, Time now, Output& out);
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

  // offers.cpp
  void begin(Sending sending, const Wanted& input, Time now, Output& out);
  // The offer, at once or when its encoding is made.
  void offer(const TransferId& id, const Encodings::Choice& choice, Waiter waiter, Time now, Output& out);
  // Contents that the receiver has and that could be bases of patches for this one.
  [[nodiscard]] std::vector<std::string> bases_of(const Content& content, const Accepts& accepts) const;
  void plan_ahead(const Content& content, Output& out);
  void encode_ahead(Output& out);
  void prune_encodings(Time now, Output& out);
  void withdraw(const TransferId& id, Output& out);
  // sending.cpp
  // Which attempt a new want is, or why the want has to wait.
  [[nodiscard]] Result<int> attempt_for(const Target& target, Time now) const;
  [[nodiscard]] std::string why_not_stored(const std::string& digest) const;
  void settle(Sending& sending, SendingState state, std::string reason, bool say, Time now, Output& out,
              std::optional<TransferFailure> failure = {});
  void end_live(const TransferId& id, Output& out);
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
  void wait(const Sending& sending, Time now);
  void give_slots(Time now, Output& out);
  void give_slots(PriorityClass least, Time now, Output& out);
  // The next of this party's sendings, of that class or a higher one, that may get a slot. Removes from the queue those
  // that may not.
  std::optional<TransferId> next_of(const Party& party, PriorityClass least, Time now);
  [[nodiscard]] bool may_open(const Party& party) const;
  [[nodiscard]] bool has_room(std::int64_t budget, std::size_t open) const;
  [[nodiscard]] std::string site_of(const Party& party) const;
  [[nodiscard]] std::int64_t budget_of(const std::string& site) const;
  static void alone(Sending& sending, Output& out);
  void pause(Sending& sending, const std::string& by, Time now, Output& out);
  void resume(Sending& sending, Time now, Output& out);
  // Whether others of the same encoding are waited for.
  [[nodiscard]] bool gathers(const Sending& sending, Time now) const;
  void gather(const Sending& sending, Time now);
  void fill_slot(Sending& sending, Time now, Output& out);
  void park(Sending& sending, Time now, Output& out);
  void give_back(const Sending& sending);
  // Divides budgets among the open sendings that draw on them.
  void share(Output& out);
  [[nodiscard]] double wants(const Sending& sending) const;
  void pace(const std::vector<TransferId>& open, const std::vector<Flow>& flows, const std::vector<double>& rates,
            Output& out);
  bool make_room(const Party& to, Output& out);
  void tell_link(const Party& to, bool up, Output& out) const;

  // receiving.cpp
  std::optional<Error> room_for(const Party& from, Time now, Output& out);
  // The receiving that this offer starts or takes up again; null: it is an output over the quota, which is said.
  Result<Receiving*> announced_as(const Offered& input, Time now, Output& out);
  Result<Receiving*> receive_output(const Offered& input, Time now, Output& out);
  void ended_as(const TransferId& id, const std::string& error, Time now, Output& out);
  void forget_receiving(const TransferId& id, Output& out);
  void hold(Receiving& receiving, const Error& error, Duration wait_max, Time now, Output& out);
  void sweep_receivings(Time now, Output& out);
  [[nodiscard]] std::optional<Error> bad_device(const Party& party, const std::string& fingerprint) const;
  [[nodiscard]] Duration patience_with(const Receiving& receiving) const;

  // uploads.cpp: how receivings stand, published and kept as sendings are
  void load_receivings(std::vector<Receiving> saved, Time now);
  void begin_receiving(Receiving& receiving, Time now);
  void end_receiving(TransferId id, SendingState state, std::string reason, std::optional<TransferFailure> failure,
                     Time now, Output& out);
  void remember_ended(const Receiving& receiving);
  void control_receiving(const Controlled& input, Time now, Output& out);
  void cancel_receiving(Receiving receiving, const std::string& by, Time now, Output& out);
  void note_strategy(Receiving& receiving, const std::optional<SaidStrategy>& strategy, Time now, Output& out);
  [[nodiscard]] Phase phase_of(const Receiving& receiving) const;
  void publish(Receiving& receiving, Time now);
  void publish_receivings(Time now);
  void suspend_silent_receivings(Time now);
  void prune_ended_receivings(Time now, std::size_t& budget, Output& out);
  // Why this output is not to be announced again so soon.
  [[nodiscard]] const std::string* cancelled(const Announcement& target, Time now) const;

  // contents.cpp
  void load_contents(Saved& saved);
  // The content, if its file is there too.
  Content* at_hand(const std::string& digest);
  Content& store(const Receiving& receiving, const ContentArrived& arrived, Time now);
  // Why the content cannot have that name: the name is another content's, or is for other architectures, or the content
  // has too many names, or was released as something else.
  [[nodiscard]] std::optional<Error> bad_name(const Package& package) const;
  // Why its architecture cannot stand beside those that the name is for.
  [[nodiscard]] std::optional<Error> bad_architecture(const Package& package) const;
  void add_name(Content& content, const Package& package, Time now, Output& out);
  void count_usage(const Content& content, int sign);
  [[nodiscard]] std::optional<std::string> over_quota(const Party& device, std::int64_t size_bytes) const;
  void refuse_output(const OutputAnnounced& input, std::string reason, Output& out);
  // False: it was remembered already, for the same reason.
  bool remember_refused(const Asker& from, const std::string& digest, std::string why);
  void prune(Time now, Output& out);
  void say_packages(Time now);
  void say_again(Time now);
  // collecting.cpp
  struct Removal {  // that an operator waits for
    std::vector<Asker> by;
    std::string what;  // NAME@VERSION
    std::vector<std::string> digests;
    Time at{};
  };
  static bool is_removed(const Name& name) { return name.removed != Time{}; }
  void touch(Content& content, Time now);
  // By digest: what needs it, of all that this service knows; at most package_users_max of each.
  [[nodiscard]] std::map<std::string, std::vector<std::string>> in_use() const;
  // What the rule keeps whatever its age.
  [[nodiscard]] std::set<PackageName> newest_versions() const;
  [[nodiscard]] std::int64_t next_question(Time now);
  void collect(Time now, Output& out);
  void collect_unneeded(const UsesSaid& said, Time now, Output& out);
  [[nodiscard]] std::vector<std::string> meant(const RemovalAsked& input) const;
  // `users`: as the scheduler says.
  void finish(const Removal& removal, std::vector<std::string> users, Time now, Output& out);
  void end_asking(Time now, Output& out);
  void remove(const std::string& digest, std::string by, std::string reason, Time now, Output& out);
  void forget_content(const std::string& digest, Output& out);
  // Of the rows of names that were removed since then, those for which `is` is true.
  template <class Is>
  [[nodiscard]] AnswerRemoved removed_as(const Asker& to, Time since, Is is) const;
  void say_removed(Time now);
  void forget_names(Time now, Output& out);

  // staging.cpp
  [[nodiscard]] std::optional<Error> cannot_stage(const StageAsked& input, Time now) const;
  [[nodiscard]] std::string why_not_staged(const std::string& device) const;
  // What is known of a device after a start: nothing yet, or why it is refused; empty: it may be asked about.
  [[nodiscard]] std::optional<std::string> known_of(const std::string& device, Time now) const;
  [[nodiscard]] bool is_pending(const StageAsked& input) const;
  // Asks security-policy what is due, and stages what it has answered.
  void pass_permits(Time now, Output& out);
  void stage(const PendingStage& pending, const PermitRequest& said, Time now, Output& out);
  bool withdraw_pending(const std::string& device, const std::string& digest, const std::string& why);
  void stages_of(const DeviceHeard& input, Time now);
  void put_out_stages(Output& out);

  Limits limits_;
  Stages stages_;
  Permits permits_;
  std::map<std::int64_t, PendingStage> pending_stages_;  // by question
  Time linked_{};                                        // when the link came up
  std::map<std::string, Content> contents_;              // by digest
  std::set<std::string> lost_;                           // of these the file is lost
  Encodings encodings_;
  std::map<MakingOf, std::vector<Waiter>> making_;
  std::deque<std::string> ahead_;  // digests of packages that are to be encoded when nothing else is
  bool making_ahead_ = false;
  std::map<std::string, Gathering> gathering_;  // by content id
  std::map<Variant, Name> names_;
  std::map<std::int64_t, Removal> removals_;  // by the question to the scheduler
  std::int64_t question_ = 0;                 // the last one
  std::int64_t rule_asked_ = 0;               // the last one of the rule, and what of it is not answered
  std::set<std::string> asked_;
  std::string asked_last_;  // the rule asks for those behind it
  Time collect_at_;
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
  std::map<std::string, std::size_t> slots_at_;  // by site
  bool unshared_ = false;                        // a sending was opened or closed, or a budget changed, since share()
  Time shared_{};
  bool throttles_ = false;                           // share() found a budget
  std::map<Party, std::deque<TransferId>> waiting_;  // for a slot
  Party served_;  // the party that got the last slot: the one that follows it in sequence is next
  std::map<Target, TransferId> latest_;                 // newest sending of each target that is remembered
  std::multimap<Time, TransferId> clear_at_, drop_at_;  // settled sendings
  std::map<TransferId, Receiving> receivings_;          // that have not ended
  std::map<TransferId, Arriving> arriving_;
  std::set<TransferId> news_;  // receivings that changed since they were published
  std::map<TransferId, Receiving> ended_receivings_;
  std::multimap<Time, TransferId> clear_receiving_at_, drop_receiving_at_;  // some of ids that are here no more
  std::map<Announcement, std::pair<Time, std::string>> cancelled_;          // outputs: when and why
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
  std::deque<TransferId> sendings_to_say_;  // and receivings
  Time say_again_at_{};
  bool link_ = true;
  // Changed in this batch.
  std::set<std::string> unsaved_contents_, unsaid_packages_;
  std::set<TransferId> unsaved_sendings_, unsaved_receivings_, unsaid_sendings_, unsaid_receivings_;
};

static_assert(Core<Transfers>);

}  // namespace fieldwork::transfer
