// The shell around the registry's core: topics and JSON to inputs, the core's output to rows and messages.
#pragma once

#include "registry/core/registry.hpp"
#include "runtime/reads.hpp"
#include "runtime/replies.hpp"
#include "runtime/shell.hpp"

namespace fieldwork::registry {

// For how long the rows of the history are kept.
struct HistoryKept {
  Duration raw = std::chrono::hours{1}, minute = std::chrono::hours{48}, hour = std::chrono::hours{24 * 90};
};

class RegistryService : public runtime::Shell<Registry> {
 public:
  RegistryService(std::string root, Limits limits, HistoryKept kept = {},
                  std::shared_ptr<runtime::Reads> reads = nullptr)
      : Shell(std::move(root)), limits_(limits), kept_(kept), reads_(std::move(reads)) {}

  [[nodiscard]] std::string name() const override { return "registry"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  [[nodiscard]] std::vector<runtime::RetentionRule> retention() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;

 private:
  void from_device(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void echo(const DeviceId& device, const bus::Message& message, const Heartbeat& heartbeat, Time now,
            runtime::Output& out) const;
  void request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void history(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void want(const Topic& topic, const bus::Message& message, Verb verb, Time now, runtime::Output& out);
  Result<Requested> requested(const Topic& topic, const bus::Message& message, Verb verb) const;
  Result<std::string> answer(std::string_view operation, std::string_view payload, Time now) const;
  Result<std::string> page(codec::Reader& reader) const;
  Result<std::string> health(codec::Reader& reader, const DeviceId& device, Time now) const;
  Result<std::string> groups(codec::Reader& reader) const;
  void group(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  [[nodiscard]] std::string summary(Time now) const;
  Result<std::string> statistics(codec::Reader& reader) const;
  void apply(const Output& done, Time now, runtime::Output& out) override;
  void ask(const OutboxChange& change, runtime::Output& out) const;

  Limits limits_;
  HistoryKept kept_;
  std::shared_ptr<runtime::Reads> reads_;
  runtime::Replies replies_;
};

}  // namespace fieldwork::registry
