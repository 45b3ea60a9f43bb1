// Which version of Fieldwork this is: the project's in CMakeLists.txt, the newest in CHANGELOG.md.
#pragma once

namespace fieldwork {

[[nodiscard]] const char* version();

}  // namespace fieldwork
