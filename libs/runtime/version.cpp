#include "runtime/version.hpp"

namespace fieldwork {

const char* version() { return FIELDWORK_VERSION; }

}  // namespace fieldwork
