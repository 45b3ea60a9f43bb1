// links: agent_core GTest::gtest_main
// What a device does with commands to keep packages: what it saves, says, fetches and places.
#include <gtest/gtest.h>

#include "agent/core/stages.hpp"

namespace fieldwork::agent::staging {
namespace {

using Words = std::vector<std::string>;

const std::string digest_a = "sha256:" + std::string(64, 'a');
const std::string digest_b = "sha256:" + std::string(64, 'b');

struct World {
  std::map<std::string, Kept> journal;
  bool places = true;
  Limits limits;
  std::optional<Stages> core;
  Words said, did;  // of the last batch: "taken", "all: ready", …; "keep a", "let a", "place a at f"
  std::string reason;

  World() { restart(); }
  void restart() {
    std::vector<Kept> saved;
    for (const auto& [digest, kept] : journal) saved.push_back(kept);
    core.emplace(limits, std::move(saved), places);
    step(Started{});
  }
  static StageCommand command(const std::string& digest = digest_a, const std::string& file = "",
                              std::int64_t until = 9000) {
    return {.digest = digest, .file = file, .until_ms = until};
  }
  void step(const Input& input) {
    Output out;
    core->step(input, Time{}, out);
    core->step(fieldwork::BatchEnded{}, Time{}, out);
    said.clear();
    did.clear();
    for (const auto& save : out.saves) {
      if (save.kept) journal[save.digest] = *save.kept;
      if (!save.kept) journal.erase(save.digest);
    }
    for (const auto& report : out.reports) {
      for (const auto& one : report.items) {
        said.push_back((report.all ? "all: " : "") + std::string(name(one.word)));
        reason = one.reason;
      }
    }
    for (const auto& act : out.acts) {
      if (const auto* keep = std::get_if<Keep>(&act)) did.push_back("keep " + keep->fetch.digest.substr(7, 1));
      if (const auto* let = std::get_if<Let>(&act)) did.push_back("let " + let->digest.substr(7, 1));
      if (const auto* place = std::get_if<Place>(&act))
        did.push_back("place " + place->digest.substr(7, 1) + " at " + place->file);
    }
    EXPECT_EQ(journal, core->all());
  }
};

TEST(AgentStages, KeepsWhatIsOrderedAndSaysWhenItIsThere) {
  World w;
  w.step(Commanded{{World::command()}});
  EXPECT_EQ(w.said, Words{"taken"});
  EXPECT_EQ(w.did, Words{"keep a"});
  w.step(Commanded{{World::command()}});
  EXPECT_EQ(w.said, Words{"taken"}) << "every command is answered";
  EXPECT_EQ(w.did, Words{});
  w.step(PackageReady{digest_a});
  EXPECT_EQ(w.said, Words{"ready"});
  w.step(PackageReady{digest_a});
  EXPECT_EQ(w.said, Words{}) << "a job fetched it, too";
  w.step(PackageReady{digest_b});
  EXPECT_EQ(w.said, Words{}) << "of a job";
  w.step(Commanded{{World::command()}});
  EXPECT_EQ(w.said, Words{"ready"});
}

TEST(AgentStages, AFileIsPlacedBeforeItIsReady) {
  World w;
  w.step(Commanded{{World::command(digest_a, "f")}});
  w.step(PackageReady{digest_a});
  EXPECT_EQ(w.said, Words{});
  EXPECT_EQ(w.did, Words{"place a at f"});
  w.step(Placed{digest_a, "f", "f: disk: full"});
  EXPECT_EQ(w.said, Words{"refused"});
  EXPECT_EQ(w.reason, "f: disk: full");
  EXPECT_EQ(w.did, Words{"let a"});
  EXPECT_TRUE(w.journal.empty());
  w.step(Commanded{{World::command(digest_a, "f")}});
  w.step(PackageReady{digest_a});
  w.step(Commanded{{World::command(digest_a, "g")}});
  EXPECT_EQ(w.did, Words{"keep a"}) << "another place";
  w.step(Placed{digest_a, "f"});
  EXPECT_EQ(w.said, Words{}) << "that was the one before";
  w.step(PackageReady{digest_a});
  w.step(Placed{digest_a, "g"});
  EXPECT_EQ(w.said, Words{"ready"});
}

TEST(AgentStages, RefusesWhatItCannotKeepAndForgetsIt) {
  World w;
  w.step(Commanded{{World::command()}});
  w.step(PackageRefused{digest_a, "disk: the package has 5 bytes"});
  EXPECT_EQ(w.said, Words{"refused"});
  EXPECT_EQ(w.reason, "disk: the package has 5 bytes");
  EXPECT_TRUE(w.journal.empty());
  w.places = false;
  w.limits.stages_max = 1;
  w.restart();
  w.step(Commanded{{World::command(digest_a, "f")}});
  EXPECT_EQ(w.reason, "device.files is not set on this device: it takes no files");
  w.step(Commanded{{World::command(), World::command(digest_b)}});
  EXPECT_EQ(w.said, (Words{"taken", "refused"}));
  EXPECT_EQ(w.reason, "this device keeps 1 staged packages, which is its limit");
}

TEST(AgentStages, GoesOnAfterARestart) {
  World w;
  w.step(Commanded{{World::command(digest_a, "f"), World::command(digest_b)}});
  w.step(PackageReady{digest_b});
  w.restart();
  EXPECT_EQ(w.did, (Words{"keep a", "keep b"})) << "what is ready stays pinned";
  w.step(PackageReady{digest_b});
  EXPECT_EQ(w.said, Words{});
  w.step(PackageReady{digest_a});
  EXPECT_EQ(w.did, Words{"place a at f"});
}

TEST(AgentStages, SaysAllOfThemWhenItConnects) {
  World w;
  w.step(LinkBack{});
  EXPECT_EQ(w.said, Words{});
  w.step(Commanded{{World::command(digest_a), World::command(digest_b)}});
  w.step(PackageReady{digest_b});
  w.step(LinkBack{});
  EXPECT_EQ(w.said, (Words{"all: taken", "all: ready"}));
}

TEST(AgentStages, LetsGoWhenItIsOver) {
  World w;
  w.step(Commanded{{World::command(digest_a), World::command(digest_b, "", 5000)}});
  w.step(Commanded{{World::command(digest_a, "", 0)}});
  EXPECT_EQ(w.said, Words{"dropped"});
  EXPECT_EQ(w.did, Words{"let a"});
  w.step(Commanded{{World::command(digest_a, "", 0)}});
  EXPECT_EQ(w.said, Words{"dropped"}) << "and says so again";
  EXPECT_EQ(w.did, Words{});
  w.step(Looked{4999});
  EXPECT_EQ(w.did, Words{});
  w.step(Looked{5000});
  EXPECT_EQ(w.said, Words{"dropped"});
  EXPECT_EQ(w.did, Words{"let b"});
  w.step(Commanded{{World::command(digest_b, "", 5000)}});
  EXPECT_EQ(w.said, Words{"dropped"}) << "its time was over before it came";
  EXPECT_TRUE(w.journal.empty());
}

TEST(AgentStages, AnotherTimeIsNoOtherPackage) {
  World w;
  w.step(Commanded{{World::command()}});
  w.step(PackageReady{digest_a});
  w.step(Commanded{{World::command(digest_a, "", 9999)}});
  EXPECT_EQ(w.said, Words{"ready"});
  EXPECT_EQ(w.journal.at(digest_a).command.until_ms, 9999);
}

TEST(AgentStages, AnswersMoreOrdersThanOneMessageHolds) {
  World w;
  Commanded commands;
  for (std::size_t i = 0; i < limits::stage_items_max + 1; ++i) {
    auto digits = std::to_string(i);
    commands.commands.push_back(World::command("sha256:" + std::string(64 - digits.size(), '0') + digits));
  }
  Output out;
  w.core->step(commands, Time{}, out);
  w.core->step(fieldwork::BatchEnded{}, Time{}, out);
  ASSERT_EQ(out.reports.size(), 2U);
  EXPECT_EQ(out.reports.front().items.size(), limits::stage_items_max);
  EXPECT_EQ(w.core->all().size(), limits::stages_per_device_max);
}

}  // namespace
}  // namespace fieldwork::agent::staging
