#include "content/pace.hpp"

#include <algorithm>

namespace fieldwork::content {
namespace {

using Time = Pace::Time;
using namespace std::chrono_literals;

constexpr double startup_gain = 2.89;  // 2 / ln 2
constexpr double cruise_gain = 1.25;   // more than the link delivers: the window bounds the queue
constexpr double window_gain = 2, careful_gain = 1.25;
constexpr double grows = 1.25;  // by less than this in full_rounds rounds: the rate has stopped growing
constexpr int full_rounds = 3;
constexpr int rounds_kept = 10;
constexpr double loss_accepted = 0.02;  // of a round
constexpr Time rate_kept = 1s, round_trip_kept = 10s, probe_least = 200ms, extra_most = 2s;

class FixedPace : public Pace {
 public:
  explicit FixedPace(std::uint64_t window) : window_(window) {}
  void answered(const Answered&, std::uint64_t, std::uint64_t, Time) override {}
  void silent() override {}
  [[nodiscard]] std::uint64_t window_bytes() const override { return window_; }
  [[nodiscard]] std::optional<double> bytes_per_s() const override { return std::nullopt; }
  [[nodiscard]] std::optional<double> delivers_bytes_per_s() const override { return std::nullopt; }
  [[nodiscard]] std::optional<Time> round_trip() const override { return std::nullopt; }

 private:
  std::uint64_t window_;
};

class ModelPace : public Pace {
 public:
  explicit ModelPace(const PaceConfig& config) : config_(config) {
    config_.window_min = std::min(config_.window_min, config_.window_max);
    config_.window_first = std::clamp(config_.window_first, config_.window_min, config_.window_max);
    window_ = config_.window_first;
  }

  // Fills the link and no queue; the answers show whether that is still right.
  void go_on(double bytes_per_s, Time round_trip) {
    rate_.add(bytes_per_s, Time::zero(), rate_kept, 0, rounds_kept);
    shortest_ = round_trip;
    window_ = std::max(window_, clamped(pipe()));
  }

  void answered(const Answered& answer, std::uint64_t in_flight, std::uint64_t delivered, Time now) override {
    see_round_trip(answer, now);
    round_ended_ = answer.bytes > 0 && answer.delivered_before >= round_until_;
    if (round_ended_) {
      round_until_ = delivered;
      ++round_;
    }
    see_rate(answer, now);
    see_extra(answer, now);
    see_loss(answer);
    if (phase_ == Phase::startup) leave_startup(answer);
    if (phase_ == Phase::drain && static_cast<double>(in_flight) <= pipe()) phase_ = Phase::cruise;
    probe_round_trip(now);
    grow(answer);
  }

  void silent() override { window_ = config_.window_first; }

  [[nodiscard]] std::uint64_t window_bytes() const override {
    return probing_ ? std::min(window_, clamped(pipe() / 2)) : window_;
  }
  [[nodiscard]] std::optional<double> bytes_per_s() const override {
    if (rate_.value() <= 0) return std::nullopt;
    const double gain = phase_ == Phase::startup ? startup_gain
                        : phase_ == Phase::drain ? 1 / startup_gain
                                                 : cruise_gain;
    return gain * rate_.value();
  }
  [[nodiscard]] std::optional<double> delivers_bytes_per_s() const override {
    return rate_.value() > 0 ? std::optional(rate_.value()) : std::nullopt;
  }
  [[nodiscard]] std::optional<Time> round_trip() const override { return shortest_; }

 private:
  enum class Phase { startup, drain, cruise };

  [[nodiscard]] double pipe() const {  // bytes that fill the link and no queue
    return rate_.value() * 1e-6 * static_cast<double>(shortest_.value_or(Time::zero()).count());
  }
  [[nodiscard]] std::uint64_t clamped(double bytes) const {
    return static_cast<std::uint64_t>(
        std::clamp(bytes, static_cast<double>(config_.window_min), static_cast<double>(config_.window_max)));
  }

  void see_round_trip(const Answered& answer, Time now) {
    const auto& seen = answer.round_trip_shortest;
    if (!seen) return;
    if (!shortest_ || *seen <= *shortest_ || (probing_ && now >= probe_until_)) {
      shortest_ = probing_ && now >= probe_until_ ? std::min(*seen, probe_shortest_.value_or(*seen)) : *seen;
      shortest_at_ = now;
    }
    if (probing_) probe_shortest_ = std::min(probe_shortest_.value_or(*seen), *seen);
  }

