// Whole runs of a fleet in a world that loses, repeats, delays, reorders, forgets and kills: `sim --help`.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "chance.hpp"
#include "plan.hpp"
#include "runtime/log.hpp"

using namespace fieldwork;
using namespace fieldwork::sim;

namespace {

constexpr const char* usage_text =
    "sim [--seed N] [--seeds COUNT | --minutes N] [--jobs N] [--trace]\n"
    "\n"
    "Runs a fleet and its services in one process, in virtual time, in a world whose faults come from a seed, and\n"
    "checks what must always hold. A seed that fails says which of it did not, and how to see it again.\n"
    "\n"
    "  --seed N      the first seed (default 1000); alone: only this one\n"
    "  --seeds N     so many seeds (default 50)\n"
    "  --minutes N   as many seeds as fit in this time, with a line of progress each minute\n"
    "  --jobs N      in so many processes (default 1)\n"
    "  --trace       says all that happens\n"
    "\n"
    "  sim --seeds 500 --jobs 2            what CI runs\n"
    "  sim --minutes 60 --jobs 2 --seed 7  an hour, from seed 7 on\n"
    "  sim --seed 1234 --trace             one run, seen from near\n"
    "\n"
    "exit codes: 0 all held, 1 something did not, 2 wrong usage\n";

struct Options {
  std::uint64_t first = 1000, seeds = 50, minutes = 0, jobs = 1;
  bool trace = false;
};

using Clock = std::chrono::steady_clock;

bool run_seed(const Supplies& supplies, std::uint64_t seed, bool trace) {
  seed_chance(seed);
  World world(seed);
  const auto plan = plan_of(seed, world.now(), supplies.packages());
  world.be_faulty(plan.faults, plan.faults_end);
  if (trace) world.trace = [](const std::string& line) { std::puts(line.c_str()); };
  Fleet fleet(world, supplies, plan.devices);
  fleet.wishes = plan.wishes;
  if (plan.losses) fleet.checks().allow_losses();
  Upsets upsets(world, fleet, plan.upset, plan.faults_end);
  try {
    world.start();
    upsets.start();
    if (!world.run([&] { return fleet.quiet(); }, plan.deadline)) {
      throw Violation("every job ends once the faults stop", "still open:" + fleet.open());
    }
    fleet.check_at_the_end();
  } catch (const std::exception& violation) {  // a Violation, or what a service threw
    std::printf("seed %llu: invariant \"%s\"\n  at %lld ms, with %s; replay: tests/sim --seed %llu --trace\n",
                static_cast<unsigned long long>(seed), violation.what(),
                static_cast<long long>(std::chrono::duration_cast<milliseconds>(world.age()).count()),
                text(plan).c_str(), static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    return false;
  }
  if (trace) {
    std::printf("seed %llu: ok after %lld s, %s; %zu runs", static_cast<unsigned long long>(seed),
                static_cast<long long>(std::chrono::duration_cast<seconds>(world.age()).count()), text(plan).c_str(),
                fleet.checks().runs());
    for (const auto& [what, count] : world.counts)
      std::printf(", %llu %s", static_cast<unsigned long long>(count), what.c_str());
    std::puts("");
  }
  return true;
}

// Runs every `jobs`-th seed, from seed number `share` on. True: all invariants held.
bool run_share(const Options& options, const Supplies& supplies, std::uint64_t share) {
  const auto began = Clock::now();
  const auto end = began + std::chrono::minutes(options.minutes);
  auto say_at = began + std::chrono::minutes(1);
  std::uint64_t done = 0, bad = 0;
  for (auto i = share; options.minutes > 0 ? Clock::now() < end : i < options.seeds; i += options.jobs) {
    bad += run_seed(supplies, options.first + i, options.trace) ? 0 : 1;
    ++done;
    if (options.minutes == 0 || Clock::now() < say_at) continue;
    say_at += std::chrono::minutes(1);
    std::printf("%llu seeds, %llu failed, up to seed %llu\n", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(bad), static_cast<unsigned long long>(options.first + i));
    std::fflush(stdout);
  }
  const auto took = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - began).count();
  std::printf("%llu seeds from %llu on, each %llu, in %lld s: %llu failed\n", static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(options.first + share), static_cast<unsigned long long>(options.jobs),
              static_cast<long long>(took), static_cast<unsigned long long>(bad));
  std::fflush(stdout);
  return bad == 0;
}

// The supplies are made once; a child process uses them and leaves their removal to the parent.
bool run_all(const Options& options, const Supplies& supplies) {
  for (std::uint64_t share = 1; share < options.jobs; ++share) {
    const auto child = fork();
    if (child == 0) std::_Exit(run_share(options, supplies, share) ? 0 : 1);
    if (child < 0) throw std::runtime_error("cannot start a process");
  }
  bool good = run_share(options, supplies, 0);
  int status = 0;
  while (wait(&status) > 0) good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return good;
}

bool number(const char* text, std::uint64_t& out) {
  char* end = nullptr;
  out = std::strtoull(text, &end, 10);
  return *text != '\0' && *end == '\0';
}

bool read(int argc, char** argv, Options& out) {
  bool one = false, many = false;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--trace") {
      out.trace = true;
      continue;
    }
    auto* value = arg == "--seed"      ? &out.first
                  : arg == "--seeds"   ? &out.seeds
                  : arg == "--minutes" ? &out.minutes
                  : arg == "--jobs"    ? &out.jobs
                                       : nullptr;
    if (value == nullptr || ++i == argc || !number(argv[i], *value)) return false;
    one = one || arg == "--seed";
    many = many || arg == "--seeds" || arg == "--minutes";
  }
  if (one && !many) out.seeds = 1;
  return out.jobs > 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--help") return std::fputs(usage_text, stdout), 0;
  Options options;
  if (!read(argc, argv, options)) return std::fputs(usage_text, stderr), 2;
  log::setup("sim", "text", options.trace ? "debug" : "off");
  const Supplies supplies(devices_max, {{"small", 20'000}, {"large", 120'000}});
  return run_all(options, supplies) ? 0 : 1;
}
