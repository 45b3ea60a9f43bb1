#include "executions.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "codec/job.hpp"
#include "crypto/bytes.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

using codec::Json;

Outcome<Json> page(Session& session, const char* operation, Json body, std::optional<Session::Patience> patience) {
  return patience ? session.request("scheduler", operation, std::move(body), *patience)
                  : session.request("scheduler", operation, std::move(body));
}

// The parts of one result, put together, by what they belong to ("stdout", "stderr", "file:PATH").
using Texts = std::map<std::string, std::string>;

Outcome<bool> gather(const Json& answer, Texts& texts) {
  for (const auto& part : list_of(answer, "parts")) {
    auto bytes = crypto::base64_decode(text_of(part, "base64"));
    if (!bytes) return Failure{Exit::failed, "a part of the result is not base64"};
    auto& text = texts[text_of(part, "of")];
    if (static_cast<std::int64_t>(text.size()) != integer_of(part, "offset"))
      return Failure{Exit::failed, "a part of the result is missing: " + text_of(part, "of") + " from byte " +
                                       std::to_string(text.size())};
    text += *bytes;
  }
  return true;
}

Outcome<Json> result_of(Session& session, const std::string& job, std::int64_t execution) {
  Json last;
  Texts texts;
  std::int64_t after = 0;
  while (true) {
    auto answer = page(session, "result", {{"job", job}, {"execution", execution}, {"after", after}}, std::nullopt);
    if (!answer) return answer.failure();
    if (auto gathered = gather(*answer, texts); !gathered) return gathered.failure();
    const auto next = integer_of(*answer, "next", 0);
    last = std::move(*answer);
    if (next <= after) break;
    after = next;
  }
  const auto& stored = member(last, "result");
  if (!stored.is_object()) return Json();
  auto result = codec::decode_result(stored);
  if (!result || !result->in_parts) return stored;  // whoever shows the result says what is wrong with it
  result->in_parts = false;
  result->stdout_text = std::move(texts["stdout"]);
  result->stderr_text = std::move(texts["stderr"]);
  for (auto& file : result->files) {
    if (const auto it = texts.find("file:" + file.path); it != texts.end()) file.content = std::move(it->second);
  }
  return codec::encode(*result);
}

// The first page of an answer about a job, with the executions of all pages, or of as many pages as `count` executions
// need.
Outcome<Json> in_pages(Session& session, const char* operation, const std::string& job, std::size_t count,
                       std::optional<Session::Patience> patience) {
  Json out;
  Json executions = Json::array();
  std::int64_t after = -1;
  while (true) {
    auto answer = page(session, operation, {{"job", job}, {"after", after}}, patience);
    if (!answer) return answer.failure();
    for (const auto& one : list_of(*answer, "executions")) executions.push_back(one);
    const auto next = integer_of(*answer, "next", -1);
    if (out.is_null()) out = std::move(*answer);
    if (next <= after) break;
    after = next;
    if (executions.size() >= count) {
      out["more"] = true;
      break;
    }
  }
  out.erase("next");
  out["executions"] = std::move(executions);
  return out;
}

}  // namespace

Outcome<Json> job_with_executions(Session& session, const std::string& job, std::size_t count,
                                  std::optional<Session::Patience> patience) {
  auto answer = in_pages(session, "show", job, count, patience);
  if (!answer) return answer.failure();
  Json out = member(*answer, "job");
  if (!out.is_object()) return Failure{Exit::failed, "the scheduler's answer names no job"};
  out["executions"] = std::move((*answer)["executions"]);
  if (answer->contains("more")) out["more"] = true;
  return out;
}

Outcome<Json> explanation(Session& session, const std::string& job, std::size_t count) {
  return in_pages(session, "explain", job, count, std::nullopt);
}

Outcome<Json> with_results(Session& session, Json job, const std::function<void(std::size_t, std::size_t)>& tell) {
  auto& executions = job["executions"];
  const auto all = executions.size();
  std::size_t done = 0;
  for (auto& one : executions) {
    if (member(one, "exit_code").is_number()) {
      auto result = result_of(session, text_of(job, "job"), integer_of(one, "execution"));
      if (!result) return result.failure();
      if (result->is_object()) one["result"] = std::move(*result);
    }
    tell(++done, all);
  }
  return job;
}

}  // namespace fieldwork::cli
