#include "runtime/metrics.hpp"

#include <httplib.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <charconv>
#include <mutex>
#include <thread>

#include "metrics_help.hpp"
#include "runtime/version.hpp"

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
  if (family == nullptr)
    family = &prometheus::BuildCounter().Name(name).Help(std::string(help_of(name))).Register(r.all);
  family->Add(labels).Increment(by);
}

void gauge(const std::string& name, double value, const Labels& labels) {
  auto& r = registry();
  std::lock_guard lock(r.mutex);
  auto& family = r.gauges[name];
  if (family == nullptr) family = &prometheus::BuildGauge().Name(name).Help(std::string(help_of(name))).Register(r.all);
  family->Add(labels).Set(value);
}

void observe(const std::string& name, double value) {
  auto& r = registry();
  std::lock_guard lock(r.mutex);
  auto& histogram = r.histograms[name];
  if (histogram == nullptr) {
    auto& family = prometheus::BuildHistogram().Name(name).Help(std::string(help_of(name))).Register(r.all);
    histogram = &family.Add(
        {}, prometheus::Histogram::BucketBoundaries{1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10});
  }
  histogram->Observe(value);
}

std::string text() { return prometheus::TextSerializer().Serialize(registry().all.Collect()); }

namespace {

// The port of host:port; -1 when that is no port.
int port_of(const std::string& listen) {
  const auto colon = listen.rfind(':');
  if (colon == std::string::npos) return -1;
  int port = -1;
  const char* last = listen.data() + listen.size();
  const auto [end, error] = std::from_chars(listen.data() + colon + 1, last, port);
  return error == std::errc() && end == last && port >= 0 && port <= 65535 ? port : -1;
}

}  // namespace

struct HttpServer::Impl {
  httplib::Server server;
  std::thread thread;
  std::atomic<bool> ended{false};
  int port = -1;
};

HttpServer::HttpServer(const std::string& listen, std::function<bool()> healthy, std::function<bool()> ready)
    : impl_(std::make_unique<Impl>()) {
  gauge("fieldwork_build_info", 1, {{"version", version()}});
  const std::string host = listen.substr(0, listen.rfind(':'));
  const int port = port_of(listen);
  auto& server = impl_->server;
  // httplib's default, SO_REUSEPORT, would share a port that another process has; that process would then get half of
  // the requests.
  server.set_socket_options([](int socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
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
  if (port < 0) return;
  if (port == 0) {
    impl_->port = server.bind_to_any_port(host.c_str());
  } else if (server.bind_to_port(host.c_str(), port)) {
    impl_->port = port;
  }
  if (!ok()) return;
  impl_->thread = std::thread([this] {
    impl_->server.listen_after_bind();
    impl_->ended = true;
  });
  // Waits until the thread listens: before that, stop() does nothing, and the thread would never end.
  while (!server.is_running() && !impl_->ended) std::this_thread::yield();
}

HttpServer::~HttpServer() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

bool HttpServer::ok() const { return impl_->port > 0; }
int HttpServer::port() const { return impl_->port; }

}  // namespace fieldwork::metrics
