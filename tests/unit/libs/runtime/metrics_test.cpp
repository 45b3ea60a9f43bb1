// links: runtime PkgConfig::HTTPLIB GTest::gtest_main
// What a process says of itself: /metrics, /healthz, /readyz, and the log of bad input.
#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <atomic>

#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/reject.hpp"

namespace fieldwork {
namespace {

bool yes() { return true; }

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

struct Answer {
  int status;
  std::string body;
  bool operator==(const Answer&) const = default;
};

Answer get(const metrics::HttpServer& server, const char* path) {
  httplib::Client client("127.0.0.1", server.port());
  const auto answer = client.Get(path);
  return answer ? Answer{answer->status, answer->body} : Answer{-1, httplib::to_string(answer.error())};
}

// --- metrics ------------------------------------------------------------------------------------------------------

TEST(Metrics, CountersGaugesAndHistograms) {
  metrics::count("test_things_total");
  metrics::count("test_things_total", {}, 2.5);
  metrics::count("test_things_total", {{"kind", "a\"b"}});
  metrics::gauge("test_level", 3);
  metrics::gauge("test_level", -1);
  for (const double seconds : {0.00005, 0.002, 0.002, 100.0}) metrics::observe("test_wait_seconds", seconds);
  const auto text = metrics::text();
  for (const char* line :
       {"test_things_total 3.5", R"(test_things_total{kind="a\"b"} 1)", "test_level -1", "test_wait_seconds_count 4",
        R"(test_wait_seconds_bucket{le="0.0001"} 1)", R"(test_wait_seconds_bucket{le="0.003"} 3)",
        R"(test_wait_seconds_bucket{le="10"} 3)", R"(test_wait_seconds_bucket{le="+Inf"} 4)"}) {
    EXPECT_TRUE(has_line(text, line)) << line << " is not in\n" << text;
  }
}

TEST(HttpServer, AnswersOnAFreePort) {
  std::atomic<bool> healthy{true};
  std::atomic<bool> ready{false};
  metrics::HttpServer server(
      "127.0.0.1:0", [&] { return healthy.load(); }, [&] { return ready.load(); });
  ASSERT_TRUE(server.ok());
  EXPECT_GT(server.port(), 0);
  EXPECT_EQ(get(server, "/healthz"), (Answer{200, "ok\n"}));
  EXPECT_EQ(get(server, "/readyz"), (Answer{503, "not yet\n"}));
  ready = true;
  healthy = false;
  EXPECT_EQ(get(server, "/readyz"), (Answer{200, "ok\n"}));
  EXPECT_EQ(get(server, "/healthz"), (Answer{503, "not yet\n"}));
  EXPECT_EQ(get(server, "/").status, 404);
  metrics::count("test_scraped_total");
  const auto scraped = get(server, "/metrics");
  EXPECT_EQ(scraped.status, 200);
  EXPECT_TRUE(has_line(scraped.body, "test_scraped_total 1")) << scraped.body;
}

TEST(HttpServer, APlaceThatIsTakenOrIsNone) {
  metrics::HttpServer server("127.0.0.1:0", yes, yes);
  ASSERT_TRUE(server.ok());
  const auto taken = "127.0.0.1:" + std::to_string(server.port());
  EXPECT_FALSE(metrics::HttpServer(taken, yes, yes).ok()) << "half of the questions would go to another process";
  for (const char* place : {"192.0.2.1:0", "no such host:0", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:http",
                            "127.0.0.1:", "127.0.0.1", ""}) {
    EXPECT_FALSE(metrics::HttpServer(place, yes, yes).ok()) << place;
  }
}

TEST(HttpServer, EndsAtOnceAlsoWhenItHasHardlyBegun) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(metrics::HttpServer("127.0.0.1:0", yes, yes).ok());
}

TEST(HttpServer, TheSamePortAgainAfterTheEnd) {
  int port = 0;
  {
    metrics::HttpServer first("127.0.0.1:0", yes, yes);
    port = first.port();
    EXPECT_EQ(get(first, "/healthz").status, 200);
  }
  metrics::HttpServer second("127.0.0.1:" + std::to_string(port), yes, yes);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(get(second, "/healthz").status, 200);
}

// --- logs ---------------------------------------------------------------------------------------------------------

