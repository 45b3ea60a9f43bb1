// The requests that only read: show and list.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "transfer/limits.hpp"
#include "transfer/shell/rows.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::transfer {
namespace {

constexpr std::int64_t page_default = 50;

// The end of a page as text: when its last package was stored (µs), a dot, the digest's 64 hex digits.
std::string cursor_of(const Content& content) {
  return std::to_string(content.stored.time_since_epoch().count()) + "." + content.package.digest.substr(7);
}

std::optional<Transfers::Place> place_of(const std::string& cursor) {
  std::int64_t stored = 0;
  const auto* end = cursor.data() + cursor.size();
  const auto [dot, error] = std::from_chars(cursor.data(), end, stored);
  if (error != std::errc() || dot == end || *dot != '.') return std::nullopt;
  const std::string hex(dot + 1, end);
  if (!crypto::is_hex(hex, 64)) return std::nullopt;
  return Transfers::Place{Time{Duration{stored}}, "sha256:" + hex};
}

codec::Json brief(const Sending& sending) {
  return {{"transfer", sending.id.value},
          {"device", sending.to.name},
          {"state", shown_state(sending.state, sending.phase)},
          {"reason", sending.reason},
          {"sent_bytes", sending.sent_bytes},
          {"acked_bytes", sending.acked_bytes},
          {"encoded_bytes", sending.offer.encoded_bytes}};
}

}  // namespace

Result<void> TransferService::show(const Asker& from, std::string_view payload, runtime::Output& out) {
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const bool by_name = value->is_object() && value->contains("name");
  const auto digest = by_name ? std::string() : reader.digest("digest");
  PackageName name;
  std::string architecture;
  if (by_name) {
    name = {reader.text("name", 128), reader.text("version", 128)};
    architecture = architecture_named(reader.text_or("architecture", "", limits::architecture_bytes_max));
  }
  if (!reader.finish()) return reader.error();
  auto found = by_name ? core_->named(name) : std::vector{core_->content(digest)};
  std::erase_if(found, [&](const auto* one) {
    return one == nullptr || one->kind != ContentKind::package ||
           (!architecture.empty() && !one->package.about.architecture.empty() &&
            one->package.about.architecture != architecture);
  });
  if (found.empty()) return Error{Code::unknown, "no such package", by_name ? "/name" : "/digest"};
  // The variant with the fewest names says best which name is meant: others may also stand for another version.
  const auto* content = *std::min_element(found.begin(), found.end(), [](const auto* a, const auto* b) {
    return a->package.names.size() < b->package.names.size();
  });
  const auto shown = [&](const Content& one) {
    auto json = codec::encode(one.package);
    if (settings_.public_packages.has(one.package)) json["public"] = true;
    return json;
  };
  auto package = shown(*content);
  auto transfers = codec::Json::array();
  for (const auto* sending : core_->sendings_of(content->package.digest, shown_transfers_max)) {
    if (sending->to.kind == Party::Kind::device) transfers.push_back(brief(*sending));
  }
  package["transfers"] = std::move(transfers);
  codec::Json answered{{"v", 1}, {"package", std::move(package)}};
  for (std::size_t i = 0; found.size() > 1 && i < found.size(); ++i) answered["variants"].push_back(shown(*found[i]));
  answer(from, answered, out);
  return {};
}

Result<void> TransferService::transfer(const Asker& from, std::string_view payload, runtime::Output& out) {
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const TransferId id(reader.text("transfer", 32));
  if (!reader.finish()) return reader.error();
  const auto* sending = core_->sending(id);
  const auto* live = core_->receiving(id);
  const auto* receiving = live != nullptr ? live : core_->ended_receiving(id);
  if (receiving != nullptr) {
    answer(from, {{"v", 1}, {"transfer", state_of(*receiving)}}, out);
    return {};
  }
  if (sending == nullptr || sending->offer.transfer.empty())
    return Error{Code::unknown, "no such transfer", "/transfer"};
  answer(from, {{"v", 1}, {"transfer", state_of(*sending)}}, out);
  return {};
}

// The newest first, as many as an answer holds; `live`: only those that have not ended; `device`: only those to it and
// from it.
Result<void> TransferService::transfers(const Asker& from, std::string_view payload, runtime::Output& out) {
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const auto limit = reader.integer_or("limit", page_default, 1, page_max);
  const auto device = reader.text_or("device", "", 128);
  const bool live = reader.boolean_or("live", false);
  if (!reader.finish()) return reader.error();
  auto items = codec::Json::array();
  const auto most = static_cast<std::size_t>(limit);
  const auto down = core_->newest_sendings(device, live, most);
  const auto up = core_->newest_receivings(device, live, most);
  std::size_t bytes = 0;
  auto sent = down.begin();
  auto came = up.begin();
  while (items.size() < most) {
    const bool next_down = sent != down.end() && (came == up.end() || (*sent)->started >= (*came)->started);
    if (!next_down && came == up.end()) break;
    auto item = next_down ? state_of(**sent++) : state_of(**came++);
    bytes += codec::dump(item).size() + 1;
    if (!items.empty() && bytes > answer_bytes_max) break;
    items.push_back(std::move(item));
  }
  answer(from, {{"v", 1}, {"items", std::move(items)}}, out);
  return {};
}

Result<void> TransferService::control(const Asker& from, std::string_view payload, Time now) {
  using Verb = Controlled::Verb;
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const TransferId id(reader.text("transfer", 32));
  if (!reader.finish()) return reader.error();
  const auto verb = from.channel == "pause" ? Verb::pause : from.channel == "resume" ? Verb::resume : Verb::cancel;
  step(Controlled{from, id, verb}, now);
  return {};
}

Result<void> TransferService::list(const Asker& from, std::string_view payload, Time now, runtime::Output& out) {
  auto value = codec::parse(payload);
  if (!value) return value.error();
  codec::Reader reader(*value);
  reader.version();
  const auto limit = reader.integer_or("limit", page_default, 1, page_max);
  const auto after = reader.text_or("after", "", 128);
  const auto place = place_of(after);
  const bool unused = reader.boolean_or("unused", false);
  if (!after.empty() && !place) reader.fail("after", "is not where a page ended");
  if (!reader.finish()) return reader.error();
  auto items = codec::Json::array();
  std::size_t bytes = 0;
  const Content* last = nullptr;
  const auto count = static_cast<std::size_t>(limit) + 1;
  const auto packages = unused ? core_->unused(place, count, now) : core_->packages(place, count);
  for (const auto* content : packages) {
    auto item = codec::encode(content->package);
    bytes += codec::dump(item).size();
    if (items.size() == static_cast<std::size_t>(limit) || (!items.empty() && bytes > answer_bytes_max)) break;
    items.push_back(std::move(item));
    last = content;
  }
  codec::Json answered{{"v", 1}, {"items", std::move(items)}};
  if (last != nullptr && answered.at("items").size() < packages.size()) answered["next"] = cursor_of(*last);
  answer(from, answered, out);
  return {};
}

}  // namespace fieldwork::transfer
