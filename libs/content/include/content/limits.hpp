// The bounds of the archives and encodings of this library.
#pragma once

#include <cstddef>

namespace fieldwork::content {

inline constexpr std::size_t archive_entries_max = 100'000;
inline constexpr std::size_t archive_name_bytes_max = 4096;
inline constexpr int zstd_window_log_max = 23;                             // a decoder's window of 8 MiB
inline constexpr int patch_window_log_max = sizeof(void*) == 8 ? 31 : 30;  // what zstd can reach: 2 GiB, or 1 GiB
inline constexpr std::size_t patch_bases_max = 4;                          // bases that choose() looks at

}  // namespace fieldwork::content
