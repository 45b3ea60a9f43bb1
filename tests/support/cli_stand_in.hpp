// For the tests of the command line: answers as the services would, over a real broker.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "bus/mqtt.hpp"
#include "codec/transfer.hpp"
#include "crypto/bytes.hpp"
#include "crypto/certificate.hpp"
#include "crypto/digest.hpp"
#include "crypto/jws.hpp"
#include "exchange/inbound.hpp"
#include "files.hpp"
#include "topic/topic.hpp"

namespace fieldwork::cli {

namespace fs = std::filesystem;
using codec::Json;

inline Json job_state_json(const std::string& state, const std::string& execution, const std::string& reason = "") {
  return {{"v", 1},
          {"job", "j-1"},
          {"name", "anomaly"},
          {"state", state},
          {"reason", reason},
          {"submitter", "operator"},
          {"submitted_ms", 1000},
          {"changed_ms", 2000},
          {"executions", {{{"execution", 0}, {"device", "d-1"}, {"attempt", 1}, {"fence", 1}, {"state", execution}}}}};
}

// Answers as the services would. Runs in a child process, so that the client of the commands is the only one of their
// process (Paho takes 2 s for the second connect of a process).
class StandIn {
 public:
  StandIn(const std::string& url, fs::path place)
      : place_(std::move(place)),
        bus_(config(url), {[this](bus::Message&& m) { push(std::move(m)); }, [] {}, [](const std::string&) {}}) {}

  [[noreturn]] void run() {
    bus_.start();
    const Json cut{{"sequence", 7}, {"at_ms", 1}, {"reason", "row 9 is gone"}};
    (void)bus_.publish({topics_.state("audit", "head"), codec::dump({{"v", 1}, {"broken", cut}}), 1, true});
    while (true) {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(20), [this] { return !queue_.empty(); });
      auto batch = std::exchange(queue_, {});
      lock.unlock();
      for (const auto& message : batch) heard(message);
      if (inbound_) acknowledge(false);
    }
  }

