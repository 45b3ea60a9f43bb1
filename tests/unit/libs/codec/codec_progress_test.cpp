// links: codec GTest::gtest_main
// How far a program says that it is: what its fields say of each other, and what is left out when it is written.
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

std::string outcome(const char* text) {
  const auto read = decode_run_progress(Json::parse(text));
  return read ? "read: " + dump(encode(*read)) : describe(read.error());
}

TEST(ProgressTest, DoneAndTotalStandTogether) {
  EXPECT_EQ(outcome(R"({"done":0,"total":1})"), R"(read: {"done":0,"total":1})");
  EXPECT_EQ(outcome(R"({"done":9007199254740991,"total":9007199254740991})"),
            R"(read: {"done":9007199254740991,"total":9007199254740991})");
  EXPECT_EQ(outcome(R"({"done":3})"), "/total: is missing: done and total stand together");
  EXPECT_EQ(outcome(R"({"total":3})"), "/done: is missing: done and total stand together");
  EXPECT_EQ(outcome(R"({"done":0,"total":0})"), "/total: must be a whole number from 1 to 9007199254740991");
  EXPECT_EQ(outcome(R"({"done":-1,"total":3})"), "/done: must be a whole number from 0 to 9007199254740991");
  EXPECT_EQ(outcome(R"({"done":9007199254740992,"total":3})"),
            "/done: must be a whole number from 0 to 9007199254740991");
}

TEST(ProgressTest, NothingIsSaidOfWhatIsNotKnown) {
  EXPECT_EQ(outcome("{}"), "read: {}");
  EXPECT_EQ(outcome(R"({"step":"","message":""})"), "read: {}");
  EXPECT_EQ(dump(encode(RunProgress{.done = 3})), "{}") << "of how much?";
}

TEST(ProgressTest, WhoEncodesItKeepsItWithinItsBounds) {
  const RunProgress most{.step = std::string(65, 's'), .message = std::string(257, 'm')};
  const auto read = decode_run_progress(encode(most));
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(read->step, std::string(limits::step_bytes_max - 3, 's') + "...");
  EXPECT_EQ(read->message, std::string(limits::progress_message_bytes_max - 3, 'm') + "...");
  for (const double none : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(dump(encode(RunProgress{.fraction = none})), "{}") << none;
  }
  // Never more than is done, and no more digits than anybody reads.
  EXPECT_EQ(encode(RunProgress{.fraction = 0.99999}).at("fraction"), 0.9999);
  EXPECT_EQ(encode(RunProgress{.fraction = 1}).at("fraction"), 1);
  EXPECT_EQ(encode(RunProgress{.fraction = 1.0 / 3}).at("fraction"), 0.3333);
  // Nor less, for lack of a binary digit.
  for (int i = 0; i <= 100; ++i) {
    EXPECT_EQ(encode(RunProgress{.fraction = i * 0.01}).at("fraction"), i / 100.0) << i;
    EXPECT_EQ(encode(RunProgress{.fraction = i / 100.0}).at("fraction"), i / 100.0) << i;
  }
}

}  // namespace
}  // namespace fieldwork::codec
