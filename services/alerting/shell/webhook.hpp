// One HTTP POST at a time, on a thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace fieldwork::alerting {

struct WebhookConfig {
  std::string url;  // http://host[:port][/path], https://… too; empty: none
  int timeout_s = 5;
};

// Says what is wrong with the URL.
Result<void> check_webhook(const std::string& url);

class Webhook {
 public:
  // `done` is called on the webhook's thread: ok for an answer from 200 to 299, invalid for one from 400 to 499 that
  // says that this will never be taken (all but 408 and 429), unavailable for the rest.
  using Done = std::function<void(std::int64_t number, Result<void> result)>;
  Webhook(WebhookConfig config, Done done);
  ~Webhook();

  void send(std::int64_t number, std::string body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::alerting
