#include "security-policy/core/security_policy.hpp"

#include <optional>
#include <set>

#include "crypto/digest.hpp"

namespace fieldwork::security_policy {
namespace {

std::string memory_key(const Question& question) {
  std::string out = question.key.job.value;
  out += '/';
  out += std::to_string(question.key.execution);
  out += '/';
  out += std::to_string(question.key.fence);
  out += '/';
  out += question.device.value;
  return out;
}

}  // namespace

SecurityPolicy::SecurityPolicy(Limits limits, Rulebook rulebook, Authority authority, Sign sign, Saved saved)
    : limits_(limits),
      rulebook_(std::move(rulebook)),
      authority_(std::move(authority)),
      sign_(std::move(sign)),
      head_(std::move(saved.head)),
      flood_(limits.flood),
      remembered_(limits.remembered_max),
      permits_(limits.remembered_max),
      recheck_after_(DeviceId{}),
      loaded_(head_),
      broken_(std::move(saved.broken)) {
  for (auto& one : saved.certificates) {
    const auto answer = one.answer;
    auto& known = certificates_.emplace(answer.device, Known{std::move(one)}).first->second;
    if (answer.state != CertificateState::valid) known.announced.insert(answer.fingerprint);
  }
}

void SecurityPolicy::step(const Input& input, Time now, Output& out) {
  std::visit([&](const auto& one) { apply(one, now, out); }, input);
}

void SecurityPolicy::apply(const QuestionsArrived& input, Time now, Output& out) {
  std::vector<Judged> judged;
  std::set<std::string> known;  // a repeat within one message has one answer
  for (const auto& question : input.questions) {
    if (!known.insert(memory_key(question)).second) continue;
    if (auto one = judge(question, now, out)) judged.push_back(std::move(*one));
  }
  const auto granted = [](const Judged& one) { return one.decision.allow && !one.question.device.empty(); };
  std::vector<Question> questions;
  for (const auto& one : judged) {
    if (granted(one)) questions.push_back(one.question);
  }
  auto grants = sign_(questions, now, now + rulebook_.grant_life);
  auto grant = grants.begin();
  for (auto& one : judged) {
    if (granted(one)) {
      one.decision.grant = std::move(*grant++);
      one.row.grant_digest = crypto::digest_of(one.decision.grant);
    }
    decide(one.question, std::move(one.decision), std::move(one.row), now, out);
  }
}

std::optional<SecurityPolicy::Judged> SecurityPolicy::judge(const Question& question, Time now, Output& out) {
  std::string objects;
  if (!question.device.empty()) {
    if (awaits(question.device)) return std::nullopt;
    objects = objection(question.device);
  }
  if (const auto* kept = remembered_.find(memory_key(question))) {
    const auto& [decision, decided_at] = *kept;
    const bool lives = decision.grant.empty() || now - decided_at < rulebook_.grant_life / 2;
    if (!decision.allow || (objects.empty() && lives)) {
      out.decisions.push_back(decision);
      return std::nullopt;
    }
  }

  auto evaluation = policy::evaluate(rulebook_.rules, question);
  Decision decision{.key = question.key,
                    .device = question.device,
                    .allow = evaluation.allow,
                    .reason = std::move(evaluation.reason),
                    .traceparent = question.traceparent};
  if (decision.allow && !objects.empty()) {
    decision.allow = false;
    decision.about_device = true;
    decision.reason = std::move(objects);
  } else if (!decision.allow && !question.device.empty()) {
    // If the rules allow another device, this device is denied, not the job.
    auto anywhere = question;
    anywhere.device = DeviceId();
    decision.about_device = policy::evaluate(rulebook_.rules, anywhere).allow;
  }
  AuditRow row;
  row.trace = policy::trace_text(rulebook_.rules, evaluation);
  return Judged{question, std::move(decision), std::move(row)};
}

// The scheduler would repeat this question for ever: it is denied, with what is wrong as the reason.
void SecurityPolicy::apply(const QuestionUnreadable& input, Time now, Output& out) {
  Question question;
  question.key = input.key;
  question.device = input.device;
  if (const auto* kept = remembered_.find(memory_key(question)); kept != nullptr && !kept->decision.allow) {
    out.decisions.push_back(kept->decision);
    return;
  }
  Decision decision{.key = input.key, .device = input.device};
  decision.reason = "the question could not be read: " + input.reason;
  decide(question, std::move(decision), {}, now, out);
}

void SecurityPolicy::decide(const Question& question, Decision decision, AuditRow row, Time now, Output& out) {
  row.at_ms = to_ms(now);
  row.kind = "authorise";
  row.submitter = question.submitter;
  row.job = question.key.job.value;
  row.execution = question.key.execution;
  row.fence = question.key.fence;
  row.device = question.device.value;
  row.decision = decision.allow ? "allow" : "deny";
  row.reason = decision.reason;
  row.package = question.package;
  // Every allowed question is audited, because each has a grant; a flood of denials is counted.
  if (decision.allow) {
    audit(std::move(row), out);
  } else {
    audit_unless_flood(std::move(row), now, out);
  }
  remembered_.keep(memory_key(question), {decision, now});
  out.decisions.push_back(std::move(decision));
}

// Who asks has seen the device ready. That state is on its way to this service, and the question is repeated.
bool SecurityPolicy::awaits(const DeviceId& device) const {
  const auto it = devices_.find(device);
  return it == devices_.end() || it->second == Lifecycle::enrolling;
}

std::string SecurityPolicy::objection(const DeviceId& device) const {
  const auto lifecycle = devices_.at(device);
  return barred(lifecycle) ? "device " + device.value + " is " + std::string(name(lifecycle)) : "";
}

void SecurityPolicy::audit(AuditRow row, Output& out) {
  seal(row, head_);
  out.audit.push_back(std::move(row));
}

void SecurityPolicy::audit_unless_flood(AuditRow row, Time now, Output& out) {
  if (auto written = flood_.pass(std::move(row), now)) audit(std::move(*written), out);
}

// Before this process published a head, the kept head must be in what was loaded: rows written since are no proof of
// it.
void SecurityPolicy::apply(const HeadKept& input, Time now, Output& out) {
  head_came_ = true;
  const auto& end = published_at_ == Time{} ? loaded_ : head_;
  auto reason = contradiction(input.head, end, input.row);
  if (reason.empty() || contradicts_ == input.head) return;
  contradicts_ = input.head;
  AuditRow row;
  row.at_ms = to_ms(now);
  row.kind = "chain";
  row.decision = "broken";
  row.reason = reason;
  row.trace = input.checkpoint;
  audit(std::move(row), out);
  broken_ = AuditBreak{head_.sequence, to_ms(now), std::move(reason)};
  out.found = broken_;
}

void SecurityPolicy::apply(const LinkBack&, Time now, Output&) {
  if (!link_came_at_) link_came_at_ = now;
  published_sequence_ = 0;  // the broker may have lost the head
}

void SecurityPolicy::apply(const TimePassed&, Time now, Output& out) {
  recheck(now, out);
  for (auto& row : flood_.closed(now)) audit(std::move(row), out);
}

// The head covers what this batch added to the chain. The first head of this process replaces the one that the broker
// kept: it waits until that one was compared, head_patience at most.
void SecurityPolicy::apply(const BatchEnded&, Time now, Output& out) {
  if (!link_came_at_ || head_.sequence == published_sequence_ || now - published_at_ < limits_.checkpoint_every) return;
  if (!head_came_ && now - *link_came_at_ < limits_.head_patience) return;
  published_at_ = now;
  published_sequence_ = head_.sequence;
  out.head = head_;
  if (broken_ && now - from_ms(broken_->at_ms) < limits_.break_told) out.broken = broken_;
}

}  // namespace fieldwork::security_policy
