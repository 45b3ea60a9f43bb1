// Finds obstacles in the way of a vehicle in scans of a lidar, and measures how long each decision takes; see usage
// below. scan.hpp has the coordinates, detector.hpp the method, world.hpp the made scans.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include "detector.hpp"
#include "response.hpp"
#include "samples.hpp"
#include "world.hpp"

using namespace obstacles;
using vehicle::read_number;
using vehicle::Response;

namespace {

constexpr const char* usage =
    R"(Usage: run [--input FILE] [--seed N] [--count N] [--ttc-s X] [--corridor-m X] [--response-ms-max X]
       run --make-input [--seed N] [--count N]
       run --truth [--seed N] [--count N] [--ttc-s X] [--corridor-m X]

Finds obstacles in scans of a lidar, follows them, and says when one that is in the vehicle's corridor would be reached too soon.
Measures for each scan the time from having it to having the decision. Writes result.json and one line on stdout.

  --input FILE         scans as CSV; without it, they are made from seed and count
  --seed N             1 to 2147483646, default 1
  --count N            scans, 1 to 10000000, default 10000
  --ttc-s X            a time to collision below this is dangerous: 0.5 to 10 s, default 4
  --corridor-m X       the width that the vehicle needs: 1 to 6 m, default 2.5
  --response-ms-max X  of the response times, 95 % must not be longer: 0.001 to 10000 ms, default 1
  --make-input         writes scans as CSV to stdout
  --truth              writes the planted dangers as CSV to stdout: first_scan,last_scan,kind

FILE: a header, then scan,time_ms,speed_mps,yaw_rate_rad_s,r0 ... r359: number and time (both rise), speed and yaw rate (to the left) of
  the vehicle, and the ranges in metres from -90 to 90 degrees, right to left; an empty range is one without a return.

result.json:
  scans             number of scans
  events            dangers: first_scan, last_scan, first_ms, last_ms, distance_m (ahead), lateral_m (to the left) and closing_mps when it
                    began, ttc_s (lowest)
  clusters, tracks  groups of returns seen, obstacles confirmed
  response_us       p50, p95, p99, max: microseconds from a scan to its decision, by the steady clock of this device
  response_ms_max   the setting
  within            whether p95 is within it

Exit codes: 0 done, 1 the input is bad, 2 wrong options, 3 done, but p95 is longer than --response-ms-max
)";

struct Options {
  std::string input;
  std::int64_t seed = 1, count = 10000;
  Need need;
  double response_ms = 1;
  bool make_input = false, truth = false;
};

[[noreturn]] void misuse(const std::string& what) {
  std::cerr << "run: " << what << "; see --help\n";
  std::exit(2);
}

[[noreturn]] void bad(const std::string& what) {
  std::cerr << "run: " << what << "\n";
  std::exit(1);
}

template <typename Number>
void set(Number& out, const std::string& name, std::string_view text, Number least, Number most) {
  Number value{};
  if (!read_number(text, value)) misuse(name + ": not a number: " + std::string(text));
  if (value < least || value > most) misuse(name + ": " + std::string(text) + " is out of its range");
  out = value;
}

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      std::cout << usage;
      std::exit(0);
    }
    if (name == "--make-input" || name == "--truth") {
      (name == "--truth" ? options.truth : options.make_input) = true;
      continue;
    }
    constexpr std::array<std::string_view, 6> known{"--input", "--seed",       "--count",
                                                    "--ttc-s", "--corridor-m", "--response-ms-max"};
    if (std::find(known.begin(), known.end(), name) == known.end()) misuse("unknown option " + name);
    if (++i == argc) misuse(name + " wants a value");
    const std::string_view value = argv[i];
    if (name == "--input") options.input = value;
    if (name == "--seed") set<std::int64_t>(options.seed, name, value, 1, 2147483646);
    if (name == "--count") set<std::int64_t>(options.count, name, value, 1, 10000000);
    if (name == "--ttc-s") set<double>(options.need.ttc_s, name, value, 0.5, 10);
    if (name == "--corridor-m") set<double>(options.need.corridor_m, name, value, 1, 6);
    if (name == "--response-ms-max") set<double>(options.response_ms, name, value, 0.001, 10000);
  }
  return options;
}

