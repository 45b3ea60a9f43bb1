// links: store PkgConfig::PQXX GTest::gtest_main
// The audit table refuses what the audit does not do: changes, and forgetting what is young.
#include "support/postgres_test.hpp"

namespace fieldwork::store {
namespace {

class AuditRowsTest : public PostgresTest {
 protected:
  AuditRowsTest() {
    config.migrations = FIELDWORK_SOURCE_DIR "/services/security-policy/sql";
    EXPECT_TRUE(migrate(config).ok());
    for (const auto& [sequence, days] : {std::pair(1, 400), std::pair(2, 366), std::pair(3, 31), std::pair(4, 29)}) {
      sql("INSERT INTO " + quoted("audit") + " SELECT " + std::to_string(sequence) +
          ", (extract(epoch FROM clock_timestamp()) - 86400 * " + std::to_string(days) +
          ") * 1000, '', '', '', 0, 0, '', '', '', '', '', '', '', ''");
    }
  }
  std::vector<std::string> left() { return sql("SELECT sequence FROM " + quoted("audit") + " ORDER BY 1"); }
};

using Left = std::vector<std::string>;

TEST_F(AuditRowsTest, YoungRowsAreNeitherChangedNorDeleted) {
  for (const char* statement : {"DELETE FROM ", "TRUNCATE "}) {
    EXPECT_THROW(sql(statement + quoted("audit")), pqxx::sql_error) << statement;
  }
  EXPECT_THROW(sql("UPDATE " + quoted("audit") + " SET reason = 'x' WHERE sequence = 1"), pqxx::sql_error);
  EXPECT_EQ(left(), (Left{"1", "2", "3", "4"}));
}

TEST_F(AuditRowsTest, OldRowsGoAndTheNewestStays) {
  PostgresPruner pruner(config);
  const auto year_ago = std::to_string((*pruner.now_us() / 1000) - 365LL * 86'400'000);
  EXPECT_EQ(*pruner.prune({.table = "audit", .column = "at_ms", .before = year_ago, .spare = 1}), 2);
  EXPECT_EQ(left(), (Left{"3", "4"}));
  sql("DELETE FROM " + quoted("audit") + " WHERE sequence = 3");
  const auto too_much = pruner.prune({.table = "audit", .column = "at_ms", .before = "99999999999999"});
  EXPECT_FALSE(too_much.ok()) << "29 days are young";
  EXPECT_EQ(*pruner.prune({.table = "audit", .column = "at_ms", .before = "99999999999999", .spare = 1}), 0);
  EXPECT_EQ(left(), (Left{"4"}));
}

}  // namespace
}  // namespace fieldwork::store
