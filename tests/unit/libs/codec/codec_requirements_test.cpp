// links: codec GTest::gtest_main
// What a job requires of a device, in the forms that become terms of its expression.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/job.hpp"

namespace fieldwork::codec {
namespace {

TEST(JobRequirements, ArchitectureAndCapabilitiesAreTermsOfTheExpression) {
  const auto error = [](const char* text) { return decode_job(Json::parse(text)).error(); };
  const auto terms = [](const std::string& requirements) {
    const auto job = decode_job(Json::parse(R"({"command":["a"],"requirements":)" + requirements + "}"));
    return job ? job->requirements.expression : describe(job.error());
  };
  EXPECT_EQ(terms(R"({"architecture":"aarch64"})"), R"(architecture == "aarch64")");
  EXPECT_EQ(terms(R"({"capabilities":["camera","gpu"],"expression":"site == a or site == b"})"),
            R"(capability == "camera" and capability == "gpu" and (site == a or site == b))");
  EXPECT_EQ(terms(R"({"architecture":"","capabilities":[]})"), "");
  EXPECT_EQ(error(R"({"command":["a"],"requirements":{"architecture":"a\" or \"b"}})").path,
            "/requirements/architecture");
  EXPECT_EQ(error(R"({"command":["a"],"requirements":{"capabilities":[""]}})").path, "/requirements/capabilities");
}

}  // namespace
}  // namespace fieldwork::codec