World make_world(const Options& options) {
  return World(static_cast<std::uint64_t>(options.seed), options.count, options.need);
}

std::string header() {
  std::string out = "scan,time_ms,speed_mps,yaw_rate_rad_s";
  for (int i = 0; i < rays; ++i) out += ",r" + std::to_string(i);
  return out;
}

void append(std::string& out, double value, int digits) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr;
  out.append(text.data(), end);
}

void make_input(const Options& options) {
  World world = make_world(options);
  Scan scan;
  std::string line = header();
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stdout);
  while (world.next(scan)) {
    line = std::to_string(scan.number) + ',' + std::to_string(std::llround(scan.time_s * 1000)) + ',';
    append(line, scan.speed_mps, 2);
    line += ',';
    append(line, scan.yaw_rate_rad_s, 4);
    for (const double range : scan.range_m) {
      line += ',';
      if (range > 0) append(line, range, 2);
    }
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stdout);
  }
}

// Dangers with a pause of at most half a second between them are one; shorter than half a second is none.
void print_truth(const Options& options) {
  World world = make_world(options);
  std::int64_t first = -1, last = -1;
  std::string kind;
  const auto print = [&] {
    if (first >= 0 && last - first >= 4)
      std::printf("%lld,%lld,%s\n", static_cast<long long>(first), static_cast<long long>(last), kind.c_str());
    first = -1;
  };
  std::puts("first_scan,last_scan,kind");
  while (world.step()) {
    if (first >= 0 && world.number() - last > 5) print();
    if (!world.dangerous()) continue;
    if (first < 0) first = world.number(), kind = world.kind();
    last = world.number();
  }
  print();
}

// Scans from a file, one line at a time.
class Reader {
 public:
  explicit Reader(std::string name) : name_(std::move(name)), file_(name_, std::ios::binary) {
    if (!file_ || !std::filesystem::is_regular_file(name_)) bad(name_ + ": no such file, or not readable");
    char last = '\n';
    for (std::istreambuf_iterator<char> at(file_), end; at != end; ++at) lines_ += (last = *at) == '\n' ? 1 : 0;
    if (last != '\n') ++lines_;
    if (lines_ == 0) fail("header", "the input is empty");
    file_.clear();
    file_.seekg(0);
    next_line();
    check_header();
  }

  std::int64_t scans() const { return lines_ - 1; }

  bool next(Scan& scan) {
    if (!next_line()) {
      if (line_number_ == 1) fail("scans", "only a header");
      return false;
    }
    rest_ = line_;
    const double number = field("scan", 0, 1e12), time_ms = field("time_ms", 0, 1e15);
    if (line_number_ > 2 && static_cast<std::int64_t>(number) <= scan.number) fail("scan", "not above the scan before");
    if (line_number_ > 2 && time_ms / 1000 <= scan.time_s) fail("time_ms", "not after the scan before");
    scan.number = static_cast<std::int64_t>(number);
    scan.time_s = time_ms / 1000;
    scan.speed_mps = field("speed_mps", -50, 150);
    scan.yaw_rate_rad_s = field("yaw_rate_rad_s", -10, 10);
    for (std::size_t i = 0; i < rays; ++i) scan.range_m[i] = range(i);
    if (!over_) fail("fields", "more than " + std::to_string(rays + 4));
    return true;
  }

 private:
  [[noreturn]] void fail(const std::string& field, const std::string& what) const {
    bad(name_ + " line " + std::to_string(std::max<std::int64_t>(line_number_, 1)) + ": " + field + ": " + what);
  }

  bool next_line() {
    file_.getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    if (file_.fail() && file_.gcount() == 0) return false;
    ++line_number_;
    if (file_.fail()) fail("line", "longer than " + std::to_string(buffer_.size() - 1) + " bytes");
    const auto length = static_cast<std::size_t>(file_.gcount()) - (file_.eof() ? 0 : 1);
    line_ = std::string_view(buffer_.data(), length);
    over_ = false;
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    return true;
  }

  void check_header() {
    const std::string wanted = header();
    if (line_ == wanted) return;
    const auto at = std::mismatch(line_.begin(), line_.end(), wanted.begin(), wanted.end()).second - wanted.begin();
    const auto from = wanted.rfind(',', static_cast<std::size_t>(at)) + 1;  // npos + 1 is 0
    fail(std::string(wanted, from, wanted.find(',', from) - from), "the header differs here, or goes on");
  }

