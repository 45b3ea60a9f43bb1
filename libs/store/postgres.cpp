#include "store/postgres.hpp"

#include <algorithm>

#include "postgres_impl.hpp"
#include "rows.hpp"

namespace fieldwork::store {
namespace {

// Settings belong in the connection string: a reconnect of libpq would lose SET values. A statement is planned once,
// often on an empty table; all statements select by key, so no plan may read whole tables.
constexpr const char* writer_options =
    "-c statement_timeout=30s -c lock_timeout=10s -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    " -c jit=off";

}  // namespace

PostgresStore::Impl::Impl(PostgresConfig c)
    : config(std::move(c)), questions(session, config.schema), writes(questions) {}

Result<void> PostgresStore::Impl::open() {
  const auto connection = connection_string(config.url, writer_options);
  if (!connection) return connection.error();
  writes.forget();
  prepared = false;
  questions.forget();
  return session.connect(*connection);
}

bool PostgresStore::Impl::lock(pqxx::nontransaction& work) {
  return work.exec_params1("SELECT pg_try_advisory_lock(hashtext($1))", "fieldwork " + config.schema)[0].as<bool>();
}

// This process's memory and the database must be of one history; otherwise whatever it publishes and saves from here is
// wrong.
Result<void> PostgresStore::Impl::judge_memory(pqxx::nontransaction& work) {
  const auto row = work.exec1("SELECT term, commits FROM " + stored("term"));
  if (row[0].as<std::int64_t>() != term) {
    return Error{Code::conflict, "another instance of " + config.schema + " has taken over"};
  }
  const auto found = row[1].as<std::int64_t>();
  if (found == commits || (in_doubt && found == commits + 1)) return {};
  return Error{Code::conflict, "the database is at commit " + std::to_string(found) + " of " + config.schema +
                                   ", this instance at " + std::to_string(commits) +
                                   ": it was restored or has lost its newest part"};
}

Result<void> PostgresStore::Impl::resume(pqxx::nontransaction& work) {
  if (auto judged = judge_memory(work); !judged) return judged;
  // Our own earlier session may live on at the server and hold the lock; nothing of that session is wanted any more.
  if (!backend.empty()) {
    work.exec("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE (pid, backend_start) = (" + backend +
              ")");
  }
  if (!lock(work)) return Error{Code::unavailable, "another instance of this service is active", "database.url"};
  // Judged again: only with the lock nobody else commits, and the row may have changed since the first look.
  if (auto judged = judge_memory(work); !judged) return judged;
  commits = work.exec1("UPDATE " + stored("term") +
                       " SET renewed_at = clock_timestamp(), released = false, server = pg_postmaster_start_time()"
                       " RETURNING commits")[0]
                .as<std::int64_t>();
  in_doubt = false;
  return {};
}

Result<void> PostgresStore::Impl::ready() {
  if (session.open()) return {};
  if (auto opened = open(); !opened) return opened;
  Result<void> resumed;
  std::string now;
  auto done = session.run(
      [&](pqxx::nontransaction& work) {
        resumed = resume(work);
        const auto row = work.exec1("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()");
        now = work.quote(row[0].as<std::string>()) + "::int, " + work.quote(row[1].as<std::string>()) + "::timestamptz";
      },
      config.deadline, false);
  if (done && resumed) {
    backend = now;
    return {};
  }
  session.close();
  return done ? resumed : done;
}

Result<void> PostgresStore::Impl::acquire(pqxx::nontransaction& work) {
  // The lease is renewed 120 s ahead: loading comes first and may take two minutes in which nothing renews it.
  const auto row = work.exec1("UPDATE " + stored("term") +
                              " SET term = term + 1, renewed_at = clock_timestamp() + interval '120 s', released ="
                              " false, server = pg_postmaster_start_time() RETURNING term, commits");
  const auto self = work.exec1("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()");
  term = row[0].as<std::int64_t>();
  commits = row[1].as<std::int64_t>();
  backend = work.quote(self[0].as<std::string>()) + "::int, " + work.quote(self[1].as<std::string>()) + "::timestamptz";
  return {};
}

Result<void> PostgresStore::Impl::run(const std::function<void(pqxx::nontransaction&)>& body, Duration deadline,
                                      bool reading) {
  if (auto good = ready(); !good) return good;
  return session.run(body, deadline, reading);
}

PostgresStore::PostgresStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PostgresStore::~PostgresStore() {
  if (impl_ == nullptr || !impl_->session.open()) return;
  (void)impl_->session.run(
      [&](pqxx::nontransaction& work) {
        work.exec("UPDATE " + impl_->stored("term") +
                  " SET released = true WHERE term = " + std::to_string(impl_->term));
      },
      seconds{2}, false);
}

Result<std::unique_ptr<PostgresStore>> PostgresStore::activate(PostgresConfig config) {
  auto impl = std::make_unique<Impl>(std::move(config));
  if (auto opened = impl->open(); !opened) return opened.error();
  bool locked = false;
  auto done = impl->session.run(
      [&](pqxx::nontransaction& work) {
        locked = impl->lock(work);
        if (locked) (void)impl->acquire(work);
      },
      impl->config.deadline, false);
  if (!done) return done.error();
  if (!locked) return Error{Code::unavailable, "another instance of this service is active", "database.url"};
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(impl)));
}

