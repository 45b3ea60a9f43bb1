#include "alerting/shell/courier.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>
#include <thread>

#include "alerting/limits.hpp"
#include "alerting/shell/message.hpp"
#include "base/text.hpp"

namespace fieldwork::alerting {
namespace {

struct List {
  curl_slist* all = nullptr;
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { curl_slist_free_all(all); }
  void add(const std::string& one) { all = curl_slist_append(all, one.c_str()); }
};

struct Upload {
  const std::string* body;
  std::size_t at = 0;
};

std::size_t read_body(char* into, std::size_t size, std::size_t count, void* from) {
  auto& upload = *static_cast<Upload*>(from);
  const auto bytes = std::min(size * count, upload.body->size() - upload.at);
  std::copy_n(upload.body->data() + upload.at, bytes, into);
  upload.at += bytes;
  return bytes;
}

std::size_t keep_answer(char* bytes, std::size_t size, std::size_t count, void* into) {
  auto& answer = *static_cast<std::string*>(into);
  answer.append(bytes, std::min(size * count, answer_max - std::min(answer_max, answer.size())));
  return size * count;
}

Result<std::string> read_password(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) return Error{Code::unavailable, "cannot read a password", file};
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// 401, 403, 404 and 405 speak of settings, 408, 421 and 429 of the moment, the other 4xx of what was sent.
Result<void> http_result(long status, const std::string& answer) {
  if (status >= 200 && status <= 299) return {};
  static constexpr long passing[] = {401, 403, 404, 405, 408, 421, 429};
  const bool for_good =
      status >= 400 && status <= 499 && std::find(std::begin(passing), std::end(passing), status) == std::end(passing);
  return Error{for_good ? Code::invalid : Code::unavailable,
               "answered " + std::to_string(status) + (answer.empty() ? "" : ": " + clamp_text(answer, answer_max))};
}

class CurlCourier final : public Courier {
 public:
  CurlCourier(Target target, Done done) : target_(std::move(target)), done_(std::move(done)) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    thread_ = std::thread([this] { run(); });
  }

  ~CurlCourier() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  void send(const Send& send, Time now) override {
    {
      std::lock_guard lock(mutex_);
      queue_.emplace_back(send.number, to_message(target_, send, now));
    }
    wake_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      const auto [number, message] = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      auto result = carry(message);
      lock.lock();
      // Under the lock: once the destructor has set `stopping_`, nobody is there to be told.
      if (!stopping_) done_(number, std::move(result));
    }
  }

  static int stop_if_asked(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& courier = *static_cast<CurlCourier*>(self);
    std::lock_guard lock(courier.mutex_);
    return courier.stopping_ ? 1 : 0;
  }

  Result<void> carry(const MessageForm& message) {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> owned(curl_easy_init(), curl_easy_cleanup);
    CURL* curl = owned.get();
    if (curl == nullptr) return Error{Code::unavailable, "no memory"};
    List headers, recipients;
    std::string answer;
    Upload upload{&message.body};
    char problem[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_URL, message.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,smtp,smtps");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // waits for no name server when it is told to stop
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(target_.timeout_s));
    // The one before is for the whole message; this one also for the farewell to a mail server.
    curl_easy_setopt(curl, CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(target_.timeout_s));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, stop_if_asked);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
    if (auto ok = authenticate(curl, headers); !ok) return ok.error();
    if (target_.type == Target::Type::smtp) {
      curl_easy_setopt(curl, CURLOPT_MAIL_FROM, ("<" + target_.from + ">").c_str());
      for (const auto& one : target_.to) recipients.add("<" + one + ">");
      curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients.all);
      curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);  // one bad address keeps it from no other
      // With a password only encrypted; otherwise where the server can.
      curl_easy_setopt(curl, CURLOPT_USE_SSL, target_.user.empty() ? CURLUSESSL_TRY : CURLUSESSL_ALL);
      curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_body);
      curl_easy_setopt(curl, CURLOPT_READDATA, &upload);
      return mailed(curl, curl_easy_perform(curl), problem);
    }
    for (const auto& one : message.headers) headers.add(one);
    headers.add("Expect:");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.all);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, message.body.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(message.body.size()));
    const auto done = curl_easy_perform(curl);
    if (done != CURLE_OK) return failed(done, problem);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return http_result(status, answer);
  }

  // The password is read each time: it may have been changed.
  Result<void> authenticate(CURL* curl, List& headers) const {
    if (target_.password_file.empty()) return {};
    const auto password = read_password(target_.password_file);
    if (!password) return password.error();
    if (target_.user.empty()) {
      headers.add("Authorization: Bearer " + *password);
      return {};
    }
    curl_easy_setopt(curl, CURLOPT_USERNAME, target_.user.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password->c_str());
    return {};
  }

  static Error failed(CURLcode done, const char* problem) {
    return {Code::unavailable, *problem != '\0' ? problem : curl_easy_strerror(done)};
  }

  static Result<void> mailed(CURL* curl, CURLcode done, const char* problem) {
    if (done == CURLE_OK) return {};
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    auto error = failed(done, problem);
    // 530 to 538: it asks for a password, or for another one.
    if (status >= 500 && (status < 530 || status > 538) && done != CURLE_LOGIN_DENIED) error.code = Code::invalid;
    if (status > 0) error.reason += " (answered " + std::to_string(status) + ")";
    return error;
  }

  Target target_;
  Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<std::int64_t, MessageForm>> queue_;  // the core sends one at a time
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

std::unique_ptr<Courier> curl_courier(Target target, Courier::Done done) {
  return std::make_unique<CurlCourier>(std::move(target), std::move(done));
}

}  // namespace fieldwork::alerting
