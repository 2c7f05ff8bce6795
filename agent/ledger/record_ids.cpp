#include "record_ids.h"

#include <xxhash.h>

#include <cstring>

namespace wiretally::ledger {
namespace {

// What of a record goes into its id, without padding.
class Ingredients {
 public:
  void add(uint64_t number) { add(&number, sizeof number); }
  void add(const Endpoint& endpoint) {
    add(endpoint.address.bytes.data(), endpoint.address.bytes.size());
    add(uint64_t{endpoint.port} << 8 | endpoint.address.version);
  }
  void add(const Digest& digest) {
    add(digest.high);
    add(digest.low);
  }
  XXH128_hash_t hash(uint64_t seed) const {
    return XXH3_128bits_withSeed(bytes_.data(), size_, seed);
  }

 private:
  void add(const void* data, size_t size) {
    std::memcpy(bytes_.data() + size_, data, size);
    size_ += size;
  }

  std::array<uint8_t, 256> bytes_{};
  size_t size_ = 0;
};

Ingredients ingredients_of(const UsageRecord& record) {
  Ingredients of;
  of.add(static_cast<uint64_t>(record.start.ns));
  // Not finish: when the end was known depends on how the bytes were cut into segments.
  of.add(static_cast<uint64_t>(record.last_byte.ns));
  of.add(record.client);
  of.add(record.server);
  of.add(record.pid);
  of.add(record.process_start_ns);
  of.add(record.index);
  of.add(static_cast<uint64_t>(record.side) << 8 | static_cast<uint64_t>(record.source));
  of.add(record.request_digest);
  of.add(record.response_digest);
  of.add(XXH3_64bits(record.response_id.view().data(), record.response_id.view().size()));
  of.add(XXH3_64bits(record.path.view().data(), record.path.view().size()));
  return of;
}

}  // namespace

RecordId RecordIds::make(const UsageRecord& record, int64_t start_epoch_ns) {
  const Ingredients ingredients = ingredients_of(record);
  XXH128_hash_t hash = ingredients.hash(0);
  Recent& recent = recent_[hash.low64 % recent_.size()];
  if (recent.hash == hash.low64) {
    hash = ingredients.hash(++recent.repeats);
  } else {
    recent = {.hash = hash.low64, .repeats = 0};
  }

  static constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const uint64_t time_ms =
      start_epoch_ns > 0 ? static_cast<uint64_t>(start_epoch_ns) / 1'000'000 : 0;
  char text[26];
  for (int i = 0; i < 10; ++i) text[i] = kDigits[time_ms >> (5 * (9 - i)) & 31];
  for (int i = 0; i < 8; ++i) text[10 + i] = kDigits[hash.low64 >> (5 * i) & 31];
  for (int i = 0; i < 8; ++i) text[18 + i] = kDigits[hash.high64 >> (5 * i) & 31];
  return RecordId(std::string_view(text, sizeof text));
}

}  // namespace wiretally::ledger
