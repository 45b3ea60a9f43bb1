#include "bus/sessions.hpp"

#include <mosquitto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <unordered_map>

#include "base/freer.hpp"

namespace fieldwork::bus {
namespace {

using Clock = std::chrono::steady_clock;

using Context = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Client = std::unique_ptr<mosquitto, Freer<mosquitto_destroy>>;
using Pem = std::unique_ptr<BIO, Freer<BIO_free_all>>;

Error unreadable(const std::string& what, const std::string& file) {
  ERR_clear_error();
  return {Code::invalid, "cannot be read as PEM", what + " " + file};
}

// The session whose call into libmosquitto runs now: the TLS handshake happens within such a call, and OpenSSL's
// callback must know whose certificate to give.
thread_local Session::Impl* talking = nullptr;

}  // namespace
}  // namespace fieldwork::bus

// libmosquitto makes a pair of sockets for each client, by which it wakes its own thread; here it has none, and goes on
// without the pair. So a session is one descriptor instead of three. In a program that links this library, this
// function stands in for the C library's.
extern "C" int socketpair(int domain, int type, int protocol, int ends[2]) {
  if (fieldwork::bus::talking == nullptr)
    return static_cast<int>(syscall(SYS_socketpair, domain, type, protocol, ends));
  errno = EMFILE;
  return -1;
}

namespace fieldwork::bus {

struct Session::Impl {
  Impl(Sessions::Impl& of, SessionConfig c, SessionEvents e) : owner(of), config(std::move(c)), events(std::move(e)) {}
  ~Impl() { leave(); }

  void leave();
  void judge(int code);  // after each call into libmosquitto
  void watch();
  void ended(const std::string& reason);
  void opened();
  Result<void> publish(const Message& message);
  template <class Call>
  int call(Call body) {
    auto* const outer = std::exchange(talking, this);
    const int code = body(client.get());
    talking = outer;
    return code;
  }

  Sessions::Impl& owner;
  SessionConfig config;
  SessionEvents events;
  Certificate certificate;
  Key key;
  Client client;
  int watched = -1;
  bool writes = false;
  bool up = false;
  bool broken = false;  // handled later, when no callback of libmosquitto runs
  std::string reason;
  std::size_t unanswered = 0;                    // subscriptions without SUBACK
  std::unordered_map<int, std::size_t> waiting;  // payload bytes by message id, of publishes without PUBACK
  std::size_t waiting_bytes = 0;
  int newest = 0;                         // message id of the one of Lane::newest in flight; 0: none
  std::optional<Message> waiting_newest;  // replaced by the next
  Clock::time_point connecting_since{};
};

struct Sessions::Impl {
  std::string address;
  int port = 0;
  Context context;
  int epoll = -1;
  std::vector<Session::Impl*> sessions;
  std::size_t next_misc = 0;
  Clock::time_point misc_at{};

  ~Impl() {
    if (epoll >= 0) ::close(epoll);
  }
};

namespace {

int give_certificate(SSL* /*ssl*/, X509** certificate, EVP_PKEY** key) {
  if (talking == nullptr) return 0;
  X509_up_ref(talking->certificate.get());
  EVP_PKEY_up_ref(talking->key.get());
  *certificate = talking->certificate.get();
  *key = talking->key.get();
  return 1;
}

// The system's reason why a socket did not connect; empty: no error is known.
std::string error_of(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error == 0) return {};
  return std::strerror(error);
}

Session::Impl& of(void* object) { return *static_cast<Session::Impl*>(object); }

void on_connect(mosquitto* client, void* object, int code) {
  auto& self = of(object);
  if (code != 0) {
    self.reason = mosquitto_connack_string(code);
    self.broken = true;
    return;
  }
  const auto say = [&](const Message& m) {
    mosquitto_publish(client, nullptr, m.topic.c_str(), static_cast<int>(m.payload.size()), m.payload.data(), m.qos,
                      m.retain);
  };
  if (self.config.birth) say(*self.config.birth);
  self.unanswered = self.config.subscriptions.size();
  for (const auto& [filter, qos] : self.config.subscriptions) mosquitto_subscribe(client, nullptr, filter.c_str(), qos);
  if (self.unanswered == 0) self.opened();
}

void on_subscribe(mosquitto* /*client*/, void* object, int /*id*/, int count, const int* granted) {
  auto& self = of(object);
  if (std::any_of(granted, granted + count, [](int qos) { return qos >= 128; })) {
    self.reason = "the broker refused a subscription";
    self.broken = true;
    return;
  }
  if (self.unanswered > 0 && --self.unanswered == 0) self.opened();
}

void on_publish(mosquitto* /*client*/, void* object, int id) {
  auto& self = of(object);
  const auto it = self.waiting.find(id);
  if (it == self.waiting.end()) return;
  self.waiting_bytes -= it->second;
  self.waiting.erase(it);
  if (id != self.newest) return;
  self.newest = 0;
  // A failure ends the connection; the next heartbeat replaces this one.
  if (const auto next = std::exchange(self.waiting_newest, std::nullopt)) (void)self.publish(*next);
}

void on_message(mosquitto* /*client*/, void* object, const mosquitto_message* m) {
  auto& self = of(object);
  if (self.events.message == nullptr) return;
  self.events.message(
      {.topic = m->topic,
       .payload = std::string(static_cast<const char*>(m->payload), static_cast<std::size_t>(m->payloadlen)),
       .qos = m->qos,
       .retain = m->retain});
  errno = 0;  // libmosquitto would take an errno that a publish left for the end of its own reading
}

}  // namespace

