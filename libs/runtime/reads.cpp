#include "runtime/reads.hpp"

namespace fieldwork::runtime {

Reads::Reads(std::unique_ptr<store::Reader> reader, std::function<void(Task)> post)
    : reader_(std::move(reader)), post_(std::move(post)), thread_([this] { run(); }) {}

Reads::~Reads() { stop(); }

bool Reads::ask(const std::string& asker, Question question) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || count_ >= waiting_max) return false;
    const auto it = waiting_.find(asker);
    if (it != waiting_.end() && it->second.size() >= asker_max) return false;
    waiting_[asker].push_back(std::move(question));
    ++count_;
  }
  wake_.notify_one();
  return true;
}

void Reads::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Reads::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || count_ > 0; });
    if (stopping_) return;
    auto next = waiting_.upper_bound(served_);
    if (next == waiting_.end()) next = waiting_.begin();
    served_ = next->first;
    auto question = std::move(next->second.front());
    next->second.pop_front();
    if (next->second.empty()) waiting_.erase(next);
    --count_;
    lock.unlock();
    auto task = question(*reader_);
    question = nullptr;
    post_(std::move(task));
    lock.lock();
  }
}

}  // namespace fieldwork::runtime
