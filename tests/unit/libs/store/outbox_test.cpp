// links: store GTest::gtest_main
// Commands that must arrive: repeated, hastened by topic, closed, outlived.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "store/memory.hpp"
#include "store/outbox.hpp"

namespace fieldwork::store {
namespace {

using Keys = std::vector<std::string>;

Time at(int s) { return from_ms(0) + seconds(s); }

// An outbox and the table it keeps.
struct Box {
  MemoryStore store;
  Outbox outbox;

  Box() = default;
  explicit Box(Outbox::Limits limits) : outbox(limits) {}

  void apply(int s, OutboxChange change) {
    std::vector<Change> changes;
    outbox.apply(std::move(change), at(s), changes);
    ASSERT_TRUE(store.commit(coalesce(changes)).ok());
  }
  void put(int s, const std::string& key, const std::string& topic, Duration life = {}) {
    apply(s, Command{key, topic, "{}", life});
  }
  Keys due(int s) {
    Keys out;
    for (const auto& command : outbox.due(at(s))) out.push_back(command.key);
    std::sort(out.begin(), out.end());
    return out;
  }
  std::size_t rows() { return store.select({.table = "outbox"})->size(); }
};

TEST(OutboxTopics, HastenTouchesItsTopicOnly) {
  Box box;
  for (const std::string key : {"a1", "a2"}) box.put(0, key, "a");
  box.put(0, "b1", "b");
  EXPECT_EQ(box.due(0).size(), 3U);
  EXPECT_EQ(box.due(2).size(), 3U);
  box.apply(3, Hasten{"a"});
  EXPECT_EQ(box.due(3), (Keys{"a1", "a2"}));
  EXPECT_EQ(box.due(5), (Keys{"a1", "a2"})) << "from the first gap again";
  EXPECT_EQ(box.due(6), Keys{"b1"});
  box.apply(7, Hasten{"nobody"});
  EXPECT_EQ(box.due(7), Keys{});
}

// A device that says hello a thousand times a second gets no more than one that says it once.
TEST(OutboxTopics, HastenIsBounded) {
  Box box;
  box.put(0, "k", "a");
  (void)box.due(0);
  std::size_t said = 0;
  for (int i = 0; i < 1000; ++i) {
    box.apply(10, Hasten{"a"});
    said += box.due(10).size();
  }
  EXPECT_EQ(said, 1U);
  box.apply(12, Hasten{"a"});
  EXPECT_EQ(box.due(12), Keys{"k"}) << "and again two seconds later";
}

TEST(OutboxTopics, AClosedKeyIsNotHastened) {
  Box box;
  box.put(0, "k", "a");
  box.put(0, "l", "a");
  (void)box.due(0);
  box.apply(1, Close{"k"});
  box.apply(1, Hasten{"a"});
  EXPECT_EQ(box.due(1), Keys{"l"});
  box.apply(2, Close{"l"});
  box.put(2, "m", "a");
  EXPECT_EQ(box.due(2), Keys{"m"});
  box.apply(3, Hasten{"a"});
  EXPECT_EQ(box.due(3), Keys{"m"});
}

TEST(OutboxTopics, AKeyThatMovesToAnotherTopicLeavesTheFirst) {
  Box box;
  box.put(0, "k", "a");
  box.put(0, "k", "b");
  EXPECT_EQ(box.due(0), Keys{"k"});
  box.apply(1, Hasten{"a"});
  EXPECT_EQ(box.due(1), Keys{});
  box.apply(1, Hasten{"b"});
  EXPECT_EQ(box.due(1), Keys{"k"});
}

TEST(OutboxLife, EndsInMemoryAndInTheTableAlsoAfterARestart) {
  Box box;
  box.put(0, "mortal", "a", seconds(10));
  box.put(0, "for ever", "a");
  Outbox again;
  ASSERT_TRUE(again.load(box.store, at(9)).ok());
  for (auto* outbox : {&box.outbox, &again}) {
    std::vector<Change> changes;
    outbox->expire(at(9), changes);
    EXPECT_EQ(outbox->size(), 2U);
    outbox->expire(at(10), changes);
    EXPECT_EQ(outbox->size(), 1U);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].key, "mortal");
    EXPECT_EQ(changes[0].kind, Change::Kind::remove);
  }
}

TEST(OutboxLife, ARenewedCommandHasANewOne) {
  Box box;
  box.put(0, "k", "a", seconds(10));
  box.put(5, "k", "a", seconds(10));
  std::vector<Change> changes;
  box.outbox.expire(at(14), changes);
  EXPECT_EQ(box.outbox.size(), 1U);
  box.outbox.expire(at(15), changes);
  EXPECT_EQ(box.outbox.size(), 0U);
}

// Whatever happens in whatever order: what is in memory is what is in the table.
TEST(OutboxProperty, MemoryAndTableAgree) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    const auto draw = [&](int below) { return std::uniform_int_distribution<int>(0, below - 1)(random); };
    Box box;
    std::set<std::string> wanted;
    for (int s = 0; s < 200; ++s) {
      const auto key = "k" + std::to_string(draw(10));
      if (draw(2) == 0) {
        box.put(s, key, "t" + std::to_string(draw(3)));
        wanted.insert(key);
      } else {
        box.apply(s, Close{key});
        wanted.erase(key);
      }
      if (draw(4) == 0) box.apply(s, Hasten{"t" + std::to_string(draw(3))});
      if (draw(5) == 0) (void)box.due(s);
      ASSERT_EQ(box.outbox.size(), wanted.size()) << seed;
      ASSERT_EQ(box.rows(), wanted.size()) << seed;
    }
    box.outbox.hasten_all(at(1000));
    EXPECT_EQ(box.due(1000), Keys(wanted.begin(), wanted.end())) << seed;
  }
}

}  // namespace
}  // namespace fieldwork::store
