// links: cli_lib GTest::gtest_main
// The command line's pure parts, and its commands against a real broker (mosquitto on a free port) with a stand-in for
// the services in a process of its own.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "content/archive.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "files.hpp"
#include "follow.hpp"
#include "output.hpp"
#include "reach.hpp"
#include "results.hpp"
#include "support/cli_commands.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

TEST(CliOutput, TableAlignsByCharactersAndDefusesControls) {
  Table table({"NAME", "STATE"});
  table.add({"größe", "ok"});
  table.add({"a\x1b[31m", "x\n"});
  EXPECT_EQ(table.text(),
            "NAME    STATE\n"
            "größe   ok\n"
            "a?[31m  x?\n");
}

TEST(CliOutput, HumanNumbers) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(std::int64_t{5} << 30), "5.0 GiB");
  EXPECT_EQ(human_duration(std::chrono::seconds(59)), "59s");
  EXPECT_EQ(human_duration(std::chrono::seconds(200)), "3m 20s");
  EXPECT_EQ(human_duration(std::chrono::seconds(90'000)), "1d 1h");
  EXPECT_EQ(human_age(0, 5000), "-");
  EXPECT_EQ(human_age(1000, 5000), "4s");
  EXPECT_EQ(human_time(0), "1970-01-01 00:00:00Z");
}

TEST(CliOutput, ProgressLine) {
  EXPECT_EQ(progress_line("sending", 0, 1000), "sending  [--------------------]    0 %  0 B of 1000 B");
  EXPECT_EQ(progress_line("sending", 400, 1000), "sending  [########------------]   40 %  400 B of 1000 B");
  EXPECT_EQ(progress_line("sending", 2000, 1000), "sending  [####################]  100 %  1000 B of 1000 B");
  EXPECT_EQ(progress_line("sending", 0, 0), "sending  [####################]  100 %  0 B of 0 B");
}

TEST(CliOutput, ProgressOffTerminalSaysEachTenthOnce) {
  testing::internal::CaptureStderr();
  {
    Progress progress(false, std::chrono::milliseconds(0));
    for (int done = 0; done <= 100; ++done) progress.show("p", done, 100);
  }
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 11);
}

TEST(CliOutput, ProgressOfWhatIsOverInAnInstantIsNotSaid) {
  testing::internal::CaptureStderr();
  {
    Progress progress(false, std::chrono::hours(1));
    for (int done = 0; done <= 100; ++done) progress.show("p", done, 100);
    Progress on_terminal(true, std::chrono::hours(1));
    on_terminal.show("p", 1, 1);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(CliExit, OfErrorsAndStates) {
  EXPECT_EQ(exit_of(Error{Code::invalid, ""}), Exit::failed);
  EXPECT_EQ(exit_of(Error{Code::unknown, ""}), Exit::failed);
  EXPECT_EQ(exit_of(Error{Code::conflict, ""}), Exit::failed);
  EXPECT_EQ(exit_of(Error{Code::denied, ""}), Exit::denied);
  EXPECT_EQ(exit_of(Error{Code::unavailable, ""}), Exit::unreachable);
  EXPECT_EQ(exit_of(JobState::succeeded), Exit::ok);
  EXPECT_EQ(exit_of(JobState::queued), Exit::ok);
  EXPECT_EQ(exit_of(JobState::failed), Exit::failed);
  EXPECT_EQ(exit_of(JobState::cancelled), Exit::failed);
  EXPECT_EQ(exit_of(JobState::expired), Exit::failed);
  EXPECT_EQ(exit_of(JobState::denied), Exit::denied);
}

TEST(CliReach, Endpoints) {
  EXPECT_EQ(endpoint("ssl://localhost:8885")->host, "localhost");
  EXPECT_EQ(endpoint("tcp://[::1]:1883")->host, "::1");
  EXPECT_EQ(endpoint("tcp://[::1]:1883")->port, "1883");
  for (const auto* bad : {"localhost:1", "ssl://localhost", "ssl://:1", "ssl://h:", "ssl://h:x"})
    EXPECT_FALSE(endpoint(bad)) << bad;
}

TEST(CliFollow, SaysWhatIsNewOnce) {
  Follow follow("j-1", "sha256:p");
  EXPECT_EQ(follow.job(job_state_json("assigned", "assigned")), (std::vector<std::string>{"d-1: assigned"}));
  EXPECT_TRUE(follow.job(job_state_json("assigned", "assigned")).empty());
  EXPECT_TRUE(follow.job(Json{{"job", "other"}, {"state", "failed"}}).empty());
  EXPECT_TRUE(follow.job(Json::array()).empty());
  EXPECT_FALSE(follow.is_settled());
  EXPECT_EQ(follow.job(job_state_json("failed", "failed", "exit code 3")),
            (std::vector<std::string>{"job j-1 failed on d-1: exit code 3"}));
  EXPECT_TRUE(follow.is_settled());
}

TEST(CliFollow, TransfersOfThisPackageToItsDevices) {
  Follow follow("j-1", "sha256:p");
  const Json sending{
      {"digest", "sha256:p"}, {"device", "d-1"}, {"state", "sending"}, {"encoded_bytes", 10}, {"acked_bytes", 4}};
  auto complete = sending;
  complete["state"] = "completed";
  EXPECT_FALSE(follow.transfer(sending));  // d-1 is not known as the job's
  follow.job(job_state_json("assigned", "assigned"));
  EXPECT_FALSE(follow.transfer(complete));  // of long ago
  EXPECT_EQ(follow.transfer(sending), (Follow::Sending{"d-1", 4, 10, false}));
  EXPECT_EQ(follow.transfer(complete), (Follow::Sending{"d-1", 10, 10, true}));
  EXPECT_FALSE(follow.transfer(complete));
  auto other = sending;
  other["digest"] = "sha256:q";
  EXPECT_FALSE(follow.transfer(other));
}

TEST(CliFollow, EachThingOnceThoughExecutionsAreMany) {
  Follow follow("j-1", "");
  auto two = job_state_json("running", "running");
  two["executions"].push_back({{"execution", 1}, {"device", "d-2"}, {"state", "assigned"}});
  EXPECT_EQ(follow.job(two), (std::vector<std::string>{"d-1: execution 0 running", "d-2: execution 1 assigned"}));
  two["state"] = "succeeded";
  for (auto& one : two["executions"]) one["state"] = "succeeded";
  EXPECT_EQ(follow.job(two), (std::vector<std::string>{"d-1: execution 0 succeeded", "d-2: execution 1 succeeded",
                                                       "job j-1 succeeded"}));
  Follow again("j-1", "");
  auto tried = job_state_json("assigned", "waiting");
  tried["executions"][0]["reason"] = "exit code 3";
  EXPECT_EQ(again.job(tried), (std::vector<std::string>{"d-1: waiting: exit code 3"}));
  tried["executions"][0]["state"] = "queued";
  EXPECT_EQ(again.job(tried), (std::vector<std::string>{"d-1: queued"})) << "the reason was said";
  Follow denied("j-1", "");
  auto none = job_state_json("denied", "denied", "no rule");
  none["executions"][0].erase("device");
  EXPECT_EQ(denied.job(none), (std::vector<std::string>{"job j-1 was denied: no rule"}));
}

TEST(CliFollow, NothingIsFetchedForWhatRuns) {
  Follow follow("j-1", "sha256:p");
  const Json sending{
      {"digest", "sha256:p"}, {"device", "d-1"}, {"state", "sending"}, {"encoded_bytes", 10}, {"acked_bytes", 4}};
  follow.job(job_state_json("assigned", "assigned"));
  EXPECT_TRUE(follow.transfer(sending));
  follow.job(job_state_json("running", "running"));
  EXPECT_FALSE(follow.transfer(sending)) << "a bar below what was told to run";
}

// What somebody else asked for again is not told twice.
TEST(CliFollow, TheBeginningOfALogComesOnce) {
  Follow follow("j-1", "");
  const AttemptKey first{JobId("j-1"), 0, 1}, second{JobId("j-1"), 0, 2};
  EXPECT_EQ(follow.log("d-1", {first, "stdout", "z", 0, true}, false), std::nullopt) << "another one asked";
  follow.wants_begin(first);
  EXPECT_EQ(follow.log("d-1", {first, "stdout", "a", 0, true}, false), "a");
  EXPECT_EQ(follow.log("d-1", {first, "stdout", "b", 0}, false), "b");
  EXPECT_EQ(follow.log("d-1", {first, "stdout", "a\nb", 0, true}, false), std::nullopt);
  EXPECT_EQ(follow.log("d-1", {first, "stderr", "e", 0, true}, false), "e");
  follow.wants_begin(second);
  EXPECT_EQ(follow.log("d-1", {second, "stdout", "a", 0, true}, false), "a");
}

TEST(CliFollow, HowFarItIs) {
  const auto of = [](Json executions) {
    return Json{{"job", "j-1"}, {"state", "running"}, {"executions", std::move(executions)}};
  };
  const Json quarter{
      {"execution", 0},
      {"state", "running"},
      {"device", "d-1"},
      {"progress", {{"fraction", 0.25}, {"done", 1}, {"total", 4}, {"step", "scan"}, {"message", "floor"}}}};
  const auto one = how_far(of(Json::array({quarter})));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->what, "d-1");
  EXPECT_EQ(one->share, 0.25);
  EXPECT_EQ(one->amount, "1 of 4, scan: floor");
  const auto two = how_far(of(Json::array({quarter, {{"execution", 1}, {"state", "failed"}}})));
  ASSERT_TRUE(two);
  EXPECT_EQ(two->share, 0.625);
  EXPECT_EQ(two->amount, "1 of 2 over");
  EXPECT_FALSE(how_far(of(Json::array({{{"execution", 0}, {"state", "running"}}}))));
  EXPECT_FALSE(how_far(of(Json::array())));
  EXPECT_FALSE(how_far(Json{{"state", "succeeded"}, {"executions", Json::array({quarter})}}));
}

TEST(CliFollow, LogLines) {
  Follow follow("j-1", "");
  EXPECT_EQ(follow.log("d-1", {{JobId("j-1"), 0, 1}, "stdout", "a\nb\n", 0}), "d-1 | a\nd-1 | b");
  EXPECT_EQ(follow.log("d-1", {{JobId("j-1"), 0, 1}, "stdout", "a", 2}), "d-1 | … 2 lines dropped\nd-1 | a");
  EXPECT_EQ(follow.log("d-1", {{JobId("j-2"), 0, 1}, "stdout", "a", 0}), std::nullopt);
}

// --- against a broker ---------------------------------------------------------------------------------------------

TEST_F(CliCommands, RequestsAreRepeatedAndAnswersShown) {
  EXPECT_EQ(device_list(options, {}), 0);
  EXPECT_EQ(out().substr(0, 6), "DEVICE");
  EXPECT_NE(out().find("\nd-1 "), std::string::npos);
}

TEST_F(CliCommands, ExplainGoesThroughAllPages) {
  options.json = true;
  EXPECT_EQ(job_explain(options, "j-1"), 0);
  const auto answer = Json::parse(out());
  EXPECT_EQ(answer.at("job"), "j-1");
  ASSERT_EQ(answer.at("executions").size(), 3U);
  EXPECT_EQ(answer.at("executions").at(2).at("execution"), 2);
  EXPECT_FALSE(answer.contains("next"));
}

TEST_F(CliCommands, AnErrorIsSaidWithItsField) {
  EXPECT_EQ(device_show(options, "d-9"), 1);
  EXPECT_EQ(said(), "fieldwork: device d-9: there is no such device. See fieldwork device ls\n");
  EXPECT_EQ(out(), "");
}

TEST_F(CliCommands, NoAnswerTimesOut) {
  options.timeout_s = 0.3;
  EXPECT_EQ(job_cancel(options, {.job = "j-1"}), 5);
  EXPECT_NE(said().find("no answer from scheduler (cancel)"), std::string::npos);
}

TEST_F(CliCommands, NoBrokerNamesUrlOriginAndNextStep) {
  options.sets = {"broker.url=tcp://127.0.0.1:1"};
  EXPECT_EQ(device_list(options, {}), 3);
  EXPECT_EQ(
      said(),
      "fieldwork: cannot reach the broker at tcp://127.0.0.1:1 (broker.url from --set broker.url): Connection refused. "
      "Is the broker up, and is that its address? fieldwork doctor looks step by step\n");
}

TEST_F(CliCommands, BadSettingsAreUsage) {
  options.sets = {"broker.nonsense=1"};
  EXPECT_EQ(device_list(options, {}), 2);
  EXPECT_EQ(said(), "fieldwork: broker.nonsense (--set broker.nonsense): is not a setting of this program\n");
}

TEST_F(CliCommands, RunSubmits) {
  auto arguments = job("ok");
  arguments.wait = false;
  arguments.package = "anomaly@1.0";
  options.json = true;
  EXPECT_EQ(run(options, arguments), 0);
  const auto printed = Json::parse(out());
  EXPECT_EQ(printed["job"], "j-ok");
  EXPECT_EQ(printed["state"], "queued");
  EXPECT_EQ(printed["reason"], "sha256:" + std::string(64, 'a'));
}

TEST_F(CliCommands, RunAllowsMeteredConnectionsWhereItIsAsked) {
  options.json = true;
  RunArguments of_template{.made_of = "some", .with = R"({"command":["ok"]})", .metered = true};
  auto of_file = job("ok");
  of_file.wait = false;
  EXPECT_EQ(run(options, of_file), 0);
  EXPECT_EQ(out().find("metered"), std::string::npos);
  of_file.metered = true;
  for (const auto& arguments : {of_file, of_template}) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run(options, arguments), 0);
    EXPECT_EQ(Json::parse(testing::internal::GetCapturedStdout()).at("reason"), "metered");
  }
}

