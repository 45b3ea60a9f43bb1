#include "content/strategy.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace fieldwork::content {
namespace {

using namespace std::chrono_literals;
using Row = Strategy::Row;

constexpr std::chrono::microseconds far_from = 100ms;  // round trips longer than this
constexpr double narrow_below = 1e6;                   // bit/s
constexpr double stays = 0.1;                          // beyond the bound, before a row is left
constexpr std::uint32_t frame_align = 4096;

struct Frames {
  std::chrono::milliseconds lasts;
  std::uint32_t least, most;
};
struct Line {
  Row row;
  std::string_view name;
  Compression compression;
  Frames frames;
};
constexpr std::array<Line, 4> lines{{
    {Row::far, "far", Compression::high, {250ms, 4 * 1024, 16 * 1024}},
    {Row::narrow, "narrow", Compression::maximum, {250ms, 4 * 1024, 64 * 1024}},
    {Row::near, "near", Compression::fast, {10ms, 64 * 1024, 256 * 1024}},
    {Row::unknown, "unknown", Compression::fast, {0ms, 16 * 1024, 16 * 1024}},
}};

const Line& line(Row row) {
  return *std::find_if(lines.begin(), lines.end(), [&](const auto& one) { return one.row == row; });
}

Row row_of(const Measured& link, std::optional<Row> now) {
  const auto far = static_cast<double>(far_from.count()) * (now == Row::far ? 1 - stays : 1);
  if (link.round_trip && static_cast<double>(link.round_trip->count()) > far) return Row::far;
  const auto narrow = narrow_below * (now == Row::narrow ? 1 + stays : 1);
  if (link.bit_per_s && *link.bit_per_s < narrow) return Row::narrow;
  return link.bit_per_s ? Row::near : Row::unknown;
}

std::uint32_t frame_bytes(const Frames& frames, const Measured& link) {
  const double bytes = link.bit_per_s.value_or(0) / 8 * static_cast<double>(frames.lasts.count()) / 1000;
  const double bounded = std::clamp(bytes, static_cast<double>(frames.least), static_cast<double>(frames.most));
  return static_cast<std::uint32_t>(std::lround(bounded / frame_align)) * frame_align;
}

std::string milliseconds_of(std::chrono::microseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

}  // namespace

Retry retry_of(PriorityClass priority) {
  switch (priority) {
    case PriorityClass::high: return {5, 1.5};
    case PriorityClass::normal: return {3, 2.0};
    case PriorityClass::low: break;
  }
  return {2, 2.0};
}

std::chrono::microseconds retry_wait(const Retry& retry, int attempt, double chance) {
  const double wait = std::pow(retry.factor, attempt) * (1 + 0.25 * chance);
  return std::chrono::microseconds(static_cast<std::int64_t>(1e6 * wait));
}

std::string_view name_of(Strategy::Row row) { return line(row).name; }

Strategy strategy(const Measured& link, std::optional<Row> now) {
  const Row row = row_of(link, now);
  return {row, line(row).compression, frame_bytes(line(row).frames, link)};
}

std::string reason(const Strategy& strategy, const Measured& link) {
  const auto kbit = std::to_string(static_cast<std::int64_t>(link.bit_per_s.value_or(0) / 1000)) + " kbit/s";
  std::string out;
  if (strategy.row == Row::far) {
    out = "round trip " + milliseconds_of(link.round_trip.value_or(far_from)) + " > " + milliseconds_of(far_from);
  } else if (strategy.row == Row::narrow) {
    out = "bandwidth " + kbit + " < 1000 kbit/s";
  } else if (strategy.row == Row::near) {
    out = "a near link, " + (link.round_trip ? "round trip " + milliseconds_of(*link.round_trip) + ", " : "") + kbit;
  } else {
    out = "the link is not measured yet";
  }
  return out + ": zstd " + std::to_string(level_of(strategy.compression)) + ", frames of " +
         std::to_string(strategy.frame_bytes / 1024) + " KiB";
}

}  // namespace fieldwork::content
