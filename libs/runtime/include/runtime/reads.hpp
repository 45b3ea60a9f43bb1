// Questions of people to the store, beside the engine: on a thread and a session of their own. A slow question delays
// for long only other questions of the same asker; a failed question is answered with the error.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "runtime/engine.hpp"

namespace fieldwork::runtime {

class Reads {
 public:
  // Asks the reader, on the thread of Reads. The Task that it returns runs on the engine's thread, where the core may
  // be asked.
  using Question = std::function<Task(store::Reader& reader)>;
  static constexpr std::size_t asker_max = 8;      // waiting questions of one asker
  static constexpr std::size_t waiting_max = 256;  // waiting questions of all askers

  Reads(std::unique_ptr<store::Reader> reader, std::function<void(Task)> post);
  ~Reads();
  Reads(const Reads&) = delete;
  Reads& operator=(const Reads&) = delete;

  // Askers are served in turn. False: too many wait already, or stop() was called.
  bool ask(const std::string& asker, Question question);
  // Ends the thread after the question that is being asked; questions that wait are not answered.
  void stop();

 private:
  void run();

  std::unique_ptr<store::Reader> reader_;
  std::function<void(Task)> post_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, std::deque<Question>> waiting_;  // by asker
  std::size_t count_ = 0;
  std::string served_;  // the asker of the last question; the next one by name comes next
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace fieldwork::runtime
