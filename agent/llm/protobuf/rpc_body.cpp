#include "protobuf/rpc_body.h"

#include <utility>

namespace wiretally::llm {

void RpcBody::reset(uint32_t number) {
  grpc_.reset();
  give_inflater_back();
  number_ = number;
  skips_ = unreadable_ = corrupt_ = lost_ = false;
}

void RpcBody::feed(ByteView body) {
  grpc_.feed(body);
  if (grpc_.bad() && !lost_) unreadable_ = true;
}

void RpcBody::gap() {
  lost_ = true;
  grpc_.gap();
  give_inflater_back();
}

void RpcBody::give_inflater_back() {
  if (inflater_ != nullptr) inflaters_->give_back(std::move(inflater_));
}

void RpcBody::on_grpc_begin(uint32_t bytes, bool compressed) {
  if (compressed && inflaters_ != nullptr) inflater_ = inflaters_->take();
  skips_ = compressed && inflater_ == nullptr;
  if (skips_) {
    unreadable_ = true;
    return;
  }
  messages_.on_rpc_begin();
  proto_.begin(number_, compressed ? ProtoReader::kSizeUnknown : bytes);
}

void RpcBody::on_grpc_part(ByteView part) {
  if (skips_) return;
  if (inflater_ == nullptr) {
    proto_.feed(part);
    return;
  }
  if (inflater_->feed(part, [this](ByteView decoded) { proto_.feed(decoded); })) return;
  skips_ = unreadable_ = corrupt_ = true;
  give_inflater_back();
}

void RpcBody::on_grpc_end() {
  if (skips_) return;
  if (inflater_ != nullptr) {
    const bool whole = inflater_->at_end();
    give_inflater_back();
    if (!whole) {
      unreadable_ = corrupt_ = true;
      return;
    }
  }
  messages_.on_rpc_end(proto_.finish() == ProtoReader::Verdict::kComplete);
}

}  // namespace wiretally::llm
