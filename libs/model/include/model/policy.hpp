// Questions to security-policy and its answers, and what it says of its audit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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

// The decision; with a device in the question and an allow, the grant. A denial is about the device when another one
// might be allowed, else about the job.
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

// Where the audit was found not to go on from what had been said of its end.
struct AuditBreak {
  std::int64_t sequence = 0;  // of the audit's row that says so
  std::int64_t at_ms = 0;
  std::string reason;
  bool operator==(const AuditBreak&) const = default;
};

// The end of the audit's chain, as it is said to all.
struct AuditEnd {
  std::int64_t sequence = 0;
  std::string hash;  // hex SHA-256 of that row and all before it
  std::int64_t at_ms = 0;
  std::string checkpoint;            // the three above, signed: a JWS
  std::optional<AuditBreak> broken;  // while it is news
  bool operator==(const AuditEnd&) const = default;
};

}  // namespace fieldwork
