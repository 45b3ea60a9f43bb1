// links: store nlohmann_json::nlohmann_json PkgConfig::PQXX GTest::gtest_main
// One active instance at a time, against a real PostgreSQL whose sessions end under our hands.
#include <netinet/tcp.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "support/postgres_test.hpp"

// libpqxx 6.4 loses the answer it was reading when a session breaks; nobody but LeakSanitizer minds.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:PQmakeEmptyPGresult\n"; }

namespace fieldwork::store {
namespace {

using Rows = std::vector<std::string>;

class TermTest : public PostgresTest {
 protected:
  TermTest() {
    write("0001_table.sql", "CREATE TABLE t (key text PRIMARY KEY, n int)");
    EXPECT_TRUE(migrate(config).ok());
  }
  static std::vector<Change> put(const std::string& key, int n) {
    return {{"t", key, {{"key", key}, {"n", n}}, Change::Kind::upsert}};
  }
  Rows rows() { return sql("SELECT key, n FROM " + quoted("t") + " ORDER BY key"); }
  static void expect(const Result<void>& done, Code code) {
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, code) << describe(done.error());
  }
  static void expect_done(const Result<void>& done) { EXPECT_TRUE(done.ok()) << describe(done.error()); }
};

TEST_F(TermTest, ASecondInstanceWaitsUntilTheFirstIsGone) {
  auto first = activate();
  for (int i = 0; i < 3; ++i) {
    const auto second = PostgresStore::activate(config);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::unavailable);
  }
  expect_done(first->commit(put("a", 1)));
  first.reset();
  const auto second = activate();
  expect_done(second->commit(put("a", 2)));
  EXPECT_EQ(rows(), Rows{"a|2"});
}

TEST_F(TermTest, ServicesDoNotWaitForEachOther) {
  auto other = config;
  other.schema += " too";
  ASSERT_TRUE(migrate(other).ok());
  const auto one = activate();
  const auto two = PostgresStore::activate(other);
  ASSERT_TRUE(two.ok()) << describe(two.error());
  expect_done(one->commit(put("a", 1)));
  expect_done((*two)->commit(put("a", 2)));
  EXPECT_EQ(rows(), Rows{"a|1"});
}

TEST_F(TermTest, AServerThatIsNotThere) {
  config.url = "postgresql://postgres@127.0.0.1:" + std::to_string(support::free_port()) + "/postgres";
  const auto store = PostgresStore::activate(config);
  ASSERT_FALSE(store.ok());
  EXPECT_EQ(store.error().code, Code::unavailable);
}

TEST_F(TermTest, ASessionThatEndedWithNobodyBetweenGoesOn) {
  const auto store = activate();
  expect_done(store->commit(put("a", 1)));
  for (int i = 2; i < 5; ++i) {
    end_sessions();
    expect_done(patiently(*store, put("a", i)));
    EXPECT_EQ(rows(), Rows{"a|" + std::to_string(i)});
  }
  end_sessions();
  const auto read = patiently<Rows>([&] { return store->select({.table = "t"}); });
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, Rows{R"({"key":"a","n":4})"});
  expect_done(patiently(*store, put("b", 1)));
}

TEST_F(TermTest, ACommitThatWasCutOffDidNothingAndIsDoneByTheSecond) {
  const auto store = activate();
  expect_done(store->commit(put("a", 1)));
  // It waits for this lock when its session ends.
  pqxx::connection blocker(config.url);
  auto lock = std::make_unique<pqxx::work>(blocker);
  lock->exec("LOCK TABLE " + quoted("t") + " IN ACCESS EXCLUSIVE MODE");
  Result<void> done;
  std::thread committing([&] { done = store->commit(put("a", 2)); });
  const std::string waiting = " FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()";
  waits_until("SELECT count(*)" + waiting, {"1"});
  EXPECT_EQ(sql("SELECT pg_terminate_backend(pid, 30000)" + waiting), Rows{"t"});
  committing.join();
  lock.reset();
  expect(done, Code::unavailable);
  EXPECT_EQ(rows(), Rows{"a|1"});
  expect_done(patiently(*store, put("a", 2)));
  EXPECT_EQ(rows(), Rows{"a|2"});
}

