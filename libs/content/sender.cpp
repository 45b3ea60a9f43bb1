#include "content/sender.hpp"

#include <algorithm>

namespace fieldwork::content {
namespace {

using namespace std::chrono_literals;

// What could not leave while nobody asked is made up for within this time.
constexpr Sender::Time burst = 4ms;

std::unique_ptr<Pace> pace_of(const SenderConfig& config) {
  if (!config.goes_on || !config.link.bit_per_s) return model_pace(config.pace);
  return model_pace(config.pace, *config.link.bit_per_s / 8, config.link.round_trip);
}

}  // namespace

Sender::Sender(const SenderConfig& config, Ranges acknowledged)
    : config_(config),
      pieces_(config.encoded_bytes, config.align, std::move(acknowledged)),
      pace_(pace_of(config)),
      measured_(config.link),
      strategy_(content::strategy(config.link)) {}

Sender::Sender(const SenderConfig& config, Ranges acknowledged, std::unique_ptr<Pace> pace, std::uint32_t frame_bytes)
    : config_(config),
      pieces_(config.encoded_bytes, config.align, std::move(acknowledged)),
      pace_(std::move(pace)),
      adapts_(false),
      measured_(config.link),
      strategy_{.frame_bytes = frame_bytes} {}

std::vector<Piece> Sender::due(Time now, std::size_t pieces_max) {
  now_ = std::max(now_, now);
  std::vector<Piece> out;
  if (!up_ || suspended_) return out;
  if (pieces_.in_flight_bytes() > 0 && now_ >= silent_at()) {
    pace_->silent();
    heard_ = now_;
    if (attempt_ >= config_.retry.retries) {
      suspended_ = true;
      return out;
    }
    ++attempt_;
    if (const auto probe = pieces_.probe(now_)) out.push_back(*probe);
  }
  const auto rate = this->rate();
  while (out.size() < pieces_max && fits() && (!rate || paced_until_ <= now_)) {
    const auto piece = pieces_.next(frame_bytes());
    if (!piece) break;
    if (pieces_.in_flight_bytes() == 0) heard_ = now_;
    const bool limited = limit_ > 0 && rate && *rate >= static_cast<double>(limit_);
    pieces_.sent(*piece, now_, limited);
    out.push_back(*piece);
    if (!rate) continue;
    paced_until_ = std::max(paced_until_, now_ - burst) + Time(static_cast<std::int64_t>(1e6 * piece->length / *rate));
  }
  return out;
}

void Sender::acknowledged(const Ranges& ranges, Time now) {
  now_ = std::max(now_, now);
  const auto answer = pieces_.acknowledged(ranges, now_, pace_->round_trip().value_or(Time::zero()));
  if (suspended_ || answer.bytes > 0) resume(now_);
  attempt_ = 0;
  if (answer.round_trip_longest) sample(*answer.round_trip_longest);
  pace_->answered(answer, pieces_.in_flight_bytes(), pieces_.delivered(), now_);
  if (adapts_) measure();
}

void Sender::measure() {
  if (const auto rate = pace_->delivers_bytes_per_s()) measured_.bit_per_s = 8 * *rate;
  if (const auto round_trip = pace_->round_trip()) measured_.round_trip = round_trip;
  strategy_ = content::strategy(measured_, strategy_.row);
}

std::optional<Sender::Time> Sender::next_due() const {
  if (finished() || !up_ || suspended_) return std::nullopt;
  const bool more = pieces_.unsent();
  if (!more || !fits()) return pieces_.in_flight_bytes() > 0 ? std::optional(silent_at()) : std::nullopt;
  return rate() ? std::max(paced_until_, Time::zero()) : now_;
}

void Sender::link(bool up, Time now) {
  now_ = std::max(now_, now);
  if (up == up_) return;
  up_ = up;
  if (!up) return;
  resume(now_);
  pieces_.lose_all();
  pace_->silent();
}

void Sender::resume(Time now) {
  now_ = std::max(now_, now);
  heard_ = now_;
  attempt_ = 0;
  if (!suspended_) return;
  suspended_ = false;
  pieces_.lose_all();
}

std::uint32_t Sender::frame_bytes() const { return std::min(strategy_.frame_bytes, config_.frame_bytes_max); }

std::optional<double> Sender::rate() const {
  auto rate = pace_->bytes_per_s();
  if (limit_ > 0) rate = std::min(rate.value_or(static_cast<double>(limit_)), static_cast<double>(limit_));
  return rate;
}

// However small the window, some pieces may be on their way: one is sent while another is acknowledged.
bool Sender::fits() const {
  const bool long_ones = strategy_.row == Strategy::Row::far || strategy_.row == Strategy::Row::narrow;
  const std::uint64_t least = adapts_ ? (long_ones ? 2 : 4) * std::uint64_t{frame_bytes()} : frame_bytes();
  return pieces_.in_flight_bytes() + frame_bytes() <= std::max(pace_->window_bytes(), least);
}

Sender::Time Sender::silent_at() const {
  const Time answer = srtt_ ? *srtt_ + 4 * rttvar_ : Time::zero();
  return heard_ + std::max(answer, retry_wait(config_.retry, attempt_ + 1, chance()));
}

// In [0, 1), another one for each retry (splitmix64).
double Sender::chance() const {
  std::uint64_t x = config_.seed + 0x9e3779b97f4a7c15ULL * static_cast<std::uint64_t>(attempt_ + 1);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<double>((x ^ (x >> 31)) >> 11) * 0x1.0p-53;
}

void Sender::sample(Time round_trip) {
  if (srtt_) {
    const Time error = *srtt_ > round_trip ? *srtt_ - round_trip : round_trip - *srtt_;
    rttvar_ = (3 * rttvar_ + error) / 4;
    srtt_ = (7 * *srtt_ + round_trip) / 8;
  } else {
    srtt_ = round_trip;
    rttvar_ = round_trip / 2;
  }
}

}  // namespace fieldwork::content
