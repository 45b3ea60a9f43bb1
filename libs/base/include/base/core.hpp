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

}  // namespace fieldwork
