// Many calls on one connection, and what the records of them must and must not say.
#pragma once

#include "binary.h"
#include "calls.h"

namespace wiretally::test {

struct Conversation {
  std::vector<TcpPacket> packets;
  std::vector<Call> calls;
  std::vector<PacketRange> requests;
  std::vector<PacketRange> answers;
};

Conversation keep_alive(int count, size_t segment_bytes = 600);
// A client that sends so many requests before it waits for their answers.
Conversation pipelined(int count, int depth);

struct Result {
  std::vector<Json> records;
  Accounts accounts;
};

// The real binary on these packets; the accounts are checked to balance.
Result replay(const std::vector<TcpPacket>& packets);

uint64_t lost_bytes(const std::vector<Json>& records);

bool says_all(const Json& record, const Call& call);
// And nothing of it was lost or doubted.
bool is_whole(const Json& record, const Call& call);
// What a record says must be true of one call; what it does not know it must leave out.
bool contradicts(const Json& record, const Call& call);

}  // namespace wiretally::test
