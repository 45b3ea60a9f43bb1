// The shell around the transfer service's core: topics, JSON and frames to inputs; the core's output to rows, messages
// and files.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "codec/json.hpp"
#include "crypto/jws.hpp"
#include "exchange/shared.hpp"
#include "exchange/worker.hpp"
#include "runtime/program.hpp"
#include "runtime/shell.hpp"
#include "transfer/core/transfers.hpp"
#include "transfer/shell/content_store.hpp"
#include "transfer/shell/public_packages.hpp"

namespace fieldwork::transfer {

/// 32 random hex digits.
[[nodiscard]] TransferId random_transfer_id();

struct Settings {
  ContentStore store;
  crypto::CertificateAuthority device_ca;
  crypto::CertificateAuthority operator_ca;
  crypto::TrustStore releases;
  crypto::Certificate certificate;  // this service's own
  crypto::PrivateKey key;
  Limits limits{};
  PublicPackages public_packages{};
  std::uint64_t window_bytes = 4 << 20;
  std::uint32_t frame_bytes_max = 256 * 1024;
  int encoding_threads = 1;
  std::uint64_t in_flight_bytes_max = 64 << 20;  // of all sendings together
  std::int64_t inline_bytes_max = 1 << 20;       // a larger content is verified on the worker's thread
  std::function<TransferId()> fresh_id = random_transfer_id;
};

// Reads [transfer] directory, device_ca, operator_ca, releases, …; [broker] certificate, key. An Error names the
// setting.
[[nodiscard]] Result<Settings> read_settings(runtime::Config& config);

class TransferService : public runtime::Shell<Transfers> {
 public:
  // Without `post.task` all work is done on the engine's thread.
  TransferService(std::string root, Settings settings, runtime::Post post);
  ~TransferService() override {
    for (const auto& one : making_) *one.stop = true;
    if (ahead_) *ahead_->stop = true;
  }

