// Steps a core with an Output of values, without a shell.
#pragma once

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

}  // namespace fieldwork::support
