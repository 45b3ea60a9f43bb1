#include "plan.hpp"

#include <algorithm>

namespace fieldwork::sim {
namespace {

constexpr Duration patience = seconds(1800);  // for the work that is left when the faults stop
constexpr Duration outage_max = std::chrono::hours{2};
constexpr Duration outage_of_many_max = std::chrono::minutes{20};  // of many devices: their heartbeats take long to run

// Each seed has its own mix of faults.
Faults faults_of(Random& random, Duration longest) {
  const auto up_to = [&](double most) { return most * static_cast<double>(random.below(101)) / 100; };
  Faults out{.lose = up_to(0.3),
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
             .outage_at = random.between(seconds(5), seconds(30)),
             .outage_lasts = random.chance(0.2) ? random.between(seconds(60), longest) : Duration::zero(),
             .outage_of_store = random.chance(0.5)};
  if (random.chance(0.2)) out.full_every = random.between(seconds(10), seconds(60));
  out.slow_links = random.chance(0.15);
  return out;
}

Upset upset_of(Random& random) {
  Upset out;
  const auto kind = random.below(12);
  const auto now_and_then = [&] { return random.between(seconds(10), seconds(40)); };
  if (kind == 0 || kind == 1) out.store_back_every = now_and_then();
  if (kind == 2) out.store_new_every = now_and_then();
  if (kind == 3 || kind == 1) out.journal_back_every = now_and_then();
  if (kind == 4) out.journal_new_every = now_and_then();
  if (kind == 5) out.twin = true;
  if (random.chance(0.15)) out.away_every = now_and_then();
  if (random.chance(0.15)) out.press_every = now_and_then();
  out.of_all = random.chance(0.5);
  if (random.chance(0.3)) out.clock_jump_every = random.between(seconds(5), seconds(40));
  return out;
}

Wish wish_of(Random& random, int number, Time start, const Plan& plan, const std::vector<Released>& packages) {
  Wish wish;
  wish.request = "r" + std::to_string(number);
  wish.submit_at = start + random.between(seconds(0), plan.faults_end * 3 / 4);
  wish.spec.name = "job-" + std::to_string(number);
  wish.spec.command = {"./detect", "input-" + std::to_string(number)};
  wish.spec.priority = static_cast<int>(random.below(10));
  constexpr std::int64_t needs[] = {0, 0, 700, 700, 1600};  // of devices with 2000: large ones preempt
  wish.spec.requirements.cpu_millis = needs[random.below(std::size(needs))];
  if (number % 5 == 0) wish.spec.requirements.expression = "label.zone in (a, b) and health > 0.2";
  wish.spec.retry.attempts_max = 10;  // with backoff these tries take longer than the faults last
  if (plan.losses) wish.spec.retry.lost_max = 10;
  if (plan.losses && number % 3 != 0) {  // devices come back with what runs elsewhere by then
    wish.spec.retry.lost_max = 100;
    wish.spec.offline.lost_after_s = 12;
    wish.spec.offline.reconcile = number % 3 == 1 ? Reconcile::keep_original : Reconcile::best_score;
  }
  if (number % 4 == 3) {                                                        // it is on its device before its time
    wish.spec.start_at_ms = to_ms(wish.submit_at + seconds(15)) / 1000 * 1000;  // as a document says it
    wish.spec.offline.stage_s = 10;
  }
  // With a twin no job has a package: the twin has its own copy of each, and nobody can tell whose frames are whose.
  if (random.chance(0.4) && !plan.upset.twin)
    wish.spec.package = packages[random.below(packages.size())].package.digest;
  if (random.chance(0.15)) {
    wish.spec.targets = Targets{.labels = {{"zone", "a"}}};
  } else if (random.chance(0.25)) {
    wish.spec.replicas = 2;
  }
  if (random.chance(0.2)) wish.cancel_at = wish.submit_at + random.between(seconds(0), seconds(15));
  return wish;
}

void make_a_killer(Wish& wish) {
  wish.kills = true;
  wish.spec.command = {"./kill"};
  wish.spec.package.clear();
  wish.spec.targets.reset();
  wish.spec.replicas = 1;
  wish.spec.retry.attempts_max = 3;
  wish.spec.retry.lost_max = 3;
}

}  // namespace

Plan plan_of(std::uint64_t seed, Time start, const std::vector<Released>& packages) {
  Random random(seed ^ 0x5eed);
  Plan plan;
  // Most fleets are small: what can go wrong between many parties goes wrong between few, and more small runs fit in an
  // hour.
  const auto size = random.below(100);
  const bool small = size < 80, large = size >= 97;
  plan.devices = static_cast<int>(small   ? 2 + random.below(3)
                                  : large ? 9 + random.below(devices_max - 8)
                                          : 4 + random.below(4));
  const auto jobs = 3 + random.below(small ? 6 : large ? 28 : 10);
  plan.faults_end = random.between(seconds(20), seconds(60));
  plan.faults = faults_of(random, plan.devices > 8 ? outage_of_many_max : outage_max);
  plan.upset = upset_of(random);
  const bool killer = random.chance(0.08);
  const auto& upset = plan.upset;
  plan.losses = killer || upset.twin ||
                upset.store_back_every + upset.store_new_every + upset.journal_back_every + upset.journal_new_every >
                    Duration::zero();
  for (std::uint64_t i = 1; i <= jobs; ++i)
    plan.wishes.push_back(wish_of(random, static_cast<int>(i), start, plan, packages));
  if (killer) make_a_killer(plan.wishes.front());
  plan.deadline = plan.faults_end + plan.faults.outage_lasts + patience;
  return plan;
}

std::string text(const Plan& plan) {
  std::string out = std::to_string(plan.devices) + " devices, " + std::to_string(plan.wishes.size()) + " jobs";
  const auto say = [&](bool really, const std::string& what) { out += really ? ", " + what : ""; };
  const auto& [store_back, store_new, of_all, journal_back, journal_new, clock_jump, away, press, twin] = plan.upset;
  const auto outage = std::chrono::duration_cast<seconds>(plan.faults.outage_lasts).count();
  say(outage > 0,
      std::to_string(outage) + " s without " + (plan.faults.outage_of_store ? "its database" : "its broker"));
  const std::string whose = of_all ? "all services' database" : "database";
  say(store_back > Duration::zero(), whose + " goes back");
  say(store_new > Duration::zero(), whose + " is new");
  say(journal_back > Duration::zero(), "journals go back");
  say(journal_new > Duration::zero(), "journals are new");
  say(clock_jump > Duration::zero(), "clocks jump");
  say(away > Duration::zero(), "devices away");
  say(press > Duration::zero(), "devices under pressure");
  say(twin, "a copied device");
  say(plan.faults.full_every > Duration::zero(), "full disks");
  say(plan.faults.slow_links, "slow links");
  say(plan.wishes.front().kills, "a job that kills its device");
  return out;
}

}  // namespace fieldwork::sim
