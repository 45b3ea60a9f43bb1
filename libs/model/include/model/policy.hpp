// Questions to security-policy and its answers.
#pragma once

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

}  // namespace fieldwork
