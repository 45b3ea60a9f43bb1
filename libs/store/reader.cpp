#include "questions.hpp"
#include "rows.hpp"
#include "store/postgres.hpp"

namespace fieldwork::store {

struct PostgresReader::Impl {
  Impl(PostgresConfig c, milliseconds most)
      : config(std::move(c)), statement_max(most), questions(session, config.schema) {}

  Result<void> run(const std::function<void(pqxx::nontransaction&)>& body) {
    if (!session.open()) {
      const auto connection = connection_string(
          config.url, "-c default_transaction_read_only=on -c statement_timeout=" +
                          std::to_string(statement_max.count()) + " -c application_name=fieldwork-reader");
      if (!connection) return connection.error();
      questions.forget();
      if (auto opened = session.connect(*connection); !opened) return opened;
    }
    return session.run(body, statement_max + seconds{2}, true);
  }

  PostgresConfig config;
  milliseconds statement_max;
  Session session;
  Questions questions;
};

PostgresReader::PostgresReader(const PostgresConfig& config, milliseconds statement_max)
    : impl_(std::make_unique<Impl>(config, statement_max)) {}
PostgresReader::~PostgresReader() = default;

Result<std::vector<std::string>> PostgresReader::select(const Query& query) {
  std::vector<std::string> out;
  auto done = impl_->run([&](auto& work) { out = impl_->questions.select(work, query); });
  if (!done) return done.error();
  return out;
}

Result<std::vector<std::string>> PostgresReader::find(const std::string& table, const std::string& column,
                                                      const std::vector<std::string>& keys) {
  std::vector<std::string> out;
  auto done = impl_->run([&](auto& work) { out = impl_->questions.find(work, table, column, keys); });
  if (!done) return done.error();
  return out;
}

Result<Page> PostgresReader::range(const Range& range) {
  Result<Page> out = Page{};
  auto done = impl_->run([&](auto& work) { out = impl_->questions.range(work, range); });
  if (!done) return done.error();
  return out;
}

}  // namespace fieldwork::store
