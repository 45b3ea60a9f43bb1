// Steps a core with an Output of values, without a shell.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "base/core.hpp"

namespace fieldwork::support {

// Steps a batch of one input.
template <Core C>
typename C::Output step_batch(C& core, const typename C::Input& input, Time now) {
  typename C::Output out;
  core.step(input, now, out);
  core.step(BatchEnded{}, now, out);
  return out;
}

// The outbox changes of `out` that are of type T.
template <class T, class Output>
std::vector<T> all_of(const Output& out) {
  std::vector<T> some;
  for (const auto& change : out.outbox) {
    if (const auto* one = std::get_if<T>(&change)) some.push_back(*one);
  }
  return some;
}

// For each seed a Storm, whose turn() does something by chance and whose calm() compares what is left; up to the first
// failure.
template <class Storm>
void storms(unsigned seeds, int turns) {
  for (unsigned seed = 1; seed <= seeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Storm storm(seed);
    for (int i = 0; i < turns && !::testing::Test::HasFailure(); ++i) storm.turn();
    storm.calm();
  }
}

}  // namespace fieldwork::support
