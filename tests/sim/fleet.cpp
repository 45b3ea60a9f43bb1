#include "fleet.hpp"

#include "crypto/digest.hpp"
#include "scheduler/shell/service.hpp"

namespace fieldwork::sim {
namespace {

constexpr Duration service_tick = milliseconds(100);
constexpr Duration agent_tick = milliseconds(200);

const crypto::PrivateKey& policy_key() {
  static const auto key = crypto::PrivateKey::generate();
  return key;
}

crypto::TrustStore trust() {
  crypto::TrustStore out;
  out.add(policy_key().public_key());
  return out;
}

std::vector<Package> make_packages() {
  std::vector<Package> out;
  for (const char* name : {"one", "two"}) {
    out.push_back({crypto::digest_of(name), name, "1.0", 3, "stands-in.for.a-release", "releaser"});
  }
  return out;
}

}  // namespace

// --- hands ----------------------------------------------------------------------------------------------------------

SimHands::SimHands(World& world, Checks& checks, Party& party, std::set<std::string>& packages)
    : world_(world), checks_(checks), party_(party), packages_(packages) {}

void SimHands::end_later(Duration wait, agent::RunEnded ended) {
  world_.after(wait, [this, party = &party_, life = party_.life(), ended = std::move(ended)] {
    if (party->life() != life || running_.erase(ended.key) == 0) return;  // the program died with its agent
    if (ended.result) checks_.ended(ended.key);
    party->post([party, ended](Time now, runtime::Output& /*out*/) {
      dynamic_cast<agent::AgentService&>(*party->service()).step(ended, now);
    });
  });
}

void SimHands::run(const Assign& assign) {
  if (!party_.acts()) return;
  checks_.run(party_.name(), assign);
  world_.note(party_.name() + " runs " + text(assign.key));
  running_.insert(assign.key);
  auto wait = world_.random().between(milliseconds(20), seconds(6));
  if (world_.random().chance(0.05)) wait = seconds(40);  // longer than a lease
  end_later(wait, {assign.key, RunResult{}, ""});
}

void SimHands::kill(const AttemptKey& key) {
  if (party_.acts() && running_.contains(key)) end_later(milliseconds(10), {key, std::nullopt, "killed"});
}

void SimHands::fetch(const std::string& digest, Time /*now*/) {
  if (packages_.contains(digest)) {
    news_.push_back({digest, std::nullopt});
    return;
  }
  if (!fetching_.insert(digest).second) return;
  const auto wait = world_.random().between(milliseconds(50), seconds(5));
  world_.after(wait, [this, party = &party_, life = party_.life(), digest] {
    if (party->life() != life) return;
    packages_.insert(digest);
    fetching_.erase(digest);
    news_.push_back({digest, std::nullopt});
  });
}

// --- the fleet ------------------------------------------------------------------------------------------------------

Fleet::Fleet(World& world, int devices)
    : world_(world), grants_(trust()), checks_(world, grants_), packages_(make_packages()) {
  world.add("scheduler", service_tick, [](Party&) {
    scheduler::Limits limits;
    limits.jobs_finished_max = 4;  // it soon forgets, and has to look things up
    return std::make_unique<scheduler::SchedulerService>(root, limits);
  });
  world.add("security-policy", service_tick, [](Party&) { return std::make_unique<PolicyStandIn>(policy_key()); });
  std::vector<Device> all;
  for (int i = 1; i <= devices; ++i) {
    Device device;
    device.id = DeviceId("d" + std::to_string(i));
    device.capacity = {.cpu_millis = 2000, .memory_bytes = 1 << 30, .disk_bytes = 1 << 30};
    device.labels = {{"zone", i == 1 ? "b" : "a"}};
    device.session = 1;
    device.fingerprint = std::string(64, '0');
    all.push_back(device);
  }
  world.add("registry", service_tick, [all](Party&) { return std::make_unique<RegistryStandIn>(all); });
  world.add("transfer", service_tick, [this](Party&) { return std::make_unique<PackagesStandIn>(packages_); });
  for (const auto& device : all) add_device(device);
  world.add("cli", service_tick, [this](Party&) { return std::make_unique<Client>(wishes); });
}

void Fleet::add_device(const Device& device) {
  const auto id = device.id.value;
  world_.add(id, agent_tick, [this, id, device](Party& self) {
    agent::AgentConfig config;
    config.root = root;
    config.device = id;
    config.certificate_pem = "stands in for a certificate";
    config.capacity = device.capacity;
    config.labels = device.labels;
    config.grants = grants_;
    config.resources = [] { return Resources{0.1, 1 << 30, 1 << 30, 1}; };
    config.wall_ms = [this] { return to_ms(world_.now()); };
    const auto session = *agent::AgentService::next_session(self.disk());
    self.birth = agent::AgentService::presence(Topics(root), id, true, session);
    self.will = agent::AgentService::presence(Topics(root), id, false, session);
    hands_[id] = std::make_unique<SimHands>(world_, checks_, self, on_devices_[id]);
    return std::make_unique<agent::AgentService>(std::move(config), *hands_[id]);
  });
}

bool Fleet::quiet() const { return !world_.faulty() && checks_.all_settled(wishes) && open().empty(); }

std::string Fleet::open() const {
  auto out = checks_.open(wishes);
  for (const auto& party : world_.parties()) {
    if (!party->idle()) out += " " + party->name() + "(busy)";
    if (party->outbox_size() > 0) out += " " + party->name() + "(outbox: " + std::to_string(party->outbox_size()) + ")";
    const auto* device = dynamic_cast<const agent::AgentService*>(party->service());
    if (device == nullptr) continue;
    if (device->core().unacknowledged() > 0) out += " " + party->name() + "(reports)";
    if (!device->core().live().empty())
      out += " " + party->name() + "(runs " + text(device->core().live().front()) + ")";
  }
  return out;
}

}  // namespace fieldwork::sim
