// A bounded table of flows: a hash index with linear probing, flows in slabs (their addresses never
// change), and a list per rank in order of last activity, from which the victim of memory pressure
// is taken. Nothing is allocated once the table has reached its working size.
//
// `Item` is default-constructible and assignable; an item is reset to Item{} when it is inserted.
// Several items may share one hash: `find` asks the predicate about each.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace wiretally::stream {

// What is lost with a flow: under pressure the lower rank goes first.
enum class Rank : uint8_t {
  kClosed,  // over; kept so that late packets do not look like a new connection
  kCheap,   // nothing delivered yet, or ignored: would be found again
  kActive,
  kCount,
};

template <typename Item>
class FlowTable {
 public:
  explicit FlowTable(size_t items_max) : items_max_(items_max > 0 ? items_max : 1) {
    index_.resize(kSlabItems * 2);
  }

  size_t size() const { return size_; }
  // The most that a table of so many items takes, also while it grows.
  static uint64_t worst_case_bytes(size_t items_max) {
    const uint64_t slots = (items_max / kSlabItems + 1) * kSlabItems;
    const uint64_t index = 4 * slots;  // just after it has doubled
    return slots * (sizeof(Item) + 3 * sizeof(Node) + 2 * sizeof(uint32_t) + sizeof(void*)) +
           index * sizeof(IndexEntry);
  }
  bool full() const { return size_ >= items_max_; }

  template <typename Predicate>
  Item* find(uint64_t hash, const Predicate& wanted) {
    for (size_t at = home(hash); index_[at].slot != kNone; at = after(at)) {
      if (index_[at].tag != tag(hash)) continue;
      Item& item = item_at(index_[at].slot);
      if (wanted(static_cast<const Item&>(item))) return &item;
    }
    return nullptr;
  }

  // Not when full.
  Item& insert(uint64_t hash, Rank rank) {
    assert(!full());
    if ((size_ + 1) * 2 > index_.size()) grow_index();
    const uint32_t slot = take_slot();
    Node& node = nodes_[slot];
    node.hash = hash;
    node.rank = rank;
    link_newest(slot);
    place(hash, slot);
    ++size_;
    Item& item = item_at(slot);
    item = Item{};
    item.slot = slot;
    return item;
  }

  void erase(Item& item) {
    const uint32_t slot = item.slot;
    unlink(slot);
    remove_from_index(slot);
    nodes_[slot].live = false;
    free_.push_back(slot);
    --size_;
  }

  // Marks activity, and the rank the flow has from now on.
  void touch(const Item& item, Rank rank) {
    Node& node = nodes_[item.slot];
    if (node.rank == rank && lists_[static_cast<size_t>(rank)].newest == item.slot) return;
    unlink(item.slot);
    node.rank = rank;
    link_newest(item.slot);
  }

  Item* victim() {
    for (const List& list : lists_) {
      if (list.oldest != kNone) return &item_at(list.oldest);
    }
    return nullptr;
  }

  template <typename Visitor>
  void for_each(const Visitor& visit) {
    for (uint32_t slot = 0; slot < nodes_.size(); ++slot) {
      if (nodes_[slot].live) visit(item_at(slot));
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kSlabItems = 128;

  struct IndexEntry {
    uint32_t tag = 0;
    uint32_t slot = kNone;
  };
  // Beside the items, so that marking activity touches small neighbours only.
  struct Node {
    uint64_t hash = 0;
    uint32_t older = kNone;
    uint32_t newer = kNone;
    Rank rank = Rank::kCheap;
    bool live = false;
  };
  struct List {
    uint32_t oldest = kNone;
    uint32_t newest = kNone;
  };

  static uint32_t tag(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  size_t home(uint64_t hash) const { return hash & (index_.size() - 1); }
  size_t after(size_t at) const { return (at + 1) & (index_.size() - 1); }
  Item& item_at(uint32_t slot) { return slabs_[slot / kSlabItems][slot % kSlabItems]; }

  uint32_t take_slot() {
    if (free_.empty()) add_slab();
    const uint32_t slot = free_.back();
    free_.pop_back();
    nodes_[slot].live = true;
    return slot;
  }

  void add_slab() {
    const size_t first = nodes_.size();
    slabs_.push_back(std::make_unique<Item[]>(kSlabItems));
    nodes_.resize(first + kSlabItems);
    free_.reserve(nodes_.size());
    for (size_t i = kSlabItems; i > 0; --i) free_.push_back(static_cast<uint32_t>(first + i - 1));
  }

  void place(uint64_t hash, uint32_t slot) {
    size_t at = home(hash);
    while (index_[at].slot != kNone) at = after(at);
    index_[at] = {.tag = tag(hash), .slot = slot};
  }

  void grow_index() {
    index_.assign(index_.size() * 2, IndexEntry{});
    for (uint32_t slot = 0; slot < nodes_.size(); ++slot) {
      if (nodes_[slot].live) place(nodes_[slot].hash, slot);
    }
  }

  // Closes the hole by moving back every entry that may stand there, so no tombstones pile up.
  void remove_from_index(uint32_t slot) {
    size_t hole = home(nodes_[slot].hash);
    while (index_[hole].slot != slot) hole = after(hole);
    for (size_t at = after(hole); index_[at].slot != kNone; at = after(at)) {
      const size_t wanted = home(nodes_[index_[at].slot].hash);
      const size_t mask = index_.size() - 1;
      if (((at - wanted) & mask) < ((at - hole) & mask)) continue;
      index_[hole] = index_[at];
      hole = at;
    }
    index_[hole] = IndexEntry{};
  }

  void link_newest(uint32_t slot) {
    Node& node = nodes_[slot];
    List& list = lists_[static_cast<size_t>(node.rank)];
    node.older = list.newest;
    node.newer = kNone;
    (list.newest != kNone ? nodes_[list.newest].newer : list.oldest) = slot;
    list.newest = slot;
  }

  void unlink(uint32_t slot) {
    const Node& node = nodes_[slot];
    List& list = lists_[static_cast<size_t>(node.rank)];
    (node.newer != kNone ? nodes_[node.newer].older : list.newest) = node.older;
    (node.older != kNone ? nodes_[node.older].newer : list.oldest) = node.newer;
  }

  size_t items_max_;
  size_t size_ = 0;
  std::vector<IndexEntry> index_;  // a power of two, at most half full
  std::vector<Node> nodes_;
  std::vector<std::unique_ptr<Item[]>> slabs_;
  std::vector<uint32_t> free_;
  List lists_[static_cast<size_t>(Rank::kCount)];
};

}  // namespace wiretally::stream
