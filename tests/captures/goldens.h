// The small capture files that are kept in the tree, and how they are made.
#pragma once

#include <string>
#include <vector>

namespace wiretally::test {

struct Golden {
  std::string file;  // in tests/captures/
  std::string bytes;
};

std::vector<Golden> goldens();

}  // namespace wiretally::test
