// The shell around the core of stages (core/stages.hpp): the journal's table `stage`, down/stage and up/stage.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/core/stages.hpp"
#include "runtime/service.hpp"
#include "topic/topic.hpp"

namespace fieldwork::agent {

class Hands;

class Staging {
 public:
  // `places`: as in staging::Stages.
  Staging(const Topics& topics, std::string device, bool places)
      : topics_(topics), device_(std::move(device)), places_(places) {}

  Result<void> load(store::Store& store, Time now);
  // device/{device}/down/stage. An error: what is wrong with the message; the good commands of it are carried out.
  Result<void> hear(std::string_view payload, Time now);
  void step(const staging::Input& input, Time now) { core_->step(input, now, done_); }
  // Rows, messages and acts so far. True: acts were done.
  bool carry_out(Hands& hands, Time now, runtime::Output& out);

 private:
  const Topics& topics_;
  std::string device_;
  bool places_;
  std::unique_ptr<staging::Stages> core_;
  staging::Output done_;
};

}  // namespace fieldwork::agent
