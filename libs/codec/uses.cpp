#include "codec/uses.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "crypto/digest.hpp"
#include "model/limits.hpp"

namespace fieldwork::codec {

std::string encode(const UsesQuestion& question) {
  return dump({{"v", 1}, {"question", question.question}, {"digests", question.digests}});
}

Result<UsesQuestion> decode_uses_question(std::string_view text) {
  auto value = parse(text);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  UsesQuestion out{reader.integer("question", 1, limits::integer_max), {}};
  const Json* digests = reader.array("digests", limits::package_uses_max);
  if (digests != nullptr && digests->empty()) reader.fail("digests", "must not be empty");
  if (digests != nullptr) {
    for (const auto& digest : *digests) {
      if (digest.is_string() && crypto::is_digest(digest.get_ref<const std::string&>())) {
        out.digests.push_back(digest.get<std::string>());
      } else {
        reader.fail("digests", "must hold digests");
      }
    }
  }
  if (!reader.finish()) return reader.error();
  return out;
}

std::string encode(const UsesAnswer& answer) {
  auto items = Json::array();
  for (const auto& one : answer.items) {
    auto users = Json::array();
    for (const auto& user : one.users) users.push_back(clamp_text(user, limits::package_user_bytes_max));
    items.push_back({{"digest", one.digest}, {"users", std::move(users)}});
  }
  return dump({{"v", 1}, {"question", answer.question}, {"items", std::move(items)}});
}

Result<UsesAnswer> decode_uses_answer(std::string_view text) {
  auto value = parse(text);
  if (!value) return value.error();
  Reader reader(*value);
  reader.version();
  UsesAnswer out{reader.integer("question", 1, limits::integer_max), {}};
  const Json* items = reader.array("items", limits::package_uses_max);
  if (items != nullptr && items->empty()) reader.fail("items", "must not be empty");
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    Reader item(reader, "items", i, (*items)[i]);
    PackageUse one{item.digest("digest"), {}};
    if (item.array("users", limits::package_users_max) != nullptr)
      one.users = item.texts_or_empty("users", limits::package_users_max, limits::package_user_bytes_max);
    item.finish();
    out.items.push_back(std::move(one));
  }
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::codec
