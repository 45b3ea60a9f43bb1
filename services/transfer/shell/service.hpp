// The transfer service on the bus: topics, JSON and frames to inputs; effects to rows, messages and files.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "codec/json.hpp"
#include "crypto/jws.hpp"
#include "exchange/worker.hpp"
#include "runtime/program.hpp"
#include "runtime/reject.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"
#include "transfer/core/transfers.hpp"
#include "transfer/shell/content_store.hpp"

namespace fieldwork::transfer {

/// 32 random hex digits.
[[nodiscard]] TransferId random_transfer_id();

struct Settings {
  ContentStore store;
  crypto::CertificateAuthority device_ca;
  crypto::CertificateAuthority operator_ca;
  crypto::TrustStore releases;
  crypto::Certificate certificate;  // ours
  crypto::PrivateKey key;
  Limits limits{};
  std::int64_t frame_bytes = 65'536;
  std::uint64_t window_bytes = 1 << 20;
  std::uint64_t in_flight_bytes_max = 64 << 20;  // of all sendings together
  std::int64_t inline_bytes_max = 1 << 20;       // larger content is verified on the worker's thread
  std::function<TransferId()> fresh_id = random_transfer_id;
};

/// [transfer] directory, device_ca, operator_ca, releases, …; [broker] certificate, key. An Error names the setting.
[[nodiscard]] Result<Settings> read_settings(runtime::Config& config);

class TransferService : public runtime::Service {
 public:
  /// Without `post.task` everything is done on the engine's thread.
  TransferService(std::string root, Settings settings, runtime::Post post);

  [[nodiscard]] std::string name() const override { return "transfer"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;
  void flush(Time now, runtime::Output& out) override;

  [[nodiscard]] const Transfers& core() const { return *core_; }

 private:
  // wire.cpp
  void from_device(const Asker& from, const bus::Message& message, Time now, runtime::Output& out);
  void from_client(const Asker& from, const bus::Message& message, Time now, runtime::Output& out);
  Result<void> want(const Asker& from, std::string_view payload, Time now, runtime::Output& out);
  Result<void> received(const Asker& from, std::string_view payload, Time now, runtime::Output& out);
  Result<void> offer(const Asker& from, std::string_view payload, Time now, runtime::Output& out);
  Result<void> frame(const Asker& from, std::string_view payload, Time now, runtime::Output& out);
  Result<void> output(const Asker& from, std::string_view payload, Time now, runtime::Output& out);
  Result<void> upload(const Asker& from, std::string_view payload, Time now, runtime::Output& out);
  Result<void> show(const Asker& from, std::string_view payload, runtime::Output& out);
  Result<void> list(const Asker& from, std::string_view payload, runtime::Output& out);
  void device_state(std::string_view device, const bus::Message& message, Time now, runtime::Output& out);
  void reject(const Asker& to, const Error& error, Time now, runtime::Output& out);
  void answer(const Asker& to, const codec::Json& json, runtime::Output& out);

  // effects.cpp
  // One input after the other: what the effects of one bring about is stepped when all of them are acted on.
  void take(const Input& input, Time now, runtime::Output& out);
  void act(const BeginSending& effect, Time now, runtime::Output& out);
  void act(const OpenSending& effect, Time now, runtime::Output& out);
  void act(const AskedAgain& effect, Time now, runtime::Output& out);
  void act(const CloseSending& effect, Time now, runtime::Output& out);
  void act(const SendOffer& effect, Time now, runtime::Output& out);
  void act(const SayNotOffered& effect, Time now, runtime::Output& out);
  void act(const Reject& effect, Time now, runtime::Output& out);
  void act(const SaveSending& effect, Time now, runtime::Output& out);
  void act(const DropSending& effect, Time now, runtime::Output& out);
  void act(const PublishSending& effect, Time now, runtime::Output& out);
  void act(const ClearSending& effect, Time now, runtime::Output& out);
  void act(const SayEnded& effect, Time now, runtime::Output& out);
  void act(const AnswerUpload& effect, Time now, runtime::Output& out);
  void act(const AnswerStored& effect, Time now, runtime::Output& out);
  void act(const RefuseOutput& effect, Time now, runtime::Output& out);
  void act(const AskOutput& effect, Time now, runtime::Output& out);
  void act(const OpenReceiving& effect, Time now, runtime::Output& out);
  void act(const AnswerFinishing& effect, Time now, runtime::Output& out);
  void act(const FinishReceiving& effect, Time now, runtime::Output& out);
  void act(const CloseReceiving& effect, Time now, runtime::Output& out);
  void act(const SaveReceiving& effect, Time now, runtime::Output& out);
  void act(const DropReceiving& effect, Time now, runtime::Output& out);
  void act(const AckEnded& effect, Time now, runtime::Output& out);
  void act(const SaveContent& effect, Time now, runtime::Output& out);
  void act(const DropContent& effect, Time now, runtime::Output& out);
  void act(const SaveName& effect, Time now, runtime::Output& out);
  void act(const PublishPackage& effect, Time now, runtime::Output& out);

  // service.cpp
  void check_files(Time now);
  void save_rows(runtime::Output& out);
  void say_sendings(runtime::Output& out);
  void say_received(const Receiving& to, const Received& received, int qos, runtime::Output& out);
  void pump(const TransferId& id, Time now, runtime::Output& out);
  void acknowledge(Time now, runtime::Output& out);
  void finished(const TransferId& id, std::shared_ptr<exchange::Inbound> inbound,
                const Result<exchange::Encoded>& encoded, Time now, runtime::Output& out);
  [[nodiscard]] std::string topic_to(const Party& party, const std::string& reply, std::string_view channel) const;

  Topics topics_;
  Settings settings_;
  runtime::Post post_;
  std::optional<Transfers> core_;
  std::map<TransferId, exchange::Outbound> outbounds_;
  std::map<TransferId, exchange::Inbound> inbounds_;
  std::vector<TransferId> broken_;        // found while loading: their files are not there
  std::vector<TransferId> all_received_;  // found while opening
  std::string last_pumped_;               // where the next round begins
  runtime::Rejections rejections_;
  std::set<TransferId> unsaved_sendings_, unsaid_sendings_, unsaved_receivings_;  // of this batch
  std::set<std::string> unsaved_contents_, unsaid_packages_;
  std::deque<Input> inputs_;  // to be stepped
  bool stepping_ = false;
  std::unique_ptr<exchange::Worker> worker_;
};

}  // namespace fieldwork::transfer