Result<void> Session::Impl::publish(const Message& message) {
  int id = 0;
  const auto bytes = message.payload.size();
  const int qos = message.lane == Lane::newest ? 1 : message.qos;
  const int code = call([&](mosquitto* one) {
    return mosquitto_publish(one, &id, message.topic.c_str(), static_cast<int>(bytes), message.payload.data(), qos,
                             message.retain);
  });
  if (code != MOSQ_ERR_SUCCESS) return Error{Code::unavailable, mosquitto_strerror(code)};
  if (qos > 0) {
    waiting[id] = bytes;
    waiting_bytes += bytes;
  }
  if (message.lane == Lane::newest) newest = id;
  return {};
}

void Session::Impl::opened() {
  up = true;
  if (events.connected) events.connected();
}

void Session::Impl::leave() {
  if (watched >= 0) epoll_ctl(owner.epoll, EPOLL_CTL_DEL, watched, nullptr);
  watched = -1;
  client.reset();
  waiting.clear();
  waiting_bytes = 0;
  newest = 0;
  waiting_newest.reset();
  up = false;
  broken = false;
}

void Session::Impl::ended(const std::string& why) {
  leave();
  if (events.disconnected) events.disconnected(why);
}

// Makes epoll wait on the socket for what libmosquitto wants.
void Session::Impl::watch() {
  const int socket = client ? mosquitto_socket(client.get()) : -1;
  if (socket < 0) return;
  const bool wants = mosquitto_want_write(client.get());
  if (socket == watched && wants == writes) return;
  epoll_event event{};
  event.events = wants ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = this;
  epoll_ctl(owner.epoll, socket == watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
  watched = socket;
  writes = wants;
}

void Session::Impl::judge(int code) {
  if (code == MOSQ_ERR_SUCCESS && !broken) return watch();
  ended(!reason.empty() ? std::exchange(reason, "") : mosquitto_strerror(code));
}

Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::~Session() { std::erase(impl_->owner.sessions, impl_.get()); }

void Session::connect() {
  auto& self = *impl_;
  self.leave();
  self.call([&](mosquitto* /*before*/) {
    self.client.reset(mosquitto_new(self.config.client_id.c_str(), true, &self));
    return 0;
  });
  auto* client = self.client.get();
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V311);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
  mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, self.owner.context.get());
  mosquitto_max_inflight_messages_set(client, static_cast<unsigned>(self.config.window));
  mosquitto_connect_callback_set(client, on_connect);
  mosquitto_subscribe_callback_set(client, on_subscribe);
  mosquitto_publish_callback_set(client, on_publish);
  mosquitto_message_callback_set(client, on_message);
  if (const auto& will = self.config.will) {
    mosquitto_will_set(client, will->topic.c_str(), static_cast<int>(will->payload.size()), will->payload.data(),
                       will->qos, will->retain);
  }
  self.connecting_since = Clock::now();
  self.judge(self.call([&](mosquitto* one) {
    return mosquitto_connect_async(one, self.owner.address.c_str(), self.owner.port, self.config.keep_alive_s);
  }));
}

void Session::cut() {
  if (impl_->client) impl_->ended("the link was cut");
}

void Session::set_presence(Message will, Message birth) {
  impl_->config.will = std::move(will);
  impl_->config.birth = std::move(birth);
}

bool Session::connected() const { return impl_->up; }

Result<void> Session::publish(Message message) {
  if (auto good = check(message); !good) return good;
  if (!impl_->client) return Error{Code::unavailable, "there is no connection"};
  if (message.lane == Lane::newest && impl_->newest != 0) {
    impl_->waiting_newest = std::move(message);
    return {};
  }
  auto done = impl_->publish(message);
  if (done) impl_->watch();
  return done;
}

