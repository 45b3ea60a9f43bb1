// links: alerting_shell PkgConfig::HTTPLIB GTest::gtest_main
// What targets get (to_message), by value, and how it gets there (curl_courier), to real servers on this machine.
#include "alerting/shell/courier.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "alerting/shell/message.hpp"
#include "base/text.hpp"
#include "crypto/bytes.hpp"
#include "support/temp_dir.hpp"

namespace fieldwork::alerting {
namespace {

using nlohmann::json;
using State = Alert::State;
using Type = Target::Type;

constexpr Time t0{seconds{1'700'000'000}};  // 2023-11-14T22:13:20Z
Time at(int s) { return t0 + seconds{s}; }

Target target(Type type, std::string url = "http://ops.example") {
  Target out;
  out.name = "ops";
  out.type = type;
  out.url = std::move(url);
  return out;
}
Target mail_target(const std::string& url = "smtp://mail.example") {
  auto out = target(Type::smtp, url);
  out.from = "fieldwork@example.org";
  out.to = {"ann@example.org", "bob@example.org"};
  return out;
}

Alert alert(const std::string& subject, State state = State::firing, const std::string& rule = "device_lost") {
  Alert out;
  out.id = rule + "." + subject;
  out.rule = rule;
  out.subject = subject;
  out.state = state;
  out.severity = Severity::critical;
  out.reason = "silent for 45 s";
  out.next = "fieldwork device show " + subject;
  out.labels = {{"site", "berlin"}};
  out.since = t0;
  out.changed = state == State::resolved ? at(90) : t0;
  return out;
}
Send send_of(std::vector<Alert> alerts, std::int64_t number = 1) {
  Send out;
  out.number = number;
  out.target = "ops";
  out.group = {{"rule", alerts.front().rule}};
  out.alerts = std::move(alerts);
  return out;
}

// Answers with a status, or not at all while it hangs; keeps what came.
class Server {
 public:
  Server() {
    server_.Post(".*", [this](const httplib::Request& request, httplib::Response& response) {
      std::unique_lock lock(mutex_);
      most_inside = std::max(most_inside.load(), ++inside_);
      requests_.push_back(request);
      came_.notify_all();
      came_.wait(lock, [&] { return !hangs; });
      response.status = status;
      response.set_content(answer, "text/plain");
      --inside_;
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Server() {
    open();
    server_.stop();
    thread_.join();
  }
  void open() {
    std::lock_guard lock(mutex_);
    hangs = false;
    came_.notify_all();
  }
  [[nodiscard]] std::string url(const std::string& path = "/hook") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::vector<httplib::Request> requests(std::size_t count = 0) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(came_.wait_for(lock, seconds{30}, [&] { return requests_.size() >= count; }));
    return requests_;
  }

  std::atomic<int> status = 200, most_inside = 0;
  std::atomic<bool> hangs = false;
  std::string answer;

 private:
  int inside_ = 0, port_ = 0;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<httplib::Request> requests_;
  httplib::Server server_;
  std::thread thread_;
};

// What a courier says became of its messages.
class Results {
 public:
  using All = std::vector<std::pair<std::int64_t, Result<void>>>;
  Courier::Done done() {
    return [this](std::int64_t number, Result<void> result) {
      std::lock_guard lock(mutex_);
      all_.emplace_back(number, std::move(result));
      came_.notify_all();
    };
  }
  All wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(came_.wait_for(lock, seconds{60}, [&] { return all_.size() >= count; }));
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  All all_;
};

// What becomes of one message.
Result<void> carry(const Target& target, const Send& send = send_of({alert("edge-1")})) {
  Results results;
  const auto courier = curl_courier(target, results.done());
  courier->send(send, t0);
  const auto all = results.wait(1);
  if (all.empty()) return Error{Code::conflict, "no result came"};
  EXPECT_EQ(all[0].first, send.number);
  return all[0].second;
}
std::string outcome(const Result<void>& result) { return result ? "ok" : name(result.error().code); }

// A socket of 127.0.0.1 with a port of its own, on which nobody listens yet.
struct Socket {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  int port = 0;
  Socket() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
  }
  Socket(const Socket&) = delete;
  ~Socket() { close(fd); }
};

TEST(AlertingCourier, TellsWhatIsNotTakenNowFromWhatNeverWillBe) {
  Server server;
  server.answer = "because";
  const auto expect = [&](const std::vector<int>& statuses, const char* expected) {
    for (const int status : statuses) {
      server.status = status;
      const auto result = carry(target(Type::webhook, server.url()));
      EXPECT_EQ(outcome(result), expected) << status;
      EXPECT_EQ(result ? "" : result.error().reason, result ? "" : "answered " + std::to_string(status) + ": because");
    }
  };
  expect({200, 202, 204}, "ok");
  expect({400, 410, 413, 422}, "invalid");
  expect({302, 401, 403, 404, 408, 421, 429, 500, 503}, "unavailable");
}

TEST(AlertingCourier, AServerThatDoesNotAnswerIsUnavailable) {
  const Socket nobody_listens;
  EXPECT_EQ(outcome(carry(target(Type::webhook, "http://127.0.0.1:" + std::to_string(nobody_listens.port)))),
            "unavailable");
  Server server;
  server.hangs = true;
  auto to = target(Type::webhook, server.url());
  to.timeout_s = 1;
  EXPECT_EQ(outcome(carry(to)), "unavailable");
  EXPECT_EQ(server.requests().size(), 1U);
}

// The timeout is far longer than the test waits.
TEST(AlertingCourier, EndsWhileAMessageHangs) {
  Server server;
  server.hangs = true;
  auto to = target(Type::webhook, server.url());
  to.timeout_s = 300;
  Results results;
  auto courier = curl_courier(to, results.done());
  for (int number = 1; number <= 3; ++number) courier->send(send_of({alert("edge-1")}, number), t0);
  server.requests(1);
  auto ended = std::async(std::launch::async, [&] { courier.reset(); });
  EXPECT_EQ(ended.wait_for(seconds{30}), std::future_status::ready);
  server.open();
  ended.wait();
  EXPECT_TRUE(results.wait(0).empty()) << "nobody is there to be told";
  EXPECT_EQ(server.requests().size(), 1U);
}

TEST(AlertingCourier, SendsOneMessageAtATimeAndInSequence) {
  Server server;
  Results results;
  const auto courier = curl_courier(target(Type::ntfy, server.url()), results.done());
  for (int number = 1; number <= 20; ++number)
    courier->send(send_of({alert("edge-" + std::to_string(number))}, number), t0);
  const auto all = results.wait(20);
  const auto requests = server.requests(20);
  for (std::size_t i = 0; i < std::min(all.size(), requests.size()); ++i) {
    EXPECT_EQ(all[i].first, static_cast<std::int64_t>(i + 1));
    EXPECT_TRUE(all[i].second);
    EXPECT_EQ(requests[i].get_header_value("Title"), "device_lost: edge-" + std::to_string(i + 1));
  }
  EXPECT_EQ(server.most_inside, 1);
}

TEST(AlertingCourier, SendsWhatTheMessageSays) {
  Server server;
  const auto send = send_of({alert("edge-1"), alert("edge-2", State::resolved)});
  for (const auto type : {Type::webhook, Type::alertmanager, Type::ntfy}) {
    const auto to = target(type, server.url("/of/ours"));
    const auto count = server.requests().size();
    EXPECT_TRUE(carry(to, send));
    const auto request = server.requests(count + 1).back();
    const auto message = to_message(to, send, t0);
    EXPECT_EQ(server.url(request.path), message.url);
    EXPECT_EQ(request.body, message.body);
    for (const auto& header : message.headers) {
      const auto colon = header.find(": ");
      EXPECT_EQ(request.get_header_value(header.substr(0, colon).c_str()), header.substr(colon + 2));
    }
    EXPECT_FALSE(request.has_header("Authorization"));
  }
}

TEST(AlertingCourier, ShowsThePasswordThatTheFileHasNow) {
  Server server;
  const support::TempDir dir;
  auto to = target(Type::ntfy, server.url());
  to.password_file = dir / "password";
  const auto result = carry(to);
  EXPECT_EQ(outcome(result), "unavailable");
  EXPECT_EQ(result ? "" : result.error().path, to.password_file);
  EXPECT_TRUE(server.requests().empty());
  const auto shown = [&] { return server.requests().back().get_header_value("Authorization"); };
  dir.write("password", "token-1\nsecond line\n");
  EXPECT_TRUE(carry(to));
  EXPECT_EQ(shown(), "Bearer token-1");
  to.user = "fieldwork";
  Results results;
  const auto courier = curl_courier(to, results.done());
  for (const std::string word : {"one", "other:ß"}) {
    dir.write("password", word);
    courier->send(send_of({alert("edge-1")}), t0);
    EXPECT_TRUE(results.wait(word == "one" ? 1 : 2).back().second);
    EXPECT_EQ(shown(), "Basic " + crypto::base64_encode("fieldwork:" + word));
  }
}

// A mail server for one connection. It says `reply` (empty: nothing) to `command`, `.` being the mail's end, and yes to
// all else.
class MailServer {
 public:
  explicit MailServer(std::string command = "none", std::string reply = "")
      : command_(std::move(command)), reply_(std::move(reply)) {
    EXPECT_EQ(listen(socket_.fd, 1), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~MailServer() {
    shutdown(socket_.fd, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] std::string url() const { return "smtp://127.0.0.1:" + std::to_string(socket_.port); }
  // Once the connection has ended.
  const std::vector<std::string>& lines() {
    if (thread_.joinable()) thread_.join();
    return lines_;
  }

 private:
  void serve() {
    const int fd = accept(socket_.fd, nullptr, nullptr);
    if (fd < 0) return;
    say(fd, "220 ready");
    std::string line;
    bool data = false;
    for (char c = 0; read(fd, &c, 1) == 1;) {
      line += c;
      if (!line.ends_with("\r\n")) continue;
      lines_.push_back(line.substr(0, line.size() - 2));
      line.clear();
      if (data && lines_.back() != ".") continue;
      const auto answer = reply(lines_.back());
      data = answer.starts_with("354");
      if (!answer.empty()) say(fd, answer);
    }
    close(fd);
  }
  [[nodiscard]] std::string reply(const std::string& line) const {
    if (line.starts_with(command_)) return reply_;
    return line == "DATA" ? "354 go on" : line == "QUIT" ? "221 bye" : "250 ok";
  }
  static void say(int fd, const std::string& line) {
    const auto bytes = line + "\r\n";
    (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  Socket socket_;
  std::string command_, reply_;
  std::vector<std::string> lines_;
  std::thread thread_;
};

TEST(AlertingCourier, SendsMail) {
  MailServer server;
  const auto to = mail_target(server.url());
  const auto send = send_of({alert("edge-1")});
  EXPECT_TRUE(carry(to, send));
  std::string all;
  for (const auto& line : server.lines()) all += line + "\r\n";
  EXPECT_TRUE(all.ends_with(
      "\r\nMAIL FROM:<fieldwork@example.org>\r\nRCPT TO:<ann@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n" +
      to_message(to, send, t0).body + ".\r\nQUIT\r\n"))
      << all;
}

TEST(AlertingCourier, TellsMailThatIsNotTakenNowFromMailThatNeverWillBe) {
  const auto expect = [](const char* command, const std::string& reply, const char* expected) {
    MailServer server(command, reply);
    const auto result = carry(mail_target(server.url()));
    EXPECT_EQ(outcome(result), expected) << command << " " << reply;
    EXPECT_TRUE(result || result.error().reason.find(reply.substr(0, 3)) != reply.npos) << result.error().reason;
  };
  expect("MAIL", "451 later", "unavailable");
  expect("MAIL", "550 not you", "invalid");
  expect("RCPT", "450 later", "unavailable");
  expect("RCPT", "550 nobody of this name", "invalid");
  expect("DATA", "421 closing", "unavailable");
  expect(".", "452 disk full", "unavailable");
  expect(".", "554 that is spam", "invalid");
}

// A courier that waited for one would hold back the next messages.
TEST(AlertingCourier, AMailServerThatFallsSilentIsNotWaitedFor) {
  const auto silent = [](const char* command) {
    MailServer server(command, "");
    auto to = mail_target(server.url());
    to.timeout_s = 1;
    return outcome(carry(to));
  };
  EXPECT_EQ(silent("EHLO"), "unavailable");
  EXPECT_EQ(silent("RCPT"), "unavailable");
  EXPECT_EQ(silent("."), "unavailable");
  EXPECT_EQ(silent("QUIT"), "ok") << "the mail was taken";
}

TEST(AlertingCourier, ShowsThePasswordToNoMailServerWithoutEncryption) {
  MailServer server("EHLO", "250-here\r\n250 AUTH PLAIN LOGIN");
  const support::TempDir dir;
  auto to = mail_target(server.url());
  to.user = "fieldwork";
  to.password_file = dir.write("password", "secret\n");
  EXPECT_EQ(outcome(carry(to)), "unavailable");
  for (const auto& line : server.lines()) EXPECT_FALSE(line.starts_with("AUTH") || line.starts_with("MAIL")) << line;
}

json labels(const std::string& subject) {
  json out{{"alertname", "device_lost"}, {"severity", "critical"}, {"site", "berlin"}, {"subject", subject}};
  out["alert"] = "device_lost." + subject;
  return out;
}
json annotations(const std::string& subject) {
  return {{"summary", "silent for 45 s"}, {"value", "1.0"}, {"next", "fieldwork device show " + subject}};
}

// As https://prometheus.io/docs/alerting/latest/configuration/#webhook_config has it.
TEST(AlertingMessage, WebhooksGetTheFormOfAlertmanagersWebhook) {
  auto acked = alert("edge-1");
  acked.acked = Ack{.by = "ann", .comment = "on my way", .at = at(5)};
  auto send = send_of({acked, alert("edge-2", State::resolved)});
  send.group = {{"rule", "device_lost"}, {"site", "berlin"}};
  send.more = 3;
  const auto message = to_message(target(Type::webhook, "http://ops.example/hook?a=b"), send, at(100));
  EXPECT_EQ(message.url, "http://ops.example/hook?a=b");
  EXPECT_EQ(message.headers, std::vector<std::string>{"Content-Type: application/json"});
  auto expected = json::parse(R"json({
    "version": "4", "groupKey": "{}:{alertname=\"device_lost\", site=\"berlin\"}", "truncatedAlerts": 0,
    "status": "firing", "receiver": "ops", "externalURL": "",
    "groupLabels": {"alertname": "device_lost", "site": "berlin"},
    "commonLabels": {"alertname": "device_lost", "severity": "critical", "site": "berlin"},
    "commonAnnotations": {"summary": "silent for 45 s", "value": "1.0"},
    "alerts": [
      {"status": "firing", "startsAt": "2023-11-14T22:13:20Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
       "fingerprint": "device_lost.edge-1"},
      {"status": "resolved", "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:14:50Z", "generatorURL": "",
       "fingerprint": "device_lost.edge-2"}]})json");
  for (const int i : {0, 1}) {
    expected["alerts"][i]["labels"] = labels("edge-" + std::to_string(i + 1));
    expected["alerts"][i]["annotations"] = annotations("edge-" + std::to_string(i + 1));
  }
  expected["alerts"][0]["annotations"]["acknowledged"] = "ann: on my way";
  EXPECT_EQ(json::parse(message.body), expected);
  const auto ended = json::parse(to_message(target(Type::webhook), send_of({send.alerts[1]}), t0).body);
  EXPECT_EQ(ended.at("status"), "resolved");
  EXPECT_EQ(ended.at("commonLabels"), labels("edge-2"));
  send.group.clear();
  EXPECT_EQ(json::parse(to_message(target(Type::webhook), send, t0).body).at("groupKey"), "{}:{}");
}

TEST(AlertingMessage, AnAlertmanagerGetsTheFormOfItsApi) {
  auto to = target(Type::alertmanager, "http://ops.example/am//");
  to.repeat = seconds{60};
  const auto send = send_of({alert("edge-1"), alert("edge-2", State::resolved)});
  const auto message = to_message(to, send, at(100));
  EXPECT_EQ(message.url, "http://ops.example/am/api/v2/alerts");
  EXPECT_EQ(message.headers, std::vector<std::string>{"Content-Type: application/json"});
  const auto item = [](const std::string& subject, const char* ends) {
    json out{{"startsAt", "2023-11-14T22:13:20Z"}, {"endsAt", ends}, {"labels", labels(subject)}};
    out["annotations"] = annotations(subject);
    return out;
  };
  EXPECT_EQ(json::parse(message.body),
            json::array({item("edge-1", "2023-11-14T22:20:00Z"), item("edge-2", "2023-11-14T22:14:50Z")}));
  to.repeat = seconds{600};  // it goes on firing until five repetitions are lost
  EXPECT_EQ(json::parse(to_message(to, send, at(100)).body).at(0).at("endsAt"), "2023-11-14T23:05:00Z");
}

TEST(AlertingMessage, NtfyGetsHeadersAndText) {
  const auto to = target(Type::ntfy, "https://ntfy.example/fieldwork");
  const auto expect = [&](const Send& send, const char* title, const char* priority, const char* tags) {
    const auto message = to_message(to, send, at(100));
    EXPECT_EQ(message.url, to.url);
    EXPECT_EQ(message.headers,
              (std::vector<std::string>{"Content-Type: text/plain; charset=utf-8", title, priority, tags}));
    return message.body;
  };
  EXPECT_EQ(expect(send_of({alert("edge-1")}), "Title: device_lost: edge-1", "Priority: high", "Tags: rotating_light"),
            "device_lost edge-1 fires (critical)\n  silent for 45 s\n  since 2023-11-14T22:13:20Z\n"
            "  next: fieldwork device show edge-1\n");
  EXPECT_EQ(expect(send_of({alert("edge-1", State::resolved)}), "Title: device_lost: edge-1 is resolved",
                   "Priority: low", "Tags: white_check_mark"),
            "device_lost edge-1 is resolved (critical)\n  silent for 45 s\n"
            "  since 2023-11-14T22:13:20Z until 2023-11-14T22:14:50Z\n");
  auto many = send_of({alert("edge-1"), alert("edge-2"), alert("edge-3", State::resolved)});
  many.alerts[0].severity = many.alerts[1].severity = Severity::warning;
  many.more = 5;
  many.group["site"] = "berlin";
  EXPECT_TRUE(
      expect(many, "Title: device_lost, berlin: 7 firing, 1 resolved", "Priority: default", "Tags: rotating_light")
          .ends_with("\nand 5 more\n"));
}

struct Mail {
  std::vector<std::pair<std::string, std::string>> headers;  // unfolded
  std::string body;                                          // decoded

  [[nodiscard]] std::string of(const std::string& wanted) const {
    for (const auto& [name, value] : headers) {
      if (name == wanted) return value;
    }
    return "none";
  }
};

Mail mail_of(const Send& send, const Target& to = mail_target(), Time now = at(100)) {
  const auto all = to_message(to, send, now).body;
  Mail out;
  const auto end = all.find("\r\n\r\n");
  EXPECT_NE(end, all.npos);
  std::istringstream in(all.substr(0, end + 2));
  for (std::string line; std::getline(in, line);) {
    EXPECT_TRUE(line.ends_with('\r')) << line;
    line.pop_back();
    EXPECT_EQ(line.find_first_of(std::string("\r\0", 2)), line.npos);
    EXPECT_LE(line.size(), 998U) << "RFC 5322, 2.1.1: " << line.substr(0, 40);
    EXPECT_TRUE(line.size() <= 76 || line.find("=?") == line.npos) << "RFC 2047, 2: " << line.size() << " " << line;
    if (line.starts_with(' ') && !out.headers.empty()) {
      out.headers.back().second += line;
      continue;
    }
    const auto colon = line.find(": ");
    EXPECT_NE(colon, line.npos) << line;
    out.headers.emplace_back(line.substr(0, colon), line.substr(std::min(colon, line.size() - 2) + 2));
  }
  std::string code = all.substr(end + 4);
  for (std::size_t at = code.find("\r\n"); at != code.npos; at = code.find("\r\n", at)) code.erase(at, 2);
  const auto text = crypto::base64_decode(code);
  out.body = text ? *text : "not base64: " + code;
  return out;
}

// The text of a mail's subject, by RFC 2047: each word must be whole text by itself.
std::string subject_of(const Send& send) {
  const auto value = mail_of(send).of("Subject");
  if (!value.starts_with("=?")) return value;
  std::string out;
  std::istringstream in(value);
  for (std::string word; in >> word;) {
    EXPECT_TRUE(word.starts_with("=?utf-8?B?") && word.ends_with("?=") && word.size() <= 75) << word;
    const auto text = crypto::base64_decode(word.substr(10, word.size() - 12));
    EXPECT_TRUE(text && is_text(*text)) << word;
    if (text) out += *text;
  }
  return out;
}

TEST(AlertingMessage, MailHasItsHeadersAndTheText) {
  const auto send = send_of({alert("edge-1"), alert("edge-ß", State::resolved)});
  const auto mail = mail_of(send);
  const auto id = mail.of("Message-ID");
  EXPECT_TRUE(id.starts_with('<') && id.ends_with("@example.org>") && id.find(' ') == id.npos) << id;
  EXPECT_EQ(mail.headers, (std::vector<std::pair<std::string, std::string>>{
                              {"From", "Fieldwork <fieldwork@example.org>"},
                              {"To", "ann@example.org, bob@example.org"},
                              {"Subject", "[fieldwork] device_lost: 1 firing, 1 resolved"},
                              {"Date", "Tue, 14 Nov 2023 22:15:00 +0000"},
                              {"Message-ID", id},
                              {"Auto-Submitted", "auto-generated"},
                              {"MIME-Version", "1.0"},
                              {"Content-Type", "text/plain; charset=utf-8"},
                              {"Content-Transfer-Encoding", "base64"}}));
  EXPECT_EQ(mail.body, to_message(target(Type::ntfy), send, at(100)).body);
}

TEST(AlertingMessage, MailEncodesASubjectThatIsNotAscii) {
  for (std::string site : {"Zürich", "", "a"}) {  // wherever a word would be cut
    for (int letters = 0; letters <= 150; ++letters, site += "ü") {
      const auto send = send_of({alert(site, State::firing, "site_lost")});
      const auto subject = subject_of(send), whole = "[fieldwork] site_lost: " + site;
      const auto cut = subject.ends_with("...") ? subject.substr(0, subject.size() - 3) : subject;
      ASSERT_TRUE(letters <= 80 ? subject == whole : whole.starts_with(cut)) << subject;
      ASSERT_TRUE(is_text(to_message(target(Type::ntfy), send, t0).headers.at(1))) << letters;
    }
  }
}

TEST(AlertingMessage, NoTextGetsIntoTheHeaders) {
  const std::string evil = "x\r\nBcc: eve@example.org\r\n\r\nbody\nX: \x01\x7f";
  auto one = alert(evil, State::firing, "rule" + evil);
  one.reason = one.next = evil;
  one.labels = {{"site", evil}};
  one.acked = Ack{.by = evil, .comment = evil};
  for (const auto& alerts : {std::vector{one}, std::vector{one, one}}) {
    auto send = send_of(alerts);
    send.group["site"] = evil;
    const auto mail = mail_of(send);
    EXPECT_EQ(mail.headers.size(), 9U);
    EXPECT_EQ(mail.of("Subject").find_first_of("\r\n\x01\x7f"), std::string::npos);
    EXPECT_EQ(mail.body, to_message(target(Type::ntfy), send, t0).body);
    for (const auto& header : to_message(target(Type::ntfy), send, t0).headers)
      EXPECT_EQ(header.find_first_of("\r\n\x01\x7f"), std::string::npos) << header;
  }
}

TEST(AlertingMessage, MailToManyHasNoLineThatServersRefuse) {
  auto to = mail_target();
  to.to.assign(32, "somebody.with.a.name@mail.example.org");
  mail_of(send_of({alert("edge-1")}), to);
}

// Mail servers and readers drop a mail whose id they know.
TEST(AlertingMessage, OnlyTheSameMailHasTheSameId) {
  const auto id = [](std::vector<Alert> alerts, std::int64_t number = 1, Time now = at(100)) {
    return mail_of(send_of(std::move(alerts), number), mail_target(), now).of("Message-ID");
  };
  const auto one = alert("edge-1");
  EXPECT_EQ(id({one}, 2, at(160)), id({one}));
  EXPECT_NE(id({alert("edge-2")}), id({one}));
  EXPECT_NE(id({alert("edge-1", State::resolved)}), id({one}));
  EXPECT_NE(id({one, alert("edge-2")}), id({one})) << "one more alert";
  auto later = one, told = one;
  later.since = at(60);
  EXPECT_NE(id({later}), id({one})) << "its next firing";
  told.told["ops"] = {.since = t0, .at = at(10)};
  EXPECT_NE(id({told}), id({one})) << "a repetition";
}

}  // namespace
}  // namespace fieldwork::alerting
