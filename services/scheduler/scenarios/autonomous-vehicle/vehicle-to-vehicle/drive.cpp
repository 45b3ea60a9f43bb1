// Reads the own track as CSV from stdin, sends beacons, hears the peer's, warns; writes result.json.part. `run --help`
// says what is in both, and what the arguments mean. Measures for each sample the time from having it to having told
// the peer and judged.
//
// A beacon is sent when the vehicle has moved, turned or changed its speed enough since the last one, or after
// beacon_ms: the rules of ETSI EN 302 637-2 (Cooperative Awareness Messages). A moment is judged lag_ms after it, which
// is at least beacon_ms: by then the peer has sent all that it will say of that moment, so that the result is the same
// whether both vehicles drive at once or the messages were all there before. Each sends before it waits, so that two
// that wait for each other both go on. What a message takes from one vehicle to the other is the link's, and not in the
// response: waiting for the inbox is not counted.
#include <cstdio>
#include <deque>

#include "closest.hpp"
#include "mail.hpp"
#include "response.hpp"
#include "samples.hpp"

using namespace vehicle;

namespace {

struct Options {
  std::int64_t vehicle = 1, total = 0;
  double lag_ms = 1000, wait_s = 30, response_ms_max = 1;
  double move_m = 4, turn_deg = 4, change_mps = 0.5, beacon_ms = 1000;
  Danger danger;
  std::string outbox, inbox;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Options read_options(int argc, char** argv) {
  const auto number = [&](const char* name, double least, double most) {
    return option(argc, argv, name, least, most);
  };
  Options out;
  out.vehicle = static_cast<std::int64_t>(number("--vehicle", 1, 999999));
  out.total = static_cast<std::int64_t>(number("--total", -1, 1e12));
  out.lag_ms = number("--lag-ms", 100, 60000);
  out.wait_s = number("--wait-s", 0, 3600);
  out.response_ms_max = number("--response-ms-max", 0.001, 10000);
  out.move_m = number("--move-m", 0, 100);
  out.turn_deg = number("--turn-deg", 0, 180);
  out.change_mps = number("--change-mps", 0, 50);
  out.beacon_ms = number("--beacon-ms", 100, 5000);
  out.danger = {.distance_m = number("--distance-m", 0.5, 100),
                .horizon_s = number("--horizon-s", 0.5, 30),
                .max_age_ms = number("--max-age-ms", 100, 10000)};
  out.outbox = environment("outbox");
  out.inbox = environment("inbox");
  return out;
}

class Drive {
 public:
  explicit Drive(const Options& options)
      : options_(options),
        mail_(options.vehicle, options.wait_s, options.outbox, options.inbox),
        judge_(options.danger),
        response_(options.response_ms_max) {}

  void read(const Samples& samples) {
    const auto own = read_state(samples);
    Stopwatch stopwatch;
    moments_.push_back(own);
    if (!beacon_ || beacon_is_due(own)) send_beacon(own);
    judge_until(own.ms - options_.lag_ms, &stopwatch);
    response_.add(stopwatch.elapsed());
    last_ms_ = own.ms;
    report_progress(samples.count() - 1, samples.count(), options_.total);
  }

  bool finish(std::int64_t samples) {
    mail_.send(*last_ms_, "\"end\":true");
    judge_until(*last_ms_, nullptr);
    write(samples);
    return response_.within();
  }

 private:
  State read_state(const Samples& samples) const {
    State out;
    out.ms = samples.number(0, 0, 1e15);
    if (last_ms_ && out.ms <= *last_ms_) samples.fail("time_ms", "not after the line before");
    out.x_m = samples.number(1, -1e7, 1e7);
    out.y_m = samples.number(2, -1e7, 1e7);
    out.speed_mps = samples.number(3, 0, 150);
    out.heading_deg = samples.number(4, 0, 360);
    return out;
  }

  bool beacon_is_due(const State& own) const {
    const double turned = std::abs(own.heading_deg - beacon_->heading_deg);
    const double dx = own.x_m - beacon_->x_m, dy = own.y_m - beacon_->y_m;
    return own.ms - beacon_->ms >= options_.beacon_ms || std::min(turned, 360 - turned) > options_.turn_deg ||
           std::abs(own.speed_mps - beacon_->speed_mps) > options_.change_mps ||
           dx * dx + dy * dy > options_.move_m * options_.move_m;
  }

