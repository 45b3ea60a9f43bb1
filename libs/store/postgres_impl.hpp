// The active instance's session, the term that it holds, and the commit up to which this process's memory goes. Shared
// by the store and its Turn.
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
  bool in_doubt = false;     // the last commit's answer was lost: the database may count one commit more
  std::string backend;       // pid and start of our last session, as SQL literals

  // Opens a fresh session without the lock.
  Result<void> open();
  // Makes sure of a session that is known to be the active instance's: the present one, or a new one.
  Result<void> ready();
  // Raises the term for the present session, which must hold the lock.
  Result<void> acquire(pqxx::nontransaction& work);

  Result<void> run(const std::function<void(pqxx::nontransaction&)>& body, Duration deadline, bool reading);
  bool lock(pqxx::nontransaction& work);
  std::string stored(const char* name) { return questions.quoted(name); }

 private:
  Result<void> resume(pqxx::nontransaction& work);
  Result<void> judge_memory(pqxx::nontransaction& work);
};

}  // namespace fieldwork::store
