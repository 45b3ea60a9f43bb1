// The questions of store.hpp as SQL on one session; shared by the store and its readers.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "session.hpp"
#include "store/store.hpp"

namespace fieldwork::store {

struct Column {
  std::string name;
  std::string type;  // as SQL names it
  bool key = false;
};

class Questions {
 public:
  Questions(Session& session, std::string schema) : session_(session), schema_(std::move(schema)) {}
  void forget() { columns_.clear(), finders_.clear(); }  // the session is a new one

  std::vector<std::string> select(pqxx::nontransaction& work, const Query& query);
  std::vector<std::string> find(pqxx::nontransaction& work, const std::string& table, const std::string& column,
                                const std::vector<std::string>& keys);
  Result<Page> range(pqxx::nontransaction& work, const Range& range);
  std::int64_t prune(pqxx::nontransaction& work, const Prune& prune);
  std::int64_t now_us(pqxx::nontransaction& work);

  // The columns in the table's order. Throws what pqxx throws.
  const std::vector<Column>& columns(pqxx::nontransaction& work, const std::string& table);
  [[nodiscard]] std::string quoted(const std::string& table);

 private:
  std::string where(pqxx::nontransaction& work, const Where& where);
  std::string keys(pqxx::nontransaction& work, const std::string& table, const std::string& suffix);

  Session& session_;
  std::string schema_;
  std::map<std::string, std::vector<Column>> columns_;
  std::map<std::pair<std::string, std::string>, std::string> finders_;  // by table and column
};

}  // namespace fieldwork::store
