// links: registry_shell GTest::gtest_main
// What is kept of heartbeats: single ones, minutes, hours; their bounds; what is left of them after a restart.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "registry/shell/history.hpp"
#include "registry/shell/rows.hpp"
#include "support/registry_core.hpp"

namespace fieldwork::registry {
namespace {

// t0 is 40 s into a minute, and 2,800 s into an hour.
constexpr std::int64_t minute0 = 999'960'000;
constexpr std::int64_t hour0 = 997'200'000;

double mean(const HistoryRow& row, Measure measure) { return row.period.mean(measure).value_or(-1); }
double worst(const HistoryRow& row, Measure measure) { return row.period.worst[static_cast<std::size_t>(measure)]; }

struct Fleet {
  Registry registry = with(online);
  std::int64_t beat = 1;
  std::vector<HistoryRow> rows;

  void keep(const Output& out) { rows.insert(rows.end(), out.history.begin(), out.history.end()); }
  void beats(double s, double round_trip_ms) {
    auto said = heartbeat(3, 0.2, beat++);
    said.link.round_trip_ms = round_trip_ms;
    keep(step(registry, HeartbeatArrived{edge, said}, at(s)));
  }
  [[nodiscard]] std::vector<HistoryRow> of(Resolution resolution) const {
    std::vector<HistoryRow> out;
    for (const auto& row : rows) {
      if (row.resolution == resolution) out.push_back(row);
    }
    return out;
  }
};

TEST(RegistryHistory, KeepsEachHeartbeatAndOfEachMinuteTheMeanAndTheWorst) {
  Fleet fleet;
  for (int s = 0; s < 90; s += 5) fleet.beats(s, s);  // 4 in the first minute, 12 in the second, 2 in the third
  const auto raw = fleet.of(Resolution::raw), minutes = fleet.of(Resolution::minute);
  ASSERT_EQ(raw.size(), 18U);
  EXPECT_EQ(raw[3].period.from_ms, to_ms(at(15)));
  EXPECT_EQ(mean(raw[3], Measure::round_trip), 15);
  ASSERT_EQ(minutes.size(), 2U);
  EXPECT_EQ(minutes[0].period.from_ms, minute0);
  EXPECT_EQ(minutes[0].period.beats, 4);
  EXPECT_EQ(mean(minutes[0], Measure::round_trip), 7.5);  // (0 + 5 + 10 + 15) / 4
  EXPECT_EQ(worst(minutes[0], Measure::round_trip), 15);
  EXPECT_EQ(minutes[1].period.from_ms, minute0 + 60'000);
  EXPECT_EQ(minutes[1].period.beats, 12);
  EXPECT_EQ(mean(minutes[1], Measure::round_trip), 47.5);    // 20 to 75
  EXPECT_NEAR(mean(minutes[1], Measure::memory), 10, 1e-9);  // 900 of 1,000 MB are available
  EXPECT_EQ(minutes[1].period.mean(Measure::temperature), std::nullopt);
  EXPECT_TRUE(fleet.of(Resolution::hour).empty());
}

TEST(RegistryHistory, TheWorstHealthIsTheLeast) {
  Period period;
  Measures measures;
  for (const double health : {0.9, 0.5, 0.7}) {
    measures[0] = health;
    period.add(measures);
  }
  EXPECT_EQ(period.worst[0], 0.5);
  EXPECT_NEAR(*period.mean(Measure::health), 0.7, 1e-12);
}

TEST(RegistryHistory, ThePeriodsOfADeviceThatFellSilentEnd) {
  Fleet fleet;
  fleet.beats(1, 10);
  for (double s = 2; s < 900; s += 0.5) fleet.keep(step(fleet.registry, TimePassed{}, at(s)));
  ASSERT_EQ(fleet.of(Resolution::minute).size(), 1U);
  const auto hours = fleet.of(Resolution::hour);
  ASSERT_EQ(hours.size(), 1U);
  EXPECT_EQ(hours[0].period.from_ms, hour0);
  EXPECT_EQ(hours[0].period.beats, 1);
}

TEST(RegistryHistory, ManyHeartbeatsHaveFewRowsAndAllCount) {
  Fleet fleet;
  for (int s = 0; s < 20; ++s) fleet.beats(s, 1);
  fleet.beats(20, 1);
  EXPECT_EQ(fleet.of(Resolution::raw).size(), 6U);  // 0, 4, 8, 12, 16, 20
  EXPECT_EQ(fleet.of(Resolution::minute).at(0).period.beats, 20);
}

TEST(RegistryHistory, ALargeFleetKeepsNoMoreRowsASecondThanItMay) {
  std::vector<Record> records;
  for (int i = 0; i < 10; ++i) {
    records.push_back(record(online));
    records.back().device.id = DeviceId("d" + std::to_string(i));
  }
  Limits limits;
  limits.history_rows_per_s = 1;
  Registry registry(limits, records, t0);
  std::size_t rows = 0;
  for (int s = 0; s < 100; s += 5) {
    for (const auto& one : records) {
      const auto out = step(registry, HeartbeatArrived{one.device.id, heartbeat(3, 0.2, s + 1)}, at(s));
      for (const auto& row : out.history) rows += row.resolution == Resolution::raw ? 1 : 0;
    }
  }
  EXPECT_EQ(rows, 100U);
}

TEST(RegistryHistory, ALateOrRepeatedHeartbeatCountsOnce) {
  Fleet fleet;
  fleet.beats(1, 1);
  fleet.beats(6, 1);
  for (const std::int64_t beat : {1, 2}) {
    fleet.keep(step(fleet.registry, HeartbeatArrived{edge, heartbeat(3, 0.2, beat)}, at(12)));
  }
  EXPECT_EQ(fleet.of(Resolution::raw).size(), 2U);
  EXPECT_EQ(fleet.registry.find(edge)->history.minute.beats, 2);
}

// As after kill -9 right after a row was saved.
TEST(RegistryHistory, GoesOnAfterARestartWithTheSameSigns) {
  Fleet fleet;
  for (int s = 0; s < 60; s += 5) fleet.beats(s, s);
  fleet.beat += 3;  // three are lost on their way
  auto said = heartbeat(3, 0.2, fleet.beat++);
  said.link.reconnects = 2;
  said.outcomes = {.succeeded = 4, .failed = 2};
  const auto out = step(fleet.registry, HeartbeatArrived{edge, said}, at(61));
  const double score = fleet.registry.find(edge)->device.health;
  EXPECT_LT(score, 0.8);
  ASSERT_EQ(out.devices.size(), 1U);
  Registry again(Limits{}, {stored(out.devices[0])}, at(62));
  EXPECT_EQ(again.find(edge)->history, fleet.registry.find(edge)->history);
  said.beat = fleet.beat++;
  const auto after = step(again, HeartbeatArrived{edge, said}, at(66));
  EXPECT_NEAR(again.find(edge)->device.health, score, 0.01);
  EXPECT_EQ(again.find(edge)->history.hour.beats, 14);
  ASSERT_EQ(after.history.size(), 1U);
}

// Else a device could keep the registry from starting again, or its rows from being stored.
TEST(RegistryHistory, WhateverADeviceSaysCanBeStoredAndReadBack) {
  Fleet fleet;
  fleet.beats(0, 1);
  auto said = heartbeat(3, 0.2, limits::integer_max);
  said.link.reconnects = limits::integer_max;
  said.outcomes = {limits::integer_max, limits::integer_max};
  said.resources.temperature_c = 1e-50;
  said.link.round_trip_ms = 1e9;
  const auto out = step(fleet.registry, HeartbeatArrived{edge, said}, at(61));
  const auto& record = out.devices.at(0);
  EXPECT_EQ(stored(record).signs, record.signs);
  const auto row = nlohmann::json::parse(to_row(out.history.back()).to_json());
  EXPECT_EQ(row.at("temperature"), 0.0);
}

TEST(RegistryHistory, WhatCannotBeReadOfTheSignsIsLeftOut) {
  auto row = nlohmann::json::parse(to_row(record(online)).to_json());
  row["kept"] = {{"signs", {{"faded_ms", -1}}}, {"hour", 7}};
  const auto read = from_row(row.dump());
  ASSERT_TRUE(read.ok()) << describe(read.error());
  EXPECT_EQ(read->history, History{});
  EXPECT_EQ(read->faded_ms, 0);
}

TEST(RegistryHistory, APeriodOfAllDevicesEndsAFewAtATime) {
  std::vector<Record> records;
  for (int i = 0; i < 1200; ++i) {
    records.push_back(record(online));
    records.back().device.id = DeviceId("d" + std::to_string(i));
    records.back().history.minute.from_ms = minute0;
    records.back().history.minute.add(Measures{0.5});
  }
  Registry registry(Limits{}, records, at(30));
  (void)step(registry, LinkBack{}, at(30));
  std::vector<std::size_t> ended;
  for (double s = 31; s < 34; s += 0.5) ended.push_back(step(registry, TimePassed{}, at(s)).history.size());
  EXPECT_EQ(ended, (std::vector<std::size_t>{500, 500, 200, 0, 0, 0}));
}

TEST(RegistryHistory, TheSignsFadeWhileTheRegistryIsAway) {
  auto saved = record(online);
  saved.device.measured = true;
  saved.signs.missed = 6;
  saved.faded_ms = to_ms(t0);
  Registry registry(Limits{}, {stored(saved)}, at(1200));  // two times ten minutes later
  (void)step(registry, HeartbeatArrived{edge, heartbeat(3)}, at(1200));
  EXPECT_NEAR(registry.find(edge)->signs.missed, 6 * std::exp(-2), 1e-6);
}

TEST(RegistryHistory, ARequestIsReadOrSaysWhatIsWrong) {
  const auto good = decode_history_request(R"({"v":1,"device":"d","resolution":"hour","from_ms":5,"until_ms":9})");
  ASSERT_TRUE(good.ok());
  const auto asked = range(*good);
  EXPECT_EQ(asked.table, "history_hour");
  EXPECT_EQ(asked.from, "5");
  EXPECT_EQ(asked.to, "9");
  const std::pair<const char*, const char*> bad[] = {{R"({"v":1,"device":"d","resolution":"day"})", "/resolution"},
                                                     {R"({"v":1,"device":"d","from_ms":9,"until_ms":9})", "/until_ms"},
                                                     {R"({"v":1,"device":"d","limit":513})", "/limit"},
                                                     {R"({"v":1})", "/device"}};
  for (const auto& [text, path] : bad) EXPECT_EQ(decode_history_request(text).error().path, path) << text;
}

TEST(RegistryHistory, ThePageEndsWithTheOpenPeriodThatIsAskedFor) {
  Period open{.from_ms = 120'000};
  open.add(Measures{0.5});
  const Result<store::Page> page =
      store::Page{{R"({"device":"d","from_ms":60000,"beats":12,"health":0.98,"health_worst":0.9,"cpu":null})"}, ""};
  HistoryAsked asked{.device = DeviceId("d"), .resolution = Resolution::minute, .from_ms = 60'000, .until_ms = 120'001};
  const auto both = history_page(asked, page, &open);
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(codec::dump(both->at("items")),
            R"([{"beats":12,"from_ms":60000,"mean":{"health":0.98},"worst":{"health":0.9}},)"
            R"({"beats":1,"from_ms":120000,"mean":{"health":0.5},"open":true,"worst":{"health":0.5}}])");
  asked.until_ms = 120'000;
  EXPECT_EQ(history_page(asked, page, &open)->at("items").size(), 1U);
  const Result<store::Page> first = store::Page{{}, "cursor"};
  const auto more = history_page(asked, first, &open);
  EXPECT_TRUE(more->at("items").empty());
  EXPECT_EQ(more->at("next"), "cursor");
  EXPECT_EQ(history_page(asked, Error{Code::unavailable, "took too long"}, nullptr).error().code, Code::unavailable);
}

}  // namespace
}  // namespace fieldwork::registry
