#include "runtime/metrics.hpp"

#include <httplib.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <thread>

namespace fieldwork::metrics {
namespace {

struct Registry {
  std::mutex mutex;
  prometheus::Registry all;
  std::map<std::string, prometheus::Family<prometheus::Counter>*> counters;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> gauges;
  std::map<std::string, prometheus::Histogram*> histograms;
};

Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

void count(const std::string& name, const Labels& labels, double by) {
  auto& r = registry();
  std::lock_guard lock(r.mutex);
  auto& family = r.counters[name];
  if (family == nullptr) family = &prometheus::BuildCounter().Name(name).Register(r.all);
  family->Add(labels).Increment(by);
}

void gauge(const std::string& name, double value, const Labels& labels) {
  auto& r = registry();
  std::lock_guard lock(r.mutex);
  auto& family = r.gauges[name];
  if (family == nullptr) family = &prometheus::BuildGauge().Name(name).Register(r.all);
  family->Add(labels).Set(value);
}

void observe(const std::string& name, double value) {
  auto& r = registry();
  std::lock_guard lock(r.mutex);
  auto& histogram = r.histograms[name];
  if (histogram == nullptr) {
    auto& family = prometheus::BuildHistogram().Name(name).Register(r.all);
    histogram = &family.Add(
        {}, prometheus::Histogram::BucketBoundaries{1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10});
  }
  histogram->Observe(value);
}

std::string text() { return prometheus::TextSerializer().Serialize(registry().all.Collect()); }

struct HttpServer::Impl {
  httplib::Server server;
  std::thread thread;
  int port = -1;
};

HttpServer::HttpServer(const std::string& listen, std::function<bool()> healthy, std::function<bool()> ready)
    : impl_(std::make_unique<Impl>()) {
  const auto colon = listen.rfind(':');
  const std::string host = listen.substr(0, colon);
  const int port = colon == std::string::npos ? 0 : std::atoi(listen.c_str() + colon + 1);
  auto& server = impl_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(2); };
  server.set_read_timeout(5);
  server.set_write_timeout(5);
  const auto answer = [](bool good, httplib::Response& response) {
    response.status = good ? 200 : 503;
    response.set_content(good ? "ok\n" : "not yet\n", "text/plain");
  };
  server.Get("/metrics", [](const httplib::Request&, httplib::Response& response) {
    response.set_content(text(), "text/plain; version=0.0.4");
  });
  server.Get("/healthz", [answer, healthy](const httplib::Request&, httplib::Response& r) { answer(healthy(), r); });
  server.Get("/readyz", [answer, ready](const httplib::Request&, httplib::Response& r) { answer(ready(), r); });
  if (port == 0) {
    impl_->port = server.bind_to_any_port(host.c_str());
  } else if (server.bind_to_port(host.c_str(), port)) {
    impl_->port = port;
  }
  if (ok()) impl_->thread = std::thread([this] { impl_->server.listen_after_bind(); });
}

HttpServer::~HttpServer() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool HttpServer::ok() const { return impl_->port > 0; }
int HttpServer::port() const { return impl_->port; }

}  // namespace fieldwork::metrics