  void see_rate(const Answered& answer, Time now) {
    if (answer.bytes_per_s <= 0 || (answer.limited && answer.bytes_per_s < rate_.value())) return;
    rate_.add(answer.bytes_per_s, now, rate_kept, round_, rounds_kept);
  }

  void see_extra(const Answered& answer, Time now) {
    if (rate_.value() <= 0) return;
    const double expected = rate_.value() * 1e-6 * static_cast<double>((now - epoch_at_).count());
    if (static_cast<double>(epoch_bytes_) <= expected) {
      epoch_at_ = now;
      epoch_bytes_ = 0;
      extra_.add(static_cast<double>(answer.bytes), now, rate_kept, round_, rounds_kept);
      return;
    }
    epoch_bytes_ += answer.bytes;
    extra_.add(static_cast<double>(epoch_bytes_) - expected, now, rate_kept, round_, rounds_kept);
  }

  void see_loss(const Answered& answer) {
    round_lost_ += answer.lost_bytes;
    round_came_ += answer.bytes;
    if (!round_ended_) return;
    const double lost = static_cast<double>(round_lost_);
    if (lost > loss_accepted * (lost + static_cast<double>(round_came_)))
      careful_rounds_ = rounds_kept;
    else
      careful_rounds_ = std::max(careful_rounds_ - 1, 0);
    round_lost_ = round_came_ = 0;
  }

  void leave_startup(const Answered& answer) {
    if (!round_ended_ || answer.limited) return;
    if (rate_.value() >= grows * full_rate_) {
      full_rate_ = rate_.value();
      full_count_ = 0;
      return;
    }
    const bool queue = answer.round_trip_shortest && shortest_ && *answer.round_trip_shortest > 2 * *shortest_;
    if (++full_count_ >= full_rounds || queue) phase_ = Phase::drain;
  }

  void probe_round_trip(Time now) {
    if (probing_ && now >= probe_until_) {
      probing_ = false;
      if (probe_shortest_) shortest_ = probe_shortest_;
      shortest_at_ = now;
    } else if (!probing_ && shortest_ && now - shortest_at_ > round_trip_kept) {
      probing_ = true;
      probe_shortest_.reset();
      probe_until_ = now + std::max(probe_least, 2 * *shortest_);
    }
  }

  void grow(const Answered& answer) {
    const bool starting = phase_ == Phase::startup;
    const double gain = starting ? startup_gain : careful_rounds_ > 0 ? careful_gain : window_gain;
    const double extra = std::min(extra_.value(), rate_.value() * 1e-6 * static_cast<double>(extra_most.count()));
    const auto target = clamped(gain * pipe() + extra);
    if (starting)
      window_ = std::min(std::max(target, window_), clamped(static_cast<double>(window_ + answer.bytes)));
    else
      window_ = std::min(target, window_ + answer.bytes);
    window_ = clamped(static_cast<double>(window_));
  }

  PaceConfig config_;
  std::uint64_t window_ = 0;
  Phase phase_ = Phase::startup;
  WindowedMax rate_, extra_;
  std::optional<Time> shortest_, probe_shortest_;
  Time shortest_at_{}, probe_until_{}, epoch_at_{};
  bool probing_ = false, round_ended_ = false;
  std::uint64_t round_ = 0, round_until_ = 0, epoch_bytes_ = 0, round_lost_ = 0, round_came_ = 0;
  int careful_rounds_ = 0, full_count_ = 0;
  double full_rate_ = 0;
};

}  // namespace

void WindowedMax::add(double value, Time now, Time span, std::uint64_t round, std::uint64_t rounds) {
  while (!values_.empty() && values_.back().value <= value) values_.pop_back();
  values_.push_back({now, round, value});
  while (values_.front().at + span < now && values_.front().round + rounds < round) values_.pop_front();
}

std::unique_ptr<Pace> fixed_pace(std::uint64_t window_bytes) { return std::make_unique<FixedPace>(window_bytes); }
std::unique_ptr<Pace> model_pace(const PaceConfig& config, std::optional<double> bytes_per_s,
                                 std::optional<Pace::Time> round_trip) {
  auto out = std::make_unique<ModelPace>(config);
  if (bytes_per_s && round_trip) out->go_on(*bytes_per_s, *round_trip);
  return out;
}

}  // namespace fieldwork::content
