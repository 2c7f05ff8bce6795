// Finds functions by name in an ELF file that may be hostile: every offset and size is checked
// against the file and a limit, and the file is read in blocks of constant size (never mapped: a
// file cut short under a mapping would kill the reader).
//
// Read are: the ELF header, program headers (address → file offset), section headers, .dynsym and,
// where that has not all the names and `with_symtab` is set, .symtab. 64-bit files of this
// machine's byte order only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wiretally/result.h"

namespace wiretally::uprobe {

struct ElfFunction {
  uint64_t file_offset = 0;  // 0: no such function
  uint64_t size = 0;         // as the symbol table says; may be 0

  bool found() const { return file_offset != 0; }
};

// Bytes of the file.
struct FileRange {
  uint64_t begin = 0;
  uint64_t end = 0;

  bool contains(uint64_t offset) const { return offset >= begin && offset < end; }
};

struct ElfReport {
  std::vector<ElfFunction> functions;  // in the order of the names asked for
  std::vector<FileRange> code;         // what is loaded executable
  bool go = false;                     // built by the Go toolchain
  bool has_symtab = false;             // not stripped
};

// Limits of one file; beyond them a table counts as absent.
inline constexpr uint64_t kSymbolTableBytesMax = 256ULL << 20;
inline constexpr size_t kSectionsMax = 4096;
inline constexpr size_t kSegmentsMax = 256;

// `fd` is any readable file. An Error says what is wrong with it.
Result<ElfReport> read_elf(int fd, std::span<const std::string_view> names, bool with_symtab);

}  // namespace wiretally::uprobe
