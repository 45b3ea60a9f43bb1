// Who needs a package: what transfer asks the scheduler before it removes one, and the answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json.hpp"
#include "model/package.hpp"

namespace fieldwork::codec {

// service/scheduler/uses/{from}
struct UsesQuestion {
  std::int64_t question = 0;         // the answer says the same number
  std::vector<std::string> digests;  // 1 to package_uses_max
  bool operator==(const UsesQuestion&) const = default;
};
[[nodiscard]] std::string encode(const UsesQuestion& question);
[[nodiscard]] Result<UsesQuestion> decode_uses_question(std::string_view text);

// service/transfer/used/{from}
struct UsesAnswer {
  std::int64_t question = 0;
  std::vector<PackageUse> items;  // one for each digest of the question
  bool operator==(const UsesAnswer&) const = default;
};
[[nodiscard]] std::string encode(const UsesAnswer& answer);
[[nodiscard]] Result<UsesAnswer> decode_uses_answer(std::string_view text);

}  // namespace fieldwork::codec
