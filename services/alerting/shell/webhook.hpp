// One HTTP POST at a time, on a thread of its own.
#pragma once

#include <memory>
#include <string>

#include "alerting/shell/target.hpp"

namespace fieldwork::alerting {

struct WebhookConfig {
  std::string url;  // http://host[:port][/path], https://… too; empty: none
  int timeout_s = 5;
};

// Says what is wrong with the URL.
Result<void> check_webhook(const std::string& url);

class Webhook : public Target {
 public:
  // ok: an answer from 200 to 299. invalid: one from 400 to 499 that says that this will never be taken (all but 408
  // and 429). unavailable: the rest.
  Webhook(WebhookConfig config, Done done);
  ~Webhook() override;

  void send(std::int64_t number, std::string body) override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::alerting
