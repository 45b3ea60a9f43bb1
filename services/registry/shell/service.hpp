// The registry on the bus: topics and JSON to inputs, effects to rows and messages.
#pragma once

#include <optional>
#include <set>

#include "registry/core/registry.hpp"
#include "runtime/reject.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"

namespace fieldwork::registry {

class RegistryService : public runtime::Service {
 public:
  RegistryService(std::string root, Limits limits) : topics_(std::move(root)), limits_(limits) {}

  [[nodiscard]] std::string name() const override { return "registry"; }
  [[nodiscard]] std::vector<std::pair<std::string, int>> subscriptions() const override;
  Result<void> load(store::Store& store, Time now) override;
  void message(const bus::Message& message, Time now, runtime::Output& out) override;
  void tick(Time now, runtime::Output& out) override;
  void connected(Time now, runtime::Output& out) override;
  void disconnected(Time now, runtime::Output& out) override;
  void flush(Time now, runtime::Output& out) override;

  [[nodiscard]] const Registry& core() const { return *core_; }

 private:
  void take(const Input& input, Time now, runtime::Output& out);
  void from_device(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  void request(const Topic& topic, const bus::Message& message, Time now, runtime::Output& out);
  Result<std::string> answer(std::string_view operation, std::string_view payload) const;
  void reject(const Topic& topic, const bus::Message& message, const Error& error, Time now, runtime::Output& out);

  void act(const AskCertificate& effect, Time now, runtime::Output& out);
  void act(const ForgetQuestion& effect, Time now, runtime::Output& out);
  void act(const AnswerEnrolment& effect, Time now, runtime::Output& out);
  void act(const RejectMessage& effect, Time now, runtime::Output& out);
  void act(const SaveDevice& effect, Time now, runtime::Output& out);
  void act(const PublishState& effect, Time now, runtime::Output& out);
  void act(const PublishEvent& effect, Time now, runtime::Output& out);

  Topics topics_;
  Limits limits_;
  std::optional<Registry> core_;
  runtime::Rejections rejections_;
  std::set<DeviceId> unsaved_;  // of this batch
  std::set<DeviceId> unsaid_;
};

}  // namespace fieldwork::registry