TEST_F(CliCommands, RunTakesTheEntryOfThePackageWhereTheJobNamesNoCommand) {
  RunArguments arguments{.file = write("job.json", R"({"name":"n"})"), .package = "anomaly@1.0"};
  options.json = true;
  EXPECT_EQ(run(options, arguments), 0);
  const auto printed = Json::parse(out());
  EXPECT_EQ(printed["job"], "j-entry") << "what the stand-in makes of the first word";
  EXPECT_EQ(printed["reason"], "sha256:" + std::string(64, 'a'));
}

TEST_F(CliCommands, RunTakesTheEntryOfThePackageThatTheJobNames) {
  RunArguments arguments{.file = write("job.json", R"({"package":"sha256:)" + std::string(64, 'a') + R"("})")};
  options.json = true;
  EXPECT_EQ(run(options, arguments), 0);
  EXPECT_EQ(Json::parse(out())["job"], "j-entry");
}

TEST_F(CliCommands, RunSaysThatThereIsNeitherCommandNorEntry) {
  RunArguments arguments{.file = write("job.json", R"({"name":"n"})"), .package = "bare@1"};
  EXPECT_EQ(run(options, arguments), 2);
  EXPECT_NE(said().find("job.json: /command is missing, and the package bare@1 has no entry"), std::string::npos)
      << said();
}

