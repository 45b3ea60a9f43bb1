// The bounds of the archives and zstd streams of this library.
#pragma once

#include <cstddef>

namespace fieldwork::content {

inline constexpr std::size_t archive_entries_max = 100'000;
inline constexpr std::size_t archive_name_bytes_max = 4096;
inline constexpr int zstd_window_log_max = 23;  // a decoder's window of 8 MiB

}  // namespace fieldwork::content
