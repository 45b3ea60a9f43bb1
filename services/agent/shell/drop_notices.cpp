#include "agent/shell/drop_notices.hpp"

#include <algorithm>
#include <fstream>

#include "crypto/bytes.hpp"
#include "exchange/durable.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

std::optional<DropNotices::Notice> read_notice(const fs::path& path) {
  std::ifstream in(path);
  DropNotices::Notice out;
  if (!(in >> out.key.job.value >> out.key.execution >> out.key.fence >> out.size_bytes >> std::ws))
    return std::nullopt;
  if (!std::getline(in, out.reason) || out.reason.empty()) return std::nullopt;
  return out;
}

}  // namespace

DropNotices::DropNotices(fs::path directory, Time now, std::size_t count_max)
    : directory_(std::move(directory)), count_max_(count_max) {
  load(now);
}

fs::path DropNotices::file(const std::string& digest) const { return directory_ / (digest.substr(7) + ending); }

void DropNotices::load(Time now) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (const auto& entry : fs::directory_iterator(directory_, error)) {
    const auto& path = entry.path();
    if (path.extension() != ending || !crypto::is_hex(path.stem().string(), 64)) continue;
    files.emplace_back(fs::last_write_time(path, error), path);
  }
  std::sort(files.begin(), files.end());
  for (const auto& [written, path] : files) {
    if (auto notice = read_notice(path)) {
      tell("sha256:" + path.stem().string(), std::move(*notice), now);
    } else {
      fs::remove(path, error);
    }
  }
}

Result<void> DropNotices::add(const std::string& digest, Notice notice, Time now) {
  end(digest, now);
  tell(digest, std::move(notice), now);
  return save(digest);
}

void DropNotices::tell(const std::string& digest, Notice notice, Time now) {
  while (oldest_first_.size() >= count_max_) end(std::string(oldest_first_.front()), now);
  notices_[digest] = std::move(notice);
  oldest_first_.push_back(digest);
  exchange::deliver::Output nothing;
  core_.step(exchange::deliver::Add{digest}, now, nothing);
}

Result<void> DropNotices::save(const std::string& digest) {
  const auto& notice = notices_.at(digest);
  const auto& key = notice.key;
  return exchange::replace_file(file(digest), key.job.value + ' ' + std::to_string(key.execution) + ' ' +
                                                  std::to_string(key.fence) + ' ' + std::to_string(notice.size_bytes) +
                                                  '\n' + notice.reason + '\n');
}

bool DropNotices::end(const std::string& digest, Time now) {
  if (notices_.erase(digest) == 0) return false;
  std::erase(oldest_first_, digest);
  exchange::deliver::Output nothing;
  core_.step(exchange::deliver::Delivered{digest}, now, nothing);
  std::error_code ignored;
  fs::remove(file(digest), ignored);
  return true;
}

void DropNotices::connected(Time now) {
  exchange::deliver::Output nothing;
  core_.step(LinkBack{}, now, nothing);
}

std::vector<codec::OutputOffer> DropNotices::due(Time now) {
  exchange::deliver::Output done;
  core_.step(fieldwork::TimePassed{}, now, done);
  std::vector<codec::OutputOffer> out;
  for (const auto& [digest] : done.announcements) {
    const auto& [key, size_bytes, reason] = notices_.at(digest);
    out.push_back({digest, size_bytes, key.job.value, key.execution, key.fence, reason});
  }
  return out;
}

}  // namespace fieldwork::agent
