#include "scheduler/shell/stored_ids.hpp"

#include <functional>

namespace fieldwork::scheduler {
namespace {

// The bits of an id. Two hashes give as many bits as are needed (Kirsch and Mitzenmacher, Less Hashing, Same
// Performance, 2006).
template <class Visit>
bool each_place(const JobId& job, Visit visit) {
  const std::uint64_t first = std::hash<std::string>{}(job.value);
  const std::uint64_t second = (first * 0x9E3779B97F4A7C15ULL) | 1;
  for (std::uint64_t i = 0; i < StoredIds::hashes; ++i) {
    const auto place = ((first + i * second) >> 20) % StoredIds::bits;
    if (!visit(place / 64, std::uint64_t{1} << (place % 64))) return false;
  }
  return true;
}

}  // namespace

void StoredIds::add(const JobId& job) {
  ++added_;
  each_place(job, [this](std::size_t word, std::uint64_t bit) {
    words_[word] |= bit;
    return true;
  });
}

bool StoredIds::may_hold(const JobId& job) const {
  return !filled_ || each_place(job, [this](std::size_t word, std::uint64_t bit) { return (words_[word] & bit) != 0; });
}

}  // namespace fieldwork::scheduler
