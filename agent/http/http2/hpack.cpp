#include "http2/hpack.h"

#include <cstdlib>
#include <cstring>

namespace wiretally::http::http2 {
namespace {

// No letter of a field name (RFC 9110 section 5.6.2), so that no field is taken for a dummy.
constexpr char kDummyName = '?';
constexpr size_t kDummies = 4096 / 33;

constexpr size_t kBlockHeaderBytes = 16;  // keeps the memory behind it aligned

}  // namespace

// --- memory -------------------------------------------------------------------------------------

HpackMemory::HpackMemory(size_t bytes_max)
    : bytes_max_(bytes_max),
      functions_{.mem_user_data = this,
                 .malloc = allocate,
                 .free = release,
                 .calloc = allocate_zeroed,
                 .realloc = reallocate} {
  static_assert(sizeof(Block) <= kBlockHeaderBytes);
}

HpackMemory::~HpackMemory() {
  for (Block* block : free_) {
    while (block != nullptr) {
      Block* const next = block->next;
      std::free(block);
      block = next;
    }
  }
}

void* HpackMemory::take(size_t bytes) {
  size_t size_class = 0;
  while (size_class < kClasses && capacity(size_class) < bytes) ++size_class;
  if (size_class == kClasses) return nullptr;
  const size_t size = kBlockHeaderBytes + capacity(size_class);
  if (used_bytes_ + size > bytes_max_) return nullptr;
  Block* block = free_[size_class];
  if (block != nullptr) {
    free_[size_class] = block->next;
    kept_bytes_ -= size;
  } else {
    block = static_cast<Block*>(std::malloc(size));
    if (block == nullptr) return nullptr;
    block->size_class = size_class;
  }
  used_bytes_ += size;
  return reinterpret_cast<uint8_t*>(block) + kBlockHeaderBytes;
}

void HpackMemory::give_back(void* memory) {
  if (memory == nullptr) return;
  Block* const block = reinterpret_cast<Block*>(static_cast<uint8_t*>(memory) - kBlockHeaderBytes);
  const size_t size = kBlockHeaderBytes + capacity(block->size_class);
  used_bytes_ -= size;
  if (kept_bytes_ + size > kKeptBytesMax) {
    std::free(block);
    return;
  }
  kept_bytes_ += size;
  block->next = free_[block->size_class];
  free_[block->size_class] = block;
}

void* HpackMemory::allocate(size_t bytes, void* self) {
  return static_cast<HpackMemory*>(self)->take(bytes);
}

void* HpackMemory::allocate_zeroed(size_t count, size_t bytes, void* self) {
  void* const memory = allocate(count * bytes, self);
  if (memory != nullptr) std::memset(memory, 0, count * bytes);
  return memory;
}

void* HpackMemory::reallocate(void* memory, size_t bytes, void* self) {
  if (memory == nullptr) return allocate(bytes, self);
  const Block* const block =
      reinterpret_cast<Block*>(static_cast<uint8_t*>(memory) - kBlockHeaderBytes);
  const size_t old_bytes = capacity(block->size_class);
  if (bytes <= old_bytes) return memory;
  void* const larger = allocate(bytes, self);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, old_bytes);
  release(memory, self);
  return larger;
}

void HpackMemory::release(void* memory, void* self) {
  static_cast<HpackMemory*>(self)->give_back(memory);
}

// --- blocks -------------------------------------------------------------------------------------

HpackReader::~HpackReader() {
  if (inflater_ != nullptr) nghttp2_hd_inflate_del(inflater_);
}

void HpackReader::lose() {
  if (inflater_ != nullptr) nghttp2_hd_inflate_del(inflater_);
  inflater_ = nullptr;
  lost_ = true;
}

bool HpackReader::begin_block() {
  if (inflater_ != nullptr) return true;
  if (nghttp2_hd_inflate_new2(&inflater_, memory_.functions()) != 0) {
    inflater_ = nullptr;
    lost_ = true;
    return false;
  }
  // Allows larger tables; they grow when the encoder says so.
  const bool good = nghttp2_hd_inflate_change_table_size(inflater_, table_bytes_max_) == 0 &&
                    (!lost_ || fill_with_dummies());
  if (!good) lose();
  return good;
}

bool HpackReader::fill_with_dummies() {
  // Literals with incremental indexing and a new name, RFC 7541 section 6.2.1.
  static const std::array<uint8_t, kDummies* 4> kBlock = [] {
    std::array<uint8_t, kDummies * 4> block{};
    for (size_t i = 0; i < kDummies; ++i) {
      block[i * 4] = 0x40;
      block[i * 4 + 1] = 1;
      block[i * 4 + 2] = static_cast<uint8_t>(kDummyName);
      block[i * 4 + 3] = 0;
    }
    return block;
  }();
  ByteView rest(kBlock);
  Field field;
  Step step = Step::kUnknown;
  while (step == Step::kUnknown) step = next(rest, true, field);
  if (step != Step::kMore) return false;
  end_block();
  return true;
}

HpackReader::Step HpackReader::next(ByteView& block, bool last, Field& field) {
  if (inflater_ == nullptr) return Step::kFailed;
  nghttp2_nv pair{};
  int flags = 0;
  const ssize_t used =
      nghttp2_hd_inflate_hd2(inflater_, &pair, &flags, block.data(), block.size(), last ? 1 : 0);
  if (used < 0) {
    lose();
    return Step::kFailed;
  }
  block = block.subspan(static_cast<size_t>(used));
  if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0) return Step::kMore;
  if (pair.namelen == 1 && pair.name[0] == static_cast<uint8_t>(kDummyName)) return Step::kUnknown;
  field.name = {reinterpret_cast<const char*>(pair.name), pair.namelen};
  field.value = {reinterpret_cast<const char*>(pair.value), pair.valuelen};
  return Step::kField;
}

void HpackReader::end_block() {
  if (inflater_ != nullptr) nghttp2_hd_inflate_end_headers(inflater_);
}

}  // namespace wiretally::http::http2
