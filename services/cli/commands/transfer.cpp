#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "ids.hpp"
#include "limits.hpp"
#include "output.hpp"
#include "view.hpp"

namespace fieldwork::cli {
namespace {

// The transfer that `text` means: for a beginning, the only one with it among the newest; any other text is the id
// itself.
Outcome<std::string> whole_transfer(Session& session, const std::string& text) {
  if (!is_transfer_beginning(text)) return text;
  auto answer = session.request("transfer", "transfers", {{"limit", transfers_page_max}});
  if (!answer) return answer.failure();
  std::vector<std::string> ids;
  for (const auto& one : list_of(*answer, "items")) ids.push_back(text_of(one, "transfer"));
  return only_one(text, ids, "among the newest transfers. See fieldwork transfer ls --all");
}

}  // namespace

int transfer_list(const Options& options, const std::string& device, bool all) {
  codec::Json question{{"limit", transfers_page_max}, {"live", !all}};
  if (!device.empty()) question["device"] = device;
  auto answer = ask(options, "transfer", "transfers", std::move(question));
  return show(options, std::move(answer), "items", transfer_table);
}

int transfer_show(const Options& options, const std::string& wanted) {
  return transfer_verb(options, "transfer", wanted);
}

int transfer_verb(const Options& options, const std::string& verb, const std::string& wanted) {
  auto session = open_session(options);
  if (!session) return end(session.failure());
  auto id = whole_transfer(**session, wanted);
  if (!id) return end(id.failure());
  return show(options, (*session)->request("transfer", verb, {{"transfer", *id}}), "transfer", transfer_text);
}

}  // namespace fieldwork::cli
