// An operator: pushes packages, submits and cancels jobs, fetches contents, and repeats each request until it is
// answered. The wishes outlive the client.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codec/json.hpp"
#include "downloads.hpp"
#include "exchange/deliver.hpp"
#include "exchange/outbound.hpp"
#include "model/job.hpp"
#include "runtime/service.hpp"
#include "said.hpp"
#include "supplies.hpp"
#include "topic/topic.hpp"

namespace fieldwork::sim {

// A job that a client wants, and what the client was answered.
struct Wish {
  std::string request;
  JobSpec spec;
  Time submit_at{};
  std::optional<Time> cancel_at;
  std::string job;                     // the id in the answer; empty: not yet answered
  bool cancelled = false;              // the cancellation was answered
  bool kills = false;                  // its program takes its device down
  bool in_bulk = false;                // submitted in one message with all others that are
  JobState end = JobState::succeeded;  // how the job must end, unless it kills or is cancelled
};

struct TransferBounds {
  std::uint32_t frame_bytes_max = 4096;
  std::uint64_t window_bytes = 16 << 10;
};

class Client : public runtime::Service {
 public:
  // `push_again`: the packages may be forgotten, so they must be pushed again; false again once that has begun.
  Client(const Supplies& supplies, TransferBounds bounds, std::vector<Wish>& wishes, bool& push_again,
         Downloads downloads);
  [[nodiscard]] std::string name() const override { return "cli"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  Result<void> load(store::Store& /*store*/, Time /*now*/) override { return {}; }
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;

  // The transfer service has all packages.
  [[nodiscard]] bool pushed() const;

 private:
  struct Push {
    const Released* released = nullptr;
    std::string transfer;  // id of the transfer that the service waits for
    std::optional<crypto::Certificate> receiver;
    // Of the standing offer:
    std::optional<Offer> offer;
    exchange::Sealing sealing;
    content::Ranges acked;  // what was acknowledged when the transfer was closed
    std::optional<exchange::Outbound> outbound;
    bool started = false;  // the service knows the key, and has said which bytes it has
  };
  using Inputs = std::deque<exchange::deliver::Input>;
  void ask(const char* service, const char* operation, std::string payload, const std::string& correlation,
           runtime::Output& out) const;
  void push_all(Time now, runtime::Output& out);
  // Steps the core of deliveries, and does what its output says.
  void step(exchange::deliver::Input input, Time now, runtime::Output& out);
  void act(const exchange::deliver::Make& work, Time now, Inputs& then, runtime::Output& out);
  void act(const exchange::deliver::Resume& work, Time now, Inputs& then, runtime::Output& out);
  void act(const exchange::deliver::Close& work, Time now, Inputs& then, runtime::Output& out);
  void announce(const std::string& digest, runtime::Output& out);
  void start(Push& push, Time now, runtime::Output& out);
  void send(Time now, runtime::Output& out);
  void offered(const std::string& digest, const codec::Json& answer, Time now, runtime::Output& out);
  void acknowledged(const Received& received, bool first, Time now, runtime::Output& out);
  void submit(Time now, runtime::Output& out);
  void submitted(const codec::Json& answer);
  void cancelled(const std::string& request, const codec::Json& answer);
  [[nodiscard]] bool asks_now(const Wish& wish, Time now);

  const Supplies& supplies_;
  TransferBounds bounds_;
  std::vector<Wish>& wishes_;
  bool& push_again_;
  Downloads downloads_;
  Topics topics_{root};
  exchange::deliver::Deliveries deliveries_{{.announce_first = seconds(3), .announce_last = seconds(20)}};
  std::map<std::string, Push> pushes_;        // by digest
  std::map<std::string, Time> ask_again_;     // by request of a wish: when to ask again
  std::map<std::string, Duration> patience_;  // by request of a wish: the wait until then; doubles
};

}  // namespace fieldwork::sim
