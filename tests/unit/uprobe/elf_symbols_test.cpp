#include "elf_symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "file_descriptor.h"

extern "C" {
// In .symtab of this test's own file, not in .dynsym.
[[gnu::noinline, gnu::used]] void wiretally_test_marker() { asm volatile(""); }
}

namespace wiretally::uprobe {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"wiretally_test_marker", "no_such_function"};

FileDescriptor memory_file(const std::vector<uint8_t>& bytes) {
  FileDescriptor file(::memfd_create("elf", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

// A small ELF file with one function in .symtab, whose name is the tail of a longer string.
std::vector<uint8_t> small_elf() {
  struct Layout {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    Elf64_Shdr sections[3];
    Elf64_Sym symbols[2];
    char strings[40];
    uint8_t code[16];
  } file = {};
  std::memcpy(file.header.e_ident, ELFMAG, SELFMAG);
  file.header.e_ident[EI_CLASS] = ELFCLASS64;
  file.header.e_ident[EI_DATA] = ELFDATA2LSB;
  file.header.e_phoff = offsetof(Layout, segment);
  file.header.e_phentsize = sizeof(Elf64_Phdr);
  file.header.e_phnum = 1;
  file.header.e_shoff = offsetof(Layout, sections);
  file.header.e_shentsize = sizeof(Elf64_Shdr);
  file.header.e_shnum = 3;
  file.segment = {.p_type = PT_LOAD,
                  .p_flags = PF_X | PF_R,
                  .p_offset = 0,
                  .p_vaddr = 0x400000,
                  .p_paddr = 0,
                  .p_filesz = sizeof(Layout),
                  .p_memsz = sizeof(Layout),
                  .p_align = 1};
  file.sections[1].sh_type = SHT_SYMTAB;
  file.sections[1].sh_offset = offsetof(Layout, symbols);
  file.sections[1].sh_size = sizeof file.symbols;
  file.sections[1].sh_entsize = sizeof(Elf64_Sym);
  file.sections[1].sh_link = 2;
  file.sections[2].sh_type = SHT_STRTAB;
  file.sections[2].sh_offset = offsetof(Layout, strings);
  file.sections[2].sh_size = sizeof file.strings;
  std::strcpy(file.strings + 1, "my_wiretally_test_marker");
  file.symbols[1].st_name = 1 + 3;
  file.symbols[1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
  file.symbols[1].st_shndx = 1;
  file.symbols[1].st_value = 0x400000 + offsetof(Layout, code);
  file.symbols[1].st_size = 16;
  std::vector<uint8_t> bytes(sizeof file);
  std::memcpy(bytes.data(), &file, sizeof file);
  return bytes;
}

TEST(ElfSymbols, FindsFunctionsOfTheSymbolTableOnlyWhenAsked) {
  const FileDescriptor self(::open("/proc/self/exe", O_RDONLY));
  Result<ElfReport> report = read_elf(self.get(), kNames, true);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->functions.size(), 2U);
  EXPECT_TRUE(report->functions[0].found());
  EXPECT_FALSE(report->functions[1].found());
  EXPECT_TRUE(report->has_symtab);
  EXPECT_FALSE(report->go);

  // The bytes at that place of the file are the function.
  uint8_t code[4] = {};
  ASSERT_EQ(
      ::pread(self.get(), code, sizeof code, static_cast<off_t>(report->functions[0].file_offset)),
      4);
  EXPECT_EQ(std::memcmp(code, reinterpret_cast<const void*>(&wiretally_test_marker), sizeof code),
            0);
  ASSERT_FALSE(report->code.empty());
  EXPECT_TRUE(report->code[0].contains(report->functions[0].file_offset));

  report = read_elf(self.get(), kNames, false);
  ASSERT_TRUE(report);
  EXPECT_FALSE(report->functions[0].found());
}

TEST(ElfSymbols, NameMayBeTheTailOfAnotherString) {
  const std::vector<uint8_t> bytes = small_elf();
  const FileDescriptor file = memory_file(bytes);
  const Result<ElfReport> report = read_elf(file.get(), kNames, true);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->functions[0].file_offset, bytes.size() - 16);
  EXPECT_EQ(report->functions[0].size, 16U);
}

TEST(ElfSymbols, RefusesWhatIsNoElfFile) {
  for (const std::vector<uint8_t>& bytes :
       {std::vector<uint8_t>{}, std::vector<uint8_t>{0x7f, 'E', 'L'},
        std::vector<uint8_t>(100, 'x'), std::vector<uint8_t>(100, 0)}) {
    const FileDescriptor file = memory_file(bytes);
    const Result<ElfReport> report = read_elf(file.get(), kNames, true);
    ASSERT_FALSE(report);
    EXPECT_FALSE(report.error().message.empty());
  }
}

TEST(ElfSymbols, SurvivesEveryTruncation) {
  const std::vector<uint8_t> whole = small_elf();
  for (size_t size = 0; size < whole.size(); ++size) {
    const FileDescriptor file =
        memory_file({whole.begin(), whole.begin() + static_cast<long>(size)});
    const Result<ElfReport> report = read_elf(file.get(), kNames, true);
    if (!report) continue;
    EXPECT_LT(report->functions[0].file_offset, std::max<size_t>(size, 1)) << size;
  }
}

TEST(ElfSymbols, SurvivesDamageAnywhere) {
  const std::vector<uint8_t> whole = small_elf();
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    std::vector<uint8_t> bytes = whole;
    for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    const FileDescriptor file = memory_file(bytes);
    const Result<ElfReport> report = read_elf(file.get(), kNames, true);
    if (!report) continue;
    for (const ElfFunction& function : report->functions) {
      EXPECT_LT(function.file_offset, bytes.size());
    }
  }
}

}  // namespace
}  // namespace wiretally::uprobe
