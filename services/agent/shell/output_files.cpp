#include "agent/shell/output_files.hpp"

#include <algorithm>

#include "crypto/bytes.hpp"
#include "exchange/durable.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;

std::int64_t size_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(size);
}

std::string digest_of(const fs::path& kept) { return "sha256:" + kept.filename().string(); }

std::vector<fs::path> kept_outputs(const fs::path& directory) {
  std::error_code error;
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (!crypto::is_hex(entry.path().filename().string(), 64)) continue;
    found.emplace_back(fs::last_write_time(entry.path().string() + ".of", error), entry.path());
  }
  std::sort(found.begin(), found.end());
  std::vector<fs::path> out;
  for (auto& [kept_at, path] : found) out.push_back(std::move(path));
  return out;
}

bool older(const fs::path& path, std::chrono::hours age) {
  std::error_code error;
  const auto written = fs::last_write_time(path, error);
  return !error && fs::file_time_type::clock::now() - written > age;
}

void remove_output(const fs::path& kept) {
  std::error_code ignored;
  for (const char* ending : {".zst", ".zst.new", ".of", ".of.new", ".refused", ".refused.new", ".dropped.new", ""})
    fs::remove(kept.string() + ending, ignored);
}

Result<void> keep_output(const fs::path& from, const fs::path& kept, const AttemptKey& key) {
  const auto text = key.job.value + ' ' + std::to_string(key.execution) + ' ' + std::to_string(key.fence) + '\n';
  auto done = exchange::move_durably(from, kept);
  if (done) done = exchange::replace_file(kept.string() + ".of", text);
  std::error_code ignored;
  if (!done && !fs::exists(kept.string() + ".of", ignored)) remove_output(kept);  // else it is an earlier attempt's
  return done;
}

}  // namespace fieldwork::agent
