#include "questions.hpp"
#include "store/postgres.hpp"

namespace fieldwork::store {
namespace {

// A session beside the engine's. Connects when it is first asked, and again after the session broke. Its calls may be
// done twice: where the session broke since its last use, run() repeats the call, so that nobody misses an answer.
class Beside {
 public:
  Beside(PostgresConfig config, milliseconds statement_max, std::string options)
      : questions_(session_, config.schema),
        config_(std::move(config)),
        statement_max_(statement_max),
        options_(std::move(options)) {}

  template <class Body>
  auto run(const Body& body) -> Result<std::decay_t<decltype(body(std::declval<pqxx::nontransaction&>()))>> {
    const auto began = std::chrono::steady_clock::now();
    const bool kept = session_.open();
    auto done = once(body);
    const bool broke = !done && kept && !session_.open();
    return broke && std::chrono::steady_clock::now() - began < statement_max_ ? once(body) : done;
  }
  Questions& questions() { return questions_; }

 private:
  template <class Body>
  auto once(const Body& body) -> Result<std::decay_t<decltype(body(std::declval<pqxx::nontransaction&>()))>> {
    if (!session_.open()) {
      const auto connection = connection_string(
          config_.url, options_ + " -c jit=off -c statement_timeout=" + std::to_string(statement_max_.count()));
      if (!connection) return connection.error();
      questions_.forget();
      if (auto opened = session_.connect(*connection); !opened) return opened.error();
    }
    std::decay_t<decltype(body(std::declval<pqxx::nontransaction&>()))> out{};
    auto done = session_.run([&](auto& work) { out = body(work); }, statement_max_ + seconds{2}, true);
    if (!done) return done.error();
    return out;
  }

  Session session_;
  Questions questions_;
  PostgresConfig config_;
  milliseconds statement_max_;
  std::string options_;
};

}  // namespace

struct PostgresReader::Impl : Beside {
  using Beside::Beside;
};

PostgresReader::PostgresReader(const PostgresConfig& config, milliseconds statement_max)
    : impl_(std::make_unique<Impl>(config, statement_max,
                                   "-c default_transaction_read_only=on -c application_name=fieldwork-reader")) {}
PostgresReader::~PostgresReader() = default;

Result<std::vector<std::string>> PostgresReader::select(const Query& query) {
  return impl_->run([&](auto& work) { return impl_->questions().select(work, query); });
}

Result<std::vector<std::string>> PostgresReader::find(const std::string& table, const std::string& column,
                                                      const std::vector<std::string>& keys) {
  return impl_->run([&](auto& work) { return impl_->questions().find(work, table, column, keys); });
}

Result<Page> PostgresReader::range(const Range& range) {
  Result<Page> page = Page{};
  auto done = impl_->run([&](auto& work) { return page = impl_->questions().range(work, range), true; });
  if (!done) return done.error();
  return page;
}

struct PostgresPruner::Impl : Beside {
  using Beside::Beside;
};

PostgresPruner::PostgresPruner(const PostgresConfig& config, milliseconds statement_max)
    : impl_(std::make_unique<Impl>(config, statement_max, "-c application_name=fieldwork-pruner")) {}
PostgresPruner::~PostgresPruner() = default;

Result<std::int64_t> PostgresPruner::prune(const Prune& prune) {
  return impl_->run([&](auto& work) { return impl_->questions().prune(work, prune); });
}

Result<std::int64_t> PostgresPruner::now_us() {
  return impl_->run([&](auto& work) { return impl_->questions().now_us(work); });
}

}  // namespace fieldwork::store
