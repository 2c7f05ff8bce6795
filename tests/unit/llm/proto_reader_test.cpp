// Messages of protobuf, whole and cut at every byte: the same values in the same order.
#include "protobuf/proto_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "framing/grpc_reader.h"
#include "protobuf/rpc_body.h"
#include "support/encoder.h"
#include "support/proto_text.h"

namespace wiretally::llm {
namespace {

using test::ProtoText;

struct Path {
  std::string_view pattern;
  std::span<const std::string_view> words = {};
};
constexpr std::string_view kColours[] = {"", "red", "green"};
constexpr Path kPaths[] = {
    {"1.1"},              // a text or a number
    {"1.2"},              // a message
    {"1.2.1"},            //
    {"1.2.3.4.5.6.7.8"},  // as deep as patterns reach
    {"1.3[]"},            // a list
    {"1.4{}"},            // a message that nobody looks into
    {"1.5", kColours},    // an enumeration
    {"1.536870911"},      // the highest number of a field
    {"2.1"},              // another message
};
const FieldSet& fields() {
  static const FieldSet set{std::span<const Path>(kPaths)};
  return set;
}

class Log : public JsonEvents {
 public:
  void on_json(PathId path, const JsonEvent& event) override {
    text += std::string(text.empty() ? "" : " ") + std::string(kPaths[path].pattern);
    switch (event.kind) {
      case JsonEvent::Kind::kObjectBegin:
        text += "{" + std::to_string(event.index);
        break;
      case JsonEvent::Kind::kObjectEnd:
        text += "}";
        break;
      case JsonEvent::Kind::kString:
        text += "=\"" + std::string(event.text) + "\"" + std::to_string(event.text_bytes);
        EXPECT_EQ(event.text_cut, event.text.size() < event.text_bytes);
        break;
      case JsonEvent::Kind::kNumber:
        text +=
            "=" + (event.integer ? std::to_string(*event.integer) : "?" + std::string(event.text));
        break;
      default:
        ADD_FAILURE() << "no such value in protobuf";
    }
  }
  std::string text;
};

std::string verdict_name(ProtoReader::Verdict verdict) {
  return verdict == ProtoReader::Verdict::kComplete ? ""
         : verdict == ProtoReader::Verdict::kBad    ? " BAD"
                                                    : " MORE";
}

std::string read_in_pieces(const std::string& bytes, size_t piece, uint32_t number,
                           uint64_t stated) {
  Log log;
  ProtoReader reader(fields(), log);
  ProtoReader::Verdict verdict = reader.begin(number, stated);
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const std::string part = bytes.substr(at, piece);  // of its own memory
    verdict = reader.feed(as_bytes(part));
  }
  return log.text + verdict_name(verdict);
}

// What is read of the message, however it is cut.
std::string read(const std::string& bytes, uint32_t number = 1) {
  const std::string whole = read_in_pieces(bytes, bytes.size() + 1, number, bytes.size());
  for (const size_t piece : {1, 2, 3, 7}) {
    EXPECT_EQ(read_in_pieces(bytes, piece, number, bytes.size()), whole) << piece;
  }
  return whole;
}
std::string read_text(std::string_view text, uint32_t number = 1) {
  return read(ProtoText::message(text), number);
}

TEST(ProtoReader, ReportsWhatTheTableNames) {
  EXPECT_EQ(read_text(R"(1:"hello" 2:{1:7 9:"x"} 6:"nobody" 3:[1,300,70000])"),
            R"(1.1="hello"5 1.2{0 1.2.1=7 1.2} 1.3[]=3)");
  EXPECT_EQ(read_text(R"(1:5)", 2), "2.1=5");
  EXPECT_EQ(read_text(R"(1:5)", 3), "");  // a message that nobody reads
  EXPECT_EQ(read_text(""), "");
  EXPECT_EQ(read_text(R"(536870911:1)"), "1.536870911=1");
}

TEST(ProtoReader, FieldsInAnyOrderAndAgain) {
  EXPECT_EQ(read_text(R"(2:{1:1} 2:{1:2} 1:1 2:{} 1:2)"),
            "1.2{0 1.2.1=1 1.2} 1.2{1 1.2.1=2 1.2} 1.1=1 1.2{0 1.2} 1.1=2");
}

TEST(ProtoReader, SkipsByLengthWhatNobodyReads) {
  EXPECT_EQ(read_text(R"(7:{1:{1:{1:"deep"}}} 8:f32 9:f64 10:-1 1:1)"), "1.1=1");
  EXPECT_EQ(read_text(R"(4:{1:"not looked into"} 1:1)"), "1.4{}{0 1.4{}} 1.1=1");
  const std::string garbage = "\"" + std::string(100'000, '\xFF') + "\"";
  EXPECT_EQ(read_text("6:" + garbage + " 1:1"), "1.1=1");
}

TEST(ProtoReader, Numbers) {
  EXPECT_EQ(read_text("1:0"), "1.1=0");
  EXPECT_EQ(read_text("1:9007199254740992"), "1.1=9007199254740992");
  EXPECT_EQ(read_text("1:9007199254740993"), "1.1=?9007199254740993");
  EXPECT_EQ(read_text("1:-1"), "1.1=?-1");
  EXPECT_EQ(read_text("1:18446744073709551615"), "1.1=?-1");
  EXPECT_EQ(read_text("1:f64"), "1.1=?");  // not the type that the table is about
  EXPECT_EQ(read_text("1:f32"), "1.1=?");
  EXPECT_EQ(read(std::string("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11)), "1.1=0");
  EXPECT_EQ(read(std::string("\x08\x85\x80\x00", 4)), "1.1=5");  // longer than it has to be
}

TEST(ProtoReader, ListsPackedOrNot) {
  EXPECT_EQ(read_text("3:[]"), "");
  EXPECT_EQ(read_text("3:[1,1,300] 3:5 3:6"), "1.3[]=3 1.3[]=1 1.3[]=1");
}

TEST(ProtoReader, EnumerationsByTheirWords) {
  EXPECT_EQ(read_text("5:0"), R"(1.5=""0)");
  EXPECT_EQ(read_text("5:2"), R"(1.5="green"5)");
  EXPECT_EQ(read_text("5:17"), R"(1.5="17"2)");
}

TEST(ProtoReader, TextsAreCutAndValid) {
  const std::string longer(1000, 'a');
  const std::string kept(JsonEvent::kTextBytes, 'a');
  EXPECT_EQ(read_text("1:\"" + longer + "\""), "1.1=\"" + kept + "\"1000");
  // A character at the border is left out, and so is what is no UTF-8.
  const std::string border = std::string(JsonEvent::kTextBytes - 1, 'a');
  EXPECT_EQ(read_text("1:\"" + border + "\xC3\xA9\""), "1.1=\"" + border + "\"257");
  EXPECT_EQ(read_text("1:\"ok\\xC3\\x28ok\""), "1.1=\"ok\"6");
  EXPECT_EQ(read_text("1:\"\\xED\\xA0\\x80\""), "1.1=\"\"3");  // a surrogate
  EXPECT_EQ(read_text("1:\"\""), "1.1=\"\"0");
}

TEST(ProtoReader, AsDeepAsPatternsReach) {
  EXPECT_EQ(read_text("2:{3:{4:{5:{6:{7:{8:9}}}}}}"), "1.2{0 1.2.3.4.5.6.7.8=9 1.2}");
}

TEST(ProtoReader, HostileInputIsBad) {
  EXPECT_EQ(read(std::string("\x00\x01", 2)), " BAD");  // field 0
  EXPECT_EQ(read("\x0B\x0C"), " BAD");                  // a group
  EXPECT_EQ(read("\x0E"), " BAD");                      // type 6
  EXPECT_EQ(read("\x0A\x05"
                 "abc"),
            " BAD");                                                 // longer than the message
  EXPECT_EQ(read("\x12\x04\x08\x01\x12\x7F"), "1.2{0 1.2.1=1 BAD");  // than the message around it
  EXPECT_EQ(read("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), " BAD");
  EXPECT_EQ(read("\x08"), " MORE");  // ends in a field
  EXPECT_EQ(read("\x39"
                 "1234567"),
            " BAD");                                 // eight bytes that are seven
  EXPECT_EQ(read("\x12\x01\x08\x01"), "1.2{0 BAD");  // a tag at the end of its message
  EXPECT_EQ(read("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), " BAD");  // the number of a field
  EXPECT_EQ(read_in_pieces("\x08\x01\x08\x02", 9, 1, 2), "1.1=1");      // nothing behind its end
}

TEST(ProtoReader, OfUnknownSize) {
  const auto read_to_its_end = [](const std::string& bytes, uint32_t number = 1) {
    std::string first;
    for (const size_t piece : {1, 2, 3, 100}) {
      Log log;
      ProtoReader reader(fields(), log);
      reader.begin(number, ProtoReader::kSizeUnknown);
      for (size_t at = 0; at < bytes.size(); at += piece)
        reader.feed(as_bytes(std::string_view(bytes).substr(at, piece)));
      const std::string text = log.text + verdict_name(reader.finish());
      if (piece == 1) first = text;
      EXPECT_EQ(text, first);
    }
    return first;
  };
  EXPECT_EQ(read_to_its_end(""), "");
  EXPECT_EQ(read_to_its_end(ProtoText::message(R"(2:{1:7} 1:"x")")),
            R"(1.2{0 1.2.1=7 1.2} 1.1="x"1)");
  EXPECT_EQ(read_to_its_end("\x08"), " BAD");
  EXPECT_EQ(read_to_its_end("\x12\x02\x08"), "1.2{0 BAD");
  EXPECT_EQ(read_to_its_end("\x0A\x05"
                            "abc"),
            " BAD");
  EXPECT_EQ(read_to_its_end("anything", 3), "");
}

class Values : public JsonEvents, public RpcMessages {
 public:
  void on_json(PathId path, const JsonEvent& event) override {
    text += std::string(kPaths[path].pattern) + "=" + std::string(event.text) + " ";
  }
  void on_rpc_begin() override { text += "< "; }
  void on_rpc_end(bool intact) override { text += intact ? "> " : "bad "; }
  std::string text;
};

std::string gzipped(const std::string& bytes, test::Coding coding = test::Coding::kGzip) {
  return test::encode({coding}, test::Pieces{bytes}, {.flush = false}).front();
}
std::string read_body(const std::string& body, RpcInflaters* inflaters, bool* corrupt = nullptr) {
  std::string first;
  for (const size_t piece : {size_t{1}, size_t{3}, body.size() + 1}) {
    Values values;
    RpcBody reader(fields(), values, values);
    reader.use_inflaters(inflaters);
    reader.reset(1);
    for (size_t at = 0; at < body.size(); at += piece)
      reader.feed(as_bytes(std::string_view(body).substr(at, piece)));
    if (corrupt != nullptr) *corrupt = reader.corrupt();
    if (reader.unreadable()) values.text += "unreadable";
    reader.give_inflater_back();
    if (piece == 1) first = values.text;
    EXPECT_EQ(values.text, first);
  }
  return first;
}

TEST(RpcBody, CompressedMessages) {
  const Limits limits;
  RpcInflaters inflaters(limits);
  const std::string plain = ProtoText::message(R"(1:"hello")");
  const std::string body = test::grpc_message(gzipped(plain), true) + test::grpc_message(plain) +
                           test::grpc_message(gzipped(plain, test::Coding::kZlib), true) +
                           test::grpc_message(gzipped(""), true);
  EXPECT_EQ(read_body(body, &inflaters), "< 1.1=hello > < 1.1=hello > < 1.1=hello > < > ");
  EXPECT_EQ(read_body(body, nullptr), "< 1.1=hello > unreadable");
  // The one that is cut has not been wrong so far.
  bool corrupt = false;
  EXPECT_EQ(read_body(body.substr(0, 12), &inflaters, &corrupt), "< ");
  EXPECT_FALSE(corrupt);
}

TEST(RpcBody, WhatCannotBeDecodedIsCorrupt) {
  const Limits limits;
  RpcInflaters inflaters(limits);
  std::string coded = gzipped(ProtoText::message(R"(1:"hello")"));
  bool corrupt = false;
  const std::string cut = test::grpc_message(coded.substr(0, coded.size() - 4), true);
  EXPECT_NE(read_body(cut, &inflaters, &corrupt).find("unreadable"), std::string::npos);
  EXPECT_TRUE(corrupt);
  const std::string longer = test::grpc_message(coded + "x", true);
  EXPECT_NE(read_body(longer, &inflaters, &corrupt).find("unreadable"), std::string::npos);
  EXPECT_TRUE(corrupt);
  coded[coded.size() - 6] ^= 1;  // its checksum
  EXPECT_NE(read_body(test::grpc_message(coded, true), &inflaters, &corrupt).find("unreadable"),
            std::string::npos);
  EXPECT_TRUE(corrupt);
  EXPECT_EQ(read_body(test::grpc_message("snappy", true), &inflaters, &corrupt), "< unreadable");
}

TEST(RpcBody, TooMuchOfTooLittleIsGivenUp) {
  const Limits limits;
  RpcInflaters inflaters(limits);
  const std::string bomb =
      ProtoText::message("6:\"" + std::string(8 << 20, 'a') + "\" 1:\"hello\"");
  EXPECT_EQ(read_body(test::grpc_message(gzipped(bomb), true), &inflaters), "< unreadable");
}

TEST(RpcBody, CompressedMessagesBeyondTheLimitAreNotRead) {
  Limits limits;
  limits.rpc_inflaters_max = 1;
  RpcInflaters inflaters(limits);
  const std::string message = test::grpc_message(gzipped(ProtoText::message(R"(1:"hello")")), true);
  Values open, other;
  RpcBody first(fields(), open, open), second(fields(), other, other);
  for (RpcBody* body : {&first, &second}) {
    body->use_inflaters(&inflaters);
    body->reset(1);
    body->feed(as_bytes(std::string_view(message).substr(0, 8)));
  }
  EXPECT_FALSE(first.unreadable());
  EXPECT_TRUE(second.unreadable());
  first.feed(as_bytes(std::string_view(message).substr(8)));
  EXPECT_EQ(open.text, "< 1.1=hello > ");
  second.feed(as_bytes(std::string_view(message).substr(8)));
  second.feed(as_bytes(std::string_view(message)));  // now there is one again
  EXPECT_EQ(other.text, "< 1.1=hello > ");
}

class Messages : public GrpcMessages {
 public:
  void on_grpc_begin(uint32_t bytes, bool compressed) override {
    text += "<" + std::to_string(bytes) + (compressed ? "c" : "") + ":";
  }
  void on_grpc_part(ByteView part) override {
    EXPECT_FALSE(part.empty());
    text += as_text(part);
  }
  void on_grpc_end() override { text += ">"; }
  std::string text;
};

TEST(GrpcReader, MessagesAtEveryCut) {
  const std::string body = test::grpc_message("abc") + test::grpc_message("") +
                           test::grpc_message("zz", true) + test::grpc_message("cut").substr(0, 6);
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    Messages messages;
    GrpcReader reader(messages);
    for (size_t at = 0; at < body.size(); at += piece)
      reader.feed(as_bytes(std::string_view(body).substr(at, piece)));
    EXPECT_EQ(messages.text, "<3:abc><0:><2c:zz><3:c") << piece;
    EXPECT_FALSE(reader.bad());
  }
}

TEST(GrpcReader, IsBadUntilReset) {
  Messages messages;
  GrpcReader reader(messages);
  reader.feed(as_bytes(std::string_view("{\"error\":1}")));
  EXPECT_TRUE(reader.bad());
  reader.feed(as_bytes(std::string_view("\0\0\0\0\1a", 6)));
  EXPECT_EQ(messages.text, "");
  reader.reset();
  reader.feed(as_bytes(std::string_view("\0\0\0\0\1a", 6)));
  EXPECT_EQ(messages.text, "<1:a>");
  reader.gap();
  reader.feed(as_bytes(std::string_view("\0\0\0\0\1a", 6)));
  EXPECT_EQ(messages.text, "<1:a>");
}

}  // namespace
}  // namespace wiretally::llm
