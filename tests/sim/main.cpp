// sim --seed N [--seeds COUNT] [--trace]: whole runs of a fleet in a world that loses, repeats, delays, reorders,
// kills.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "fleet.hpp"
#include "runtime/log.hpp"

using namespace fieldwork;
using namespace fieldwork::sim;

namespace {

constexpr std::uint64_t base_seed = 1000;
constexpr std::uint64_t seeds_default = 50;
constexpr Duration faults_end = seconds(60);
constexpr Duration deadline = seconds(1800);
constexpr Duration outage_max = std::chrono::hours{2};
constexpr int devices = 3;
constexpr int jobs = 14;

// Each seed has its own kind of bad.
Faults faults_of(Random& random) {
  const auto up_to = [&](double most) { return most * static_cast<double>(random.below(101)) / 100; };
  return {.lose = up_to(0.3),
          .lose_publish = up_to(0.1),
          .repeat = up_to(0.3),
          .damage = up_to(0.1),
          .delay_max = random.between(milliseconds(0), milliseconds(500)),
          .commit_fails = up_to(0.2),
          .read_fails = up_to(0.05),
          .dies_in_commit = up_to(0.02),
          .crash_every = random.between(seconds(8), seconds(60)),
          .link_cut_every = random.between(seconds(5), seconds(60)),
          .wipe_every = random.between(seconds(10), seconds(60)),
          .outage_at = random.between(seconds(5), seconds(50)),
          .outage_lasts = random.chance(0.4) ? random.between(seconds(60), outage_max) : Duration::zero(),
          .outage_of_store = random.chance(0.5)};
}

std::vector<Wish> wishes_of(Random& random, Time start, const std::vector<Released>& packages) {
  std::vector<Wish> out;
  for (int i = 1; i <= jobs; ++i) {
    Wish wish;
    wish.request = "r" + std::to_string(i);
    wish.submit_at = start + random.between(seconds(0), seconds(45));
    wish.spec.name = "job-" + std::to_string(i);
    wish.spec.command = {"./detect", "input-" + std::to_string(i)};
    wish.spec.priority = static_cast<int>(random.below(10));
    wish.spec.requirements.cpu_millis = random.chance(0.5) ? 700 : 0;
    wish.spec.retry.attempts_max = 10;  // with its backoff more than the faults last
    if (random.chance(0.4)) wish.spec.package = packages[random.below(packages.size())].package.digest;
    if (random.chance(0.15)) {
      wish.spec.targets = Labels{{"zone", "a"}};
    } else if (random.chance(0.25)) {
      wish.spec.replicas = 2;
    }
    if (random.chance(0.2)) wish.cancel_at = wish.submit_at + random.between(seconds(0), seconds(15));
    out.push_back(std::move(wish));
  }
  return out;
}

bool run_seed(const Supplies& supplies, std::uint64_t seed, bool trace) {
  Random setup(seed ^ 0x5eed);
  const auto faults = faults_of(setup);
  World world(seed, faults, faults_end);
  if (trace) world.trace = [](const std::string& line) { std::puts(line.c_str()); };
  Fleet fleet(world, supplies, devices);
  fleet.wishes = wishes_of(setup, world.now(), supplies.packages());
  try {
    world.start();
    if (!world.run([&] { return fleet.quiet(); }, deadline + faults.outage_lasts)) {
      throw Violation("every job ends once the faults stop", "still open:" + fleet.open());
    }
    fleet.check_at_the_end();
  } catch (const std::exception& violation) {  // a Violation, or what a service threw
    std::printf("seed %llu: invariant \"%s\"\n  at %lld ms; replay: tests/sim --seed %llu --trace\n",
                static_cast<unsigned long long>(seed), violation.what(),
                static_cast<long long>(std::chrono::duration_cast<milliseconds>(world.age()).count()),
                static_cast<unsigned long long>(seed));
    return false;
  }
  if (trace) {
    std::printf("seed %llu: ok after %lld s, %zu runs", static_cast<unsigned long long>(seed),
                static_cast<long long>(std::chrono::duration_cast<seconds>(world.age()).count()),
                fleet.checks().runs());
    for (const auto& [what, count] : world.counts)
      std::printf(", %llu %s", static_cast<unsigned long long>(count), what.c_str());
    std::puts("");
  }
  return true;
}

int usage() {
  std::fputs("sim [--seed N] [--seeds COUNT] [--trace]\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = base_seed, count = 0;
  bool trace = false, one = false;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--trace") {
      trace = true;
    } else if ((arg == "--seed" || arg == "--seeds") && i + 1 < argc) {
      char* end = nullptr;
      (arg == "--seed" ? first : count) = std::strtoull(argv[++i], &end, 10);
      if (*end != '\0') return usage();
      one = one || arg == "--seed";
    } else {
      return usage();
    }
  }
  if (count == 0) count = one ? 1 : seeds_default;
  log::setup("sim", "text", trace ? "debug" : "off");
  const Supplies supplies(devices, {{"small", 20'000}, {"large", 120'000}});
  std::uint64_t bad = 0;
  for (auto seed = first; seed < first + count; ++seed) bad += run_seed(supplies, seed, trace) ? 0 : 1;
  std::printf("%llu seeds from %llu, %llu failed\n", static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(bad));
  return bad == 0 ? 0 : 1;
}
