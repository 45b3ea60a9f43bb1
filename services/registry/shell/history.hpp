// The history of devices <-> rows, JSON and requests.
#pragma once

#include <string>
#include <string_view>

#include "codec/json.hpp"
#include "registry/core/registry.hpp"
#include "store/store.hpp"

namespace fieldwork::registry {

// Tables history_raw, history_minute and history_hour.
[[nodiscard]] std::string table(Resolution resolution);
[[nodiscard]] store::Row to_row(const HistoryRow& row);
// Column `kept` of table `device`: the recent signs of health, and the open periods.
[[nodiscard]] codec::Json encode_kept(const Record& record);
// An Error changes nothing.
[[nodiscard]] Result<void> read_kept(const codec::Json& kept, Record& record);

// service/registry/history/{from}
struct HistoryAsked {
  DeviceId device;
  Resolution resolution = Resolution::minute;
  std::int64_t from_ms = 0, until_ms = 0;  // 0: from the first; to the newest
  std::string after;                       // `next` of the page before
  int limit = 0;
};
[[nodiscard]] Result<HistoryAsked> decode_history_request(std::string_view text);
[[nodiscard]] store::Range range(const HistoryAsked& asked);
// `open`: the period that has not ended, which follows the last page; none: there is none, or it is not asked for.
[[nodiscard]] Result<codec::Json> history_page(const HistoryAsked& asked, const Result<store::Page>& page,
                                               const Period* open);

}  // namespace fieldwork::registry
