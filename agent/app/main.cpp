#include <cstdio>

#include "version.h"

int main() {
  std::printf("wiretally %s (%s)\n", wiretally::version().data(), wiretally::revision().data());
  return 0;
}
