// The shape of every core: one door in (`step`), one door out (`Output`).
//
// `step` takes a fact and the time at which the fact is applied, and adds to `out` what must follow. A fact whose time
// of arrival matters carries that time as a field. A core names no clock, socket, file, thread, lock or log. The fields
// of Output are values and stand in the order of duty: rows to save, outbox changes in sequence, questions, answers,
// facts.
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
struct LinkLost {};    // the link to the broker is lost: no message arrives until LinkBack
struct LinkBack {};    // the link is back; the broker may have lost its retained messages: publish them again
struct Stalled {};     // this process stood still: a message missing from that time is no sign of silence
struct TimePassed {};  // once per batch, after all other inputs but BatchEnded
struct BatchEnded {};  // the last input of a batch: the core puts out what it gathered over the batch

}  // namespace fieldwork