 private:
  static bus::MqttConfig config(const std::string& url) {
    bus::MqttConfig out;
    out.url = url;
    out.client_id = "stand-in";
    out.reconnect_last = std::chrono::milliseconds(200);
    out.subscriptions = {{"fieldwork/v1/service/+/+/+", 1}};
    return out;
  }
  void push(bus::Message&& message) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(message));
    changed_.notify_all();
  }
  static Time now() {
    return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
  }

  void heard(const bus::Message& message) {
    const auto topic = topics_.parse(message.topic);
    if (topic->channel == "frame") return frame(message.payload);
    const auto body = codec::parse(message.payload);
    auto answer =
        body ? answer_to(std::string(topic->name) + "/" + std::string(topic->channel), *body, message) : Json();
    if (answer.is_null()) return;
    answer["v"] = 1;
    (void)bus_.publish({message.response_topic, codec::dump(answer), 1, false, "", message.correlation});
  }

  Json answer_to(const std::string& what, const Json& body, const bus::Message& message) {
    if (what == "registry/list") {
      // The first request is lost: the CLI must repeat it.
      if (registry_asked_++ == 0) return {};
      // One device per page.
      if (body.contains("after"))
        return {{"items",
                 {{{"v", 1},
                   {"device", "d-2"},
                   {"lifecycle", "active"},
                   {"presence", "online"},
                   {"architecture", "aarch64"},
                   {"duplicated_since_ms", 5}}}}};
      return {{"next", "d-1"},
              {"items",
               {{{"v", 1},
                 {"device", "d-1"},
                 {"lifecycle", "active"},
                 {"presence", "online"},
                 {"architecture", "x86_64"},
                 {"health", 0.9}}}}};
    }
    if (what == "registry/show") return codec::encode_error({Code::unknown, "there is no such device", "/device"});
    if (what == "scheduler/submit") {
      auto item = submitted(body["items"][0]);
      return item.is_null() ? item : Json{{"items", {std::move(item)}}};
    }
    if (what == "scheduler/show") {
      auto job = shown(body["job"]);
      auto executions = job["executions"];
      job.erase("executions");
      for (auto& one : executions) {
        if (one.contains("result")) one["exit_code"] = one["result"]["exit_code"];
        one.erase("result");
      }
      return {{"job", std::move(job)}, {"executions", std::move(executions)}};
    }
    if (what == "scheduler/result") return {{"result", result_of(body["job"])}, {"parts", Json::array()}};
    if (what == "scheduler/explain") {  // three pages, one execution each
      const int after = body.value("after", -1);
      Json page{
          {"job", body["job"]}, {"state", "queued"}, {"executions", {{{"execution", after + 1}, {"state", "queued"}}}}};
      if (after < 1) page["next"] = after + 1;
      return page;
    }
    if (what == "transfer/show") return shown_package(body);
    if (what == "transfer/offer") return offered(body);
    if (what == "transfer/start") return started(message);
    if (what == "transfer/remove") return removed(body);
    if (what == "transfer/list" && body.value("unused", false)) return {{"items", Json::array()}};
    if (what == "transfer/stage" || what == "transfer/unstage") return staged(body);
    if (what == "transfer/stages") return stages(body);
    if (what == "transfer/list") return {{"items", {package()}}};
    return {};
  }

  // Packages have an entry, but for "bare". "both" and "arm" are names with architectures.
  static Json shown_package(const Json& body) {
    auto out = package();
    if (body.value("name", "") != "bare") out["entry"] = {"entry", "of", "it"};
    if (body.contains("architecture")) out["architecture"] = body["architecture"];
    if (body.value("name", "") == "arm") out["architecture"] = "aarch64";
    if (body.value("name", "") == "both") {
      auto arm = out;
      arm.update({{"architecture", "aarch64"}, {"digest", "sha256:" + std::string(64, 'b')}});
      out["architecture"] = "x86_64";
      return {{"package", out}, {"variants", {out, arm}}};
    }
    return {{"package", std::move(out)}};
  }
  // By name without an architecture, two.
  static Json removed(const Json& body) {
    if (body.value("name", "") == "needed")
      return codec::encode_error({Code::conflict, "needed@1 is needed by job j-1, stage on edge-1"});
    if (body.value("name", "") == "unsaid") return codec::encode_error({Code::unavailable, "nobody says"});
    auto digests = Json::array({package()["digest"]});
    if (body.contains("name") && !body.contains("architecture")) digests.push_back(crypto::digest_of("another"));
    const Json names{{{"name", "anomaly"}, {"version", "1.0"}}, {{"name", "a"}, {"version", "2"}}};
    return {{"state", "removed"}, {"digests", std::move(digests)}, {"names", names}};
  }
  // Each request of `stages` sees d-1 one step further.
  Json staged(const Json& body) {
    const auto digest = body["digest"].get<std::string>();
    staged_[digest] = body;
    steps_[digest] = 0;
    auto items = Json::array();
    for (const auto& device : body["devices"]) {
      if (device == "d-2" && fs::exists(place_ / "refuse"))
        items.push_back({{"device", device}, {"state", "refused"}, {"reason", "no such device"}});
      else
        items.push_back({{"device", device}, {"state", "accepted"}});
    }
    return {{"digest", body["digest"]}, {"items", std::move(items)}};
  }
  Json stages(const Json& body) {
    static constexpr const char* states[] = {"asked", "taken", "ready"};
    auto items = Json::array();
    for (const auto& [digest, asked] : staged_) {
      if (body.value("digest", digest) != digest) continue;
      const int step = fs::exists(place_ / "stuck") ? 0 : std::min(steps_[digest]++, 2);
      for (const auto& device : asked["devices"]) {
        Json stage{{"device", device}, {"digest", digest}, {"state", states[step]}, {"reason", ""}};
        if (asked.contains("file")) stage["file"] = asked["file"];
        Json transfer{{"state", "sending"}, {"acked_bytes", 4}, {"encoded_bytes", 10}, {"resumed_from", 3}};
        items.push_back({{"stage", std::move(stage)}, {"transfer", std::move(transfer)}});
      }
    }
    return {{"items", std::move(items)}};
  }

  static Json package() {
    return {{"v", 1},
            {"digest", "sha256:" + std::string(64, 'a')},
            {"name", "anomaly"},
            {"version", "1.0"},
            {"size_bytes", 5}};
  }

  static Json result_of(const std::string& job) {
    const std::string content = "{\"n\":1}";
    return {{"exit_code", job == "j-fail" ? 3 : 0},
            {"stdout", "hello\n"},
            {"stderr", ""},
            {"truncated", false},
            {"elapsed_ms", 5},
            {"files",
             {{{"path", job == "j-outside" ? "../evil" : "out/result.json"},
               {"size_bytes", 7},
               {"digest", crypto::digest_of(content)},
               {"content", crypto::base64_encode(content)}}}}};
  }

  static Json submitted(const Json& item) {
    const auto command = item["job"]["command"][0].get<std::string>();
    const auto request = item["request"];
    if (command == "silent") return {};
    if (command == "invalid") {
      return {
          {"request", request},
          {"error", {{"code", "invalid"}, {"path", "/items/0/job/requirements"}, {"reason", "no device can do this"}}}};
    }
    if (command == "deny")
      return {{"request", request}, {"job", "j-deny"}, {"state", "denied"}, {"reason", "rule default"}};
    // The reason names what was asked for.
    return {{"request", request},
            {"job", "j-" + command},
            {"state", "queued"},
            {"reason", item["job"].value("metered", false) ? "metered" : item["job"].value("package", "")}};
  }

  // Each request sees the job one state further.
  Json shown(const std::string& job) {
    const int step = steps_[job]++;
    if (job == "j-interrupt") kill(getppid(), SIGINT);  // someone's Ctrl-C while we wait
    auto out = job_state_json(step == 0 ? "assigned" : "running", step == 0 ? "assigned" : "running");
    out["job"] = job;
    if (step < 2 || job == "j-for-ever" || job == "j-interrupt") {
      (void)bus_.publish({"fieldwork/v1/event/job/changed",
                          codec::dump({{"v", 1}, {"items", {{{"job", job}, {"state", "running"}, {"reason", ""}}}}})});
      return out;
    }
    out["state"] = job == "j-fail" ? "failed" : "succeeded";
    out["executions"][0]["state"] = out["state"];
    out["executions"][0]["result"] = result_of(job);
    return out;
  }

  Json offered(const Json& body) {
    if (fs::exists(place_ / "stored")) return {{"state", "stored"}};
    const auto trust = crypto::TrustStore::load(place_ / "release.pub");
    const auto release = trust->verify(body["release"].get<std::string>(), "fieldwork-release+jws");
    if (!release) return codec::encode_error(release.error());
    return {{"transfer", std::string(32, '7')}, {"certificate", *read_file(place_ / "transfer.pem", 65536)}};
  }

  Json started(const bus::Message& message) {
    const auto offer = codec::decode_offer(message.payload);
    if (!offer) return codec::encode_error(offer.error());
    const auto key = crypto::PrivateKey::load(place_ / "transfer.key");
    const auto certificate = crypto::Certificate::from_pem(*read_file(place_ / "transfer.pem", 65536));
    fs::create_directories(place_ / "parts");
    auto inbound = exchange::Inbound::open(*offer, *key, certificate->fingerprint(), place_ / "parts", 1 << 30);
    if (!inbound) return codec::encode_error(inbound.error());
    inbound_ = std::move(*inbound);
    acks_ = topics_.reply(topics_.parse(message.response_topic)->name, "received");
    auto ranges = Json::array();
    for (const auto& [begin, end] : inbound_->received().ranges) ranges.push_back({begin, end});
    return {{"transfer", offer->transfer.value}, {"ranges", ranges}};
  }

  void frame(const std::string& payload) {
    // Every third frame is lost.
    if (++frames_ % 3 == 0 || !inbound_) return;
    if (!inbound_->frame(payload, now())) return;
    acknowledge(inbound_->complete());
  }

  void acknowledge(bool complete) {
    if (complete) {
      if (!inbound_->finish(place_ / "stored")) return;
      (void)bus_.publish({acks_, codec::encode(Received{inbound_->offer().transfer, ReceivedState::complete, {}, ""})});
      inbound_.reset();
    } else if (const auto answer = inbound_->ack_due(now())) {
      (void)bus_.publish({acks_, codec::encode(*answer)});
    }
  }

  fs::path place_;
  Topics topics_{"fieldwork/v1"};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bus::Message> queue_;
  int registry_asked_ = 0;
  int frames_ = 0;
  std::map<std::string, int> steps_;
  std::map<std::string, Json> staged_;  // by digest: the newest request
  std::optional<exchange::Inbound> inbound_;
  std::string acks_;
  bus::MqttBus bus_;
};

}  // namespace fieldwork::cli
