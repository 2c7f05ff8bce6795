#include "json/path_set.h"

#include <cassert>

namespace wiretally::llm {
namespace {

using Tree = PathSet::Tree;

constexpr std::string_view kElement = "[]";

uint16_t add_node(Tree& tree) {
  tree.nodes.emplace_back();
  return static_cast<uint16_t>(tree.nodes.size() - 1);
}

uint16_t member_of(Tree& tree, uint16_t parent, std::string_view name) {
  for (const Tree::Member& member : tree.nodes[parent].members) {
    if (member.name == name) return member.node;
  }
  const uint16_t node = add_node(tree);
  tree.nodes[parent].members.push_back({Tree::signature_of(name), std::string(name), node});
  tree.nodes[parent].name_sizes |= uint64_t{1} << (name.size() % 64);
  return node;
}

uint16_t element_of(Tree& tree, uint16_t parent) {
  if (tree.nodes[parent].element == Tree::kNone) {
    const uint16_t node = add_node(tree);
    tree.nodes[parent].element = node;
  }
  return tree.nodes[parent].element;
}

void add_pattern(Tree& tree, std::string_view pattern, PathId id) {
  uint16_t node = Tree::kRoot;
  uint32_t levels = 0;
  while (!pattern.empty()) {
    if (pattern.starts_with(kElement)) {
      node = element_of(tree, node);
      pattern.remove_prefix(kElement.size());
    } else {
      if (pattern.front() == '.') pattern.remove_prefix(1);
      const std::string_view name = pattern.substr(0, pattern.find_first_of(".["));
      assert(!name.empty());
      node = member_of(tree, node, name);
      pattern.remove_prefix(name.size());
    }
    ++levels;
  }
  assert(levels <= JsonScanner::kLevelsMax);
  (void)levels;
  if (!tree.nodes[node].matched) {
    tree.nodes[node].matched = true;
    tree.nodes[node].path = id;
  }
}

}  // namespace

PathSet::PathSet(std::initializer_list<std::string_view> patterns)
    : PathSet(std::span<const std::string_view>(patterns.begin(), patterns.size())) {}

PathSet::PathSet(std::span<const std::string_view> patterns) : tree_(std::make_unique<Tree>()) {
  add_node(*tree_);
  PathId id = 0;
  for (std::string_view pattern : patterns) add_pattern(*tree_, pattern, id++);
}

PathSet::~PathSet() = default;
PathSet::PathSet(PathSet&&) noexcept = default;

}  // namespace wiretally::llm
