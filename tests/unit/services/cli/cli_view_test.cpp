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
  EXPECT_NE(text.find("\nEXECUTION  DEVICE  ATTEMPT  FENCE  STATE    EXIT  ELAPSED  OUTPUT  REASON\n0          d-1     "
                      "1        1      "
                      "running  -     -        -\n"),
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
         {"candidates", {{{"device", "d-1"}, {"score", 0.75}, {"components", {{"fit", 0.5}, {"health", 1}}}}}},
         {"filtered", {{{"device", "d-2"}, {"requirement", "labels.zone"}, {"reason", "is b, not a"}}}}}}}};
  EXPECT_EQ(explain_text(answer),
            "job j-1 is running\n"
            "\n"
            "execution 0 is running: d-1 was chosen\n"
            "   CANDIDATE  SCORE  fit    health\n"
            "*  d-1        0.750  0.500  1.000\n"
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
                     {"size_bytes", 1536},
                     {"release", release},
                     {"released_by", std::string(64, 'b')},
                     {"names", {{{"name", "anomaly"}, {"version", "1.0"}}, {{"name", "same"}, {"version", "2"}}}}};
  EXPECT_EQ(package_table(Json::array({package}), 120'000),
            "NAME     VERSION  SIZE     AGE    RELEASED BY   DIGEST\n"
            "anomaly  1.0      1.5 KiB  1m 0s  bbbbbbbbbbbb  sha256:aaaaaaaaaaaa\n"
            "same     2        1.5 KiB  -      bbbbbbbbbbbb  sha256:aaaaaaaaaaaa\n");
  const auto text = package_text(package, 120'000);
  EXPECT_NE(text.find("digest       " + digest + "\n"), std::string::npos) << text;
  EXPECT_NE(text.find("released     1970-01-01 00:01:00Z (1m 0s ago)\n"), std::string::npos) << text;
  EXPECT_EQ(package_table(Json::array({Json{{"digest", 7}}}), 0),
            "NAME  VERSION  SIZE  AGE  RELEASED BY  DIGEST\n-     -        0 B   -    -\n");
}

TEST(CliView, StatesReadAsWhatTheyAre) {
  EXPECT_EQ(it_is("running"), "is running");
  EXPECT_EQ(it_is("succeeded"), "succeeded");
  EXPECT_EQ(it_is("failed"), "failed");
  EXPECT_EQ(it_is("cancelled"), "was cancelled");
}

}  // namespace
}  // namespace fieldwork::cli
