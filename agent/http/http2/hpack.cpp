#include "http2/hpack.h"

#include <algorithm>

#include "wiretally/counters.h"

namespace wiretally::http::http2 {
namespace {

// No letter of a field name (RFC 9110 section 5.6.2), so that no field is taken for a dummy.
constexpr char kDummyName = '?';
constexpr size_t kDummies = 4096 / 33;

constexpr size_t kStaticEntries = 61;  // RFC 7541 appendix A

}  // namespace

HpackReader::~HpackReader() {
  delete_inflater();
  memory_.leave(*this);
}

void HpackReader::delete_inflater() {
  if (inflater_ != nullptr) nghttp2_hd_inflate_del(inflater_);
  inflater_ = nullptr;
}

void HpackReader::lose() {
  delete_inflater();
  unknown_entries_ = kDummies;
}

// As many entries as there were are unknown from here on, and no more: what comes after them lines
// up. (If a block is open, its reader finds no inflater, and loses the table altogether.)
void HpackReader::evict() {
  if (inflater_ == nullptr && fields_.bytes() == 0) return;
  if (inflater_ != nullptr) {
    const size_t entries = nghttp2_hd_inflate_get_num_table_entries(inflater_);
    unknown_entries_ = std::min(entries - std::min(entries, kStaticEntries), kDummies);
  }
  delete_inflater();
  fields_.release();
  counters_.drop(source_, DropReason::kHttpH2TableEvicted, 0);
}

bool HpackReader::begin_block() {
  memory_.touch(*this);
  if (inflater_ != nullptr) return true;
  if (nghttp2_hd_inflate_new2(&inflater_, memory_.functions()) != 0) {
    inflater_ = nullptr;
    lose();
    return false;
  }
  // Allows larger tables; they grow when the encoder says so.
  const bool good =
      nghttp2_hd_inflate_change_table_size(inflater_, table_bytes_max_) == 0 && fill_with_dummies();
  if (!good) lose();
  return good;
}

bool HpackReader::fill_with_dummies() {
  if (unknown_entries_ == 0) return true;
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
  ByteView rest(kBlock.data(), unknown_entries_ * 4);
  Field field;
  Step step = Step::kUnknown;
  while (step == Step::kUnknown) step = next(rest, true, field);
  if (step != Step::kMore) return false;
  end_block();
  return true;
}

HpackReader::Step HpackReader::next(ByteView& block, bool last, Field& field) {
  memory_.touch(*this);
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
