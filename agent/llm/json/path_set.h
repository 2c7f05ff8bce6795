// The compiled form of a PathSet: a tree of member names, flat in memory.
#pragma once

#include <cstdint>
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

  bool matched(uint16_t node) const { return node != kNone && nodes[node].matched; }
  // The node of an element or of a named member; kNone for `node` kNone.
  uint16_t element(uint16_t node) const { return node == kNone ? kNone : nodes[node].element; }
  bool has_members(uint16_t node) const { return node != kNone && !nodes[node].members.empty(); }
  uint16_t member(uint16_t node, std::string_view name) const {
    const Node& parent = nodes[node];
    if ((parent.name_sizes >> (name.size() % 64) & 1) == 0) return kNone;
    for (const Member& member : parent.members) {
      if (member.name.size() == name.size() && member.name.front() == name.front() &&
          member.name == name) {
        return member.node;
      }
    }
    return kNone;
  }
};

}  // namespace wiretally::llm
