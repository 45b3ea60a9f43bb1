// A batch of changes as SQL: one prepared statement per table, kind of change and set of columns, whose parameters are
// one array per column (docs/decisions/0014-rows-as-columns.md).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "questions.hpp"

namespace fieldwork::store {

// Adds a text as an element of an array literal that stands within a string literal of SQL: '{"a","b"}'.
void add_element(std::string& out, std::string_view text);

class Writes {
 public:
  explicit Writes(Questions& questions) : questions_(questions) {}
  void forget() { prepared_.clear(); }  // the session is a new one

  // EXECUTE statements for all of `changes`, which must be coalesced. Prepares the statements that are new to this
  // session. An error names the table and the column that does not exist or is missing.
  Result<std::string> statements(pqxx::nontransaction& work, const std::vector<Change>& changes);

 private:
  // Changes that one statement takes together.
  struct Group {
    const Change* first = nullptr;
    std::vector<std::string> arrays;  // one for each column
  };
  Result<std::string> prepared(pqxx::nontransaction& work, const Change& like);

  Questions& questions_;
  std::map<std::string, std::string> prepared_;  // quoted names of statements by table, kind and columns
};

}  // namespace fieldwork::store
