// links: scheduler_shell crypto GTest::gtest_main
// What the scheduler tells transfer about packages, and what it hears of those that are removed.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/digest.hpp"
#include "support/scheduler_stack.hpp"

namespace fieldwork::scheduler {
namespace {

using codec::Json;

const std::string digest_a = crypto::digest_of("a");
const std::string digest_b = crypto::digest_of("b");

struct Stack : SchedulerStack {
  using SchedulerStack::SchedulerStack;
  void package(const std::string& digest, const std::string& version = "1", const std::string& architecture = "") {
    Json state{{"v", 1},
               {"digest", digest},
               {"name", "n"},
               {"version", version},
               {"names", {{{"name", "n"}, {"version", version}}}},
               {"size_bytes", 1},
               {"release", "jws"}};
    if (!architecture.empty()) state["architecture"] = architecture;
    hear("state/package/" + digest.substr(7), state.dump());
  }
  void gone(const std::string& digest) { hear("state/package/" + digest.substr(7), ""); }
  Json submit(const std::string& request, const std::string& digest, bool allow = true) {
    const Json item{{"request", request}, {"job", {{"command", {"a"}}, {"package", digest}}}};
    bus.said.clear();
    hear("service/scheduler/submit/ann", pack_items({item.dump()}).at(0));
    decide([&](Decision& decision) {
      decision.allow = allow;
      decision.reason = "no";
    });
    return bus.last("reply/ann/x");
  }
  // The items of the answer to transfer's question about these.
  Json uses(const std::vector<std::string>& digests, const std::string& from = "transfer") {
    bus.said.clear();
    hear("service/scheduler/uses/" + from, Json{{"v", 1}, {"question", 7}, {"digests", digests}}.dump(),
         "reply/" + from + "/x");
    const auto answer = bus.last("service/transfer/used/scheduler");
    if (answer.is_null()) return answer;
    EXPECT_EQ(answer.at("question"), 7);
    return answer.at("items");
  }
};

Json nobody(const std::string& digest) { return Json{{"digest", digest}, {"users", Json::array()}}; }

TEST(Uses, LiveJobsAndTemplatesAreNamed) {
  store::MemoryStore store;
  Stack stack(store);
  stack.package(digest_a);
  stack.package(digest_b, "2");
  EXPECT_EQ(stack.uses({digest_b, digest_a}), (Json{nobody(digest_b), nobody(digest_a)}));
  stack.submit("r-1", digest_a);
  const auto needed = stack.uses({digest_b, digest_a});
  EXPECT_EQ(needed.at(0), nobody(digest_b));
  ASSERT_EQ(needed.at(1).at("users").size(), 1U) << needed.dump();
  const auto user = needed.at(1).at("users").at(0).get<std::string>();
  EXPECT_EQ(user.substr(0, 6), "job j-");
  const Json one{
      {"name", "watch"}, {"parameters", Json::object()}, {"job", {{"command", {"a"}}, {"package", digest_b}}}};
  EXPECT_EQ(stack.ask("template", {{"template", one}}).at("version"), 1);
  EXPECT_EQ(stack.uses({digest_b}).at(0).at("users"), Json::array({"template watch@1"}));
  stack.ask("cancel", {{"job", user.substr(4)}});
  EXPECT_EQ(stack.uses({digest_a}).at(0), nobody(digest_a));
}

TEST(Uses, WhoNamesOneVariantNeedsAll) {
  const std::string digest_c = crypto::digest_of("c"), digest_d = crypto::digest_of("d");
  store::MemoryStore store;
  Stack stack(store);
  stack.package(digest_a, "1", "x86_64");
  stack.package(digest_b, "1", "aarch64");
  stack.package(digest_c, "2", "aarch64");
  stack.submit("r-1", digest_a);
  const auto used = stack.uses({digest_a, digest_b, digest_c, digest_d});
  const auto users = used.at(0).at("users");
  ASSERT_EQ(users.size(), 1U);
  EXPECT_EQ(users.at(0).get<std::string>().substr(0, 6), "job j-");
  EXPECT_EQ(used.at(1).at("users"), users);
  EXPECT_EQ(used.at(2), nobody(digest_c));
  EXPECT_EQ(used.at(3), nobody(digest_d)) << "that is not known here";
  const Json one{{"name", "watch"},
                 {"parameters",
                  {{"with", {{"type", "digest"}, {"default", digest_c}}},
                   {"or", {{"type", "string"}, {"enum", {digest_d, "x"}}, {"default", "x"}}}}},
                 {"job", {{"command", {"a", "${or}"}}, {"package", "${with}"}}}};
  ASSERT_EQ(stack.ask("template", {{"template", one}}).value("version", 0), 1);
  const auto with_template = stack.uses({digest_b, digest_c, digest_d});
  EXPECT_EQ(with_template.at(0).at("users"), users);
  EXPECT_EQ(with_template.at(1).at("users"), Json::array({"template watch@1"}));
  EXPECT_EQ(with_template.at(2).at("users"), Json::array({"template watch@1"}));
  // The job's own was removed all the same: the other still is what its devices get.
  stack.gone(digest_a);
  EXPECT_EQ(stack.uses({digest_b}).at(0).at("users"), users);
}

TEST(Uses, AtMostFiveAreNamedOfEach) {
  store::MemoryStore store;
  Stack stack(store);
  stack.package(digest_a);
  for (int i = 0; i < 7; ++i) stack.submit("r-" + std::to_string(i), digest_a);
  EXPECT_EQ(stack.uses({digest_a}).at(0).at("users").size(), 5U);
}

TEST(Uses, OnlyTransferIsAnswered) {
  store::MemoryStore store;
  Stack stack(store);
  EXPECT_TRUE(stack.uses({digest_a}, "mallory").is_null());
  EXPECT_TRUE(stack.uses({"a"}).is_null());
  EXPECT_TRUE(stack.uses({}).is_null());
}

TEST(Uses, ARemovedPackageIsNoPackageForNewJobsAndOldOnesGoOn) {
  store::MemoryStore store;
  Stack stack(store);
  stack.package(digest_a);
  stack.submit("r-1", digest_a);
  EXPECT_EQ(store.select({.table = "package"})->size(), 1U);
  stack.gone(digest_a);
  stack.gone(digest_a);  // said again
  EXPECT_EQ(store.select({.table = "package"})->size(), 0U);
  const auto refused = stack.submit("r-2", digest_a);
  EXPECT_EQ(refused.at("items").at(0).at("error").at("reason"),
            "no such package: push it first (fieldwork package push)");
  EXPECT_EQ(stack.uses({digest_a}).at(0).at("users").size(), 1U) << "the first job lives";
  Stack again(store);
  EXPECT_EQ(again.submit("r-3", digest_a).at("items").at(0).at("error").at("code"), "unknown");
  EXPECT_EQ(again.uses({digest_a}).at(0).at("users").size(), 1U);
  again.package(digest_a);
  EXPECT_EQ(store.select({.table = "package"})->size(), 1U);
  EXPECT_FALSE(again.submit("r-4", digest_a).dump().find("no such package") != std::string::npos);
}

}  // namespace
}  // namespace fieldwork::scheduler
