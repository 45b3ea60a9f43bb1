// links: scheduler_core GTest::gtest_main
// Packages and files use a connection that is paid for by volume only where the job says so.
#include "scheduler/core/plan/plan.hpp"
#include "support/scheduler_world.hpp"

namespace fieldwork::scheduler {
namespace {

const std::string package = "sha256:p";

Device metered(const std::string& id, bool is = true) {
  auto out = ready(id);
  out.about.uplink.metered = is;
  return out;
}

JobSpec with_outputs(bool allowed = false) { return {.outputs = {"result"}, .metered = allowed}; }
JobSpec with_package(bool allowed = false) { return {.package = package, .metered = allowed}; }

Placement explained(const Fleet& fleet, const JobSpec& spec) {
  Job job;
  job.spec = std::make_shared<JobSpec>(spec);
  job.executions.resize(1);
  return explain(want_of(job, job.executions[0], from_ms(1'000'000)), fleet, {});
}

TEST(Metered, KeepsAwayWhatWouldMoveBytes) {
  struct Case {
    const char* name;
    JobSpec spec;
    bool ran = false;  // its package, on the device
    bool fits = true;
    bool link = true;  // is metered
  };
  const Case cases[] = {
      {.name = "nothing to move", .spec = {}},
      {.name = "a package", .spec = with_package(), .fits = false},
      {.name = "a package that ran there", .spec = with_package(), .ran = true},
      {.name = "a package, allowed", .spec = with_package(true)},
      {.name = "outputs", .spec = with_outputs(), .fits = false},
      {.name = "outputs, allowed", .spec = with_outputs(true)},
      {.name = "outputs of a package that ran there",
       .spec = {.package = package, .outputs = {"result"}},
       .ran = true,
       .fits = false},
      {.name = "logs", .spec = {.limits = {.log_bytes = 1}}, .fits = false},
      {.name = "both, another link", .spec = {.package = package, .outputs = {"result"}}, .link = false},
  };
  for (const auto& one : cases) {
    Fleet fleet;
    fleet.seen(metered("a", one.link));
    if (one.ran) fleet.ran(dev("a"), package);
    const auto out = explained(fleet, one.spec);
    EXPECT_EQ(out.chosen.has_value(), one.fits) << one.name;
    ASSERT_EQ(out.filtered.size(), one.fits ? 0U : 1U) << one.name;
    if (one.fits) continue;
    EXPECT_EQ(out.filtered[0].requirement, "metered") << one.name;
    EXPECT_EQ(out.filtered[0].reason, "its connection is metered; the job allows no metered one (metered: true)");
    EXPECT_EQ(out.reasons, (std::map<std::string, std::size_t>{{"metered", 1}})) << one.name;
  }
}

TEST(Metered, WhoAllowsItIsAssignedAndSaysSo) {
  World world({metered("a")});
  const auto commands = world.run("j", with_outputs(true));
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_TRUE(std::get<Assign>(commands[0].command).metered);
  const auto others = world.run("k");
  ASSERT_EQ(others.size(), 1U);
  EXPECT_FALSE(std::get<Assign>(others[0].command).metered);
}

TEST(Metered, WhoWaitsIsTriedAgainWhenTheConnectionIsAnother) {
  World world({metered("a")});
  EXPECT_TRUE(world.run("j", with_outputs()).empty());
  EXPECT_EQ(world.state("j"), JobState::queued);
  world.step(DeviceSeen{metered("a", false)});
  EXPECT_EQ(world.allow_all().size(), 1U);
}

TEST(Metered, ThePackageThatIsThereServesLaterJobs) {
  World world({metered("a")});
  world.step(PackageSeen{package});
  EXPECT_TRUE(world.run("waits", with_package()).empty());
  EXPECT_EQ(world.state("waits"), JobState::queued);
  ASSERT_EQ(world.run("brings", with_package(true)).size(), 1U) << "it shares no lane with who waits";
  world.report("a", world.attempt("brings").key, AttemptState::running);
  world.report("a", AttemptReport{.key = world.attempt("brings").key,
                                  .state = AttemptState::succeeded,
                                  .result = RunResult{.exit_code = 0}});
  const auto commands = world.allow_all();
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(std::get<Assign>(commands[0].command).key.job, JobId("waits"));
}

// A device that could only run it if the job were another is not waited for.
TEST(Metered, IsNoDeviceThatCouldEverRunIt) {
  World world({ready("a"), metered("b")});
  auto spec = with_outputs();
  spec.retry.attempts_max = 1;
  ASSERT_EQ(world.run("j", spec).size(), 1U);
  ASSERT_EQ(world.attempt("j").device, dev("a"));
  world.report("a", world.attempt("j").key, AttemptState::rejected, "the disk is full");
  world.allow_all();
  EXPECT_EQ(world.state("j"), JobState::failed);
}

// It is there already, with all that it needs.
TEST(Metered, AnAttemptThatIsThereMayGoOn) {
  Fleet fleet;
  fleet.seen(metered("a"));
  Job job;
  job.spec = std::make_shared<JobSpec>(with_package());
  job.executions.resize(1);
  const auto number = fleet.number_of(dev("a")).value();
  const auto now = from_ms(1'000'000);
  EXPECT_EQ(claim_of(fleet, number, Use{}, job, job.executions[0], {}, now), Claim::fits);
  fleet.seen(in_lifecycle(metered("a"), Lifecycle::retired));
  EXPECT_EQ(claim_of(fleet, number, Use{}, job, job.executions[0], {}, now), Claim::none);
}

// The package was evicted there: the device is not to blame, and is not asked again.
TEST(Metered, ThePackageThatIsThereNoMoreIsNobodysFault) {
  World world({metered("a")});
  world.step(PackageSeen{package});
  const auto ends = [&](const std::string& job, AttemptReport report) {
    report.key = world.attempt(job).key;
    world.report("a", report);
  };
  ASSERT_EQ(world.run("brings", with_package(true)).size(), 1U);
  ends("brings", {.state = AttemptState::running});
  ends("brings", {.state = AttemptState::succeeded, .result = RunResult{.exit_code = 0}});
  ASSERT_EQ(world.run("uses", with_package()).size(), 1U) << "it ran there";
  ends("uses", {.state = AttemptState::rejected, .reason = metered_reason});
  for (const auto* job : {"second", "third", "fourth"}) EXPECT_TRUE(world.run(job, with_package()).empty()) << job;
  EXPECT_EQ(world.run("other", {}).size(), 1U) << "work that moves nothing";
}

}  // namespace
}  // namespace fieldwork::scheduler
