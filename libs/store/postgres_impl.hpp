// The active instance's session: who holds the term, and how far its memory is. Shared by the store and its Turn.
#pragma once

#include "questions.hpp"
#include "store/postgres.hpp"
#include "writes.hpp"

namespace fieldwork::store {

struct PostgresStore::Impl {
  explicit Impl(PostgresConfig c);

  PostgresConfig config;
  Session session;
  Questions questions;
  Writes writes;
  bool prepared = false;     // this session has the statement `advance`
  std::int64_t term = 0;     // 0: not yet active
  std::int64_t commits = 0;  // as stored after our last commit
  bool in_doubt = false;     // the last commit's answer was lost: it may have been one more
  std::string backend;       // pid and start of our last session, as SQL literals

  // A fresh session without the lock.
  Result<void> open();
  // A session that is known to be the active instance's: the present one, or another.
  Result<void> ready();
  // Gives the present session the lock and the term.
  Result<void> acquire(pqxx::nontransaction& work);

  Result<void> run(const std::function<void(pqxx::nontransaction&)>& body, Duration deadline, bool reading);
  bool lock(pqxx::nontransaction& work);
  std::string stored(const char* name) { return questions.quoted(name); }

 private:
  Result<void> resume(pqxx::nontransaction& work);
  Result<void> judge_memory(pqxx::nontransaction& work);
};

}  // namespace fieldwork::store