  void send_beacon(const State& own) {
    beacon_ = own;
    std::array<char, 160> text{};
    std::snprintf(text.data(), text.size(), "\"x_m\":%.2f,\"y_m\":%.2f,\"speed_mps\":%.2f,\"heading_deg\":%.1f",
                  own.x_m, own.y_m, own.speed_mps, own.heading_deg);
    mail_.send(own.ms, text.data());
  }

  void judge_until(double ms, Stopwatch* stopwatch) {
    while (!moments_.empty() && moments_.front().ms <= ms) {
      hear(moments_.front().ms, stopwatch);
      judge_.judge(moments_.front(), peer_);
      moments_.pop_front();
    }
  }

  // Sets the peer's state at the moment `ms`. Reads until the peer is known up to there, or ended, or is silent.
  void hear(double ms, Stopwatch* stopwatch) {
    while (held_ || (held_ = mail_.next(ms, stopwatch))) {
      if (held_->state.ms > ms) return;
      if (!held_->end && (!peer_ || held_->state.ms > peer_->ms)) peer_ = held_->state;
      held_.reset();
    }
  }

  void write(std::int64_t samples) const {
    std::FILE* file = std::fopen("result.json.part", "w");
    if (file == nullptr) fail();
    const auto& n = mail_.counts();
    const auto number = [](std::int64_t value) { return std::to_string(value); };
    std::string text = "{\"vehicle\":" + number(options_.vehicle) + ",\"samples\":" + number(samples) +
                       ",\"peer\":" + (mail_.peer() ? number(*mail_.peer()) : "null") +
                       ",\"peer_ended\":" + (mail_.peer_ended() ? "true" : "false") + ",\n\"sent\":" + number(n.sent) +
                       ",\"heard\":" + number(n.heard) + ",\"lost\":" + number(n.lost) + ",\"late\":" + number(n.late) +
                       ",\"repeated\":" + number(n.repeated) + ",\"malformed\":" + number(n.malformed) +
                       ",\"foreign\":" + number(n.foreign) + ",\n\"unknown_samples\":" + number(judge_.unknown());
    std::fprintf(file, "%s,\"waited_s\":%.1f,\"closest_m\":", text.c_str(), mail_.waited_s());
    if (const auto lowest = judge_.lowest_m())
      std::fprintf(file, "%.2f", *lowest);
    else
      std::fputs("null", file);
    std::fprintf(file, ",\n%s,\n\"warnings\":[", response_.fields().c_str());
    const char* between = "";
    for (const auto& one : judge_.warnings()) {
      std::fprintf(file,
                   "%s\n{\"start_ms\":%.0f,\"end_ms\":%.0f,\"ahead_s\":%.2f,\"closest_m\":%.2f,\"distance_m\":%.2f}",
                   between, one.start_ms, one.end_ms, one.ahead_s, one.closest_m, one.distance_m);
      between = ",";
    }
    std::fputs("]}\n", file);
    const bool bad_write = std::ferror(file) != 0;
    if (std::fclose(file) != 0 || bad_write) fail();
    std::printf("%zu warnings in %lld samples; %lld messages sent, %lld heard, %lld lost; %s\n",
                judge_.warnings().size(), static_cast<long long>(samples), static_cast<long long>(n.sent),
                static_cast<long long>(n.heard), static_cast<long long>(n.lost), response_.summary().c_str());
  }

  [[noreturn]] static void fail() {
    std::cerr << "run: result.json: cannot be written\n";
    std::exit(1);
  }

  Options options_;
  Mail mail_;
  Judge judge_;
  Response response_;
  std::deque<State> moments_;  // that are not judged yet
  std::optional<double> last_ms_;
  std::optional<State> beacon_, peer_;
  std::optional<Message> held_;  // the peer's next message, of a later moment
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = read_options(argc, argv);
  Samples samples({"time_ms", "x_m", "y_m", "speed_mps", "heading_deg"});
  Drive drive(options);
  while (samples.next()) drive.read(samples);
  return drive.finish(samples.count()) ? 0 : exit_too_slow;
}
