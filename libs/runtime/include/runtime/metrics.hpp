// Metrics of this process, in Prometheus' text form on /metrics. Names: fieldwork_<what>_<unit or total>.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace fieldwork::metrics {

using Labels = std::map<std::string, std::string>;

void count(const std::string& name, const Labels& labels = {}, double by = 1);
void gauge(const std::string& name, double value, const Labels& labels = {});
void observe(const std::string& name, double value);  // histogram with buckets from 0.1 ms to 10 s; value in seconds
[[nodiscard]] std::string text();

// GET /metrics, /healthz (200 while the process turns), /readyz (200 when `ready` says so).
class HttpServer {
 public:
  // listen: host:port; port 0 takes a free one.
  HttpServer(const std::string& listen, std::function<bool()> healthy, std::function<bool()> ready);
  ~HttpServer();
  [[nodiscard]] bool ok() const;
  [[nodiscard]] int port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwork::metrics
