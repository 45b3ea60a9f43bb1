// The scheduler's service on an engine, over a store in memory and a bus that only records: for what clients are
// answered.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "codec/policy.hpp"
#include "model/items.hpp"
#include "runtime/engine.hpp"
#include "scheduler/shell/service.hpp"
#include "store/memory.hpp"
#include "support/said_bus.hpp"

namespace fieldwork::scheduler {

// A base before SchedulerStack, for a stack that has its store itself.
struct OwnStore {
  store::MemoryStore own;
};

struct SchedulerStack {
  store::MemoryStore& store;
  support::SaidBus bus{};
  SchedulerService service;
  runtime::Engine engine;
  Time now{seconds{1'000'000}};

  explicit SchedulerStack(store::MemoryStore& of, Scenarios scenarios = {})
      : store(of),
        service("fieldwork/v1", Limits{.hear_first = {}}, nullptr, std::move(scenarios)),
        engine(service, store, bus) {
    EXPECT_TRUE(engine.load(now).ok());
    EXPECT_TRUE(engine.run({runtime::Connected{}}, now).ok());
  }
  // A message below the root; the answer goes to `reply`.
  void hear(const std::string& topic, const std::string& payload, const std::string& reply = "reply/ann/x") {
    bus::Message message{.topic = "fieldwork/v1/" + topic, .payload = payload};
    if (!topic.starts_with("state/")) message.response_topic = "fieldwork/v1/" + reply;
    EXPECT_TRUE(engine.run({message}, now).ok());
  }
  // What the service answers to ann's question.
  codec::Json ask(const std::string& operation, codec::Json body) {
    body["v"] = 1;
    hear("service/scheduler/" + operation + "/ann", body.dump());
    return bus.last("reply/ann/x");
  }
  // Security-policy answers all that is asked: `decide` fills in a decision about a question.
  template <class Decide>
  void decide(Decide decide) {
    const auto asked = bus.last("service/security-policy/authorise/scheduler");
    if (asked.is_null()) return;
    const auto questions = codec::decode_questions(asked.dump());
    ASSERT_TRUE(questions.ok());
    std::vector<std::string> items;
    for (const auto& one : questions->good) {
      Decision decision{.key = one.key, .device = one.device};
      decide(decision);
      items.push_back(codec::dump(codec::encode(decision)));
    }
    hear("service/scheduler/authorised/security-policy", pack_items(items).at(0));
  }
};

}  // namespace fieldwork::scheduler