  std::string_view cut() {  // the next field
    const auto comma = rest_.find(',');
    const auto out = rest_.substr(0, comma);
    over_ = comma == std::string_view::npos;
    rest_ = over_ ? std::string_view{} : rest_.substr(comma + 1);
    return out;
  }

  double number(const std::string& name, std::string_view text, double least, double most) const {
    double out = 0;
    if (!read_number(text, out)) fail(name, "not a number: \"" + std::string(text.substr(0, 40)) + "\"");
    if (out < least || out > most) fail(name, std::string(text.substr(0, 40)) + " is out of its range");
    return out;
  }

  double field(const char* name, double least, double most) {
    if (over_) fail(name, "missing");
    return number(name, cut(), least, most);
  }

  double range(std::size_t i) {
    if (over_) fail("r" + std::to_string(i), "missing");
    const auto text = cut();
    return text.empty() ? 0 : number("r" + std::to_string(i), text, 0, 1000);
  }

  std::string name_;
  std::array<char, 65536> buffer_{};
  std::string_view line_;
  std::ifstream file_;
  std::string_view rest_;
  bool over_ = false;  // the line's last field has been read
  std::int64_t lines_ = 0, line_number_ = 0;
};

class Result {
 public:
  Result() : file_(std::fopen("result.json.part", "w")) {
    if (file_ == nullptr) bad("result.json: cannot be written");
    std::fputs("{\"events\":[", file_);
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;

  void add(const Event& e) {
    std::fprintf(file_, "%s\n{\"first_scan\":%lld,\"last_scan\":%lld,\"first_ms\":%.0f,\"last_ms\":%.0f,",
                 events_++ > 0 ? "," : "", static_cast<long long>(e.first_scan), static_cast<long long>(e.last_scan),
                 e.first_time_s * 1000, e.last_time_s * 1000);
    std::fprintf(file_, "\"distance_m\":%.2f,\"lateral_m\":%.2f,\"closing_mps\":%.2f,\"ttc_s\":%.2f}", e.distance_m,
                 e.lateral_m, e.closing_mps, e.ttc_s);
  }

  // Writes the rest.
  void finish(std::int64_t scans, const Detector& detector, const Response& response) {
    std::fprintf(file_, "],\n\"scans\":%lld,\"clusters\":%lld,\"tracks\":%lld,\n", static_cast<long long>(scans),
                 static_cast<long long>(detector.clusters_seen()), static_cast<long long>(detector.tracks_confirmed()));
    std::fprintf(file_, "%s}\n", response.fields().c_str());
    const bool bad_write = std::ferror(file_) != 0;
    if (std::fclose(file_) != 0 || bad_write || std::rename("result.json.part", "result.json") != 0)
      bad("result.json: cannot be written");
    std::printf("%lld dangers in %lld scans; %s\n", static_cast<long long>(events_), static_cast<long long>(scans),
                response.summary().c_str());
  }

 private:
  std::FILE* file_;
  std::int64_t events_ = 0;
};

// Returns whether the response was within the need.
template <typename Scans>
bool detect(Scans& scans, std::int64_t total, const Options& options) {
  Detector detector(options.need);
  Response response(options.response_ms);
  Result result;
  Scan scan;
  std::int64_t done = 0;
  while (scans.next(scan)) {
    const vehicle::Stopwatch stopwatch;
    detector.decide(scan);
    response.add(stopwatch.elapsed());
    for (const auto& event : detector.ended()) result.add(event);
    vehicle::report_progress(done, done + 1, total);
    ++done;
  }
  for (const auto& event : detector.finish()) result.add(event);
  result.finish(done, detector, response);
  return response.within();
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  if (options.truth) return print_truth(options), 0;
  if (options.make_input) return make_input(options), 0;
  std::remove("result.json");
  std::atexit([] { std::remove("result.json.part"); });
  bool within = false;
  if (options.input.empty()) {
    World world = make_world(options);
    within = detect(world, options.count, options);
  } else {
    Reader reader(options.input);
    within = detect(reader, reader.scans(), options);
  }
  return within ? 0 : vehicle::exit_too_slow;
}
