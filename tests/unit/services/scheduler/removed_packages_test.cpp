// links: scheduler_core GTest::gtest_main
// Packages that transfer removed: they stand for no others any more, and stay for the jobs that name them.
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

using Names = std::vector<PackageName>;

Device of(const std::string& id, const std::string& architecture) {
  auto out = ready(id);
  out.about.architecture = architecture;
  return out;
}

PackageSeen package(const std::string& digest, const std::string& architecture, Names names = {{"app", "1"}},
                    const Capacity& needs = {}) {
  return {digest, 1000, names.front().name, std::move(names), architecture, needs};
}

struct Known : Fleet {
  bool release(const PackageSeen& one) {
    return released(one.digest, {one.size_bytes, one.name, one.names, one.architecture, one.needs});
  }
  [[nodiscard]] std::string variants(const std::string& digest) const {
    std::string out;
    for (const auto& one : content(digest)->variants) out += (out.empty() ? "" : " ") + one.digest;
    return out;
  }
};

TEST(RemovedPackages, StandForNoOthersAndComeBack) {
  Known fleet;
  fleet.release(package("x86", "x86_64"));
  fleet.release(package("arm", "aarch64", {{"app", "1"}}, {.memory_bytes = 7}));
  fleet.release(package("risc", "riscv64"));
  EXPECT_EQ(fleet.content("x86")->needs_most.memory_bytes, 7);
  fleet.removed("arm");
  fleet.removed("arm");
  fleet.removed("unknown");
  EXPECT_EQ(fleet.variants("x86"), "x86 risc");
  EXPECT_EQ(fleet.content("x86")->needs_most.memory_bytes, 0);
  EXPECT_EQ(fleet.variants("arm"), "arm x86 risc") << "for the jobs that name it";
  fleet.removed("risc");
  EXPECT_EQ(fleet.variants("arm"), "arm x86");
  const auto back = package("arm", "aarch64", {{"app", "1"}}, {.memory_bytes = 7});
  EXPECT_TRUE(fleet.release(back));
  EXPECT_FALSE(fleet.release(back)) << "it is said again";
  EXPECT_EQ(fleet.variants("x86"), "x86 arm");
  EXPECT_FALSE(fleet.content("arm")->removed);
}

TEST(RemovedPackages, AreForgottenWhenNothingNamesThem) {
  Known fleet;
  for (const char* one : {"x86", "arm"}) fleet.release(package(one, one));
  const auto* arm = fleet.content("arm");
  fleet.removed("x86");
  fleet.removed("arm");
  fleet.forget_removed({arm});
  EXPECT_EQ(fleet.content("x86"), nullptr);
  EXPECT_EQ(fleet.content("arm"), arm);
  EXPECT_EQ(fleet.named_alike("arm"), std::set<std::string>{"arm"});
  fleet.forget_removed({});
  EXPECT_EQ(fleet.content("arm"), nullptr);
  EXPECT_TRUE(fleet.release(package("new", "x86")) == false);
  EXPECT_EQ(fleet.variants("new"), "new");
}

TEST(RemovedPackages, ComeBackUnderOtherNames) {
  Known fleet;
  fleet.release(package("x86", "x86_64"));
  fleet.release(package("arm", "aarch64"));
  fleet.removed("arm");
  fleet.release(package("arm", "aarch64", {{"tool", "2"}}));
  EXPECT_EQ(fleet.variants("x86"), "x86");
  EXPECT_EQ(fleet.variants("arm"), "arm");
  EXPECT_EQ(fleet.named_alike("x86"), std::set<std::string>{"x86"});
  EXPECT_EQ(fleet.versions_of(*fleet.content("arm")), std::vector<std::string>{"arm"});
  EXPECT_EQ(fleet.versions_of(*fleet.content("x86")), std::vector<std::string>{"x86"});
  fleet.release(package("risc", "riscv64"));  // looks at all of app@1
  EXPECT_EQ(fleet.variants("x86"), "x86 risc");
}

// As many versions of a name as are remembered push the oldest out: it is still a package.
TEST(RemovedPackages, AnOldVersionOfWhichTheNewerOnesWentIsStillRated) {
  World world({of("d", "x86_64")});
  world.step(package("v0", "x86_64", {{"app", "0"}}));
  for (int i = 1; i < 100; ++i) world.step(package("v" + std::to_string(i), "x86_64", {{"app", std::to_string(i)}}));
  for (int i = 1; i < 100; ++i) world.step(PackageGone{"v" + std::to_string(i)});
  EXPECT_TRUE(world.core.fleet().versions_of(*world.core.fleet().content("v0")).empty());
  EXPECT_EQ(world.run("j", {.package = "v0"}).size(), 1U);
}

TEST(RemovedPackages, AJobThatNamesOneGoesOn) {
  World world({of("other", "riscv64")});
  for (const char* digest : {"x86", "arm"})
    world.step(package(digest, digest == std::string("x86") ? "x86_64" : "aarch64"));
  world.run("j", {.package = "arm"});
  EXPECT_TRUE(world.execution("j").is<Queued>());
  world.step(PackageGone{"arm"});
  world.step(PackageGone{"x86"});
  EXPECT_EQ(world.core.fleet().content("x86"), nullptr) << "no job names it";
  ASSERT_EQ(world.job("j").content, world.core.fleet().content("arm"));
  const auto placement = world.core.explain(world.job("j"), world.execution("j"), world.now);
  EXPECT_EQ(placement.filtered.at(0).reason, "app@1 is there for aarch64, and this device is riscv64");
  world.step(DeviceSeen{of("d", "aarch64")});
  EXPECT_EQ(world.question().package, "arm") << "the device may have it";
  world.submit("k", {.package = "arm"});
  EXPECT_EQ(world.error().reason, "no such package: push it first (fieldwork package push)");
}

TEST(RemovedPackages, OneStaysWhileAJobIsRememberedThatNamedIt) {
  Limits limits;
  limits.jobs_settled_max = 0;
  World world({of("d", "x86_64")}, limits);
  world.step(package("x86", "x86_64"));
  world.step(package("more", "x86_64", {{"more", "1"}}));
  world.run("j", {.package = "x86"});
  const auto attempt = world.attempt("j").key;
  world.step(PackageGone{"x86"});
  world.report("d", attempt, AttemptState::running);
  EXPECT_NE(world.core.fleet().content("x86"), nullptr);
  world.report("d", attempt, AttemptState::succeeded);
  world.pass(seconds(1));
  ASSERT_EQ(world.core.jobs().size(), 0U);
  world.step(PackageGone{"more"});  // with the next one that goes
  EXPECT_EQ(world.core.fleet().content("x86"), nullptr);
  world.step(package("x86", "x86_64"));
  EXPECT_EQ(world.run("k", {.package = "x86"}).size(), 1U);
}

TEST(RemovedPackages, OneThatIsBackEndsTheWaitOfItsDevices) {
  World world({of("d", "aarch64")});
  world.step(package("x86", "x86_64"));
  world.step(package("arm", "aarch64"));
  world.step(PackageGone{"arm"});
  world.run("j", {.package = "x86"});
  EXPECT_TRUE(world.execution("j").is<Queued>());
  world.step(package("arm", "aarch64"));
  EXPECT_EQ(world.question().package, "arm");
}

}  // namespace
}  // namespace fieldwork::scheduler
