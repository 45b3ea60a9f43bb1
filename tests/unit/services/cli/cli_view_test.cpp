// links: cli_lib GTest::gtest_main
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/cli_stand_in.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

TEST(CliView, ADeviceThatSharesItsIdentitySaysSo) {
  const Json device{{"device", "d-1"}, {"presence", "online"}, {"duplicated_since_ms", 1'000}};
  EXPECT_NE(device_text(device, 61'000).find("used by two devices for 1m 0s"), std::string::npos);
  EXPECT_EQ(device_text({{"device", "d-1"}, {"presence", "online"}}, 61'000).find("identity"), std::string::npos);
}

TEST(CliView, Jobs) {
  EXPECT_EQ(job_table(Json::array({job_state_json("running", "running")}), 61'000),
            "JOB  NAME     STATE    DEVICE  AGE    REASON\n"
            "j-1  anomaly  running  d-1     1m 0s\n");
  EXPECT_EQ(job_table(Json::array({Json{{"job", 7}}}), 0),
            "JOB  NAME  STATE  DEVICE  AGE  REASON\n     -     -      -       -\n");
  const auto text = job_text(job_state_json("running", "running"), 61'000);
  EXPECT_NE(text.find("submitted    1970-01-01 00:00:01Z (1m 0s ago)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nEXECUTION  DEVICE  ATTEMPT  FENCE  STATE    EXIT  ELAPSED  CPU  MEMORY  OUTPUT  REASON\n0     "
                      "     d-1     "
                      "1        1      "
                      "running  -     -        -    -       -\n"),
            std::string::npos)
      << text;
}

TEST(CliView, Explain) {
  const Json answer{
      {"job", "j-1"},
      {"state", "running"},
      {"executions",
       {{{"execution", 0},
         {"state", "running"},
         {"chosen", "d-1"},
         {"candidates",
          {{{"device", "d-1"}, {"score", 0.75}, {"components", {{"fit", 0.5}, {"health", 1}}}},
           {{"device", "d-3"}, {"score", 0.375}},
           {{"device", "d-4"}, {"score", -1}}}},
         {"filtered", {{{"device", "d-2"}, {"requirement", "labels.zone"}, {"reason", "is b, not a"}}}}}}}};
  EXPECT_EQ(explain_text(answer),
            "job j-1 is running\n"
            "\n"
            "execution 0 is running: d-1 was chosen\n"
            "   CANDIDATE  SCORE   OF THE BEST           fit    health\n"
            "*  d-1        0.750   ####################  0.500  1.000\n"
            "   d-3        0.375   ##########            -      -\n"
            "   d-4        -1.000  -                     -      -\n"
            "   NOT POSSIBLE  REQUIREMENT  REASON\n"
            "   d-2           labels.zone  is b, not a\n");
}

TEST(CliView, DeviceAndItsClock) {
  const Json device{{"device", "d-1"}, {"link", {{"clock_offset_ms", -90'040}}}, {"resources", {{"uptime_s", 60}}}};
  const auto text = device_text(device, 0);
  EXPECT_NE(text.find("clock        -90.040 s off the registry's\n"), std::string::npos) << text;
  EXPECT_NE(text.find("up for       1m 0s\n"), std::string::npos) << text;
  EXPECT_EQ(device_text(Json{{"device", "d-1"}}, 0).find("clock"), std::string::npos);
  EXPECT_EQ(devices_of(Json{{"width", 3}}), "3 executions");
}

TEST(CliView, PackagesAreARowForEachNameOnEightyColumns) {
  const auto key = crypto::PrivateKey::generate();
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto release = crypto::sign_jws(key, "fieldwork-release+jws",
                                        codec::encode(codec::Release{digest, 1536, "anomaly", "1.0", 60'000}));
  const Json package{{"digest", digest},
                     {"architecture", "aarch64"},
                     {"size_bytes", 1536},
                     {"release", release},
                     {"released_by", std::string(64, 'b')},
                     {"names", {{{"name", "anomaly"}, {"version", "1.0"}}, {{"name", "same"}, {"version", "2"}}}}};
  EXPECT_EQ(package_table(Json::array({package}), 120'000),
            "NAME     VERSION  ARCH     SIZE     AGE    RELEASED BY   DIGEST\n"
            "anomaly  1.0      aarch64  1.5 KiB  1m 0s  bbbbbbbbbbbb  sha256:aaaaaaaaaaaa\n"
            "same     2        aarch64  1.5 KiB  -      bbbbbbbbbbbb  sha256:aaaaaaaaaaaa\n");
  const auto text = package_text(package, 120'000);
  EXPECT_NE(text.find("digest        " + digest + "\n"), std::string::npos) << text;
  EXPECT_NE(text.find("released      1970-01-01 00:01:00Z (1m 0s ago)\n"), std::string::npos) << text;
  EXPECT_EQ(package_table(Json::array({Json{{"digest", 7}}}), 0),
            "NAME  VERSION  ARCH  SIZE  AGE  RELEASED BY  DIGEST\n-     -        -     0 B   -    -\n");
}

TEST(CliView, APackageSaysWhatItIsForAndItsVariantsEach) {
  const Json one{{"digest", "sha256:1"},
                 {"architecture", "aarch64"},
                 {"entry", {"./run", "a b"}},
                 {"needs", {{"cpu_millis", 500}, {"memory_bytes", 256 << 20}}}};
  const auto text = package_text(one, 0);
  EXPECT_NE(text.find("architecture  aarch64\n"), std::string::npos) << text;
  EXPECT_NE(text.find("entry         ./run 'a b'\n"), std::string::npos) << text;
  EXPECT_NE(text.find("needs         500 cpu_millis, 256.0 MiB of memory\n"), std::string::npos) << text;
  auto both = one;
  both["variants"] = {one, {{"digest", "sha256:2"}, {"architecture", "x86_64"}}};
  EXPECT_EQ(package_text(both, 0), text + "\n" + package_text(both["variants"][1], 0));
}

Json transfer_json() {
  return {{"transfer", "53c777fd07c99d4c25f635579ca24c2a"},
          {"digest", "sha256:" + std::string(64, 'a')},
          {"direction", "down"},
          {"device", "edge-1"},
          {"state", "sending"},
          {"reason", ""},
          {"size_bytes", 20 << 20},
          {"encoding", "zstd"},
          {"encoded_bytes", 10 << 20},
          {"acked_bytes", 4 << 20},
          {"sent_bytes", 5 << 20},
          {"resent_bytes", 1 << 20},
          {"frames_sent", 320},
          {"frames_resent", 21},
          {"tries_most", 4},
          {"bad_frames", 2},
          {"resumed_from", 1024},
          {"strategy", {{"name", "near"}, {"reason", "r"}, {"frame_bytes", 16'384}}},
          {"bit_per_s", 12'345'678},
          {"eta_s", 90},
          {"changed_ms", 60'000}};
}

TEST(CliView, TransfersSayHowFarTheyAreAndWhatTheyWaitFor) {
  const Json paused{{"transfer", "0123456789abcdef0123456789abcdef"},
                    {"digest", "sha256:" + std::string(64, 'b')},
                    {"direction", "up"},
                    {"client", "operator"},
                    {"state", "suspended"},
                    {"reason", "paused by ann\x1b"},
                    {"encoded_bytes", 61'512},
                    {"acked_bytes", 0},
                    {"bit_per_s", 912'999},
                    {"changed_ms", 1}};
  EXPECT_EQ(transfer_table(Json::array({transfer_json(), paused, Json{{"transfer", 7}}}), 120'001),
            "TRANSFER      DIRECTION  WITH      STATE      DONE  OF        RATE        REST    STRATEGY  CONTENT       "
            "       "
            "CHANGED  REASON\n"
            "53c777fd07c9  down       edge-1    sending    40 %  10.0 MiB  12 Mbit/s   1m 30s  near      "
            "sha256:aaaaaaaaaaaa  1m 0s\n"
            "0123456789ab  up         operator  suspended  0 %   60.1 KiB  912 kbit/s  -       -         "
            "sha256:bbbbbbbbbbbb  2m 0s    "
            "paused by ann?\n"
            "              -          -         -          -     0 B       -           -       -                       "
            "       -\n");
}

TEST(CliView, ATransferSaysHowItWentAboutItsLink) {
  auto transfer = transfer_json();
  transfer.update({{"state", "suspended"}, {"reason", "paused by ann"}, {"round_trip_ms", 212.5}});
  transfer["strategies"] = {{{"at_ms", 1'000}, {"reason", "unknown link: zstd 3"}},
                            {{"at_ms", 60'000}, {"reason", "round trip 212 ms > 100 ms: zstd 9"}}};
  const auto text = transfer_text(transfer, 120'000);
  EXPECT_EQ(text,
            "suspended  [########------------]   40 %  4.0 MiB of 10.0 MiB\n\n"
            "transfer         53c777fd07c99d4c25f635579ca24c2a\n"
            "to               edge-1\n"
            "content          sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
            "state            suspended\n"
            "reason           paused by ann\n"
            "encoding         zstd, 10.0 MiB for 20.0 MiB\n"
            "sent             5.0 MiB, of these again 1.0 MiB\n"
            "tries per frame  1.07 (most 4)\n"
            "bad frames       2\n"
            "resumed from     1.0 KiB\n"
            "rate             12 Mbit/s\n"
            "round trip       212.5 ms\n"
            "frames           16.0 KiB\n"
            "changed          1m 0s ago\n"
            "\n"
            "STRATEGY SINCE        WHY\n"
            "1970-01-01 00:00:01Z  unknown link: zstd 3\n"
            "1970-01-01 00:01:00Z  round trip 212 ms > 100 ms: zstd 9\n");
  EXPECT_EQ(transfer_text(Json{{"transfer", 7}}, 0).find("STRATEGY"), std::string::npos);
  transfer.update({{"direction", "up"}, {"state", "failed"}, {"failure", "verification_failed"}});
  transfer.erase("tries_most");
  const auto up = transfer_text(transfer, 0);
  for (const char* line : {"\nfrom             edge-1\n", "\nfailure          verification_failed\n",
                           "\ncame             5.0 MiB, of these again 1.0 MiB\n", "\ntries per frame  1.07\n"})
    EXPECT_NE(up.find(line), std::string::npos) << line;
}

TEST(CliView, WhatWaitsSaysWhyAndForHowLong) {
  Json job{{"job", "j"}, {"state", "queued"}, {"submitted_ms", 1000}, {"reason", "old"}};
  EXPECT_EQ(waits_line(job), "");
  job["waits"] = {{"code", "no_room"}, {"reason", "all are full"}};
  EXPECT_EQ(waits_line(job), "nobody knows yet when it starts: all are full");
  job["waits"].update({{"position", 3}, {"wait_s", 79.6}, {"meets_deadline", false}});
  const auto* const line = "number 3 in the queue, starts in about 1m 20s, too late for its deadline: all are full";
  EXPECT_EQ(waits_line(job), line);
  EXPECT_NE(job_table(Json::array({job}), 0).find(line), std::string::npos);
  EXPECT_NE(job_text(job, 0).find(line), std::string::npos);
  EXPECT_NE(explain_text(job).find(line), std::string::npos);
  EXPECT_EQ(waits_line(Json{{"waits", 7}}), "");
  EXPECT_EQ(waits_line(Json{{"meets_deadline", true}}), "");
  EXPECT_EQ(waits_line(Json{{"meets_deadline", false}}),
            "such work takes longer than there is time before its deadline");
}

TEST(CliView, ATemplateShowsWhatItTakes) {
  Json answer{{"name", "t"}, {"version", 1}, {"pushed_by", "plant"}, {"pushed_ms", 0}, {"versions", {1}}};
  answer["template"] = {{"parameters", {{"rate", {{"type", "number"}, {"min", 0.5}, {"max", 100.0}, {"default", 2}}}}},
                        {"job", {{"command", {"a"}}}}};
  const auto shipped = template_text(answer, 0);
  EXPECT_NE(shipped.find("scenario  plant\n"), std::string::npos) << shipped;
  EXPECT_NE(shipped.find("rate       number  2        0.5 to 100"), std::string::npos) << shipped;
  answer["pushed_ms"] = 60'000;
  EXPECT_NE(template_text(answer, 120'000).find("(1m 0s ago) by plant"), std::string::npos);
}

TEST(CliView, ATrialSaysWhereAndWhatWouldWait) {
  Json answer{{"width", 3},
              {"placed", 2},
              {"devices", {"edge-1", "edge-2"}},
              {"placement", {{"candidates", {{{"device", "edge-1"}, {"score", 0.5}}}}, {"reasons", {{"labels/a", 2}}}}},
              {"waits", {{"code", "no_room"}, {"reason", "all are full"}}}};
  const auto text = trial_text(answer);
  EXPECT_NE(text.find("2 of 3 executions would run now, on edge-1, edge-2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("The others would wait: nobody knows yet when it starts: all are full\n"), std::string::npos);
  EXPECT_NE(text.find("Nothing was submitted"), std::string::npos);
  EXPECT_NE(text.find("devices not possible: 2 by labels/a\n"), std::string::npos) << text;
  answer.erase("waits");
  answer.update({{"width", 1}, {"placed", 1}});
  EXPECT_EQ(trial_text(answer).find("It would run now, on edge-1"), 0U);
}

TEST(CliView, StatesReadAsWhatTheyAre) {
  EXPECT_EQ(it_is("running"), "is running");
  EXPECT_EQ(it_is("succeeded"), "succeeded");
  EXPECT_EQ(it_is("failed"), "failed");
  EXPECT_EQ(it_is("cancelled"), "was cancelled");
}

}  // namespace
}  // namespace fieldwork::cli
