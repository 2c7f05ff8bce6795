#include "elf_symbols.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace wiretally::uprobe {
namespace {

constexpr size_t kBlockBytes = 64 * 1024;
constexpr size_t kCandidatesMax = 256;

// Bounded reads of one file.
class ElfFile {
 public:
  explicit ElfFile(int fd) : fd_(fd) {
    struct stat status = {};
    if (::fstat(fd, &status) == 0 && status.st_size > 0)
      size_ = static_cast<uint64_t>(status.st_size);
  }

  bool contains(uint64_t offset, uint64_t length) const {
    return offset <= size_ && length <= size_ - offset;
  }

  bool read(uint64_t offset, void* to, size_t length) const {
    if (!contains(offset, length)) return false;
    auto* at = static_cast<char*>(to);
    while (length > 0) {
      const ssize_t got = ::pread(fd_, at, length, static_cast<off_t>(offset));
      if (got <= 0) return false;
      at += got;
      offset += static_cast<uint64_t>(got);
      length -= static_cast<size_t>(got);
    }
    return true;
  }

 private:
  int fd_;
  uint64_t size_ = 0;
};

// Where in a string table one of the names we look for stands.
struct Candidate {
  uint64_t string_offset = 0;
  size_t name = 0;
};

class Reader {
 public:
  Reader(int fd, std::span<const std::string_view> names) : file_(fd), names_(names) {
    report_.functions.resize(names.size());
    block_.resize(kBlockBytes);
  }

  Result<ElfReport> run(bool with_symtab) {
    if (Status header = read_header(); !header) return header.error();
    detect_go();
    search(SHT_DYNSYM);
    report_.has_symtab = std::any_of(sections_.begin(), sections_.end(),
                                     [](const Elf64_Shdr& s) { return s.sh_type == SHT_SYMTAB; });
    if (with_symtab && !all_found()) search(SHT_SYMTAB);
    return std::move(report_);
  }

 private:
  Status read_header() {
    Elf64_Ehdr header = {};
    if (!file_.read(0, &header, sizeof header) ||
        std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
      return Error{"not an ELF file"};
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
      return Error{"not a 64-bit little-endian ELF file"};
    }
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > kSegmentsMax ||
        header.e_phnum == 0) {
      return Error{"its program headers are damaged"};
    }
    segments_.resize(header.e_phnum);
    if (!file_.read(header.e_phoff, segments_.data(), segments_.size() * sizeof(Elf64_Phdr))) {
      return Error{"its program headers lie beyond its end"};
    }
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X)) continue;
      if (!file_.contains(segment.p_offset, segment.p_filesz)) continue;
      report_.code.push_back({segment.p_offset, segment.p_offset + segment.p_filesz});
    }
    if (header.e_shnum == 0) return Done{};  // no sections: nothing to find, but no error
    if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum > kSectionsMax) {
      return Error{"its section headers are damaged"};
    }
    sections_.resize(header.e_shnum);
    if (!file_.read(header.e_shoff, sections_.data(), sections_.size() * sizeof(Elf64_Shdr))) {
      sections_.clear();
      return Error{"its section headers lie beyond its end"};
    }
    section_names_ = header.e_shstrndx;
    return Done{};
  }

  void detect_go() {
    if (section_names_ >= sections_.size()) return;
    const Elf64_Shdr& table = sections_[section_names_];
    std::string names(std::min<uint64_t>(table.sh_size, kBlockBytes), '\0');
    if (!file_.read(table.sh_offset, names.data(), names.size())) return;
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_name >= names.size()) continue;
      const std::string_view name(names.c_str() + section.sh_name);
      if (name == ".go.buildinfo" || name == ".gopclntab") report_.go = true;
    }
  }

  bool all_found() const {
    return std::all_of(report_.functions.begin(), report_.functions.end(),
                       [](const ElfFunction& function) { return function.found(); });
  }

  void search(uint32_t type) {
    for (const Elf64_Shdr& section : sections_) {
      if (section.sh_type != type || section.sh_entsize != sizeof(Elf64_Sym) ||
          section.sh_link >= sections_.size() || section.sh_size > kSymbolTableBytesMax) {
        continue;
      }
      const Elf64_Shdr& strings = sections_[section.sh_link];
      if (strings.sh_type != SHT_STRTAB || strings.sh_size > kSymbolTableBytesMax) continue;
      find_candidates(strings);
      if (!candidates_.empty()) find_symbols(section);
    }
  }

  // Where the names stand in the string table. A linker may let "SSL_read" be the tail of a longer
  // string, so any place that ends like the name is a candidate; the symbols decide.
  void find_candidates(const Elf64_Shdr& strings) {
    candidates_.clear();
    size_t longest = 0;
    for (std::string_view name : names_) longest = std::max(longest, name.size() + 1);
    for (uint64_t at = 0; at < strings.sh_size; at += kBlockBytes - longest) {
      const size_t length = std::min<uint64_t>(kBlockBytes, strings.sh_size - at);
      if (!file_.read(strings.sh_offset + at, block_.data(), length)) return;
      const std::string_view block(block_.data(), length);
      for (size_t i = 0; i < names_.size(); ++i) find_in_block(block, at, i);
      if (length < kBlockBytes) return;
    }
  }

  void find_in_block(std::string_view block, uint64_t block_offset, size_t name) {
    const std::string_view text = names_[name];
    for (size_t at = block.find(text); at != std::string_view::npos;
         at = block.find(text, at + 1)) {
      if (at + text.size() >= block.size() || block[at + text.size()] != '\0') continue;
      if (candidates_.size() == kCandidatesMax) return;
      candidates_.push_back({block_offset + at, name});
    }
  }

  void find_symbols(const Elf64_Shdr& section) {
    constexpr size_t kSymbolsInBlock = kBlockBytes / sizeof(Elf64_Sym);
    const uint64_t count = section.sh_size / sizeof(Elf64_Sym);
    for (uint64_t first = 0; first < count; first += kSymbolsInBlock) {
      const size_t here = std::min<uint64_t>(kSymbolsInBlock, count - first);
      if (!file_.read(section.sh_offset + first * sizeof(Elf64_Sym), block_.data(),
                      here * sizeof(Elf64_Sym))) {
        return;
      }
      for (size_t i = 0; i < here; ++i) {
        Elf64_Sym symbol;
        std::memcpy(&symbol, block_.data() + i * sizeof symbol, sizeof symbol);
        take(symbol);
      }
    }
  }

  void take(const Elf64_Sym& symbol) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) return;
    for (const Candidate& candidate : candidates_) {
      if (candidate.string_offset != symbol.st_name) continue;
      ElfFunction& function = report_.functions[candidate.name];
      if (function.found()) return;
      function = {.file_offset = file_offset(symbol.st_value), .size = symbol.st_size};
      return;
    }
  }

  // 0 unless the address lies in code that is loaded from the file.
  uint64_t file_offset(uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_) {
      if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X)) continue;
      if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz) continue;
      const uint64_t offset = address - segment.p_vaddr + segment.p_offset;
      return file_.contains(offset, 1) ? offset : 0;
    }
    return 0;
  }

  ElfFile file_;
  std::span<const std::string_view> names_;
  ElfReport report_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
  std::vector<Candidate> candidates_;
  std::vector<char> block_;
  size_t section_names_ = 0;
};

}  // namespace

Result<ElfReport> read_elf(int fd, std::span<const std::string_view> names, bool with_symtab) {
  return Reader(fd, names).run(with_symtab);
}

}  // namespace wiretally::uprobe
