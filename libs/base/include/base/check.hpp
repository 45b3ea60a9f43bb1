// Our own bugs end the process; it is restarted from what is stored.
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