  [[nodiscard]] std::string name() const override { return "transfer"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;
  void stalled(Duration lasted, Time now, runtime::Output& out) override;
  void flush(Time now, runtime::Output& out) override;

 private:
  // wire.cpp
  void from_device(const Asker& from, const bus::Message& message, Time now, runtime::Output& out);
  void from_client(const Asker& from, const bus::Message& message, Time now, runtime::Output& out);
  Result<void> want(const Asker& from, std::string_view payload, Time now);
  void note_received(const Sending& sending, const Received& received, Measurements measured, Time now);
  Result<void> received(const Asker& from, std::string_view payload, Time now);
  Result<void> offer(const Asker& from, std::string_view payload, Time now);
  Result<void> frame(const Asker& from, std::string_view payload, Time now);
  Result<void> output(const Asker& from, std::string_view payload, Time now);
  Result<void> upload(const Asker& from, std::string_view payload, Time now);
  Result<void> show(const Asker& from, std::string_view payload, runtime::Output& out);
  Result<void> list(const Asker& from, std::string_view payload, Time now, runtime::Output& out);
  Result<void> transfer(const Asker& from, std::string_view payload, runtime::Output& out);
  Result<void> transfers(const Asker& from, std::string_view payload, runtime::Output& out);
  Result<void> control(const Asker& from, std::string_view payload, Time now);
  // staging.cpp
  Result<void> stage(const Asker& from, std::string_view payload, Time now);
  Result<void> unstage(const Asker& from, std::string_view payload, Time now);
  Result<void> stages(const Asker& from, std::string_view payload, runtime::Output& out);
  Result<void> staged(const Asker& from, std::string_view payload, Time now);
  Result<void> permitted(const Asker& from, std::string_view payload, Time now, runtime::Output& out);
  void ask(const std::vector<PermitQuestion>& questions, runtime::Output& out) const;
  void put_out(const StageChanges& changes, runtime::Output& out) const;
  void say(const AnswerStaged& answer, Time now, runtime::Output& out);

  void device_state(std::string_view device, const bus::Message& message, Time now);

  // collecting.cpp
  Result<void> remove(const Asker& from, std::string_view payload, Time now);
  void used(const Topic& topic, const bus::Message& message, Time now);
  void ask(const AskUses& question, runtime::Output& out) const;
  static void say_removed(const RemovedPackage& removed);

  // says.cpp
  void apply(const Output& done, Time now, runtime::Output& out) override;
  static void save(const Output& done, runtime::Output& out);
  void say(const SendOffer& answer, Time now, runtime::Output& out);
  void say(const AnswerControlled& answer, Time now, runtime::Output& out);
  void say(const AnswerCancelled& answer, Time now, runtime::Output& out);
  void say(const SayNotOffered& answer, Time now, runtime::Output& out);
  void say(const Reject& answer, Time now, runtime::Output& out);
  void say(const AnswerRemoved& answer, Time now, runtime::Output& out);
  void say(const AnswerUpload& answer, Time now, runtime::Output& out);
  void say(const AnswerStored& answer, Time now, runtime::Output& out);
  void say(const RefuseOutput& answer, Time now, runtime::Output& out);
  void say(const AnswerDropped& answer, Time now, runtime::Output& out);
  void say(const AskOutput& answer, Time now, runtime::Output& out);
  void say(const AnswerFinishing& answer, Time now, runtime::Output& out);
  void say(const AckHeld& answer, Time now, runtime::Output& out);
  void say(const AckEnded& answer, Time now, runtime::Output& out);
  void say_ended(const Sending& sending, runtime::Output& out);
  void say_strategy(const Sending& sending, runtime::Output& out);
  [[nodiscard]] static codec::Json state_of(const Sending& sending);
  void say_state(const Sending& sending, runtime::Output& out);
  // uploads.cpp
  void say_event(const TransferId& id, const char* event, const std::string& reason,
                 const std::optional<TransferFailure>& failure, runtime::Output& out);
  void say_ended(const Receiving& receiving, runtime::Output& out);
  void say_strategy(const Receiving& receiving, runtime::Output& out);
  [[nodiscard]] static codec::Json state_of(const Receiving& receiving);
  void say_state(const Receiving& receiving, runtime::Output& out);
  void say_received(const Receiving& to, const Received& received, int qos, runtime::Output& out);
  [[nodiscard]] std::string topic_to(const Party& party, const std::string& reply, std::string_view channel) const;
  void reject(const Asker& to, const Error& error, Time now, runtime::Output& out);
  void answer(const Asker& to, const codec::Json& json, runtime::Output& out);

  // work.cpp
  void act(const MakeEncoding& work, Time now, runtime::Output& out);
  void act(const RemoveEncoding& work, Time now, runtime::Output& out);
  void act(const MakeOffer& work, Time now, runtime::Output& out);
  void act(const OpenSending& work, Time now, runtime::Output& out);
  void act(const AskedAgain& work, Time now, runtime::Output& out);
  void act(const PaceSending& work, Time now, runtime::Output& out);
  // What is sent to many at once.
  struct Group {
    std::string content;  // id
    exchange::Shared shared;
    std::map<TransferId, std::int64_t> limits;  // of each member, bit/s; 0: none
    bool relimit = false;                       // a limit changed
  };
  void limit_group(Group& group, Time now);
  [[nodiscard]] exchange::Shared* shared_of(const TransferId& id);
  [[nodiscard]] bool join(const OpenSending& work, Time now);
  void leave(const TransferId& id);
  void open_alone(const Sending& sending, const SealedEncoding& encoding, Time now);
  void go_on_alone(const TransferId& id, Time now);
  void leave_group(const TransferId& id, Time now);
  void pump_shared(Time now, runtime::Output& out);
  [[nodiscard]] content::SenderConfig sender_config(const Sending& sending) const;
  void act(const LinkSending& work, Time now, runtime::Output& out);
  void act(const CloseSending& work, Time now, runtime::Output& out);
  void act(const OpenReceiving& work, Time now, runtime::Output& out);
  void act(const FinishReceiving& work, Time now, runtime::Output& out);
  void act(const CloseReceiving& work, Time now, runtime::Output& out);
  void act(const RemoveContent& work, Time now, runtime::Output& out);
  [[nodiscard]] Input finished(const TransferId& id, std::shared_ptr<exchange::Inbound> inbound,
                               const Result<exchange::Encoded>& encoded);
  void encode(const MakeEncoding& work, std::function<Result<SealedEncoding>()> made,
              std::shared_ptr<std::atomic<bool>> stop);
  void encode_ahead(const MakeEncoding& work, std::function<Result<SealedEncoding>()> made,
                    std::shared_ptr<std::atomic<bool>> stop, Time now);
  void give_up_making(Time now);
  [[nodiscard]] exchange::Encoded file_of(const SealedEncoding& encoding) const;
  [[nodiscard]] exchange::Sealing sealing_of(const SealedEncoding& encoding, const Package& package) const;
  [[nodiscard]] static Measurements measured(const content::Sender& sender, bool linked);
  void later(Input input);
  void lose(const std::string& digest);

  // service.cpp
  void check_files(Time now);
  [[nodiscard]] std::uint64_t in_flight_bytes() const;
  void send_frames(Time now, runtime::Output& out);
  void pump(const TransferId& id, Time now, runtime::Output& out);
  void acknowledge(Time now, runtime::Output& out);

  Settings settings_;
  runtime::Post post_;
  std::map<TransferId, exchange::Outbound> outbounds_;
  std::map<std::string, Group> groups_;         // by content id and number
  std::map<TransferId, std::string> group_of_;  // members of groups_
  std::map<TransferId, exchange::Inbound> inbounds_;
  std::uint64_t groups_made_ = 0;
  std::string last_pumped_[2];  // in rounds by priority and in the others: the transfer that send_frames() pumped last;
                                // the next round begins behind it
  std::uint64_t rounds_ = 0;    // of send_frames()
  std::vector<Input> outcomes_;  // outcomes of work, inputs of the next batch
  bool running_ = false;         // load() is done: batches follow
  struct Making {
    std::shared_ptr<std::atomic<bool>> stop;  // the job has a copy
    Duration at_most{};
    std::shared_future<void> before{};  // it waits for that
    std::optional<Time> began{};
  };
  struct Ahead {
    MakingOf making;
    std::shared_ptr<std::atomic<bool>> stop;
    std::shared_future<void> done;
    Time until;
  };
  std::deque<Making> making_;                        // what encoder_ does, and will do
  std::optional<Ahead> ahead_;                       // what ahead_encoder_ does
  std::unique_ptr<exchange::Worker> worker_;         // verifies what has arrived
  std::unique_ptr<exchange::Worker> encoder_;        // makes and seals encodings
  std::unique_ptr<exchange::Worker> ahead_encoder_;  // the same, with what time the machine has left
};

}  // namespace fieldwork::transfer
