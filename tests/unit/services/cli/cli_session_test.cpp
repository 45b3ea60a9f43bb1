// links: cli_lib GTest::gtest_main
// A session over a bus that answers before its publish returns, says that services are down, or refuses.
#include "session.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/cli_line.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

bus::Message said(const std::string& service, const std::string& state) {
  return {.topic = "fieldwork/v1/state/service/" + service,
          .payload = codec::dump({{"v", 1}, {"service", service}, {"state", state}, {"version", "1"}}),
          .retain = true};
}

class CliSession : public testing::Test {
 protected:
  std::unique_ptr<Session> open() {
    Settings settings;
    settings.root = "fieldwork/v1";
    settings.root_origin = "root from default";
    settings.from = "operator";
    auto session = Session::open(settings, {}, options, [this](bus::MqttConfig, bus::MqttEvents events) {
      return std::make_unique<FakeLine>(std::move(events), answer, retained, published, refuses);
    });
    return std::move(*session);
  }
  static bus::Message to(const bus::Message& question, const std::string& payload) {
    return {.topic = question.response_topic, .payload = payload, .correlation = question.correlation};
  }

  Options options;
  FakeLine::Answer answer = [](const bus::Message&) { return bus::Message{}; };
  std::vector<bus::Message> retained;
  std::vector<bus::Message> published;
  bool refuses = false;
};

TEST_F(CliSession, AnAnswerThatIsThereBeforePublishReturnsIsTaken) {
  answer = [](const bus::Message& m) { return to(m, R"({"v":1,"items":[]})"); };
  const auto answered = open()->request("registry", "list", Json::object());
  EXPECT_TRUE(answered);
  EXPECT_EQ(published.size(), 1U) << "asked again: the first answer was thrown away";
}

TEST_F(CliSession, AnAnswerToNobodysQuestionIsThrownAway) {
  options.timeout_s = 0.2;
  answer = [](const bus::Message& m) {
    auto other = to(m, R"({"v":1})");
    other.correlation = "other";
    return other;
  };
  retained = {said("registry", "up")};
  const auto answered = open()->request("registry", "list", Json::object());
  EXPECT_EQ(answered.failure().exit, Exit::timed_out);
}

TEST_F(CliSession, AServiceThatIsDownIsNamed) {
  retained = {said("scheduler", "down"), said("registry", "up")};
  const auto answered = open()->request("scheduler", "list", Json::object());
  EXPECT_EQ(answered.failure().exit, Exit::unreachable);
  EXPECT_NE(answered.failure().reason.find("the service scheduler is down"), std::string::npos)
      << answered.failure().reason;
}

TEST_F(CliSession, ADownServiceThatAnswersAllTheSameIsHeard) {
  retained = {said("scheduler", "down")};
  int asked = 0;
  answer = [&](const bus::Message& m) { return ++asked == 1 ? bus::Message{} : to(m, R"({"v":1})"); };
  EXPECT_TRUE(open()->request("scheduler", "list", Json::object()));
}

TEST_F(CliSession, TheTimeoutNamesWhoIsDownBehindTheOneThatWasAsked) {
  options.timeout_s = 0.2;
  retained = {said("scheduler", "up"), said("security-policy", "down")};
  const auto answered = open()->request("scheduler", "submit", Json::object());
  EXPECT_EQ(answered.failure().exit, Exit::timed_out);
  EXPECT_NE(answered.failure().reason.find("Down, by their own word: security-policy"), std::string::npos)
      << answered.failure().reason;
}

TEST_F(CliSession, AnEmptyRootIsTold) {
  options.timeout_s = 0.2;
  const std::string expected =
      "No service was ever seen below the root fieldwork/v1 (state/service is empty there): is it right? (root from "
      "default)";
  const auto unheard = open()->request("scheduler", "list", Json::object());
  EXPECT_NE(unheard.failure().reason.find(expected), std::string::npos) << unheard.failure().reason;
  refuses = true;
  const auto refused = open()->request("scheduler", "list", Json::object());
  EXPECT_EQ(refused.failure().exit, Exit::denied);
  EXPECT_NE(refused.failure().reason.find(expected), std::string::npos) << refused.failure().reason;
}

TEST_F(CliSession, AnErrorNamesWhatWasAskedFor) {
  answer = [](const bus::Message& m) {
    return to(m, R"({"v":1,"error":{"code":"unknown","path":"/job","reason":"no such job"}})");
  };
  const auto answered = open()->request("scheduler", "show", {{"job", "j-1"}});
  EXPECT_EQ(answered.failure().exit, Exit::failed);
  EXPECT_EQ(answered.failure().reason, "job j-1: no such job. See fieldwork job ls");
}

}  // namespace
}  // namespace fieldwork::cli
