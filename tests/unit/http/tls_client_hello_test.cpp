// The server's name in a ClientHello, whatever the cut and whatever stands around it.
#include "tls_client_hello.h"

#include <gtest/gtest.h>

#include "support/client_hello.h"
#include "unit/http/scenario.h"

namespace wiretally::http {
namespace {

using test::client_hello;
using test::extension;
using test::handshake_record;
using test::hello_message;
using test::HelloParts;
using test::server_name_extension;

std::string describe(const ClientHelloReader& reader) {
  switch (reader.state()) {
    case ClientHelloReader::State::kOpen:
      return "open";
    case ClientHelloReader::State::kDone:
      return "name '" + std::string(reader.server_name()) + "'";
    case ClientHelloReader::State::kBad:
      return "bad";
  }
  return "";
}

// Whole, byte by byte, and cut at every place: all agree.
std::string read(const std::string& bytes) {
  ClientHelloReader whole;
  whole.feed(as_bytes(bytes));
  const std::string result = describe(whole);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    ClientHelloReader two;
    two.feed(as_bytes(std::string_view(bytes).substr(0, cut)));
    two.feed(as_bytes(std::string_view(bytes).substr(cut)));
    EXPECT_EQ(describe(two), result) << "cut at " << cut;
    EXPECT_EQ(two.random(), whole.random()) << "cut at " << cut;
  }
  ClientHelloReader bytewise;
  for (const char& c : bytes) bytewise.feed(as_bytes({&c, 1}));
  EXPECT_EQ(describe(bytewise), result);
  return result;
}

std::string with_extensions(std::string extensions) {
  HelloParts parts;
  parts.extensions = std::move(extensions);
  return handshake_record(hello_message(parts));
}

TEST(ClientHello, GivesTheServersName) {
  EXPECT_EQ(read(client_hello("api.openai.com")), "name 'api.openai.com'");
  EXPECT_EQ(read(client_hello("my_resource.openai.azure.com")),
            "name 'my_resource.openai.azure.com'");
}

TEST(ClientHello, TakesNothingBehindTheName) {
  const std::string hello = client_hello("api.openai.com");
  ClientHelloReader reader;
  EXPECT_LT(reader.feed(as_bytes(hello)), hello.size());
  EXPECT_EQ(reader.feed(as_bytes("more")), 0u);
}

TEST(ClientHello, OverSeveralRecords) {
  const std::string message = hello_message({.extensions = server_name_extension("api.x.ai")});
  for (const size_t size : {1, 7, 60}) {
    std::string records;
    for (size_t at = 0; at < message.size(); at += size) {
      records += handshake_record(message.substr(at, size));
    }
    EXPECT_EQ(read(records), "name 'api.x.ai'") << size;
  }
}

TEST(ClientHello, WithAPostQuantumKeyShareBeforeTheName) {
  EXPECT_EQ(read(with_extensions(extension(0x0033, std::string(1216, 'k')) +
                                 server_name_extension("api.anthropic.com"))),
            "name 'api.anthropic.com'");
}

TEST(ClientHello, WithGrease) {
  HelloParts parts;
  parts.suites = std::string("\x5a\x5a\x13\x01", 4);
  parts.extensions = extension(0x5a5a, "") + extension(0x1a1a, std::string(1, '\0')) +
                     server_name_extension("api.openai.com");
  EXPECT_EQ(read(handshake_record(hello_message(parts))), "name 'api.openai.com'");
}

TEST(ClientHello, OfAnEncryptedHelloTheOuterName) {
  EXPECT_EQ(read(with_extensions(extension(0xfe0d, std::string(200, 'e')) +
                                 server_name_extension("public.example"))),
            "name 'public.example'");
}

TEST(ClientHello, WithoutName) {
  HelloParts none;
  none.has_extensions = false;
  EXPECT_EQ(read(handshake_record(hello_message(none))), "name ''");
  EXPECT_EQ(read(with_extensions("")), "name ''");
  EXPECT_EQ(read(with_extensions(extension(10, "group"))), "name ''");
  EXPECT_EQ(read(with_extensions(extension(0, ""))), "name ''");
}

TEST(ClientHello, NamesThatAreNoHostNames) {
  EXPECT_EQ(read(client_hello("api.openai.com\n")), "name ''");
  EXPECT_EQ(read(client_hello("a\"b.api.openai.com")), "name ''");
  EXPECT_EQ(read(client_hello(std::string(300, 'a'))), "name ''");
  EXPECT_EQ(read(with_extensions(server_name_extension("api.openai.com", 7))), "name ''");
}

TEST(ClientHello, AnEmptySessionIsAllowed) {
  HelloParts parts;
  parts.session.clear();
  parts.extensions = server_name_extension("api.openai.com");
  EXPECT_EQ(read(handshake_record(hello_message(parts))), "name 'api.openai.com'");
}

// Each of these lies about one length.
TEST(ClientHello, LengthsThatContradictEachOtherAreBad) {
  const std::string good = hello_message({.extensions = server_name_extension("api.openai.com")});
  constexpr size_t kSession = 4 + 2 + 32, kSuites = kSession + 1 + 32, kCompression = kSuites + 6,
                   kExtensions = kCompression + 2, kNames = kExtensions + 6;
  for (const size_t at :
       {size_t{2}, kSession, kSuites, kExtensions, kExtensions + 4, kNames, kNames + 3}) {
    std::string bad = good;
    bad[at] = '\x7f';
    EXPECT_EQ(read(handshake_record(bad)), "bad") << at;
  }
  std::string no_compression = good;
  no_compression[kCompression] = '\0';
  EXPECT_EQ(read(handshake_record(no_compression)), "bad");
  std::string short_extensions = good;
  --short_extensions[kExtensions + 1];
  EXPECT_EQ(read(handshake_record(short_extensions)), "bad");
}

TEST(ClientHello, OtherThingsAreBad) {
  EXPECT_EQ(read("GET / HTTP/1.1\r\n\r\n"), "bad");
  EXPECT_EQ(read(std::string("\x16\x03\x03\x00\x04\x02\x00\x00\x46", 9)), "bad");  // ServerHello
  EXPECT_EQ(read(std::string("\x16\x03\x01\x00\x00", 5)), "bad");                  // empty record
  EXPECT_EQ(read(std::string("\x16\x03\x01\x40\x01", 5)), "bad");                  // > 2^14
  EXPECT_EQ(read(std::string("\x16\x03\x01\x00\x04\x01\x00\x40\x01", 9)), "bad");  // > 16 KiB
  EXPECT_EQ(read(std::string("\x16\x03\x01\x00\x04\x01\x01\x00\x00", 9)), "bad");
  EXPECT_EQ(read(std::string("\x16\x03\x01\x00\x04\x01\x00\x00\x20\x17", 10)), "bad");
}

TEST(ClientHello, OnceBadBadUntilReset) {
  ClientHelloReader reader;
  reader.feed(as_bytes("bad"));
  EXPECT_EQ(reader.feed(as_bytes(client_hello("api.openai.com"))), 0u);
  reader.reset();
  reader.feed(as_bytes(client_hello("api.openai.com")));
  EXPECT_EQ(describe(reader), "name 'api.openai.com'");
}

// --- in a flow -----------------------------------------------------------------------------------

TEST(TlsFlow, TheNameIsReadBeforeTheFlowIsIgnored) {
  Scenario s;
  s.a(client_hello("api.openai.com")).b("\x16\x03\x03 server hello").a("\x17\x03\x03 data");
  EXPECT_EQ(s.everywhere(), "hello from a for 'api.openai.com'\n");
  const Replay replay = s.run();
  EXPECT_EQ(replay.demand, FlowDemand::kIgnoreFlow);
  EXPECT_EQ(replay.skipped(SkipReason::kHttpOpaque), replay.given);
  EXPECT_EQ(replay.flows(FlowVerdict::kIgnored), 1u);
}

TEST(TlsFlow, WithoutItsSynToo) {
  Scenario s;
  s.joined().a(client_hello("api.openai.com")).a("\x17\x03\x03 data");
  EXPECT_EQ(s.once(), "hello from a for 'api.openai.com'\n");
  EXPECT_EQ(s.run().demand, FlowDemand::kIgnoreFlow);
}

TEST(TlsFlow, BehindAProxyOrInATunnel) {
  Scenario proxy;
  proxy.a("PROXY TCP4 10.0.0.1 10.0.0.2 5000 443\r\n" + client_hello("api.openai.com"));
  EXPECT_EQ(proxy.everywhere(), "hello from a for 'api.openai.com'\n");

  Scenario tunnel;
  tunnel.a("CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com:443\r\n\r\n");
  tunnel.b("HTTP/1.1 200 OK\r\n\r\n").a(client_hello("api.openai.com")).b("\x16\x03\x03 hello");
  EXPECT_NE(tunnel.everywhere().find("hello from a for 'api.openai.com'\n"), std::string::npos);
  EXPECT_EQ(tunnel.run().demand, FlowDemand::kIgnoreFlow);
}

TEST(TlsFlow, AHelloThatLostBytesHasNoName) {
  Scenario s;
  const std::string hello = client_hello("api.openai.com");
  s.a(hello.substr(0, 60)).lose_a(hello.substr(60, 40)).a(hello.substr(100));
  EXPECT_EQ(s.once(), "");
}

TEST(TlsFlow, AHelloCutByTheEndHasNoName) {
  Scenario s;
  s.a(client_hello("api.openai.com").substr(0, 90)).end_a();
  EXPECT_EQ(s.everywhere(), "");
}

// A joined flow may begin with a byte that looks like TLS in the middle of a body.
TEST(TlsFlow, WhatOnlyBeganLikeAHelloIsSearchedForMessages) {
  Scenario s;
  s.joined().a("\x16 rest of some body").a(request("/v1", "q")).b(answer("a"));
  EXPECT_NE(s.once().find("request POST /v1"), std::string::npos);
}

}  // namespace
}  // namespace wiretally::http