// What `act` logs, line by line, without the time.
std::vector<std::string> logged(const char* format, const std::function<void()>& act) {
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(log::setup("test", format, "info"));
  act();
  std::istringstream text(::testing::internal::GetCapturedStderr());
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line.substr(line.find_first_of(" ,") + 1));
  return lines;
}

using Lines = std::vector<std::string>;

TEST(Log, OneLineEachInBothFormats) {
  const auto say = [] {
    log::debug("not asked for");
    log::warn("said \"so\"", {{"job", "j\n1"}, {"reason", "\xff"}});
  };
  EXPECT_EQ(logged("text", say), Lines{"warning test: said \"so\" job=j 1 reason=\xff"});
  EXPECT_EQ(logged("json", say), Lines{R"("level":"warning","service":"test","message":"said \"so\"",)"
                                       R"("job":"j\n1","reason":")"
                                       "\xef\xbf\xbd\"}"});
}

TEST(Log, UnknownSettingsAreRefused) {
  EXPECT_FALSE(log::setup("test", "xml", "info"));
  EXPECT_FALSE(log::setup("test", "text", "loud"));
  EXPECT_FALSE(log::setup("test", "text", ""));
  for (const char* level : {"debug", "info", "warn", "error"}) EXPECT_TRUE(log::setup("test", "text", level)) << level;
}

// --- rejections ---------------------------------------------------------------------------------------------------

TEST(RejectionsTest, CountsEachAndLogsOnceABurst) {
  runtime::Rejections rejections;
  const auto at = [](int s) { return from_ms(0) + seconds(s); };
  const Error error{Code::invalid, "must be a string", "/state"};
  const auto lines = logged("text", [&] {
    for (int s = 0; s < 10; ++s) rejections.note("report", "edge-1", error, at(s));
    rejections.note("enrol", "edge-2", error, at(5));
    for (int s = 10; s < 12; ++s) rejections.note("report", "edge-3", error, at(s));
    rejections.note("report", "edge-1", error, at(100));
  });
  EXPECT_EQ(lines, (Lines{
                       "warning test: rejected channel=report from=edge-1 reason=/state: must be a string more_since=0",
                       "warning test: rejected channel=enrol from=edge-2 reason=/state: must be a string more_since=0",
                       "warning test: rejected channel=report from=edge-3 reason=/state: must be a string more_since=9",
                       "warning test: rejected channel=report from=edge-1 reason=/state: must be a string more_since=1",
                   }));
  const auto text = metrics::text();
  EXPECT_TRUE(has_line(text, R"(fieldwork_rejected_total{channel="report"} 13)")) << text;
  EXPECT_TRUE(has_line(text, R"(fieldwork_rejected_total{channel="enrol"} 1)")) << text;
}

TEST(RejectionsTest, OneThatFloodsHidesNobody) {
  runtime::Rejections rejections;
  const Error error{Code::invalid, "no"};
  const auto lines = logged("text", [&] {
    for (int i = 0; i < 100; ++i) rejections.note("want", "edge-1", error, from_ms(i));
    rejections.note("want", "edge-2", error, from_ms(100));
    for (int i = 0; i < 100; ++i) rejections.note("want", "made-up-" + std::to_string(i), error, from_ms(200));
    rejections.note("want", "edge-1", error, from_ms(10'000));
  });
  ASSERT_EQ(lines.size(), runtime::Rejections::senders_max + 1);
  EXPECT_NE(lines[1].find("from=edge-2"), std::string::npos) << lines[1];
  EXPECT_NE(lines.back().find("more_since=191"), std::string::npos) << lines.back();
}

TEST(RejectionsTest, ChannelsThatClientsMakeUpAreBounded) {
  runtime::Rejections rejections;
  const auto lines = logged("text", [&] {
    for (int i = 0; i < 1000; ++i)
      rejections.note("made-up-" + std::to_string(i), "eve", {Code::unknown, "no"}, from_ms(0));
  });
  EXPECT_EQ(lines.size(), runtime::Rejections::channels_max + 1);
  EXPECT_TRUE(has_line(metrics::text(), R"(fieldwork_rejected_total{channel="other"} 968)"));
}

}  // namespace
}  // namespace fieldwork