TEST_F(CliCommands, RunWithoutPackageNeedsACommand) {
  RunArguments arguments{.file = write("job.json", R"({"name":"n"})")};
  EXPECT_EQ(run(options, arguments), 2);
  EXPECT_NE(said().find("/command: must name a program"), std::string::npos) << said();
}

TEST_F(CliCommands, RunRefusesABadFileWithItsField) {
  auto arguments = job("ok");
  write("job.json", R"({"command":["a"],"limits":{"time_s":"soon"}})");
  EXPECT_EQ(run(options, arguments), 2);
  EXPECT_NE(said().find("job.json: /limits/time_s: must be a whole number"), std::string::npos) << said();
}

TEST_F(CliCommands, RunSaysWhatTheSchedulerRefused) {
  EXPECT_EQ(run(options, job("invalid")), 1);
  EXPECT_NE(said().find("job.json: /requirements: no device can do this"), std::string::npos) << said();
}

TEST_F(CliCommands, RunDenied) {
  auto arguments = job("deny");
  arguments.wait = false;
  EXPECT_EQ(run(options, arguments), 4);
  EXPECT_EQ(out(), "j-deny denied\n");
}

TEST_F(CliCommands, RunWaitsAndWritesFiles) {
  auto arguments = job("ok");
  arguments.output_dir = (place / "outputs").string();
  EXPECT_EQ(run(options, arguments), 0);
  EXPECT_EQ(out(), "hello\n");
  EXPECT_EQ(*read_file(place / "outputs/out/result.json", 100), "{\"n\":1}");
  EXPECT_NE(said().find("d-1: running\n"), std::string::npos) << said();
}

