// Steps a conversation's core (fetch.hpp, deliver.hpp) with an input, and one after the other with what comes of it at
// once: `act` does what must follow and adds what came of that.
#pragma once

#include <deque>
#include <utility>

#include "base/core.hpp"

namespace fieldwork::exchange {

// now(): when each is stepped, as what must follow may take its time. act(C::Output&, std::deque<C::Input>& then).
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
