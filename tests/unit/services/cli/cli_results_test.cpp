// links: cli_lib GTest::gtest_main
// What a settled job left behind, when those who say so are not to be trusted.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "crypto/digest.hpp"
#include "results.hpp"

namespace fieldwork::cli {
namespace {

namespace fs = std::filesystem;
using codec::Json;

OutputFile file(const std::string& path, const std::string& content) {
  return {.path = path,
          .size_bytes = static_cast<std::int64_t>(content.size()),
          .digest = crypto::digest_of(content),
          .content = content};
}

Outcome<bool> no_fetch(const OutputFile& /*file*/, const fs::path& /*path*/) {
  ADD_FAILURE() << "there is nothing to fetch";
  return true;
}

TEST(CliResults, PathsStayInside) {
  for (const auto* good : {"a", "a/b", "..a/b", "a.."}) EXPECT_TRUE(stays_inside(good)) << good;
  for (const auto* bad : {"", "/a", "..", "../a", "a/../../b", "a/..", "a/"}) EXPECT_FALSE(stays_inside(bad)) << bad;
}

TEST(CliResults, AResultThatCannotBeReadIsNotForgotten) {
  RunResult bad;
  bad.files = {file("../evil", "x")};
  const Json job{{"executions",
                  {{{"execution", 0}, {"device", "d-1"}, {"result", codec::encode(RunResult{.exit_code = 3})}},
                   {{"execution", 1}, {"device", "d-2"}},
                   {{"execution", 2}, {"device", "d-3"}, {"result", codec::encode(bad)}}}}};
  const auto results = results_of(job);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].result.exit_code, 3);
  EXPECT_EQ(results[0].wrong, "");
  EXPECT_EQ(results[1].execution, 2);
  EXPECT_EQ(results[1].device, "d-3");
  EXPECT_EQ(results[1].wrong, "/files/0/path: must be a relative path inside the working directory");
  auto written = write_files(results, fs::temp_directory_path(), no_fetch);
  ASSERT_TRUE(written);
  EXPECT_TRUE(written->missing);
}

// Also behind the codec.
TEST(CliResults, NothingIsWrittenOutside) {
  std::string name = (fs::temp_directory_path() / "fieldwork-results-XXXXXX").string();
  const fs::path place = mkdtemp(name.data());
  ExecutionResult one{.execution = 0, .device = "d-1"};
  one.result.files = {file("../evil", "x"), file("out/good", "y"), file("other", "z")};
  one.result.files[2].content = "not what the digest says";
  auto written = write_files({one}, place / "inside", no_fetch);
  ASSERT_TRUE(written);
  EXPECT_TRUE(written->missing);
  ASSERT_EQ(written->lines.size(), 3U);
  EXPECT_NE(written->lines[0].find("leads outside"), std::string::npos) << written->lines[0];
  EXPECT_TRUE(written->lines[1].starts_with("wrote ")) << written->lines[1];
  EXPECT_NE(written->lines[2].find("has another digest"), std::string::npos) << written->lines[2];
  EXPECT_FALSE(fs::exists(place / "evil"));
  EXPECT_TRUE(fs::exists(place / "inside/out/good"));
  EXPECT_FALSE(fs::exists(place / "inside/other"));
  fs::remove_all(place);
}

}  // namespace
}  // namespace fieldwork::cli
