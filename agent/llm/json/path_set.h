// The compiled form of a PathSet: a tree of member names, flat in memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "json/json_scanner.h"

namespace wiretally::llm {

struct PathSet::Tree {
  // Index of a node.
  static constexpr uint16_t kRoot = 0;
  static constexpr uint16_t kNone = UINT16_MAX;

  struct Member {
    uint32_t signature;
    std::string name;
    uint16_t node;
  };
  struct Node {
    bool matched = false;
    PathId path = 0;
    uint16_t element = kNone;
    uint64_t name_sizes = 0;  // bit n: a member's name has n bytes (modulo 64)
    std::vector<Member> members;
  };

  std::vector<Node> nodes;

  // Tells most names apart without a look at their bytes one by one. `name` is not empty.
  static uint32_t signature_of(std::string_view name) {
    const auto byte = [&](size_t i) { return uint32_t{static_cast<uint8_t>(name[i])}; };
    return static_cast<uint32_t>(name.size()) << 24 | byte(0) << 16 | byte(name.size() / 2) << 8 |
           byte(name.size() - 1);
  }

  // `name` has the member's signature, which says all about names of up to three bytes. Without a
  // call of memcmp, which costs more than the names are long.
  static bool same_name(const Member& member, std::string_view name) {
    const char* const a = member.name.data();
    const char* const b = name.data();
    const size_t size = name.size();
    const auto same = [&]<typename Word>(size_t at, Word) {
      Word left, right;
      std::memcpy(&left, a + at, sizeof left);
      std::memcpy(&right, b + at, sizeof right);
      return left == right;
    };
    if (member.name.size() != size) return false;
    if (size < 4) return true;
    if (size < 8) return same(0, uint32_t{}) && same(size - 4, uint32_t{});
    if (size <= 16) return same(0, uint64_t{}) && same(size - 8, uint64_t{});
    return std::memcmp(a, b, size) == 0;
  }

  bool matched(uint16_t node) const { return node != kNone && nodes[node].matched; }
  // The node of an element or of a named member; kNone for `node` kNone.
  uint16_t element(uint16_t node) const { return node == kNone ? kNone : nodes[node].element; }
  bool has_members(uint16_t node) const { return node != kNone && !nodes[node].members.empty(); }
  uint16_t member(uint16_t node, std::string_view name) const {
    const Node& parent = nodes[node];
    if ((parent.name_sizes >> (name.size() % 64) & 1) == 0) return kNone;
    const uint32_t signature = signature_of(name);
    for (const Member& member : parent.members) {
      if (member.signature == signature && same_name(member, name)) return member.node;
    }
    return kNone;
  }
};

}  // namespace wiretally::llm
