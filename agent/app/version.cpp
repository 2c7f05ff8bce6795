#include "version.h"

namespace wiretally {

std::string_view version() { return WIRETALLY_VERSION; }
std::string_view revision() { return WIRETALLY_REVISION; }

}  // namespace wiretally
