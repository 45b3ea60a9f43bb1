#include "alerting/shell/webhook.hpp"

#include <httplib.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace fieldwork::alerting {
namespace {

struct Url {
  std::string host;  // scheme://host:port
  std::string path;
};

Url split(const std::string& url) {
  const auto slash = url.find('/', url.find("://") + 3);
  if (slash == std::string::npos) return {url, "/"};
  return {url.substr(0, slash), url.substr(slash)};
}

Result<void> post(httplib::Client& client, const std::string& path, const std::string& body) {
  const auto answer = client.Post(path.c_str(), body, "application/json");
  if (!answer) return Error{Code::unavailable, httplib::to_string(answer.error())};
  const int status = answer->status;
  if (status >= 200 && status <= 299) return {};
  // 408 and 429 speak of the moment, the other 4xx of what was sent.
  const bool for_good = status >= 400 && status <= 499 && status != 408 && status != 429;
  return Error{for_good ? Code::invalid : Code::unavailable, "answered " + std::to_string(status)};
}

}  // namespace

Result<void> check_webhook(const std::string& url) {
  const bool scheme = url.starts_with("http://") || url.starts_with("https://");
  const bool plain = std::none_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c == 127; });
  if (!scheme || !plain || split(url).host.ends_with("://")) {
    return Error{Code::invalid, "must be http://host[:port][/path] or https://…"};
  }
  return {};
}

struct Webhook::Impl {
  WebhookConfig config;
  Done done;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::pair<std::int64_t, std::string>> queue;  // the core sends one at a time
  bool stopping = false;
  httplib::Client* active = nullptr;  // during a POST
  std::thread thread;

  void run() {
    const auto target = split(config.url);
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [&] { return stopping || !queue.empty(); });
      if (stopping) return;
      auto [number, body] = std::move(queue.front());
      queue.pop_front();
      httplib::Client client(target.host);
      client.set_connection_timeout(config.timeout_s);
      client.set_read_timeout(config.timeout_s);
      client.set_write_timeout(config.timeout_s);
      active = &client;
      lock.unlock();
      auto result = post(client, target.path, body);
      lock.lock();
      active = nullptr;
      // Under the lock: once the destructor has set `stopping`, nobody is there to be told.
      if (!stopping) done(number, std::move(result));
    }
  }
};

Webhook::Webhook(WebhookConfig config, Done done) : impl_(std::make_unique<Impl>()) {
  impl_->config = std::move(config);
  impl_->done = std::move(done);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Webhook::~Webhook() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    if (impl_->active != nullptr) impl_->active->stop();
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

void Webhook::send(std::int64_t number, std::string body) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->queue.emplace_back(number, std::move(body));
  }
  impl_->wake.notify_one();
}

}  // namespace fieldwork::alerting
