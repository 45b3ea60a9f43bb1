#include "results.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "crypto/digest.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

std::string about(const OutputFile& file) {
  return printable(file.path) + " (" + human_bytes(file.size_bytes) + ", " + file.digest + ")";
}

// Returns an empty text when the file is written, else why not.
Outcome<std::string> write_file(const OutputFile& file, const std::filesystem::path& path, const Fetch& fetch) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (!file.content) {
    auto fetched = fetch(file, path);
    if (fetched) return std::string();
    if (fetched.failure().exit == Exit::interrupted) return fetched.failure();
    return fetched.failure().reason;
  }
  if (crypto::digest_of(*file.content) != file.digest) return std::string("the content has another digest");
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(file.content->data(), static_cast<std::streamsize>(file.content->size()));
  out.close();
  if (!out) return Failure{Exit::failed, "cannot write " + path.string() + " (--output-dir)"};
  return std::string();
}

}  // namespace

bool stays_inside(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) return false;
  const std::filesystem::path parts(path);
  if (parts.is_absolute() || !parts.has_filename()) return false;
  for (const auto& part : parts) {
    if (part == "..") return false;
  }
  return true;
}

std::vector<ExecutionResult> results_of(const codec::Json& job) {
  std::vector<ExecutionResult> out;
  for (const auto& one : list_of(job, "executions")) {
    const auto& result = member(one, "result");
    if (!result.is_object()) continue;
    auto decoded = codec::decode_result(result);
    ExecutionResult found{integer_of(one, "execution"), text_of(one, "device"), {}};
    if (decoded) {
      found.result = std::move(*decoded);
    } else {
      found.wrong = describe(decoded.error());
    }
    out.push_back(std::move(found));
  }
  return out;
}

Outcome<Written> write_files(const std::vector<ExecutionResult>& results, const std::filesystem::path& directory,
                             const Fetch& fetch) {
  Written out;
  for (const auto& one : results) {
    out.missing = out.missing || !one.wrong.empty();
    const auto place = results.size() > 1 ? directory / std::to_string(one.execution) : directory;
    for (const auto& file : one.result.files) {
      auto wrong =
          stays_inside(file.path) ? write_file(file, place / file.path, fetch) : std::string("the path leads outside");
      if (!wrong) return wrong.failure();
      out.missing = out.missing || !wrong->empty();
      out.lines.push_back(wrong->empty()
                              ? "wrote " + (place / file.path).string() + " (" + human_bytes(file.size_bytes) + ")"
                              : "did not write " + about(file) + ": " + printable(*wrong));
    }
  }
  return out;
}

std::vector<std::string> list_files(const std::vector<ExecutionResult>& results) {
  std::vector<std::string> lines;
  for (const auto& one : results) {
    for (const auto& file : one.result.files) lines.push_back("output file " + about(file));
  }
  return lines;
}

}  // namespace fieldwork::cli
