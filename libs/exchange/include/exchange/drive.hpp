// Steps a core of this library (fetch.hpp, deliver.hpp) with an input, and then with the inputs that follow from it at
// once: `act` does what the core's output says and adds the inputs that come of it.
#pragma once

#include <deque>
#include <utility>

#include "base/core.hpp"

namespace fieldwork::exchange {

// now(): asked before each step, as act() may take its time. act(C::Output&, std::deque<C::Input>& then): adds to
// `then`.
template <Core C, class Clock, class Act>
void drive(C& core, typename C::Input first, Clock now, Act act) {
  std::deque<typename C::Input> inputs;
  for (inputs.push_back(std::move(first)); !inputs.empty(); inputs.pop_front()) {
    typename C::Output done;
    core.step(inputs.front(), now(), done);
    act(done, inputs);
  }
}

}  // namespace fieldwork::exchange
