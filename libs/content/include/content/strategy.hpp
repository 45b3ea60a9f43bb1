// What a transfer does on a link, as a table: a pure function of what was measured and of the priority. The first row
// whose condition holds is taken.
//
//   round trip      bandwidth       compression        frames
//   > 100 ms        any             high (zstd 9)      250 ms of the link, 4 to 16 KiB
//   any             < 1 Mbit/s      maximum (zstd 19)  250 ms of the link, 4 to 64 KiB
//   any or unknown  any             fast (zstd 3)      10 ms of the link, 64 to 256 KiB
//   any or unknown  unknown         fast (zstd 3)      16 KiB: the first ones measure the link
//
// The round trip is the shortest that was seen, without queues; unknown, it meets no condition. Once a row is taken, it
// is left only when what was measured is a tenth beyond its bound, so that a link at the bound does not change its mind
// at every answer.
//
//   priority   retries   factor      the wait before a retry is factor^attempt seconds, attempt 1 the first
//   high       5         1.5
//   normal     3         2.0
//   low        2         2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "content/choose.hpp"
#include "model/job.hpp"

namespace fieldwork::content {

struct Measured {
  std::optional<std::chrono::microseconds> round_trip;
  std::optional<double> bit_per_s;  // what the link delivers
};

struct Retry {
  int retries = 3;
  double factor = 2;
};
[[nodiscard]] Retry retry_of(PriorityClass priority);
/// Before attempt 1, 2, …: factor^attempt seconds, and up to a quarter more, by chance in [0, 1).
[[nodiscard]] std::chrono::microseconds retry_wait(const Retry& retry, int attempt, double chance);

struct Strategy {
  enum class Row { far, narrow, near, unknown };
  Row row = Row::unknown;
  Compression compression = Compression::fast;
  std::uint32_t frame_bytes = 16 * 1024;  // a multiple of 4 KiB
  bool operator==(const Strategy&) const = default;
};
/// "far", "narrow", "near" or "unknown".
[[nodiscard]] std::string_view name_of(Strategy::Row row);

[[nodiscard]] Strategy strategy(const Measured& link, std::optional<Strategy::Row> now = {});
/// Why, as one line: "round trip 212 ms > 100 ms: zstd 9, frames of 16 KiB".
[[nodiscard]] std::string reason(const Strategy& strategy, const Measured& link);

}  // namespace fieldwork::content
