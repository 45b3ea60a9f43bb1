// links: scheduler_core GTest::gtest_main
// One package for each architecture: where a job goes that names one of them, what its device gets, and what a package
// needs.
#include "scheduler/core/plan/why.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

Device of(const std::string& id, const std::string& architecture) {
  auto out = ready(id);
  out.about.architecture = architecture;
  return out;
}

PackageSeen package(const std::string& digest, const std::string& architecture, const Capacity& needs = {},
                    std::vector<PackageName> names = {{"app", "1"}}) {
  return {digest, 1000, "app", std::move(names), architecture, needs};
}

std::string digests_of(const Fleet& fleet, const std::string& digest) {
  std::string out;
  for (const auto& one : fleet.content(digest)->variants) out += (out.empty() ? "" : " ") + one.digest;
  return out;
}

TEST(Variants, AreThePackagesOfTheSameNameItselfFirst) {
  Fleet fleet;
  const auto release = [&](const PackageSeen& one) {
    return fleet.released(one.digest, {one.size_bytes, one.name, one.names, one.architecture, one.needs});
  };
  EXPECT_FALSE(release(package("x86", "x86_64")));
  EXPECT_TRUE(release(package("arm", "aarch64", {}, {{"app", "stable"}, {"app", "1"}})));
  EXPECT_FALSE(release(package("arm", "aarch64", {}, {{"app", "stable"}, {"app", "1"}}))) << "it is said again";
  EXPECT_FALSE(release(package("other", "riscv64", {}, {{"app", "2"}})));
  EXPECT_EQ(digests_of(fleet, "x86"), "x86 arm");
  EXPECT_EQ(digests_of(fleet, "arm"), "arm x86");
  EXPECT_EQ(digests_of(fleet, "other"), "other");
  // Under two names there are two for it: that of the older name.
  EXPECT_TRUE(release(package("newer", "x86_64", {}, {{"app", "stable"}})));
  EXPECT_EQ(digests_of(fleet, "arm"), "arm newer");
  EXPECT_EQ(digests_of(fleet, "x86"), "x86 arm");
}

TEST(Variants, TheDeviceGetsThatOfItsArchitecture) {
  for (const auto& [device, digest] : std::map<std::string, std::string>{{"x86_64", "x86"}, {"arm64", "arm"}}) {
    World world({of("d", device)});
    world.step(package("x86", "x86_64"));
    world.step(package("arm", "aarch64"));
    world.submit("j", {.package = "x86"});
    EXPECT_EQ(world.question().package, digest);
    const auto assigned = world.allow_all();
    ASSERT_EQ(assigned.size(), 1U);
    EXPECT_EQ(std::get<Assign>(assigned[0].command).package, digest);
    EXPECT_EQ(world.job("j").spec->package, "x86") << "the job names what it named";
    // The grant is for this one, whatever is known after a restart.
    world.restart();
    ASSERT_EQ(world.core.open_commands().size(), 1U);
    EXPECT_EQ(std::get<Assign>(world.core.open_commands()[0].command).package, digest);
    world.step(DeviceSeen{of("d", device)});
    const auto attempt = world.attempt("j").key;
    world.report("d", attempt, AttemptState::running);
    world.report("d", attempt, AttemptState::succeeded);
    EXPECT_EQ(world.view("d").packages, std::vector{digest}) << "it has that one now";
  }
}

TEST(Variants, ADeviceForWhichThereIsNoneIsNotPossible) {
  World world({of("risc", "riscv64"), of("silent", ""), ready("z")});
  world.step(package("x86", "x86_64"));
  world.step(package("arm", "aarch64"));
  world.submit("j", {.package = "arm", .requirements = {.labels = {}}});
  EXPECT_TRUE(world.said.questions.empty() || world.said.questions[0].device.empty());
  const auto placement = world.core.explain(world.job("j"), world.execution("j"), world.now);
  ASSERT_EQ(placement.filtered.size(), 3U);
  EXPECT_EQ(placement.reasons, (std::map<std::string, std::size_t>{{"package", 3}}));
  for (const auto& one : placement.filtered) {
    EXPECT_EQ(one.requirement, "package");
    EXPECT_EQ(one.reason, one.device == dev("risc")
                              ? "app@1 is there for aarch64, x86_64, and this device is riscv64"
                              : "app@1 is there for aarch64, x86_64, and what this device is it does not say");
  }
  EXPECT_EQ(why(want_of(world.job("j"), world.execution("j"), world.now), world.core.fleet(), {}).word,
            "no_suitable_device");
}

TEST(Variants, WhatIsForAnyGoesAnywhere) {
  World world({of("risc", "riscv64")});
  world.step(package("any", ""));
  world.submit("j", {.package = "any"});
  EXPECT_EQ(world.question().device, dev("risc"));
  EXPECT_EQ(world.question().package, "any");
}

TEST(Variants, OneThatIsPushedLaterEndsTheWait) {
  World world({of("d", "aarch64")});
  world.step(package("x86", "x86_64"));
  world.run("j", {.package = "x86"});
  EXPECT_TRUE(world.execution("j").is<Queued>());
  world.step(package("arm", "aarch64"));
  EXPECT_EQ(world.question().package, "arm");
}

TEST(Variants, WhatIsNoLongerTheDevicesIsAskedAgain) {
  World world({of("d", "aarch64")});
  world.step(package("x86", "x86_64"));
  world.step(package("arm", "aarch64"));
  world.submit("j", {.package = "x86"});
  const auto question = world.question();
  world.step(DeviceSeen{of("d", "x86_64")});
  world.step(World::allow(question));
  EXPECT_TRUE(world.commands<Assign>().empty());
  EXPECT_EQ(world.question().package, "x86");
}

// --- needs ---

TEST(Needs, AreRequiredAtLeast) {
  World world({ready("d", {}, 1000)});
  world.step(package("x86", "x86_64", {100, 7 * mib, 0}));
  world.step(package("arm", "aarch64", {200, mib, 3}));
  world.step(DeviceSeen{of("d", "x86_64")});
  world.submit("j", {.package = "x86", .requirements = {.cpu_millis = 150, .storage_bytes = 5}});
  const auto& need = world.job("j").spec->requirements;
  EXPECT_EQ(need.cpu_millis, 200) << "the largest of all variants";
  EXPECT_EQ(need.memory_bytes, 7 * mib);
  EXPECT_EQ(need.storage_bytes, 5) << "the job's own is larger";
  EXPECT_EQ(world.view("d").used.memory_bytes, 7 * mib);
}

TEST(Needs, OfThePackageAreNamedAsItsOwn) {
  World world({ready("d", {}, 1000)});
  world.step(package("p", "", {800, 0, 0}));
  world.run("j", {.requirements = {.cpu_millis = 500}});
  world.submit("k", {.package = "p"});
  const auto placement = world.core.explain(world.job("k"), world.execution("k"), world.now);
  ASSERT_EQ(placement.filtered.size(), 1U);
  EXPECT_EQ(placement.filtered[0].requirement, "requirements/cpu_millis");
  EXPECT_EQ(placement.filtered[0].reason, "has 500 free of 1000, wanted 800, which app@1 needs");
  world.step(package("large", "", {2000, 0, 0}, {{"large", "1"}}));
  world.submit("l", {.package = "large"});
  EXPECT_EQ(world.error().path, "/package");
  EXPECT_EQ(world.error().reason, "it needs 2000 of cpu_millis, no device has more than 1000");
}

}  // namespace
}  // namespace fieldwork::scheduler
