// A target that sends one HTTP POST at a time, on a thread of its own.
#pragma once

#include <memory>
#include <string>

#include "alerting/shell/target.hpp"

namespace fieldwork::alerting {

struct WebhookConfig {
  std::string url;  // http://host[:port][/path], or https; empty: no webhook
  int timeout_s = 5;
};

// An Error says what is wrong with the URL.
Result<void> check_webhook(const std::string& url);

class Webhook : public Target {
 public:
  // Done gets ok for an answer from 200 to 299, invalid for one from 400 to 499 except 408 and 429 (this body will
  // never be taken), unavailable for everything else.
  Webhook(WebhookConfig config, Done done);
  ~Webhook() override;

  void send(std::int64_t number, std::string body) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::alerting
