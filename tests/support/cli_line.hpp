// For the tests of the command line: a bus without a broker, whose answers are there before publish returns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "line.hpp"

namespace fieldwork::cli {

class FakeLine : public Line {
 public:
  // What the far side says to a message; nothing where `topic` is empty.
  using Answer = std::function<bus::Message(const bus::Message&)>;

  FakeLine(bus::MqttEvents events, Answer answer, std::vector<bus::Message> retained,
           std::vector<bus::Message>& published, bool refuses)
      : events_(std::move(events)),
        answer_(std::move(answer)),
        retained_(std::move(retained)),
        published_(published),
        refuses_(refuses) {}

  void start() override {
    up_ = true;
    events_.connected();
    for (auto message : retained_) events_.message(std::move(message));
  }
  void stop() override { up_ = false; }
  void publish(bus::Message message) override {
    published_.push_back(message);
    if (refuses_) ++stats_.denied;
    if (auto answer = answer_(message); !answer.topic.empty()) events_.message(std::move(answer));
  }
  [[nodiscard]] bool connected() const override { return up_; }
  [[nodiscard]] bus::MqttStats stats() const override { return stats_; }

 private:
  bus::MqttEvents events_;
  Answer answer_;
  std::vector<bus::Message> retained_;
  std::vector<bus::Message>& published_;
  bool refuses_;
  bool up_ = false;
  bus::MqttStats stats_;
};

}  // namespace fieldwork::cli
