#include "registry/shell/rows.hpp"

#include <nlohmann/json.hpp>

#include "codec/device.hpp"

namespace fieldwork::registry {

std::string to_row(const Record& record) {
  auto row = codec::encode(record.device);
  row.erase("v");
  row.erase("duplicated_since_ms");  // seen again within a minute after a restart
  row["enrolled_session"] = record.enrolled_session;
  return codec::dump(row);
}

Result<Record> from_row(std::string_view text) {
  auto row = codec::parse(text);
  if (!row) return row.error();
  if (row->is_object()) (*row)["v"] = 1;
  auto device = codec::decode_device(*row);
  if (!device) return device.error();
  codec::Reader reader(*row);
  reader.allow_unknown();
  Record out{std::move(*device), reader.integer("enrolled_session", 0, INT64_MAX)};
  if (!reader.finish()) return reader.error();
  return out;
}

}  // namespace fieldwork::registry
