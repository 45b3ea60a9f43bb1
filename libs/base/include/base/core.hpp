// The shape of every core: one door in, one door out.
//
// `step` takes a fact, the time it is applied at, and adds to `out` what must follow. A core names no clock, socket,
// file, thread, lock or log. Facts that carry when they arrived say so themselves. The fields of Output stand in the
// order of duty: what is saved, the outbox in order, questions, answers, facts; all of them are values.
#pragma once

#include <concepts>
#include <type_traits>

#include "base/time.hpp"

namespace fieldwork {

template <class T>
concept Core = requires(T core, const typename T::Input& input, Time now, typename T::Output& out) {
  { core.step(input, now, out) } -> std::same_as<void>;
  requires std::is_default_constructible_v<typename T::Output>;
};

// Inputs that the runtime feeds to whichever core takes them (runtime/shell.hpp).
struct LinkLost {};    // to the broker: nobody is heard until LinkBack
struct LinkBack {};    // and it may have lost everything: what is retained is said again
struct Stalled {};     // this process stood still: what is missing from that time is nobody's silence
struct TimePassed {};  // once per batch, when its other inputs were stepped
struct BatchEnded {};  // the last of a batch: what was gathered over it is put out

}  // namespace fieldwork
