// links: security_policy_shell GTest::gtest_main
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/device.hpp"
#include "codec/job.hpp"
#include "codec/policy.hpp"
#include "crypto/digest.hpp"
#include "crypto/jws.hpp"
#include "model/items.hpp"
#include "runtime/engine.hpp"
#include "security-policy/shell/rows.hpp"
#include "security-policy/shell/service.hpp"
#include "store/memory.hpp"
#include "support/policy_world.hpp"
#include "support/said_bus.hpp"

namespace fieldwork::security_policy {
namespace {

TEST(AuthorityFiles, KeepTheLastGoodList) {
  const auto& pki = Pki::get();
  const TempDir dir;
  const auto crl = dir / "crl";
  const auto install = [&](const std::string& text, int age) {
    std::ofstream(crl) << text;
    fs::last_write_time(crl, fs::file_time_type::clock::now() + seconds{age});
  };
  const auto read = [&](const char* name) {
    std::ifstream in(pki.file(name));
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  AuthorityFiles none(pki.file("ca.crt"), dir / "none");
  EXPECT_FALSE(none.load().ok());
  install(read("empty.crl"), 0);
  AuthorityFiles files(pki.file("ca.crt"), crl);
  ASSERT_TRUE(files.load().ok());
  EXPECT_EQ(files.reload_if_changed(at(10)), nullptr);
  install("garbage", 10);
  EXPECT_EQ(files.reload_if_changed(at(20)), nullptr);
  fs::remove(crl);
  EXPECT_EQ(files.reload_if_changed(at(30)), nullptr);
  install(read("revoked.crl"), 20);
  EXPECT_EQ(files.reload_if_changed(at(31)), nullptr);  // not yet time to look
  const auto authority = files.reload_if_changed(at(40));
  ASSERT_NE(authority, nullptr);
  const auto certificate = crypto::Certificate::from_pem(pki.pem("edge-1"));
  EXPECT_FALSE(authority->verify(*certificate, t0).ok());
}

using Bus = support::SaidBus;

std::string message_of(const std::vector<Question>& questions) {
  std::vector<std::string> items;
  for (const auto& one : questions) items.push_back(codec::dump(codec::encode(one)));
  return pack_items(items).at(0);
}

struct Stack {
  Bus bus;
  crypto::PrivateKey key = crypto::PrivateKey::generate();
  crypto::TrustStore trust;
  SecurityPolicyService service;
  runtime::Engine engine;
  explicit Stack(store::MemoryStore& store)
      : service("fieldwork/v1", Limits{}, rulebook(), crypto::PrivateKey::from_pem(key.to_pem()).value(),
                AuthorityFiles(Pki::get().file("ca.crt"), Pki::get().file("empty.crl")),
                Pki::get().authority("empty.crl")),
        engine(service, store, bus) {
    trust.add(key.public_key());
    EXPECT_TRUE(engine.load(t0).ok());
    EXPECT_TRUE(engine.run({runtime::Connected{}}, t0).ok());
  }
  void pass(double s) { EXPECT_TRUE(engine.run({}, at(s)).ok()); }
  void say(const std::string& topic, const std::string& payload, double s, const std::string& reply = "",
           bool retain = false) {
    bus::Message message{.topic = "fieldwork/v1/" + topic, .payload = payload, .retain = retain};
    message.response_topic = reply;
    EXPECT_TRUE(engine.run({message}, at(s)).ok());
  }
};

TEST(SecurityPolicyShell, AnswersABatchInOneMessageWithGrants) {
  store::MemoryStore store;
  Stack stack(store);
  Device device;
  device.id = edge;
  device.about = {.capacity = {1000, 1, 0}, .agent = "0.1.0"};
  device.lifecycle = Lifecycle::active;
  stack.say("state/device/edge-1", codec::dump(codec::encode(device)), 1);
  std::vector<Question> asked{question("operator", "ls"), question("ann", "ls", "edge-1", 2)};
  asked[0].env = {{"K", "V"}};
  asked[0].outputs = {"r"};
  asked[0].contract.stop_after_s = 9;
  stack.say("service/security-policy/authorise/scheduler", message_of(asked), 2);
  const auto answer = stack.bus.last("service/scheduler/authorised/security-policy");
  const auto decisions = codec::decode_decisions(answer.dump());
  ASSERT_TRUE(decisions.ok());
  ASSERT_EQ(decisions->good.size(), 2u);
  EXPECT_FALSE(decisions->good[1].allow);
  const auto payload = stack.trust.verify(decisions->good[0].grant, "fieldwork-grant+jws");
  ASSERT_TRUE(payload.ok());
  const auto grant = codec::decode_grant(*payload);
  ASSERT_TRUE(grant.ok());
  EXPECT_EQ(grant->device, edge);
  EXPECT_EQ(grant->work_digest,
            crypto::digest_of(codec::work_text({"ls", "x"}, {{"K", "V"}}, {"r"}, asked[0].contract)))
      << "of all that the device checks";
  EXPECT_EQ(grant->expires_ms - grant->issued_ms, 100'000);

  stack.pass(6);  // for as long the broker may say what it kept
  const auto head = stack.bus.last("state/audit/head");
  EXPECT_EQ(head["sequence"], 2);
  const auto checkpoint = stack.trust.verify(head["checkpoint"].get<std::string>(), "fieldwork-audit+jws");
  ASSERT_TRUE(checkpoint.ok());
  EXPECT_EQ(nlohmann::json::parse(*checkpoint)["hash"], head["hash"]);

  Stack again(store);  // restart: the chain goes on
  EXPECT_EQ(again.service.core().head(), stack.service.core().head());
  again.say("service/security-policy/authorise/scheduler", message_of({question("ann", "ls", "")}), 3);
  auto rows = store.select({.table = "audit", .where = {}, .order_by = "", .descending = false, .limit = 0});
  std::vector<AuditRow> read;
  for (const auto& row : *rows) read.insert(read.begin(), *audit_from_row(row));
  ASSERT_EQ(read.size(), 3u);
  EXPECT_TRUE(verify(read).ok());
}

// The table's tail was cut, or a row in it replaced, while the service was away.
TEST(SecurityPolicyShell, ComparesTheTableWithWhatTheBrokerKept) {
  store::MemoryStore store;
  nlohmann::json kept;
  const auto ask = [](Stack& stack, std::int64_t fence, double s) {
    stack.say("service/security-policy/authorise/scheduler", message_of({question("operator", "ls", "", fence)}), s);
  };
  {
    Stack stack(store);
    for (int i = 1; i <= 3; ++i) ask(stack, i, 6 + i);
    kept = stack.bus.last("state/audit/head");
    EXPECT_EQ(kept["sequence"], 3);
  }
  const auto audit = [&](store::MemoryStore& of) {
    auto texts = of.select({.table = "audit", .where = {}, .order_by = "sequence", .descending = false, .limit = 0});
    std::vector<AuditRow> out;
    for (const auto& text : *texts) out.push_back(*audit_from_row(text));
    return out;
  };
  {
    Stack whole(store);
    whole.say("state/audit/head", kept.dump(), 1, "", true);
    EXPECT_TRUE(whole.bus.last("state/audit/head").contains("hash"));
    EXPECT_FALSE(whole.bus.last("state/audit/head").contains("broken"));
    EXPECT_EQ(whole.service.core().head().sequence, 3);
  }
  auto cut = store, replaced = store;
  ASSERT_TRUE(cut.commit({{"audit", audit_key(3), {{"sequence", 3}}, store::Change::Kind::remove}}).ok());
  auto row = audit(store)[2];
  row.reason = "forged";
  AuditHead before{2, row.previous, 0};
  seal(row, before);
  ASSERT_TRUE(replaced.commit({{"audit", audit_key(3), to_row(row)}}).ok());
  for (auto* table : {&cut, &replaced}) {
    Stack stack(*table);
    ask(stack, 7, 1);  // the row that stands where the one that was cut stood
    stack.say("state/audit/head", kept.dump(), 2, "", true);
    const auto head = stack.bus.last("state/audit/head");
    ASSERT_TRUE(head.contains("broken")) << head.dump();
    EXPECT_EQ(head["broken"]["sequence"], head["sequence"]);
    const auto rows = audit(*table);
    EXPECT_EQ(rows.back().kind, "chain");
    EXPECT_EQ(rows.back().trace, kept["checkpoint"]);
    EXPECT_TRUE(verify(rows).ok());
    Stack restarted(*table);  // and it is still said
    restarted.say("state/audit/head", head.dump(), 3, "", true);
    EXPECT_EQ(restarted.bus.last("state/audit/head")["broken"], head["broken"]);
  }
}

TEST(SecurityPolicyShell, ChecksCertificatesForTheRegistry) {
  store::MemoryStore store;
  Stack stack(store);
  const std::vector<std::string> checks{codec::dump(codec::encode(CertificateCheck{edge, Pki::get().pem("edge-1")})),
                                        R"({"device":"edge-9"})",
                                        codec::dump(codec::encode(CertificateCheck{edge, "nonsense"}))};
  stack.say("service/security-policy/certificate/registry", pack_items(checks).at(0), 1);
  const auto answers =
      codec::decode_certificate_answers(stack.bus.last("service/registry/certificate/security-policy").dump());
  ASSERT_TRUE(answers.ok());
  ASSERT_EQ(answers->good.size(), 2u) << "one that cannot be read holds up no other";
  EXPECT_EQ(answers->good[0].state, CertificateState::valid);
  EXPECT_EQ(answers->good[1].state, CertificateState::invalid);
}

TEST(SecurityPolicyShell, ABadQuestionIsDeniedByItsKeyAndItsNeighboursAreAnswered) {
  store::MemoryStore store;
  Stack stack(store);
  const std::vector<std::string> items{codec::dump(codec::encode(question("operator", "ls", ""))),
                                       R"({"job":"j2","execution":3,"fence":4,"submitter":"operator"})", "7",
                                       codec::dump(codec::encode(question("operator", "ls", "", 2)))};
  stack.say("service/security-policy/authorise/scheduler", pack_items(items).at(0), 1);
  const auto decisions = codec::decode_decisions(stack.bus.last("service/scheduler/authorised/security-policy").dump());
  ASSERT_TRUE(decisions.ok());
  ASSERT_EQ(decisions->good.size(), 3u);
  for (const auto& one : decisions->good) EXPECT_EQ(one.allow, one.key.job.value == "j1") << one.reason;
  EXPECT_EQ(decisions->good[0].key, (AttemptKey{JobId{"j2"}, 3, 4}));
  EXPECT_EQ(decisions->good[0].reason, "the question could not be read: /items/1/command: must name a program");
}

TEST(SecurityPolicyShell, AnswersWhatTransferAsks) {
  store::MemoryStore store;
  Stack stack(store);
  Device device;
  device.id = edge;
  device.about = {.capacity = {1000, 1, 0}, .agent = "0.1.0"};
  device.lifecycle = Lifecycle::active;
  stack.say("state/device/edge-1", codec::dump(codec::encode(device)), 1);
  const PermitQuestion asked{7, "operator", "stage", edge, crypto::digest_of("p"), ""};
  const auto payload = pack_items({codec::dump(codec::encode(asked)), R"({"question":7,"device":"edge-1"})"}).at(0);
  stack.say("service/security-policy/permit/registry", payload, 2, "fieldwork/v1/reply/registry/x");
  EXPECT_EQ(stack.bus.last("reply/registry/x")["error"]["code"], "denied") << "only transfer may ask";
  EXPECT_EQ(stack.service.core().head().sequence, 0);
  stack.say("service/security-policy/permit/transfer", payload, 2);
  const auto permits = codec::decode_permits(stack.bus.last("service/transfer/permitted/security-policy").dump());
  ASSERT_TRUE(permits.ok());
  ASSERT_EQ(permits->good.size(), 1U) << "what cannot be read is not answered";
  EXPECT_EQ(permits->good[0].question, 7);
  EXPECT_EQ(permits->good[0].device, edge);
  EXPECT_FALSE(permits->good[0].allow);
  EXPECT_EQ(permits->good[0].reason, "no rule allows operator to stage " + asked.package.substr(0, 19) +
                                         " on edge-1; the actions of rule operators do not include \"stage\"");
  const auto rows = store.select({.table = "audit"}).value();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(audit_from_row(rows.front()).value().kind, "permit");
}

// The broker would say it again at each connection.
TEST(SecurityPolicyShell, ARetainedRequestIsNotAnswered) {
  store::MemoryStore store;
  Stack stack(store);
  bus::Message message{.topic = "fieldwork/v1/service/security-policy/authorise/scheduler",
                       .payload = message_of({question("operator", "ls", "")}),
                       .retain = true};
  message.response_topic = "fieldwork/v1/reply/scheduler/x";
  EXPECT_TRUE(stack.engine.run({message}, at(1)).ok());
  EXPECT_EQ(stack.bus.last("reply/scheduler/x")["error"]["reason"], "a request is not retained");
  EXPECT_EQ(stack.service.core().head().sequence, 0);
}

TEST(SecurityPolicyShell, BadInputChangesNothing) {
  store::MemoryStore store;
  Stack stack(store);
  const auto commits = store.commits();
  const std::string good = message_of({question("operator", "ls", "")});
  stack.say("service/security-policy/authorise/mallory", good, 1, "fieldwork/v1/reply/mallory/x");
  EXPECT_EQ(stack.bus.last("reply/mallory/x")["error"]["code"], "denied");
  stack.say("service/security-policy/authorise/mallory", good, 1, "fieldwork/v1/reply/cli-ann-1/x");
  EXPECT_EQ(stack.bus.find("reply/cli-ann-1/x"), nullptr) << "that is another's";
  stack.say("service/security-policy/certificate/edge-1", R"({"v":1,"items":[]})", 1);
  stack.say("service/security-policy/open/scheduler", "{}", 1, "fieldwork/v1/reply/scheduler/x");
  EXPECT_EQ(stack.bus.last("reply/scheduler/x")["error"]["code"], "unknown");
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string(R"({"v":3,"items":[]})"),
        std::string(R"({"v":1,"items":[{"job":"j"}]})"), std::string(99, '['), std::string()}) {
    stack.say("service/security-policy/authorise/scheduler", bad, 1);
    stack.say("service/security-policy/certificate/registry", bad, 1);
    stack.say("service/security-policy/permit/transfer", bad, 1);
    if (!bad.empty()) stack.say("state/device/edge-1", bad, 1);
  }
  Device device;
  device.id = edge;
  stack.say("state/device/edge-2", codec::dump(codec::encode(device)), 1);
  EXPECT_EQ(store.commits(), commits);
  EXPECT_EQ(stack.service.core().head().sequence, 0);
}

}  // namespace
}  // namespace fieldwork::security_policy