TEST_F(CliCommands, AResultThatLeadsOutsideIsNotRead) {
  EXPECT_EQ(run(options, job("outside")), 1);  // the job succeeded, but its result is not there
  EXPECT_NE(said().find("cannot read the result of execution 0: /files/0/path: must be a relative path"),
            std::string::npos)
      << said();
}

TEST_F(CliCommands, RunWaitPrintsTheFailedJobAsJson) {
  options.json = true;
  EXPECT_EQ(run(options, job("fail")), 1);
  EXPECT_EQ(Json::parse(out())["executions"][0]["result"]["exit_code"], 3);
}

TEST_F(CliCommands, RunWaitEndsAtItsTimeout) {
  options.timeout_s = 0.5;
  EXPECT_EQ(run(options, job("for-ever")), 5);
  EXPECT_NE(said().find("the job goes on"), std::string::npos);
}

TEST_F(CliCommands, CtrlCEndsTheWaitNotTheJob) {
  EXPECT_EQ(run(options, job("interrupt")), 130);
  EXPECT_NE(said().find("interrupted; the job goes on. Its result, later: fieldwork job result j-interrupt"),
            std::string::npos);
}

TEST_F(CliCommands, PushArrivesThoughFramesAreLost) {
  fs::create_directories(place / "content");
  write("content/noise", crypto::random_bytes(700'000));
  options.json = true;
  EXPECT_EQ(package_push(options, {(place / "content").string(), "noise", "1"}), 0);
  const auto printed = Json::parse(out());
  EXPECT_EQ(printed["state"], "stored");
  EXPECT_GT(printed["bytes_sent"].get<std::int64_t>(), 700'000);
  EXPECT_EQ(*crypto::digest_of_file(place / "stored"), printed["digest"]);
}

TEST_F(CliCommands, PushSaysInTheManifestWhatIsAsked) {
  fs::remove_all(place / "content");
  fs::remove(place / "stored");
  write("run.sh", "#!/bin/sh\n");
  fs::create_directories(place / "content");
  fs::rename(place / "run.sh", place / "content/run.sh");
  fs::permissions(place / "content/run.sh", fs::perms::owner_all);
  options.json = true;
  const PushArguments arguments{.path = (place / "content").string(),
                                .name = "noise",
                                .version = "2",
                                .architecture = "arm64",
                                .entry = {"./run.sh", "-v"},
                                .needs = {"memory_bytes=256MiB", "cpu_millis=500"}};
  EXPECT_EQ(package_push(options, arguments), 0);
  EXPECT_EQ(Json::parse(out())["architecture"], "aarch64");
  const auto manifest = content::read_manifest(place / "stored");
  ASSERT_TRUE(manifest && *manifest);
  EXPECT_EQ((*manifest)->about, (PackageAbout{"aarch64", {"./run.sh", "-v"}, {500, 256 << 20, 0}}));
}

TEST_F(CliCommands, PushRefusesNeedsThatAreNone) {
  fs::create_directories(place / "content");
  for (const char* word : {"memory=1", "memory_bytes", "memory_bytes=0", "cpu_millis=much"}) {
    const PushArguments arguments{.path = (place / "content").string(), .name = "n", .version = "1", .needs = {word}};
    EXPECT_EQ(package_push(options, arguments), 2) << word;
  }
}

TEST_F(CliCommands, PushAgainSendsNothing) {
  fs::create_directories(place / "content");
  write("content/more", "x");
  write("stored", "");
  EXPECT_EQ(package_push(options, {(place / "content").string(), "noise", "1"}), 0);
  EXPECT_NE(said().find("has this content already"), std::string::npos);
  EXPECT_EQ(out().substr(0, 7), "sha256:");
}

TEST_F(CliCommands, DoctorNamesAReleaseKeyThatTransferDoesNotTrust) {
  options.timeout_s = 2;
  fs::remove(place / "stored");  // what an earlier test pushed: nobody would look at the key
  options.sets = {"release.key=" + write("other.key", crypto::PrivateKey::generate().to_pem())};
  EXPECT_EQ(doctor(options), 1);
  EXPECT_NE(out().find("FAIL  release key "), std::string::npos) << out();
  EXPECT_NE(out().find("the transfer service does not trust it"), std::string::npos) << out();
}

TEST_F(CliCommands, AnUnansweredSubmissionSaysHowToRepeatIt) {
  options.timeout_s = 0.3;
  EXPECT_EQ(run(options, job("silent")), 5);
  EXPECT_NE(said().find("The job may have been stored: repeat with --request cli-"), std::string::npos) << said();
}

TEST_F(CliCommands, AMistypedVariableIsNamed) {
  setenv("FIELDWORK_BROKER_URLL", "x", 1);
  EXPECT_EQ(device_list(options, {}), 0);
  unsetenv("FIELDWORK_BROKER_URLL");
  EXPECT_NE(said().find("warning: environment FIELDWORK_BROKER_URLL is not a setting of this program; did you mean "
                        "FIELDWORK_BROKER_URL?"),
            std::string::npos)
      << said();
}

TEST_F(CliCommands, DoctorSaysWhatIsMissing) {
  options.timeout_s = 0.5;
  EXPECT_EQ(doctor(options), 1);
  EXPECT_NE(out().find("ok    service registry"), std::string::npos) << out();
  EXPECT_NE(out().find("FAIL  service alerting"), std::string::npos) << out();
  EXPECT_NE(out().find("ok    devices                  2 of 2 online"), std::string::npos) << out();
  EXPECT_NE(out().find("FAIL  identity d-2             two devices use it"), std::string::npos) << out();
  EXPECT_NE(out().find("FAIL  audit                    does not go on"), std::string::npos) << out();
  EXPECT_NE(out().find("release.key, id "), std::string::npos) << out();
  EXPECT_NE(out().find(", trusted by transfer"), std::string::npos) << out();
}

}  // namespace
}  // namespace fieldwork::cli
