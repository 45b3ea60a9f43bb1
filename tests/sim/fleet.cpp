#include "fleet.hpp"

#include <algorithm>
#include <fstream>

#include "alerting/shell/service.hpp"
#include "crypto/bytes.hpp"
#include "crypto/digest.hpp"
#include "model/limits.hpp"
#include "registry/shell/service.hpp"
#include "scheduler/shell/service.hpp"
#include "security-policy/shell/rows.hpp"
#include "security-policy/shell/rules.hpp"
#include "security-policy/shell/service.hpp"
#include "transfer/shell/service.hpp"

namespace fieldwork::sim {
namespace {

constexpr Duration service_tick = milliseconds(100);
constexpr Duration agent_tick = milliseconds(200);
constexpr std::size_t finished_max = 4;
constexpr std::int64_t package_bytes_max = 1 << 20;
constexpr std::size_t output_noise_bytes = 5'000;
constexpr std::size_t stdout_bytes = 40'000;

TransferId fresh_transfer(Random& random) {
  std::string bytes(16, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random.below(256));
  return TransferId(crypto::to_hex(bytes));
}

}  // namespace

// --- hands ----------------------------------------------------------------------------------------------------------

SimHands::SimHands(World& world, Fleet& fleet, Party& party, agent::Packages packages, agent::Outputs outputs,
                   std::filesystem::path kept)
    : world_(world),
      fleet_(fleet),
      party_(party),
      packages_(std::move(packages)),
      outputs_(std::move(outputs)),
      kept_(std::move(kept)) {}

void SimHands::connected(Time now) {
  packages_.connected(now);
  outputs_.connected(now);
}

std::vector<bus::Message> SimHands::due(Time now) {
  auto out = packages_.due(now);
  for (auto& message : outputs_.due(now)) out.push_back(std::move(message));
  return out;
}

Result<void> SimHands::output(std::string_view channel, std::string_view payload, Time now) {
  if (channel == "want") return outputs_.want(payload, now);
  if (channel == "output") return outputs_.stored(payload, now);
  return outputs_.received(payload, now);
}

// `outputs`: what the program leaves when it ends.
void SimHands::end_later(Duration wait, agent::RunEnded ended, const std::vector<std::string>& outputs) {
  world_.after(wait, [this, party = &party_, life = party_.life(), ended = std::move(ended), outputs]() mutable {
    if (party->life() != life || running_.erase(ended.key) == 0) return;  // the program died with its agent
    if (ended.result) fleet_.checks().ended(ended.key);
    for (const auto& path : outputs) ended.result->files.push_back(keep(path, ended.key));
    party->post([this, party, ended](Time now, runtime::Output& /*out*/) {
      const auto files = ended.result ? ended.result->files : std::vector<OutputFile>();
      for (const auto& file : files) outputs_.add(kept_ / file.digest.substr(7), ended.key, now);
      dynamic_cast<agent::AgentService&>(*party->service()).step(ended, now);
    });
  });
}

// A file that is too large for the report; compressed, it is a few frames.
OutputFile SimHands::keep(const std::string& path, const AttemptKey& key) const {
  const auto made = kept_ / "made";
  std::string content;
  while (content.size() <= limits::content_bytes_max) content += noise(output_noise_bytes);
  std::ofstream(made, std::ios::binary) << content;
  const auto digest = crypto::digest_of(content);
  if (!agent::keep_output(made, kept_ / digest.substr(7), key)) throw std::runtime_error("no room for an output");
  return {path, static_cast<std::int64_t>(content.size()), digest, std::nullopt};
}

void SimHands::run(const Assign& assign) {
  if (!party_.acts()) return;
  running_.insert(assign.key);
  if (const auto refusal = fleet_.refusals.find(party_.name()); refusal != fleet_.refusals.end())
    return end_later(milliseconds(10), {assign.key, std::nullopt, refusal->second, true});
  fleet_.runs(party_, assign, assign.package.empty() ? std::filesystem::path() : packages_.archive(assign.package));
  world_.note(party_.name() + " runs " + text(assign.key));
  if (Fleet::kills(assign)) return kill_device_soon(assign.key);
  auto wait = world_.random().between(milliseconds(20), seconds(6));
  if (world_.random().chance(0.05)) wait = seconds(40);  // longer than a lease
  if (Fleet::is_long(assign)) wait = seconds(90);
  RunResult result;
  if (Fleet::is_wordy(assign)) result.stdout_text.assign(stdout_bytes, '.');
  end_later(wait, {assign.key, std::move(result), ""}, assign.outputs);
}

void SimHands::kill_device_soon(const AttemptKey& key) {
  fleet_.checks().killed_its_device(key.job);
  world_.after(world_.random().between(milliseconds(1), seconds(1)), [this, party = &party_, life = party_.life()] {
    if (party->life() != life) return;
    party->kill();
    const auto away = world_.random().chance(0.3) ? seconds(400) : seconds(20);
    world_.after(away, [party] {
      if (!party->up()) party->start();
    });
  });
}

void SimHands::kill(const AttemptKey& key) {
  if (!party_.acts() || !running_.contains(key)) return;
  world_.note(party_.name() + " stops " + text(key));
  end_later(milliseconds(10), {key, std::nullopt, "killed"});
}

// --- the fleet ------------------------------------------------------------------------------------------------------

Fleet::Fleet(World& world, const Supplies& supplies, int devices)
    : world_(world),
      supplies_(supplies),
      checks_(supplies.grants()),
      transfer_checks_(world, checks_, bounds_.window_bytes) {
  watch();
  add_scheduler();
  add_security_policy();
  world.add("registry", service_tick,
            [](Party&) { return std::make_unique<registry::RegistryService>(root, registry::Limits{}); });
  add_transfer();
  add_alerting();
  for (int i = 1; i <= devices; ++i)
    add_device("d" + std::to_string(i), "d" + std::to_string(i), {{"zone", i == 1 ? "b" : "a"}});
  add_operator();
}

void Fleet::add_operator() {
  const auto directory = disks_ / "cli";
  transfer_checks_.add_receiver(
      "cli", {directory, [directory](const std::string& digest) { return directory / digest.substr(7); }});
  auto& client = world_.add("cli", service_tick, [this, directory](Party&) {
    return std::make_unique<Client>(supplies_, bounds_, wishes, push_again_,
                                    Downloads(supplies_.identity("operator"), directory, fetches));
  });
  client.uses_database = false;
}

void Fleet::watch() {
  world_.on_start = [this](Party& party) { transfer_checks_.starts(party); };
  world_.on_publish = [this](Party& from, const bus::Message& message) {
    if (!is_frame(message)) checks_.published(from, message);
    transfer_checks_.says(from, message);
  };
  world_.on_deliver = [this](Party& to, const bus::Message& message, bool whole) {
    transfer_checks_.hears(to, message, whole);
  };
  world_.on_commit = [this](Party& from, const std::vector<store::Change>& changes) {
    checks_.committed(from, changes);
  };
  world_.on_stall = [this](Party& party) { transfer_checks_.stalls(party); };
}

void Fleet::add_scheduler() {
  world_.add("scheduler", service_tick, [](Party&) {
    scheduler::Limits limits;
    limits.jobs_settled_max = finished_max;  // the scheduler soon forgets settled jobs, and has to look them up
    return std::make_unique<scheduler::SchedulerService>(root, limits);
  });
}

void Fleet::add_security_policy() {
  world_.add("security-policy", service_tick, [this](Party&) {
    namespace policy = security_policy;
    policy::Rulebook rulebook;
    rulebook.rules = policy::load_rules(FIELDWORK_POLICIES_DIR).value();
    rulebook.rules.insert(rulebook.rules.end(), rules.begin(), rules.end());
    policy::AuthorityFiles files(supplies_.device_ca_file(), supplies_.device_crl_file());
    auto authority = files.load().value();
    return std::make_unique<policy::SecurityPolicyService>(root, policy::Limits{}, std::move(rulebook),
                                                           supplies_.grant_key(), std::move(files), authority);
  });
}

void Fleet::add_transfer() {
  const auto directory = disks_ / "transfer";
  const auto store = transfer::ContentStore::open(directory).value();
  transfer_checks_.add_receiver("transfer",
                                {store.incoming(), [store](const std::string& digest) { return store.plain(digest); }});
  world_.add("transfer", service_tick, [this, store](Party&) {
    const auto& own = supplies_.identity("transfer");
    transfer::Settings settings{.store = store,
                                .device_ca = supplies_.devices(),
                                .operator_ca = supplies_.services(),
                                .releases = supplies_.releases(),
                                .certificate = crypto::Certificate::from_pem(own.certificate_pem).value(),
                                .key = crypto::PrivateKey::from_pem(own.key->to_pem()).value(),
                                .window_bytes = bounds_.window_bytes,
                                .frame_bytes_max = bounds_.frame_bytes_max,
                                .fresh_id = [this] { return fresh_transfer(world_.random()); }};
    return std::make_unique<transfer::TransferService>(root, std::move(settings), runtime::Post{});
  });
}

void Fleet::add_alerting() {
  world_.add("alerting", service_tick, [this](Party& self) {
    alerting::AlertingConfig config;
    config.watch.targets = {Alerts::target()};
    config.broker_figures = false;
    config.courier = [this, &self](const alerting::Target&, alerting::Courier::Done done) {
      return alerts_.courier(world_, self, std::move(done));
    };
    config.post = [&self](runtime::Task task) { self.post(std::move(task)); };
    return std::make_unique<alerting::AlertingService>(root, std::move(config));
  });
}

Party& Fleet::add_device(const std::string& name, const std::string& id, Labels labels) {
  const auto directory = disks_ / name;
  const auto outputs = disks_ / (name + ".outputs");
  transfer_checks_.add_receiver(
      name, {directory, [directory](const std::string& digest) { return directory / (digest.substr(7) + ".tar"); }});
  auto& device = world_.add(name, agent_tick, [this, name, id, labels, directory, outputs](Party& self) {
    const auto& identity = supplies_.identity(id);
    agent::AgentConfig config;
    config.root = root;
    config.device = id;
    config.certificate_pem = identity.certificate_pem;
    config.about.capacity = {.cpu_millis = 2000, .memory_bytes = 1 << 30, .storage_bytes = 1 << 30};
    config.about.labels = labels;
    config.about.agent = "0.1.0";
    config.grants = supplies_.grants();
    config.resources = [this, name] {
      const bool pressed = world_.now() < pressed_until_[name];
      return Resources{0.1, pressed ? 1 << 25 : 1 << 30, 1 << 30, 1};
    };
    config.wall_ms = [this, name] { return to_ms(world_.now() + clocks_[name]); };
    config.random = [this] { return world_.random().below(~std::uint64_t{0}); };
    const auto session = *agent::AgentService::next_session(self.disk());
    const Topics topics(root);
    self.birth = agent::AgentService::presence(topics, id, {PresenceSaid::State::online, session});
    self.will = agent::AgentService::presence(topics, id, {PresenceSaid::State::offline, session});
    hands_[name] = std::make_unique<SimHands>(
        world_, *this, self, agent::Packages(directory, identity, supplies_.releases(), topics, package_bytes_max),
        agent::Outputs(outputs, identity, supplies_.services(), topics), outputs);
    return std::make_unique<agent::AgentService>(std::move(config), *hands_[name]);
  });
  device.is_device = true;
  device.uses_database = false;
  device.identity = id;
  return device;
}

Party& Fleet::add_twin(Party& device) {
  twin_ = &add_device(device.name() + "+", device.identity, {{"zone", "a"}});
  twin_->restore(device.disk_copy());
  checks_.went_back(*twin_, checks_.disk(device.name()));
  return *twin_;
}

Party& Fleet::party(const std::string& name) {
  for (auto& one : world_.parties()) {
    if (one->name() == name) return *one;
  }
  throw std::logic_error("there is no party " + name);
}

std::vector<Party*> Fleet::devices() {
  std::vector<Party*> out;
  for (auto& one : world_.parties()) {
    if (one->is_device && one.get() != twin_) out.push_back(one.get());
  }
  return out;
}

void Fleet::went_back(const Party& party, Checks::Disk copy) {
  checks_.went_back(party, std::move(copy));
  if (party.is_device) return;
  if (party.name() == "alerting") alerts_.went_back();
  if (party.name() == "transfer") {
    push_again_ = true;
    world_.after(seconds(1), [this] { push_again_ = true; });
  }
  if (party.name() != "scheduler") return;
  const auto ask_again = [this] {
    for (auto& wish : wishes) {
      wish.job.clear();
      wish.cancelled = false;
    }
  };
  ask_again();
  world_.after(seconds(1), ask_again);  // answers that were on their way belong to what is forgotten
}

void Fleet::runs(const Party& party, const Assign& assign, const std::filesystem::path& archive) {
  checks_.run(party, assign);
  if (archive.empty()) return;
  const TempDir place;
  for (const auto& [package, encoded] : supplies_.packages()) {
    if (package.digest == assign.package) return transfer_checks_.uses(party.name(), package, archive, place / "");
  }
  throw Violation("what ran is what was signed", assign.package);
}

bool Fleet::quiet() const { return !world_.faulty() && checks_.all_settled(wishes) && open().empty(); }

std::string Fleet::open() const {
  auto out = checks_.open(wishes) + alerts_.open(checks_, wishes);
  for (const auto& party : world_.parties()) {
    const auto& name = party->name();
    if (party.get() == twin_) continue;
    if (!party->idle()) out += " " + name + "(busy)";
    if (party->outbox_size() > 0) out += " " + name + "(outbox: " + std::to_string(party->outbox_size()) + ")";
    if (name == "cli" && std::any_of(fetches.begin(), fetches.end(), [](const Fetch& one) { return !one.done; }))
      out += " " + name + "(fetches)";
    if (const auto* client = dynamic_cast<const Client*>(party->service()); client != nullptr && !client->pushed())
      out += " " + name + "(pushes)";
    if (const auto* transfer = dynamic_cast<const transfer::TransferService*>(party->service())) {
      for (const auto& id : transfer->core().live()) out += " " + name + "(sends " + id.value + ")";
      for (const auto& [id, receiving] : transfer->core().receivings()) out += " " + name + "(gets " + id.value + ")";
    }
    if (const auto* scheduler = dynamic_cast<const scheduler::SchedulerService*>(party->service());
        scheduler != nullptr && scheduler->core().jobs().size() > finished_max)
      out += " scheduler(remembers " + std::to_string(scheduler->core().jobs().size()) + " jobs)";
    if (party->is_device) out += alerts_.open_of_device(checks_, party->identity);
    const auto* device = dynamic_cast<const agent::AgentService*>(party->service());
    if (device == nullptr) continue;
    if (hands_.at(name)->waiting() > 0) out += " " + name + "(outputs)";
    if (device->core().unacknowledged() > 0) out += " " + name + "(reports)";
    if (!device->core().live().empty()) out += " " + name + "(runs " + text(device->core().live().front()) + ")";
  }
  return out;
}

void Fleet::check_at_the_end() const {
  checks_.at_the_end(wishes);
  transfer_checks_.at_the_end();
  alerts_.at_the_end();
  check_audit();
  check_cores();
}

// All that the scheduler's core needed for the work is given back.
void Fleet::check_cores() const {
  for (const auto& party : world_.parties()) {
    const auto* scheduler = dynamic_cast<const scheduler::SchedulerService*>(party->service());
    if (scheduler == nullptr) continue;
    const auto& core = scheduler->core();
    const auto left = core.live() + core.queued() + core.asking() + core.timers() + core.deadlines();
    if (left > 0)
      throw Violation("memory and rows return to their base",
                      "the scheduler keeps " + std::to_string(left) + " things of no job");
    for (const auto& [id, number] : core.fleet().all()) {
      const auto& view = core.fleet().view(number);
      if (view.used.attempts != 0 || view.used.cpu_millis != 0)
        throw Violation("memory and rows return to their base", id.value + " has room taken by nobody");
    }
  }
}

// The keys of the audit's rows sort the newest row first.
void Fleet::check_audit() const {
  std::vector<security_policy::AuditRow> chain;
  for (const auto& [key, row] : checks_.rows("security-policy", "audit"))
    chain.push_back(security_policy::audit_from_row(row.dump()).value());
  std::reverse(chain.begin(), chain.end());
  if (const auto head = security_policy::verify(chain); !head)
    throw Violation("the audit has no gap", describe(head.error()));
  std::set<std::string> audited;
  for (const auto& row : chain) audited.insert(row.grant_digest);
  for (const auto& [key, attempt] : checks_.rows("scheduler", "attempt")) {
    if (attempt.at("fence").get<std::int64_t>() <= checks_.forgotten()) continue;
    const auto digest = crypto::digest_of(attempt.at("grant").get<std::string>());
    if (!audited.contains(digest)) throw Violation("every grant is in the audit", key);
  }
}

}  // namespace fieldwork::sim
