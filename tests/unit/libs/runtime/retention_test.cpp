// links: runtime store GTest::gtest_main
// Old rows go in batches, those of a rule that failed in the next round, and nothing happens before its time.
#include <gtest/gtest.h>

#include <future>

#include "runtime/retention.hpp"
#include "store/memory.hpp"

namespace fieldwork::runtime {
namespace {

constexpr std::int64_t now_ms = 1'000'000;

// Seen by the retention's thread; `done` is set when it asks for the time after the last row has gone.
class Rows : public store::Pruner {
 public:
  Rows() {
    std::vector<store::Change> changes;
    for (int i = 0; i < 10; ++i) {
      const auto key = std::to_string(i);
      changes.push_back({"t", key, {{"at_ms", now_ms - i * 1000}}});
    }
    EXPECT_TRUE(store_.commit(changes).ok());
    store_.set_now_us(now_ms * 1000);
  }
  Result<std::int64_t> prune(const store::Prune& prune) override {
    if (failures-- > 0) return Error{Code::unavailable, "away"};
    auto removed = store_.prune(prune);
    batches.push_back(*removed);
    keeps.push_back(prune.keep);
    return removed;
  }
  Result<std::int64_t> now_us() override {
    if (!batches.empty() && batches.back() == 0 && !told_) {
      told_ = true;
      done.set_value(store_.select({.table = "t"})->size());
    }
    return store_.now_us();
  }

  int failures = 0;
  std::vector<std::int64_t> batches, keeps;
  std::promise<std::size_t> done;

 private:
  store::MemoryStore store_;
  bool told_ = false;
};

const RetentionPace quick{.first = milliseconds(1), .each = milliseconds(1), .keep_each = 2, .pause = milliseconds(1)};

RetentionRule rule(Duration kept_for, std::int64_t keep = 0) {
  return {.prune = {.table = "t", .column = "at_ms", .keep = keep, .limit = 2}, .kept_for = kept_for};
}

TEST(RetentionTest, OldRowsGoInBatchesAlsoAfterAFailure) {
  auto rows = std::make_unique<Rows>();
  auto& seen = *rows;
  seen.failures = 3;
  auto left = seen.done.get_future();
  {
    Retention retention(std::move(rows), {rule(milliseconds(4500))}, quick);
    ASSERT_EQ(left.wait_for(seconds(60)), std::future_status::ready);
    EXPECT_EQ(left.get(), 5U);
  }
}

TEST(RetentionTest, RowsAreCountedInSomeRoundsOnly) {
  auto rows = std::make_unique<Rows>();
  auto& seen = *rows;
  auto left = seen.done.get_future();
  Retention retention(std::move(rows), {rule(Duration{0}, 7)}, quick);
  ASSERT_EQ(left.wait_for(seconds(60)), std::future_status::ready);
  EXPECT_EQ(left.get(), 7U);
}

TEST(RetentionTest, EndsWhileItWaits) {
  auto rows = std::make_unique<Rows>();
  Retention retention(std::move(rows), {rule(seconds(1))}, {.first = std::chrono::hours{10}});
}

}  // namespace
}  // namespace fieldwork::runtime
