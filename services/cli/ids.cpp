#include "ids.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/id.hpp"
#include "crypto/bytes.hpp"
#include "limits.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

constexpr std::size_t digits_min = 6;
constexpr std::size_t job_digits = 20;
constexpr std::size_t digest_digits = 64;
constexpr std::size_t transfer_digits = 32;

bool hex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

// A part of an id: hex digits, at least digits_min, but not all.
bool part(std::string_view digits, std::size_t all) {
  return digits.size() >= digits_min && digits.size() < all && hex(digits);
}

}  // namespace

std::optional<std::string> digest_beginning(const std::string& text) {
  constexpr std::string_view prefix = "sha256:";
  const std::string_view digits = std::string_view(text).substr(text.starts_with(prefix) ? prefix.size() : 0);
  const bool bare = digits.size() == text.size();
  if (!part(digits, digest_digits) && !(bare && digits.size() == digest_digits && hex(digits))) return std::nullopt;
  return std::string(prefix) + std::string(digits);
}

bool is_job_beginning(const std::string& text) {
  return text.starts_with("j-") && part(std::string_view(text).substr(2), job_digits);
}

bool is_transfer_beginning(const std::string& text) { return part(text, transfer_digits); }

Outcome<std::string> only_one(const std::string& beginning, const std::vector<std::string>& ids,
                              const std::string& where) {
  std::vector<std::string> found;
  for (const auto& id : ids) {
    const bool known = std::find(found.begin(), found.end(), id) != found.end();
    if (id.starts_with(beginning) && !known) found.push_back(id);
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) return Failure{Exit::failed, "nothing begins with " + beginning + " " + where};
  std::string names;
  for (std::size_t i = 0; i < std::min(found.size(), named_max); ++i) names += (i == 0 ? "" : ", ") + found[i];
  if (found.size() > named_max) names += " and " + std::to_string(found.size() - named_max) + " more";
  return Failure{Exit::failed, beginning + " is the beginning of several: " + names};
}

Outcome<std::string> whole_job(Session& session, const std::string& text) {
  if (!is_job_beginning(text)) return text;
  std::vector<std::string> ids;
  std::string after;
  do {
    codec::Json body{{"limit", jobs_searched_max - ids.size()}};
    if (!after.empty()) body["after"] = after;
    auto answer = session.request("scheduler", "list", std::move(body));
    if (!answer) return answer.failure();
    for (const auto& one : list_of(*answer, "items")) ids.push_back(text_of(one, "job"));
    after = text_of(*answer, "next");
  } while (!after.empty() && ids.size() < jobs_searched_max);
  return only_one(text, ids,
                  after.empty() ? "among the jobs. See fieldwork job ls"
                                : "among the newest " + std::to_string(jobs_searched_max) +
                                      " jobs. An older one has to be typed in full");
}

Outcome<std::string> request_id(const std::string& given) {
  if (given.empty()) return "cli-" + crypto::to_hex(crypto::random_bytes(12));
  if (is_id(given)) return given;
  return Failure{Exit::usage, "--request: must be 1 to 128 of A-Z a-z 0-9 . : _ - and begin with a letter or digit"};
}

}  // namespace fieldwork::cli
