// links: scheduler_shell GTest::gtest_main
// `explain` of a wide job in a large fleet is an answer that a person can have: in pages of few executions, each with
// the nearest devices only.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "codec/device.hpp"
#include "codec/policy.hpp"
#include "model/limits.hpp"
#include "runtime/engine.hpp"
#include "scheduler/shell/service.hpp"
#include "store/memory.hpp"
#include "support/said_bus.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

constexpr Time t0{seconds{1'000'000}};
const std::string root = "fieldwork/v1/";

struct Stack {
  store::MemoryStore store;
  support::SaidBus bus;
  SchedulerService service{"fieldwork/v1", Limits{}};
  runtime::Engine engine{service, store, bus};

  explicit Stack(int devices) {
    EXPECT_TRUE(engine.load(t0).ok());
    std::vector<runtime::Input> batch{runtime::Connected{}};
    for (int i = 0; i < devices; ++i) {
      Device device;
      device.id = DeviceId("device-" + std::to_string(i) + std::string(50, 'x'));
      device.lifecycle = Lifecycle::active;
      device.presence = Presence::online;
      device.session = 1;
      device.about.capacity = {.cpu_millis = 1000, .memory_bytes = 1 << 30, .storage_bytes = 1 << 30};
      batch.emplace_back(bus::Message{.topic = root + "state/device/" + device.id.value,
                                      .payload = codec::dump(codec::encode(device)),
                                      .retain = true});
    }
    EXPECT_TRUE(engine.run(batch, t0).ok());
  }
  Json ask(const std::string& operation, const Json& payload) {
    bus::Message message{.topic = root + "service/scheduler/" + operation + "/ann", .payload = payload.dump()};
    message.response_topic = root + "reply/ann/x";
    EXPECT_TRUE(engine.run({message}, t0).ok());
    return bus.last("reply/ann/x");
  }
};

TEST(Explain, ComesInPagesOfFewExecutions) {
  constexpr int replicas = 50, devices = 200;
  Stack stack(devices);
  const Json job{{"command", Json::array({"true"})}, {"replicas", replicas}};
  (void)stack.ask("submit", {{"v", 1}, {"items", Json::array({{{"request", "r-1"}, {"job", job}}})}});
  ASSERT_EQ(stack.service.core().jobs().size(), 1U);
  const auto id = stack.service.core().jobs().begin()->first.value;
  std::vector<int> seen;
  std::int64_t after = -1;
  for (int pages = 0; pages <= replicas; ++pages) {
    Json question{{"v", 1}, {"job", id}};
    if (after >= 0) question["after"] = after;
    const auto answer = stack.ask("explain", question);
    ASSERT_TRUE(answer.contains("executions")) << answer.dump();
    EXPECT_LE(answer["executions"].size(), 8U);
    EXPECT_LE(answer.dump().size(), limits::page_bytes_max);
    for (const auto& one : answer["executions"]) {
      seen.push_back(one["execution"]);
      EXPECT_LT(one["candidates"].size() + one["filtered"].size(), 100U) << "not the whole fleet";
    }
    if (!answer.contains("next")) break;
    after = answer["next"];
  }
  std::vector<int> all(replicas);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(seen, all);
}

}  // namespace
}  // namespace fieldwork::scheduler
