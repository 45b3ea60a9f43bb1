#include "postgres_impl.hpp"

namespace fieldwork::store {
namespace {

// Whether the earlier holder may still live although the lock is free: then the lock may not be taken yet. See
// docs/decisions/0012-one-active-instance.md.
bool earlier_holder_may_live(pqxx::nontransaction& work, const std::string& term_table) {
  return work
      .exec1("SELECT term > 0 AND NOT released AND server IS DISTINCT FROM pg_postmaster_start_time() FROM " +
             term_table)[0]
      .as<bool>();
}

// Ends the session of an active instance that was silent for the lease. An instance that waits for the server is not
// silent.
bool end_silent_holder(pqxx::nontransaction& work, const std::string& term_table, const std::string& lock_name,
                       Duration lease) {
  const auto ended =
      work.exec("SELECT pg_terminate_backend(l.pid, 2000) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid, " +
                term_table +
                " t WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
                " AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtext(" +
                work.quote(lock_name) +
                ")::bigint"
                " AND (a.state <> 'active' OR a.wait_event_type = 'Client')"
                " AND t.renewed_at < clock_timestamp() - interval '" +
                std::to_string(lease.count()) + " microseconds'");
  return !ended.empty();
}

}  // namespace

Turn::Turn(PostgresConfig config) : impl_(std::make_unique<PostgresStore::Impl>(std::move(config))) {}
Turn::~Turn() = default;

Result<std::unique_ptr<PostgresStore>> Turn::attempt() {
  if (!impl_->session.open()) {
    if (auto opened = impl_->open(); !opened) return opened.error();
  }
  const std::string lock_name = "fieldwork " + impl_->config.schema;
  const char* reason = nullptr;
  auto done = impl_->session.run(
      [&](pqxx::nontransaction& work) {
        if (!impl_->lock(work)) {
          free_since_.reset();
          reason = end_silent_holder(work, impl_->stored("term"), lock_name, impl_->config.lease)
                       ? "the active instance is silent; its session was ended"
                       : "another instance of this service is active";
          return;
        }
        const auto now = std::chrono::steady_clock::now();
        if (!free_since_) free_since_ = now;
        if (now - *free_since_ < impl_->config.round && earlier_holder_may_live(work, impl_->stored("term"))) {
          work.exec_params("SELECT pg_advisory_unlock(hashtext($1))", lock_name);
          reason = "the database was restarted; the instance that was active may come back";
          return;
        }
        (void)impl_->acquire(work);
      },
      impl_->config.deadline, false);
  if (!done) {
    // A new session may not have what was wrong with this session or its question.
    impl_->session.close();
    return Error{done.error().code == Code::invalid ? Code::invalid : Code::unavailable, done.error().reason,
                 "database.url"};
  }
  if (reason != nullptr) return Error{Code::unavailable, reason, "database.url"};
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(impl_)));
}

}  // namespace fieldwork::store
