// Reads maps as CSV from stdin, plans a path on each, and writes result.json.part; `run --help` says what is in both.
// Measures for each map the time from having it to having the path. Arguments: --total N (lines of input), --look-ahead
// N, --response-ms-max X.
#include <cstdio>

#include "planner.hpp"
#include "response.hpp"
#include "samples.hpp"

using namespace planning;
using vehicle::Samples;

namespace {

class Result {
 public:
  Result() : file_(std::fopen("result.json.part", "w")) {
    if (file_ == nullptr) fail();
    std::fputs("{\"maps\":[", file_);
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;

  void add(std::int64_t number, const Map& map, const Planner& planner, bool reached) {
    std::fprintf(file_, "%s\n{\"map\":%lld,\"rows\":%d,\"columns\":%d,\"reached\":%s,\"expanded\":%d",
                 maps_++ > 0 ? "," : "", static_cast<long long>(number), map.rows, map.columns,
                 reached ? "true" : "false", planner.expanded());
    cells_ += map.rows * map.columns;
    expanded_ += planner.expanded();
    if (reached) {
      ++reached_;
      add_path(map, planner);
    }
    std::fputs("}", file_);
  }

  void finish(const vehicle::Response& response) {
    const auto cells = static_cast<long long>(cells_), expanded = static_cast<long long>(expanded_);
    std::fprintf(file_, "],\n\"cells\":%lld,\"reached\":%d,\"expanded\":%lld,\n%s}\n", cells, reached_, expanded,
                 response.fields().c_str());
    const bool bad_write = std::ferror(file_) != 0;
    if (std::fclose(file_) != 0 || bad_write) fail();
    std::printf("%d of %d goals reached in %lld cells; %lld cells looked at; %s\n", reached_, maps_, cells, expanded,
                response.summary().c_str());
  }

  std::int64_t cells() const { return cells_; }

 private:
  [[noreturn]] static void fail() {
    std::cerr << "run: result.json: cannot be written\n";
    std::exit(1);
  }

  void add_path(const Map& map, const Planner& planner) {
    double length = 0, smoothed_length = 0, smoothed_cost = 0;
    const auto &path = planner.path(), &smoothed = planner.smoothed();
    for (std::size_t i = 1; i < path.size(); ++i) length += planner.distance(path[i - 1], path[i]);
    for (std::size_t i = 1; i < smoothed.size(); ++i) {
      smoothed_length += planner.distance(smoothed[i - 1], smoothed[i]);
      smoothed_cost += planner.line_cost(smoothed[i - 1], smoothed[i]).value_or(0);
    }
    std::fprintf(file_, ",\"cost\":%.10f,\"length\":%.10f,\"smoothed_cost\":%.10f,\"smoothed_length\":%.10f",
                 planner.path_cost(), length, smoothed_cost, smoothed_length);
    add_cells("path", path, map.columns);
    add_cells("smoothed", smoothed, map.columns);
  }

  void add_cells(const char* name, const std::vector<int>& cells, int columns) {
    std::fprintf(file_, ",\"%s\":[", name);
    const char* between = "";
    for (const int i : cells) {
      std::fprintf(file_, "%s[%d,%d]", between, i / columns, i % columns);
      between = ",";
    }
    std::fputs("]", file_);
  }

  std::FILE* file_;
  int maps_ = 0, reached_ = 0;
  std::int64_t cells_ = 0, expanded_ = 0;
};

// Start and goal cost 1.
void add_cell(Map& map, char text, std::size_t column, const Samples& samples) {
  const int i = static_cast<int>(map.cost.size());
  if (text == 'S' || text == 'G') {
    int& cell = text == 'S' ? map.start : map.goal;
    if (cell >= 0) samples.fail("cells", std::string("a second ") + text);
    cell = i;
    map.cost.push_back(1);
  } else if (text == '#') {
    map.cost.push_back(0);
  } else if (text >= '1' && text <= '9') {
    map.cost.push_back(text - '0');
  } else {
    samples.fail("cells", "cell " + std::to_string(column + 1) + " is not one of 1-9 # S G: \"" + text + "\"");
  }
}

void add_row(Map& map, const Samples& samples) {
  const auto cells = samples.text(2);
  const auto columns = static_cast<std::size_t>(map.columns);
  if (samples.whole(1, 0, 1'000'000'000) != map.rows)
    samples.fail("row", std::string(samples.text(1)) + "; expected " + std::to_string(map.rows));
  if (cells.size() != columns)
    samples.fail("cells", std::to_string(cells.size()) + " cells; expected " + std::to_string(columns));
  if (map.cost.size() + columns > Map::cells_max)
    samples.fail("cells", "more than " + std::to_string(Map::cells_max) + " in one map");
  for (std::size_t c = 0; c < columns; ++c) add_cell(map, cells[c], c, samples);
  ++map.rows;
}

class Job {
 public:
  Job(int look_ahead, double response_ms_max, std::int64_t lines)
      : planner_(look_ahead), response_(response_ms_max), lines_(lines) {}

  void read(const Samples& samples) {
    const auto number = samples.whole(0, 0, 1'000'000'000);
    if (number != number_) {
      if (number_ >= 0 && number < number_)
        samples.fail("map", std::to_string(number) + " does not follow " + std::to_string(number_));
      solve(samples);
      number_ = number;
      map_.rows = 0;
      map_.start = map_.goal = -1;
      map_.cost.clear();
      if (samples.text(2).size() < 2 || samples.text(2).size() > Map::cells_max)
        samples.fail("cells", std::to_string(samples.text(2).size()) + " cells; expected 2 to " +
                                  std::to_string(Map::cells_max));
      map_.columns = static_cast<int>(samples.text(2).size());
    }
    add_row(map_, samples);
  }

  void solve(const Samples& samples) {
    if (number_ < 0) return;
    if (map_.start < 0 || map_.goal < 0)
      samples.fail("cells", "map " + std::to_string(number_) + " has no " + (map_.start < 0 ? "S" : "G"));
    const vehicle::Stopwatch stopwatch;
    const bool reached = planner_.plan(map_);
    response_.add(stopwatch.elapsed());
    const auto before = result_.cells();
    result_.add(number_, map_, planner_, reached);
    vehicle::report_progress(before, result_.cells(), lines_ * map_.columns);
  }

  bool finish() {
    result_.finish(response_);
    return response_.within();
  }

 private:
  Map map_;
  std::int64_t number_ = -1;
  Planner planner_;
  vehicle::Response response_;
  Result result_;
  std::int64_t lines_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto look_ahead = vehicle::option(argc, argv, "--look-ahead", 0, 1000);
  const auto response_ms_max = vehicle::option(argc, argv, "--response-ms-max", 0.001, 10000);
  const auto lines = vehicle::option(argc, argv, "--total", -1, 1e12);
  Samples samples({"map", "row", "cells"});
  Job job(static_cast<int>(look_ahead), response_ms_max, static_cast<std::int64_t>(lines));
  while (samples.next()) job.read(samples);
  job.solve(samples);
  return job.finish() ? 0 : vehicle::exit_too_slow;
}