std::size_t Session::backlog(Lane lane) const {
  if (lane != Lane::newest) return lane == Lane::control ? impl_->waiting_bytes : 0;
  const auto it = impl_->waiting.find(impl_->newest);
  return it == impl_->waiting.end() ? 0 : it->second;
}

Sessions::Sessions(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sessions::~Sessions() { mosquitto_lib_cleanup(); }

Result<std::unique_ptr<Sessions>> Sessions::open(const std::string& host, int port, const std::string& ca) {
  mosquitto_lib_init();
  auto impl = std::make_unique<Impl>();
  // libmosquitto tries one address of a name alone; a broker on this machine listens on 127.0.0.1.
  impl->address = host == "localhost" ? "127.0.0.1" : host;
  impl->port = port;
  impl->context.reset(SSL_CTX_new(TLS_client_method()));
  auto* context = impl->context.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (SSL_CTX_load_verify_locations(context, ca.c_str(), nullptr) != 1) return unreadable("the CA", ca);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  auto* checked = SSL_CTX_get0_param(context);
  if (X509_VERIFY_PARAM_set1_ip_asc(checked, host.c_str()) != 1 &&
      X509_VERIFY_PARAM_set1_host(checked, host.c_str(), host.size()) != 1)
    return Error{Code::invalid, "is neither a name nor an address", "host " + host};
  ERR_clear_error();
  SSL_CTX_set_client_cert_cb(context, give_certificate);
  impl->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (impl->epoll < 0) return Error{Code::unavailable, "no epoll"};
  return std::unique_ptr<Sessions>(new Sessions(std::move(impl)));
}

Result<std::unique_ptr<Session>> Sessions::add(SessionConfig config, SessionEvents events) {
  auto impl = std::make_unique<Session::Impl>(*impl_, std::move(config), std::move(events));
  const Pem certificate(BIO_new_file(impl->config.certificate.c_str(), "r"));
  if (certificate) impl->certificate.reset(PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr));
  if (!impl->certificate) return unreadable("the certificate", impl->config.certificate);
  const Pem key(BIO_new_file(impl->config.key.c_str(), "r"));
  if (key) impl->key.reset(PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr));
  if (!impl->key) return unreadable("the key", impl->config.key);
  impl_->sessions.push_back(impl.get());
  return std::unique_ptr<Session>(new Session(std::move(impl)));
}

void Sessions::turn(milliseconds patience) {
  std::array<epoll_event, 256> ready{};
  const int count =
      epoll_wait(impl_->epoll, ready.data(), static_cast<int>(ready.size()), static_cast<int>(patience.count()));
  for (int i = 0; i < count; ++i) {
    auto& session = *static_cast<Session::Impl*>(ready[static_cast<std::size_t>(i)].data.ptr);
    const auto what = ready[static_cast<std::size_t>(i)].events;
    int code = MOSQ_ERR_SUCCESS;
    // Reads until no packet is left: TLS may hold more bytes than the socket shows. Until the session is up also reads
    // without an event: libmosquitto continues the TLS handshake only when it reads.
    if ((what & (EPOLLHUP | EPOLLERR)) != 0 && session.client && !session.up) {
      if (const auto why = error_of(session.watched); !why.empty()) {
        session.ended(why);
        continue;
      }
    }
    if (((what & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 || !session.up) && session.client)
      code = session.call([](mosquitto* client) { return mosquitto_loop_read(client, 1000); });
    if (code == MOSQ_ERR_SUCCESS && session.client && mosquitto_want_write(session.client.get()))
      code = session.call([](mosquitto* client) { return mosquitto_loop_write(client, 1); });
    if (session.client) session.judge(code);
  }
  // Keep-alive, and connections that were not made in time: each session is checked about once a second.
  const auto now = Clock::now();
  if (now - impl_->misc_at < std::chrono::milliseconds(100)) return;
  impl_->misc_at = now;
  const auto all = impl_->sessions.size();
  for (std::size_t i = 0; i < all / 10 + 1 && i < all; ++i) {
    auto& session = *impl_->sessions[impl_->next_misc++ % all];
    if (!session.client) continue;
    if (!session.up && now - session.connecting_since > std::chrono::seconds(20)) {
      session.ended("the broker did not answer within 20 s");
      continue;
    }
    session.judge(session.call([](mosquitto* client) { return mosquitto_loop_misc(client); }));
  }
}

}  // namespace fieldwork::bus
