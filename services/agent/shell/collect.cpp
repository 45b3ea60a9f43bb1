#include "agent/shell/collect.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "agent/shell/capture.hpp"
#include "agent/shell/outputs.hpp"
#include "base/text.hpp"
#include "codec/job.hpp"
#include "content/archive.hpp"
#include "crypto/digest.hpp"

namespace fieldwork::agent {
namespace fs = std::filesystem;
namespace {

// Files looked at for one pattern: as many as a package may hold.
constexpr std::size_t walked_max = content::archive_entries_max;

std::string_view first_level(std::string_view path) { return path.substr(0, path.find('/')); }

std::string_view rest_of(std::string_view path) {
  const auto slash = path.find('/');
  return slash == path.npos ? std::string_view() : path.substr(slash + 1);
}

bool name_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = pattern.npos, after_star = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      after_star = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star != pattern.npos) {
      p = star + 1;
      n = ++after_star;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

const char* kind_of(fs::file_type type) {
  switch (type) {
    case fs::file_type::symlink: return "a symbolic link";
    case fs::file_type::fifo: return "a FIFO";
    case fs::file_type::socket: return "a socket";
    case fs::file_type::block:
    case fs::file_type::character: return "a device";
    default: return "neither a file nor a directory";
  }
}

std::string read_file(const fs::path& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class Collector {
 public:
  Collector(const AttemptKey& key, const fs::path& place, const fs::path& kept, std::size_t room_bytes)
      : key_(key), place_(place), kept_(kept), room_bytes_(room_bytes) {}

  Collected run(const std::vector<std::string>& outputs, const std::array<fs::path, 2>& logs) {
    for (std::size_t i = 0; i < logs.size(); ++i) {
      if (logs[i].empty()) continue;
      std::error_code error;
      if (fs::symlink_status(logs[i], error).type() == fs::file_type::regular) {
        file(std::string(log_outputs[i]), logs[i]);
      } else {
        wrong(std::string(log_outputs[i]), "is not there any more");
      }
    }
    for (const auto& name : outputs) {
      const auto type = type_below(name);
      if (type == fs::file_type::not_found && is_pattern(name)) {
        walk(name);
      } else {
        one(name, type);
      }
    }
    return std::move(out_);
  }

 private:
  void wrong(const std::string& name, const std::string& what) {
    out_.wrong.push_back("output " + clamp_text(name, limits::path_bytes_max) + " " + what);
  }

  // No level of the path may be a link: a link could lead anywhere.
  [[nodiscard]] fs::file_type type_below(const std::string& name) const {
    fs::path path = place_;
    fs::file_type type = fs::file_type::directory;
    for (std::string_view rest = name; !rest.empty(); rest = rest_of(rest)) {
      if (type != fs::file_type::directory) return type == fs::file_type::symlink ? type : fs::file_type::not_found;
      std::error_code error;
      path /= first_level(rest);
      type = fs::symlink_status(path, error).type();
    }
    return type;
  }

  void one(const std::string& name, fs::file_type type) {
    if (type == fs::file_type::regular) return file(name, place_ / name);
    if (type == fs::file_type::directory) return directory(name);
    if (type == fs::file_type::not_found || type == fs::file_type::none) return wrong(name, "was not written");
    std::error_code error;
    auto what = std::string("is ") + kind_of(type);
    if (const auto target = fs::read_symlink(place_ / name, error); !error)
      what += " to " + clamp_text(target.string(), 256);
    wrong(name, what + "; only files and directories can be outputs");
  }

  void directory(const std::string& name) {
    const fs::path archive = place_.string() + ".tar";
    const auto packed = content::pack(place_ / name, archive);
    if (!packed) return wrong(name, "is a directory that cannot be packed: " + describe(packed.error()));
    file(name + ".tar", archive);
    std::error_code ignored;
    fs::remove(archive, ignored);
  }

  void walk(const std::string& pattern) {
    std::error_code error;
    std::vector<std::string> found;
    std::size_t walked = 0;
    for (fs::recursive_directory_iterator at(place_, error), end; !error && at != end; at.increment(error)) {
      if (++walked > walked_max) return wrong(pattern, "is looked for among too many files");
      std::error_code of_one;
      const auto name = at->path().lexically_relative(place_).generic_string();
      if (at->symlink_status(of_one).type() == fs::file_type::regular && matches(pattern, name)) found.push_back(name);
    }
    if (error) return wrong(pattern, "cannot be looked for: " + error.message());
    if (found.empty()) return wrong(pattern, "matches no file");
    std::sort(found.begin(), found.end());
    for (const auto& name : found) file(name, place_ / name);
  }

  void file(const std::string& name, const fs::path& path) {
    if (!seen_.insert(name).second) return;
    if (out_.files.size() >= limits::files_max) {
      if (!full_)
        wrong(name, "is more than the " + std::to_string(limits::files_max) + " files of a result; name a directory");
      full_ = true;
      return;
    }
    if (name.size() > limits::path_bytes_max || !is_text(name))
      return wrong(name, "has a name that no message can carry");
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (error) return wrong(name, "cannot be read: " + error.message());
    OutputFile entry{.path = name, .size_bytes = static_cast<std::int64_t>(size)};
    if (entry.size_bytes > output_file_bytes_max)
      return wrong(name, "is larger than " + std::to_string(output_file_bytes_max) + " bytes");
    const auto digest = crypto::digest_of_file(path);
    if (!digest) return wrong(name, "cannot be read: " + describe(digest.error()));
    entry.digest = *digest;
    if (!goes_along(entry)) {
      const auto place = kept_ / digest->substr(7);
      if (auto done = keep_output(path, place, key_); !done)
        return wrong(name, "cannot be kept: " + describe(done.error()));
      out_.large.push_back(place);
    } else {
      entry.content = read_file(path);
    }
    out_.files.push_back(std::move(entry));
  }

  bool goes_along(const OutputFile& entry) {
    const auto encoded = static_cast<std::size_t>(entry.size_bytes + 2) / 3 * 4;
    if (entry.size_bytes > inline_bytes_max || inline_bytes_ + entry.size_bytes > inline_total_bytes_max ||
        encoded > room_bytes_)
      return false;
    inline_bytes_ += entry.size_bytes;
    room_bytes_ -= encoded;
    return true;
  }

  const AttemptKey& key_;
  const fs::path& place_;
  const fs::path& kept_;
  std::size_t room_bytes_;
  std::int64_t inline_bytes_ = 0;
  std::set<std::string> seen_;
  bool full_ = false;
  Collected out_;
};

std::size_t encoded(const std::string& stream) {
  RunResult only;
  only.stdout_text = stream;
  return codec::encoded_bytes(only) - codec::encoded_bytes(RunResult{});
}

// Cuts the middle out of `stream` until it has at most `bytes_max` bytes encoded. Returns how many bytes were cut.
std::int64_t shrink(std::string& stream, std::size_t bytes_max) {
  std::int64_t cut = 0;
  for (auto bytes = encoded(stream); bytes > bytes_max; bytes = encoded(stream)) {
    const auto share = 0.98 * static_cast<double>(bytes_max) / static_cast<double>(bytes);
    auto kept = keep_ends(stream, static_cast<std::size_t>(share * static_cast<double>(stream.size())));
    stream = std::move(kept.bytes);
    cut += kept.cut_bytes;
  }
  return cut;
}

}  // namespace

Collected collect_outputs(const AttemptKey& key, const fs::path& place, const std::vector<std::string>& outputs,
                          const std::array<fs::path, 2>& logs, const fs::path& kept, std::size_t room_bytes) {
  return Collector(key, place, kept, room_bytes).run(outputs, logs);
}

bool is_pattern(std::string_view output) { return output.find_first_of("*?") != output.npos; }

bool matches(std::string_view pattern, std::string_view path) {
  // As with '*' in a name, only the last "**" needs to be tried again further on.
  std::optional<std::pair<std::string_view, std::string_view>> again;
  while (true) {
    if (first_level(pattern) == "**") {
      pattern = rest_of(pattern);
      if (pattern.empty()) return !path.empty();
      again = {pattern, path};
      continue;
    }
    if (pattern.empty() && path.empty()) return true;
    if (!pattern.empty() && !path.empty() && name_matches(first_level(pattern), first_level(path))) {
      pattern = rest_of(pattern);
      path = rest_of(path);
      continue;
    }
    if (!again || again->second.empty()) return false;
    again->second = rest_of(again->second);
    std::tie(pattern, path) = *again;
  }
}

void bound_streams(RunResult& result) {
  constexpr auto half = streams_bytes_max / 2;
  const auto out = encoded(result.stdout_text);
  const auto err = encoded(result.stderr_text);
  if (out + err <= streams_bytes_max) return;
  // The half that one stream does not need is the other's.
  result.stdout_cut_bytes += shrink(result.stdout_text, std::max(half, streams_bytes_max - std::min(err, half)));
  result.stderr_cut_bytes += shrink(result.stderr_text, std::max(half, streams_bytes_max - std::min(out, half)));
  result.truncated = true;
}

}  // namespace fieldwork::agent
