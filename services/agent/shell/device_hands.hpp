// Carries out the core's acts on a real device: gets packages, runs programs.
#pragma once

#include <algorithm>
#include <map>

#include "agent/shell/mail.hpp"
#include "agent/shell/outputs.hpp"
#include "agent/shell/packages.hpp"
#include "agent/shell/placer.hpp"
#include "agent/shell/service.hpp"
#include "agent/shell/workplace.hpp"

namespace fieldwork::agent {

class DeviceHands : public Hands {
 public:
  DeviceHands(Packages packages, Outputs outputs, Placer placer, std::filesystem::path directory,
              std::int64_t package_bytes_max, Workplace::Done done, Workplace::Tell tell, Workplace::Progress progress)
      : packages_(std::move(packages)),
        outputs_(std::move(outputs)),
        placer_(std::move(placer)),
        mailroom_(directory / "work"),
        workplace_(directory / "work", directory / "outputs", package_bytes_max, std::move(done), std::move(tell),
                   std::move(progress)) {}

  void run(const Assign& assign) override {
    if (!assign.package.empty()) unpacked_[assign.key] = assign.package;
    if (const auto per_s = assign.limits.messages_per_s; per_s > 0)
      mailroom_.open(assign.key, place_name(assign.key), per_s);
    workplace_.run(assign, assign.package.empty() ? std::filesystem::path() : packages_.archive(assign.package));
  }
  void cache_bytes(std::int64_t bytes_max) { packages_.cache_bytes(bytes_max); }
  void kill(const AttemptKey& key) override { workplace_.kill(key); }
  void contract_ends(const AttemptKey& key, Duration left) override { workplace_.contract_ends(key, left); }
  void tail(const AttemptKey& key, Duration left, bool begin) override { workplace_.tail(key, left, begin); }
  std::vector<Mail> mail(Time now) override { return mailroom_.look(now); }
  void deliver(const Mail& mail) override { mailroom_.add(mail.key, mail.lines); }
  void fetch(const Fetch& what, Time now) override { packages_.fetch(what, now); }
  void unfetch(const std::string& digest) override { packages_.unfetch(digest); }
  [[nodiscard]] bool has(const std::string& digest) const override { return packages_.has(digest); }
  void stage(const Fetch& what, Time now) override { packages_.stage(what, now); }
  void unstage(const std::string& digest) override { packages_.unstage(digest); }
  void place(const staging::Place& what) override { placer_.place(what, packages_.archive(what.digest)); }
  std::vector<staging::Placed> placed() override { return placer_.done(); }
  void prune(Time now) override { packages_.prune(now); }
  [[nodiscard]] std::int64_t prunable_bytes() const { return packages_.prunable_bytes(); }
  [[nodiscard]] Link figures() const { return packages_.figures(); }
  Result<void> offer(std::string_view payload, Time now) override { return packages_.offer(payload, now); }
  Result<void> frame(std::string_view payload, Time now) override { return packages_.frame(payload, now); }
  Result<void> output(std::string_view channel, std::string_view payload, Time now) override {
    if (channel == "want") return outputs_.want(payload, now);
    if (channel == "output") return outputs_.stored(payload, now);
    return outputs_.received(payload, now);
  }
  void connected(Time now) override {
    packages_.connected(now);
    outputs_.connected(now);
  }
  void round_trip(std::optional<double> ms) override { packages_.round_trip(ms); }
  std::vector<bus::Subscription> subscriptions() override { return packages_.subscriptions(); }
  std::vector<bus::Message> due(Time now) override {
    auto out = packages_.due(now);
    for (auto& message : outputs_.due(now)) out.push_back(std::move(message));
    return out;
  }
  // Takes the large outputs of an attempt that has ended; its package is needed a little longer, for the next attempt.
  // Returns the last lines for its job's other executions. On the engine's thread.
  [[nodiscard]] Mail finish(const Outcome& outcome, Time now) {
    for (const auto& kept : outcome.large) outputs_.add(kept, outcome.key, now);
    const auto ended = unpacked_.extract(outcome.key);
    const bool others = ended && std::any_of(unpacked_.begin(), unpacked_.end(),
                                             [&](const auto& one) { return one.second == ended.mapped(); });
    if (ended && !others) packages_.ran(ended.mapped(), now);
    return mailroom_.close(outcome.key, now);
  }
  std::vector<PackageNews> news() override { return packages_.news(); }

 private:
  Packages packages_;
  Outputs outputs_;
  Placer placer_;
  Mailroom mailroom_;
  Workplace workplace_;
  std::map<AttemptKey, std::string> unpacked_;  // packages of the programs that run
};

}  // namespace fieldwork::agent
