// Which state may follow which: one table per noun, a row per earlier state and a column per later state, both in the
// order of the enum; x: may follow. Nothing follows a settled state, except that a lost attempt may have succeeded. A
// state may always follow itself.
#include <array>
#include <string_view>

#include "model/device.hpp"
#include "model/job.hpp"

namespace fieldwork {
namespace {

// clang-format off
constexpr std::array<std::string_view, 10> jobs{
    // submitted queued assigned running succeeded failed denied cancelled expired quarantined
    ".xxxxxxxxx",  // submitted
    "..xxxxxxxx",  // queued
    ".x.xxxxxxx",  // assigned: its attempt is over, the next one waits
    ".xx.xxxxxx",  // running
    "..........", "..........", "..........", "..........", "..........", "..........",
};

constexpr std::array<std::string_view, 10> attempts{
    // assigned fetching running unreachable succeeded failed timed_out cancelled rejected lost
    ".xxxxxxxxx",  // assigned: a report may carry only the last of several changes
    "..xxxxxxxx",  // fetching
    "...xxxxxxx",  // running: rejected where the program could not begin after all
    "xxx.xxxxxx",  // unreachable: back to the state it had, or settled
    "..........", "..........", "..........", "..........", "..........",
    "....x.....",  // lost: its device was silent, not dead, and no successor has begun
};

constexpr std::array<std::string_view, 14> executions{
    // queued waiting assigned fetching running unreachable succeeded failed timed_out cancelled lost denied expired
    // quarantined
    ".xx...xxxxxxxx",  // queued: a late report of an earlier try may still settle it
    "x.....xxxxxxxx",  // waiting
    "xx.xxxxxxxxxxx",  // assigned
    "xx..xxxxxxxxxx",  // fetching
    "xx...xxxxxxxxx",  // running
    "xxxxx.xxxxxxxx",  // unreachable
    "..............", "..............", "..............", "..............", "..............", "..............",
    "..............", "..............",
};
constexpr std::array<std::string_view, 6> lifecycles{
    // enrolling active draining inactive refused retired
    ".x.xxx",  // enrolling
    "..xxxx",  // active
    ".x.xxx",  // draining
    ".x..xx",  // inactive
    ".xxx.x",  // refused: its certificate is good after all; it is again what was wanted of it
    "......",  // retired: until its record is removed
};

constexpr std::array<std::string_view, 6> presences{
    // starting online sleeping disconnected suspect lost
    ".xxxxx",  // starting
    "x.xxxx",  // online
    "xx.xxx",  // sleeping: suspect when it is not back in time
    "xx....",  // disconnected: silence is what it announced
    "xxxx.x",  // suspect
    "xxxx..",  // lost
};
// clang-format on

template <std::size_t size, class State>
bool follows(const std::array<std::string_view, size>& table, State from, State to) {
  return from == to || table[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)] == 'x';
}

}  // namespace

bool may_follow(JobState from, JobState to) { return follows(jobs, from, to); }
bool may_follow(AttemptState from, AttemptState to) { return follows(attempts, from, to); }
bool may_follow(ExecutionState from, ExecutionState to) { return follows(executions, from, to); }
bool may_follow(Lifecycle from, Lifecycle to) { return follows(lifecycles, from, to); }
bool may_follow(Presence from, Presence to) { return follows(presences, from, to); }

}  // namespace fieldwork
