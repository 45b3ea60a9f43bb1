// The shell around one core, the same for all services: topics and JSON become inputs, a batch's Output becomes rows
// and messages. A service says which inputs its messages are (message()) and what its output means (apply()); the rest
// is here.
#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/core.hpp"
#include "codec/policy.hpp"
#include "runtime/reject.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"

namespace fieldwork::runtime {

// The part of the shell that does not depend on the type of the core.
class ShellBase : public Service {
 public:
  explicit ShellBase(std::string root) : topics_(std::move(root)) {}

 protected:
  // Rejects a message that is not applied: counts it, logs it, and tells its sender where that is known: a device hears
  // down/rejected, a client gets the error as its answer.
  void reject(const Topic& topic, const bus::Message& message, const Error& error, Time now, Output& out);
  // Rejects the bad items of a list (codec/items.hpp), each by its key; the good items are applied.
  template <class Bad>
  void reject_items(const Topic& topic, const bus::Message& message, const std::vector<Bad>& items, Time now,
                    Output& out) {
    for (const auto& bad : items) {
      auto error = bad.error;
      if (bad.key) error.reason += " (of " + key_text(*bad.key) + ")";
      reject(topic, message, error, now, out);
    }
  }
  // Answers the asker of `message` alone, once; does nothing when `message` names no place for an answer.
  void respond(const bus::Message& message, std::string payload, Output& out) const;
  // Tells a device why its message on `channel` was not applied.
  void say_rejected(std::string_view device, std::string_view channel, const Error& error, Output& out) const;
  void say_retained(std::string topic, std::string payload, Output& out) const;
  static void note_stall(Duration lasted);

  // Selects rows and parses each with `read`; the error names the table.
  template <class Read>
  static auto rows(store::Reader& store, const store::Query& query, Read read)
      -> Result<std::vector<std::remove_cvref_t<decltype(read(std::string_view{}).value())>>> {
    auto texts = store.select(query);
    if (!texts) return texts.error();
    std::vector<std::remove_cvref_t<decltype(read(std::string_view{}).value())>> out;
    for (const auto& text : *texts) {
      auto row = read(std::string_view(text));
      if (!row) return Error{Code::invalid, describe(row.error()), "table " + query.table};
      out.push_back(std::move(*row));
    }
    return out;
  }

  static std::string key_text(const DeviceId& device) { return device.value; }
  static std::string key_text(const AttemptKey& key);
  static std::string key_text(const codec::QuestionKey& key) { return key_text(key.key); }
  static std::string key_text(const codec::PermitKey& key) { return key_text(key.device); }

  Topics topics_;
  Rejections rejections_;
};

template <Core C>
class Shell : public ShellBase {
 public:
  using ShellBase::ShellBase;

  void tick(Time now, Output& /*out*/) override { feed<TimePassed>(now); }
  void connected(Time now, Output& /*out*/) override { feed<LinkBack>(now); }
  void disconnected(Time now, Output& /*out*/) override { feed<LinkLost>(now); }
  void stalled(Duration lasted, Time now, Output& /*out*/) override {
    note_stall(lasted);
    feed<fieldwork::Stalled>(now);
  }
  void flush(Time now, Output& out) override {
    feed<BatchEnded>(now);
    const auto done = std::exchange(done_, typename C::Output{});
    apply(done, now, out);
  }

  [[nodiscard]] const C& core() const { return *core_; }

 protected:
  void step(const typename C::Input& input, Time now) { core_->step(input, now, done_); }
  // Turns the core's output of a batch into rows and messages; called once per batch.
  virtual void apply(const typename C::Output& done, Time now, Output& out) = 0;

  std::optional<C> core_;  // set by load()

 private:
  template <class One>
  void feed(Time now) {
    if constexpr (std::constructible_from<typename C::Input, One>) step(One{}, now);
  }

  typename C::Output done_;  // of the steps of this batch
};

}  // namespace fieldwork::runtime
