#include "alerting/shell/watch.hpp"

#include <fstream>
#include <utility>

#include "crypto/certificate.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"

namespace fieldwork::alerting {

namespace fs = std::filesystem;

// Changes with the file: also when another one takes its place.
std::string Watch::stamp() const {
  std::error_code error;
  const auto size = fs::file_size(config_.rules, error);
  if (error) return "none";
  const auto time = fs::last_write_time(config_.rules, error).time_since_epoch().count();
  return std::to_string(size) + " " + std::to_string(time);
}

Result<std::string> Watch::read_file() {
  read_ = stamp();  // before reading: a change during the reading is seen next time
  std::ifstream in(config_.rules, std::ios::binary);
  if (!in) return Error{Code::invalid, "cannot be read", config_.rules};
  std::string text(alerts::file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

Result<alerts::RuleBook> Watch::with_targets(Result<alerts::RuleBook> book) const {
  if (!book) return book;
  for (const auto& one : config_.targets) {
    for (const auto& other : book->targets) {
      if (other.name == one.name)
        return Error{Code::invalid, "the target " + one.name + " is the one of alerting.webhook: name it otherwise",
                     config_.rules};
    }
    book->targets.push_back(one);
  }
  return book;
}

void Watch::stale(const Error& error, const char* what) {
  problem_ = describe(error);
  log::error(what, {{"reason", problem_}});
  metrics::gauge("fieldwork_alert_rules_stale", 1);
}

Result<alerts::RuleBook> Watch::read(const std::string& before) {
  if (config_.rules.empty()) return with_targets(alerts::shipped());
  auto text = read_file();
  auto book = text ? with_targets(alerts::read_rules(*text, config_.rules)) : Result<alerts::RuleBook>(text.error());
  if (book) text_ = std::move(*text);
  if (book || before.empty()) return book;
  auto good = with_targets(alerts::read_rules(before, config_.rules));
  if (!good) return book;
  stale(book.error(), "the alert rules are not usable, the last good ones are used");
  text_ = before;
  return good;
}

std::optional<alerts::RuleBook> Watch::reread(Time now) {
  if (config_.rules.empty() || (reread_at_ && now - *reread_at_ < config_.rules_each)) return std::nullopt;
  reread_at_ = now;
  // While it is being written, it is half.
  const auto now_there = stamp();
  if (now_there == read_ || std::exchange(seen_, now_there) != now_there) return std::nullopt;
  auto book = read();
  if (!book) {
    stale(book.error(), "the changed alert rules are not usable, the last good ones stay");
    return std::nullopt;
  }
  log::info("the alert rules were read again", {{"file", config_.rules}});
  problem_.clear();
  metrics::gauge("fieldwork_alert_rules_stale", 0);
  return std::move(*book);
}

std::vector<alerts::Sample> Watch::look(Time now) {
  std::vector<alerts::Sample> out;
  if (looked_at_ && now - *looked_at_ < config_.each) return out;
  looked_at_ = now;
  look_at_disks(out);
  look_at_certificates(now, out);
  return out;
}

void Watch::look_at_disks(std::vector<alerts::Sample>& out) {
  for (const auto& path : config_.disks) {
    std::error_code error;
    const auto space = fs::space(path, error);
    if (error || space.capacity == 0) {
      log::warn("cannot look at a disk", {{"path", path}, {"reason", error.message()}});
      continue;
    }
    fleet::NamedValues values;
    values.set("path", path);
    values.set("free", static_cast<double>(space.available));
    // Of what others than root may use, as df counts.
    const auto used = static_cast<double>(space.capacity - space.free);
    values.set("use", 100 * used / std::max(1.0, used + static_cast<double>(space.available)));
    out.push_back(alerts::of(alerts::Over::disk, path, std::move(values)));
  }
}

void Watch::look_at_certificates(Time now, std::vector<alerts::Sample>& out) {
  for (const auto& file : config_.certificates) {
    const auto validity = crypto::validity(file);
    if (!validity) {
      log::warn("cannot look at a certificate", {{"reason", describe(validity.error())}});
      continue;
    }
    fleet::NamedValues values;
    values.set("file", file);
    values.set("kind", std::string(validity->is_crl ? "crl" : "certificate"));
    const auto at = std::chrono::system_clock::time_point(milliseconds{to_ms(now)});
    values.set("left", std::chrono::duration<double>(validity->not_after - at).count());
    values.set("age", std::chrono::duration<double>(at - validity->not_before).count());
    out.push_back(alerts::of(alerts::Over::certificate, file, std::move(values)));
  }
}

}  // namespace fieldwork::alerting
