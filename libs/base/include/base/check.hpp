// A bug of ours ends the process; the restarted process continues from the stored state.
#pragma once

#include <cstdio>
#include <cstdlib>

#define FIELDWORK_CHECK(condition)                                                         \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      std::fprintf(stderr, "check failed: %s at %s:%d\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                        \
    }                                                                                      \
  } while (false)
