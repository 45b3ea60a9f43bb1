// What programs send to the other executions of their job.
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "codec/job.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {
namespace {

std::vector<std::string> read_lines(Reader& item) {
  auto lines = item.texts_or_empty("lines", limits::message_lines_max, limits::message_line_bytes_max);
  if (item.ok() && lines.empty()) item.fail("lines", "must hold a line");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty() || !is_line(lines[i]))
      item.fail("lines/" + std::to_string(i), "must be text on one line, and not empty");
  }
  return lines;
}

SentItem read_sent(Reader& item) {
  auto key = read_key(item);
  return {std::move(key), read_lines(item)};
}

HeardItem read_heard(Reader& item) {
  HeardItem out{.key = read_key(item), .lines = {}};
  out.from = static_cast<int>(item.integer("from", 0, limits::executions_max - 1));
  out.lines = read_lines(item);
  return out;
}

template <class Item>
Result<Items<Item, AttemptKey>> decode_list(std::string_view text, Item (*read)(Reader&)) {
  auto out = decode_items<Item, AttemptKey>(text, read, read_key);
  if (out && out->good.size() + out->bad.size() > limits::message_items_max) {
    return Error{Code::invalid, "has more than " + std::to_string(limits::message_items_max) + " entries", "/items"};
  }
  return out;
}

}  // namespace

std::string encode(const std::vector<SentItem>& items) {
  Json list = Json::array();
  for (const auto& item : items) {
    list.push_back(Json{{"lines", item.lines}});
    write_key(list.back(), item.key);
  }
  return dump(Json{{"v", 1}, {"items", std::move(list)}});
}

Json encode(const HeardItem& item) {
  Json out{{"from", item.from}, {"lines", item.lines}};
  write_key(out, item.key);
  return out;
}

Result<SentItems> decode_sent(std::string_view text) { return decode_list(text, read_sent); }

Result<HeardItems> decode_heard(std::string_view text) { return decode_list(text, read_heard); }

}  // namespace fieldwork::codec
