// A TCP link of a given rate and delay in front of a server on 127.0.0.1: does what netem would, for a kernel without
// it. Bytes beyond the rate wait in the sender's own buffers, as on a real link. One thread, ended with the object.
#pragma once

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <list>
#include <thread>

#include "child.hpp"

namespace fieldwork::support {

struct LinkRates {
  double up_bytes_per_s = 32'000;      // towards the server: 256 kbit/s
  double down_bytes_per_s = 32'000;    // from the server
  std::chrono::milliseconds delay{0};  // each way
};

class SlowLink {
 public:
  SlowLink(int server_port, LinkRates rates) : server_port_(server_port), rates_(rates) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    shrink(listener_);  // accepted sockets inherit it
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, any, size) != 0 || listen(listener_, 100) != 0 || getsockname(listener_, any, &size) != 0) {
      throw std::runtime_error("no port for a slow link");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  SlowLink(const SlowLink&) = delete;
  SlowLink& operator=(const SlowLink&) = delete;
  ~SlowLink() {
    stopping_ = true;
    thread_.join();
    for (auto& pair : pairs_) pair.close();
    close(listener_);
  }

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::uint64_t up_bytes() const { return up_bytes_; }  // bytes that have reached the server
  void cut() { cut_ = true; }                                         // ends all connections once
  void stall(bool on) { stall_ = on; }                                // nothing passes, nothing is closed

 private:
  using Clock = std::chrono::steady_clock;

  static void shrink(int number) {
    const int bytes = 4096;  // the kernel doubles it; more buffer here would be a faster link
    setsockopt(number, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }

  struct Way {
    int from = -1, to = -1;
    double per_s = 0;
    double credit = 0;
    std::deque<std::pair<Clock::time_point, std::string>> under_way;
  };
  struct Pair {
    int client = -1, server = -1;
    Way up, down;
    void close() const {
      ::close(client);
      ::close(server);
    }
  };

  void run() {
    auto then = Clock::now();
    while (!stopping_) {
      pollfd waits{listener_, POLLIN, 0};
      if (poll(&waits, 1, 2) > 0) join();
      const auto now = Clock::now();
      const double passed = std::chrono::duration<double>(now - then).count();
      then = now;
      const bool all = cut_.exchange(false);
      for (auto it = pairs_.begin(); it != pairs_.end();) {
        const bool good =
            !all && (stall_ || (move(it->up, passed, now, &up_bytes_) && move(it->down, passed, now, nullptr)));
        if (!good) it->close();
        it = good ? std::next(it) : pairs_.erase(it);
      }
    }
  }

  void join() {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    shrink(server);
    const auto address = loopback(server_port_);
    const int on = 1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      close(client);
      close(server);
      return;
    }
    fcntl(server, F_SETFL, O_NONBLOCK);
    pairs_.push_back(
        {client, server, {client, server, rates_.up_bytes_per_s}, {server, client, rates_.down_bytes_per_s}});
  }

  // Moves bytes of one way. False when the connection is over.
  bool move(Way& way, double passed, Clock::time_point now, std::atomic<std::uint64_t>* moved) {
    way.credit = std::min(way.credit + passed * way.per_s, std::max(way.per_s * 0.02, 1500.0));
    std::array<char, 65'536> bytes{};
    const auto most = std::min(bytes.size(), static_cast<std::size_t>(way.credit));
    if (most > 0) {
      const auto got = recv(way.from, bytes.data(), most, 0);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) return false;
      if (got > 0) {
        way.credit -= static_cast<double>(got);
        way.under_way.emplace_back(now + rates_.delay, std::string(bytes.data(), static_cast<std::size_t>(got)));
      }
    }
    while (!way.under_way.empty() && way.under_way.front().first <= now) {
      auto& front = way.under_way.front().second;
      const auto sent = send(way.to, front.data(), front.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
      if (moved != nullptr) *moved += static_cast<std::uint64_t>(sent);
      front.erase(0, static_cast<std::size_t>(sent));
      if (!front.empty()) break;
      way.under_way.pop_front();
    }
    return true;
  }

  int server_port_;
  LinkRates rates_;
  int listener_ = -1;
  int port_ = 0;
  std::list<Pair> pairs_;  // used by thread_ alone
  std::atomic<std::uint64_t> up_bytes_{0};
  std::atomic<bool> stopping_{false}, cut_{false}, stall_{false};
  std::thread thread_;  // the last member: the thread uses the others
};

}  // namespace fieldwork::support
