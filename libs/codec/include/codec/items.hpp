// Lists that are read item by item: a mistake in one item spoils no other. All lists of independent items (questions,
// answers, commands, reports, jobs) are read here.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/json.hpp"

namespace fieldwork::codec {

template <class T, class Key>
struct Items {
  struct Bad {
    std::optional<Key> key;  // the item's key, where the key can be read
    Error error;             // its path begins with /items/{index}
  };
  std::vector<T> good;
  std::vector<Bad> bad;
};

// Reads one item, up to the call of its finish().
using ReadItem = std::function<void(Reader& item)>;
// Is called with each item in which `read` found a mistake.
using BadItem = std::function<void(const Json& item, Error error)>;

// `field` is the name of the list's field, for the paths of errors.
void each_item(const Json& items, const ReadItem& read, const BadItem& bad, const char* field = "items");
// Reads {"v":1,"items":[…]}. An error: `text` is no such message, and neither `read` nor `bad` was called.
[[nodiscard]] Result<void> each_item(std::string_view text, const ReadItem& read, const BadItem& bad);

template <class T, class Key, class Read, class ReadKey>
[[nodiscard]] Result<Items<T, Key>> decode_items(std::string_view text, Read read, ReadKey read_key) {
  Items<T, Key> out;
  const auto done = each_item(
      text,
      [&](Reader& item) {
        T one = read(item);
        if (item.finish()) out.good.push_back(std::move(one));
      },
      [&](const Json& item, Error error) {
        Reader reader(item);
        Key key = read_key(reader);
        out.bad.push_back({reader.ok() ? std::optional<Key>(std::move(key)) : std::nullopt, std::move(error)});
      });
  if (!done) return done.error();
  return out;
}

}  // namespace fieldwork::codec