TEST_F(TermTest, WhoseTermHasPassedChangesNothingMore) {
  const auto first = activate();
  expect_done(first->commit(put("a", 1)));
  end_sessions();
  auto second = activate();
  expect_done(second->commit(put("a", 2)));
  const auto beside = first->commit(put("a", 3));
  ASSERT_FALSE(beside.ok()) << "two at once";
  EXPECT_TRUE(beside.error().code == Code::conflict || beside.error().code == Code::unavailable)
      << describe(beside.error());
  EXPECT_EQ(rows(), Rows{"a|2"});
  expect_done(second->commit(put("b", 2)));
  second.reset();
  for (int i = 0; i < 3; ++i) expect(patiently(*first, put("a", 3)), Code::conflict);
  EXPECT_EQ(rows(), (Rows{"a|2", "b|2"}));
}

TEST_F(TermTest, AlsoWhenTheOtherDidNothing) {
  const auto first = activate();
  end_sessions();
  (void)activate();
  expect(patiently(*first, put("a", 3)), Code::conflict);
  EXPECT_EQ(rows(), Rows{});
}

// --- what an instance knows of itself ----------------------------------------------------------------------------

TEST_F(TermTest, AnIdleInstanceHearsThatItWasReplaced) {
  const auto first = activate();
  expect_done(first->check());
  end_sessions();
  const auto second = activate();
  expect(patiently<void>([&] { return first->check(); }), Code::conflict);
  expect_done(second->check());
}

TEST_F(TermTest, ADatabaseThatForgotACommitIsNotGoneOnWith) {
  const auto store = activate();
  expect_done(store->commit(put("a", 1)));
  expect_done(store->commit(put("a", 2)));
  end_sessions();
  sql("UPDATE " + quoted("term") + " SET commits = commits - 1");  // what a restored copy says
  expect(patiently(*store, put("a", 3)), Code::conflict);
  EXPECT_EQ(rows(), Rows{"a|2"});
}

TEST_F(TermTest, AnotherTermInTheOpenSessionEndsTheCommitToo) {
  const auto store = activate();
  expect_done(store->commit(put("a", 1)));
  sql("UPDATE " + quoted("term") + " SET term = term + 1");
  expect(store->commit(put("a", 2)), Code::conflict);
  expect(store->check(), Code::conflict);
  EXPECT_EQ(rows(), Rows{"a|1"});
}

// --- who may take over --------------------------------------------------------------------------------------------

TEST_F(TermTest, ASilentHolderIsReplacedAndLearnsIt) {
  const auto first = activate();
  expect_done(first->commit(put("a", 1)));
  Turn turn(config);
  EXPECT_FALSE(turn.attempt().ok()) << "it renewed a moment ago";
  expect_done(first->check());
  sql("UPDATE " + quoted("term") + " SET renewed_at = clock_timestamp() - interval '11 s'");
  const auto second = patiently<std::unique_ptr<PostgresStore>>([&] { return turn.attempt(); });
  ASSERT_TRUE(second.ok()) << describe(second.error());
  expect(patiently(*first, put("a", 2)), Code::conflict);
  EXPECT_EQ(rows(), Rows{"a|1"});
}

TEST_F(TermTest, AfterARestartOfTheServerTheEarlierHolderComesBackFirst) {
  const auto first = activate();
  config.round = seconds(3600);
  Turn turn(config);
  end_sessions();
  sql("UPDATE " + quoted("term") + " SET server = server - interval '1 hour'");  // what a restart looks like
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(turn.attempt().ok());
  expect_done(patiently(*first, put("a", 1)));
  EXPECT_FALSE(turn.attempt().ok());
}