Result<void> PostgresStore::commit(const std::vector<Change>& changes) {
  if (changes.empty()) return {};
  if (auto good = impl_->ready(); !good) return good;
  bool broken = false;
  Result<void> written;
  // All statements are sent as one query, which PostgreSQL runs as one transaction: one round trip and one flush. The
  // query begins with advance(), which aborts it if the term or the count of commits is not ours.
  auto done = impl_->session.run(
      [&](pqxx::nontransaction& work) {
        const auto statements = impl_->writes.statements(work, changes);
        if (!statements) {
          written = statements.error();
          return;
        }
        if (!impl_->prepared) {
          work.exec("PREPARE advance(bigint, bigint) AS SELECT " + impl_->stored("advance") + "($1, $2)");
          impl_->prepared = true;
        }
        work.exec("EXECUTE advance(" + std::to_string(impl_->term) + "," + std::to_string(impl_->commits) + ");" +
                  *statements);
      },
      impl_->config.deadline, false, &broken);
  if (!written) return written;
  if (done) {
    ++impl_->commits;
  } else if (broken) {
    impl_->in_doubt = true;
  } else if (done.error().code == Code::conflict) {
    impl_->session.close();
  }
  return done;
}

Result<std::vector<std::string>> PostgresStore::select(const Query& query) {
  std::vector<std::string> out;
  auto done =
      impl_->run([&](auto& work) { out = impl_->questions.select(work, query); }, impl_->config.load_deadline, true);
  if (!done) return done.error();
  return out;
}

Result<std::vector<std::string>> PostgresStore::find(const std::string& table, const std::string& column,
                                                     const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  auto done = impl_->run([&](auto& work) { out = impl_->questions.find(work, table, column, keys); },
                         impl_->config.deadline, true);
  if (!done) return done.error();
  return out;
}

Result<Page> PostgresStore::range(const Range& range) {
  Result<Page> out = Page{};
  auto done =
      impl_->run([&](auto& work) { out = impl_->questions.range(work, range); }, impl_->config.load_deadline, true);
  if (!done) return done.error();
  return out;
}

Result<std::int64_t> PostgresStore::prune(const Prune& prune) {
  std::int64_t removed = 0;
  auto done =
      impl_->run([&](auto& work) { removed = impl_->questions.prune(work, prune); }, impl_->config.deadline, false);
  if (!done) return done.error();
  return removed;
}

Result<void> PostgresStore::check() {
  return impl_->run(
      [&](pqxx::nontransaction& work) {
        work.exec("SELECT " + impl_->stored("renew") + "(" + std::to_string(impl_->term) + ")");
      },
      std::min<Duration>(impl_->config.deadline, seconds{5}), false);
}

Result<std::int64_t> PostgresStore::now_us() {
  std::int64_t now = 0;
  auto done = impl_->run([&](auto& work) { now = impl_->questions.now_us(work); }, impl_->config.deadline, true);
  if (!done) return done.error();
  return now;
}

}  // namespace fieldwork::store
