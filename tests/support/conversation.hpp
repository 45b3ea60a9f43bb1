// Steps a core of exchange (exchange/fetch.hpp, deliver.hpp), one input at a time; gives its output as one line of
// text.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/core.hpp"

namespace fieldwork::support {

// Words with a space between.
class Words {
 public:
  void add(const std::string& word) { text_ += (text_.empty() ? "" : " ") + word; }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// `told`: says an Output in words.
template <Core C, std::string (*told)(const typename C::Output&)>
struct Conversation {
  C core;
  Time now{seconds(1000)};
  template <class Limits>
  explicit Conversation(Limits limits) : core(std::move(limits)) {}
  std::string step(const typename C::Input& input) {
    typename C::Output out;
    core.step(input, now, out);
    return told(out);
  }
};

// A row of a table: after the inputs `before`, `input` is followed by `follows`.
template <Core C>
struct Line {
  const char* what;
  std::vector<typename C::Input> before;
  typename C::Input input;
  std::string follows;
};

}  // namespace fieldwork::support
