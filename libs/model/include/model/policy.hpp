// Questions to security-policy, its answers, and the end of its audit that it publishes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/job.hpp"

namespace fieldwork {

// May this submitter run this command, from this package, on this device (empty: not placed yet)?
struct Question {
  AttemptKey key;
  std::string submitter;
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::vector<std::string> outputs;
  Contract contract;
  std::string package;
  DeviceId device;
  RunLimits limits;
  std::string traceparent;
  bool operator==(const Question&) const = default;
};

// The answer to a Question. It carries a grant if it allows and the question names a device. A denial is about the
// device where another device might be allowed, else about the job.
struct Decision {
  AttemptKey key;
  DeviceId device;
  bool allow = false;
  bool about_device = false;
  std::string reason;  // names the rule
  std::string grant;   // JWS
  std::string traceparent;
  bool operator==(const Decision&) const = default;
};

// What a rule may be about: to run a job, to stage a package on a device.
inline constexpr std::array<std::string_view, 2> action_words{"run", "stage"};

// May this principal do that on this device? A service asks it before it does what an operator wants; jobs have
// Question. `question` is the asker's own number; with the device it is the key.
struct PermitQuestion {
  std::int64_t question = 0;  // at least 1
  std::string principal;      // the common name of the operator's certificate
  std::string action;         // one of action_words but "run"
  DeviceId device;
  std::string package;  // digest
  std::string file{};   // where its only file goes; empty: it is only kept
  bool operator==(const PermitQuestion&) const = default;
};

// The answer to a PermitQuestion.
struct Permit {
  std::int64_t question = 0;
  DeviceId device;
  bool allow = false;
  std::string reason;  // names the rule
  bool operator==(const Permit&) const = default;
};

enum class CertificateState { valid, revoked, invalid };

struct CertificateCheck {
  DeviceId device;
  std::string certificate;  // PEM
};

struct CertificateAnswer {
  DeviceId device;
  std::string fingerprint;
  CertificateState state = CertificateState::invalid;
  std::string reason;
  bool operator==(const CertificateAnswer&) const = default;
};

// A place where the audit does not go on from the end that had been published (AuditEnd).
struct AuditBreak {
  std::int64_t sequence = 0;  // of the audit row that records the break
  std::int64_t at_ms = 0;
  std::string reason;
  bool operator==(const AuditBreak&) const = default;
};

// The end of the audit's hash chain, as it is published.
struct AuditEnd {
  std::int64_t sequence = 0;
  std::string hash;  // hex SHA-256 over the row `sequence` and all rows before it
  std::int64_t at_ms = 0;
  std::string checkpoint;            // sequence, hash and at_ms, signed: a JWS
  std::optional<AuditBreak> broken;  // the newest break, while it is news
  bool operator==(const AuditEnd&) const = default;
};

}  // namespace fieldwork