TEST_F(TermTest, AHolderThatStoppedLeavesNothingToWaitFor) {
  activate().reset();
  config.round = seconds(3600);
  sql("UPDATE " + quoted("term") + " SET server = server - interval '1 hour'");
  Turn turn(config);
  const auto second = patiently<std::unique_ptr<PostgresStore>>([&] { return turn.attempt(); });
  EXPECT_TRUE(second.ok());
}

// --- deadlines and connection strings -------------------------------------------------------------------------------

TEST_F(TermTest, AServerThatStandsStillDoesNotHoldTheCaller) {
  config.deadline = seconds(2);
  const auto store = activate();
  expect_done(store->commit(put("a", 1)));
  const auto pid = std::stoi(sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted").front());
  kill(pid, SIGSTOP);
  expect(store->commit(put("a", 2)), Code::unavailable);
  kill(pid, SIGCONT);
  expect_done(patiently(*store, put("a", 3)));
  EXPECT_EQ(rows(), Rows{"a|3"});
}

TEST_F(TermTest, BothFormsOfAConnectionStringAreTaken) {
  const auto port = config.url.substr(config.url.rfind(':') + 1, config.url.rfind('/') - config.url.rfind(':') - 1);
  for (const auto& url :
       {config.url + "?options=-c%20work_mem%3D1MB", "host=127.0.0.1 user=postgres dbname=postgres port=" + port}) {
    config.url = url;
    const auto store = activate();
    ASSERT_NE(store, nullptr) << url;
    expect_done(store->check());
  }
  config.url = "host='127.0.0.1";
  EXPECT_EQ(PostgresStore::activate(config).error().code, Code::invalid);
}

// Of this process's socket with that port: SO_KEEPALIVE, TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT, TCP_USER_TIMEOUT.
std::vector<int> probes_of_own_socket(int port) {
  for (int number = 3; number < 1024; ++number) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (getsockname(number, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    if (address.sin_family != AF_INET || ntohs(address.sin_port) != port) continue;
    std::vector<int> out;
    for (const auto& [level, option] : {std::pair(SOL_SOCKET, SO_KEEPALIVE),
                                        {IPPROTO_TCP, TCP_KEEPIDLE},
                                        {IPPROTO_TCP, TCP_KEEPINTVL},
                                        {IPPROTO_TCP, TCP_KEEPCNT},
                                        {IPPROTO_TCP, TCP_USER_TIMEOUT}}) {
      socklen_t length = sizeof(int);
      getsockopt(number, level, option, &out.emplace_back(), &length);
    }
    return out;
  }
  return {};
}

// A host that vanishes says nothing: without probes either side would believe in it for hours.
TEST_F(TermTest, BothEndsProbeASilentPeer) {
  sql("CREATE VIEW " + quoted("probes") +
      " AS SELECT name AS key, setting FROM pg_settings WHERE name ~ '^tcp_(keepalives|user)'");
  const auto store = activate();
  const auto server = store->select({.table = "probes", .order_by = "key"});
  ASSERT_TRUE(server.ok()) << describe(server.error());
  std::map<std::string, std::string> settings;
  for (const auto& row : *server) {
    const auto read = nlohmann::json::parse(row);
    settings[read.at("key")] = read.at("setting");
  }
  EXPECT_EQ(settings, (std::map<std::string, std::string>{{"tcp_keepalives_count", "3"},
                                                          {"tcp_keepalives_idle", "5"},
                                                          {"tcp_keepalives_interval", "2"},
                                                          {"tcp_user_timeout", "10000"}}));
  const auto ports = sql("SELECT client_port FROM pg_stat_activity WHERE application_name = 'fieldwork'");
  ASSERT_EQ(ports.size(), 1U);
  EXPECT_EQ(probes_of_own_socket(std::stoi(ports[0])), (std::vector<int>{1, 5, 2, 3, 10'000}));
}

}  // namespace
}  // namespace fieldwork::store
