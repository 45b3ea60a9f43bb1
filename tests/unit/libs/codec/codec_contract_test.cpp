// links: codec nlohmann_json::nlohmann_json GTest::gtest_main
// What a job says of its tries, and what it must not say together.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/job.hpp"

namespace fieldwork::codec {
namespace {

// The device gives up first, and what is at most once is not begun again: each error names its path.
TEST(JobTest, TheOfflineContractMustNotContradictItself) {
  struct Case {
    const char* more;
    const char* path;
    const char* reason;
  };
  constexpr const char* first = "must be below lost_after_s: the device gives up first";
  const Case cases[] = {
      {R"("offline":{"stop_after_s":9,"lost_after_s":10})", nullptr, nullptr},
      {R"("offline":{"stop_after_s":10,"lost_after_s":10})", "/offline/stop_after_s", first},
      {R"("offline":{"stop_after_s":11,"lost_after_s":10})", "/offline/stop_after_s", first},
      {R"("retry":{"attempts_max":1})", nullptr, nullptr},
      {R"("retry":{"attempts_max":1},"offline":{"replace":false,"on_reboot":"fail"})", nullptr, nullptr},
      {R"("retry":{"attempts_max":1},"offline":{"replace":true})", "/offline/replace",
       "contradicts at_most_once (retry/attempts_max 1 means it, too): it is never replaced"},
      {R"("retry":{"attempts_max":1},"offline":{"on_reboot":"restart"})", "/offline/on_reboot",
       "restart contradicts at_most_once (retry/attempts_max 1 means it, too)"},
      {R"("semantics":"at_most_once")", nullptr, nullptr},
      {R"("semantics":"at_most_once","retry":{"attempts_max":2})", "/retry/attempts_max",
       "contradicts semantics at_most_once: must be 1"},
      {R"("semantics":"at_most_once","offline":{"replace":true})", "/offline/replace",
       "contradicts at_most_once (retry/attempts_max 1 means it, too): it is never replaced"},
      {R"("semantics":"at_least_once","retry":{"attempts_max":1},"offline":{"replace":true,"on_reboot":"restart"})",
       nullptr, nullptr},
      {R"("semantics":"at_least_once","offline":{"replace":false})", "/offline/replace",
       "contradicts semantics at_least_once: a lost attempt is followed by another"},
      {R"("retry":{"attempts_max":2},"offline":{"replace":true,"on_reboot":"restart"})", nullptr, nullptr},
      {R"("offline":{"replace":true,"on_reboot":"restart"})", nullptr, nullptr},
  };
  for (const auto& c : cases) {
    const auto job = decode_job(Json::parse(std::string(R"({"command":["a"],)") + c.more + "}"));
    ASSERT_EQ(job.ok(), c.path == nullptr) << c.more;
    if (job.ok()) continue;
    EXPECT_EQ(job.error(), (Error{Code::invalid, c.reason, c.path})) << c.more;
  }
}

}  // namespace
}  // namespace fieldwork::codec
