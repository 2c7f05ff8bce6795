// The body of a gRPC request or answer: its messages, each read by the fields of a table, and
// decompressed before where it says that it is compressed.
#pragma once

#include <cstdint>
#include <memory>

#include "framing/grpc_reader.h"
#include "json/json_scanner.h"
#include "protobuf/proto_reader.h"
#include "protobuf/rpc_inflater.h"

namespace wiretally::llm {

class RpcMessages {
 public:
  virtual ~RpcMessages() = default;
  virtual void on_rpc_begin() = 0;
  // `intact`: it was a message of protobuf. Not called for one that is cut, or cannot be decoded.
  virtual void on_rpc_end(bool intact) = 0;
};

class RpcBody final : private GrpcMessages {
 public:
  RpcBody(const FieldSet& fields, JsonEvents& values, RpcMessages& messages)
      : grpc_(*this), proto_(fields, values), messages_(messages) {}

  // Where compressed messages may be decoded; it outlives the body. Without it none is.
  void use_inflaters(RpcInflaters* inflaters) { inflaters_ = inflaters; }
  // `number`: what the patterns of these messages begin with.
  void reset(uint32_t number);
  void feed(ByteView body);
  // Bytes were lost: nothing more is read.
  void gap();
  // The body is put aside.
  void give_inflater_back();

  // There were bytes that could not be read.
  bool unreadable() const { return unreadable_; }
  // What was read may be wrong: a checksum was, or the coding broken.
  bool corrupt() const { return corrupt_; }

 private:
  void on_grpc_begin(uint32_t bytes, bool compressed) override;
  void on_grpc_part(ByteView part) override;
  void on_grpc_end() override;

  GrpcReader grpc_;
  ProtoReader proto_;
  RpcMessages& messages_;
  RpcInflaters* inflaters_ = nullptr;
  std::unique_ptr<RpcInflater> inflater_;  // of a compressed message
  uint32_t number_ = 0;
  bool skips_ = false;  // the rest of the message at hand
  bool unreadable_ = false;
  bool corrupt_ = false;
  bool lost_ = false;
};

}  // namespace wiretally::llm
