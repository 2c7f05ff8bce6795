// Which connections the room reports, and as what.
#include "dialogue.h"

namespace wiretally::llm {
namespace {

constexpr EventTime kNow{.ns = 5, .clock = Clock::kBoot};

class LlmConnections : public ::testing::Test {
 protected:
  LlmConnections() {
    flow_.a.address.version = flow_.b.address.version = 4;
    flow_.a.port = 40'000;
    flow_.b.port = 443;
  }
  void probed() {
    flow_.source = Source::kTls;
    flow_.pid = 42;
    flow_.process_start_ns = 77;
  }
  void request(std::string_view host, std::string_view target = "/v1/models",
               std::string_view method = "GET", bool first = true) {
    const HeaderField fields[] = {{"Host", host}};
    RequestHead head;
    head.flow = &flow_;
    head.flow_id = FlowId{7};
    head.direction = direction_;
    head.time = kNow;
    head.method = method;
    head.target = target;
    head.headers.fields = fields;
    head.first_on_flow = first;
    room_.on_request(ExchangeId{++exchange_}, head);
  }
  void hello(std::string_view name) {
    room_.on_tls_connection({.flow = &flow_,
                             .flow_id = FlowId{7},
                             .direction = direction_,
                             .time = kNow,
                             .server_name = name,
                             .random = 9});
  }

  Limits limits_;
  NoCredentials credentials_;
  KeepingSink sink_;
  LlmRoom room_{limits_, 3, credentials_, sink_};
  FlowInfo flow_;
  Direction direction_ = Direction::kAToB;
  uint64_t exchange_ = 0;
};

TEST_F(LlmConnections, TheFirstRequestToAProviderIsAPlainConnection) {
  probed();
  request("API.openai.com:8443");
  ASSERT_EQ(sink_.connections.size(), 1u);
  const ConnectionSeen& seen = sink_.connections[0];
  EXPECT_EQ(seen.visibility, Visibility::kPlain);
  EXPECT_EQ(seen.server_name.view(), "api.openai.com");
  EXPECT_EQ(seen.flow, FlowId{7});
  EXPECT_EQ(seen.lane, 3u);
  EXPECT_EQ(seen.time, kNow);
  EXPECT_EQ(seen.pid, 42u);
  EXPECT_EQ(seen.process_start_ns, 77u);
  request("api.openai.com", "/v1/chat/completions", "POST", false);
  EXPECT_EQ(sink_.connections.size(), 1u);
}

TEST_F(LlmConnections, ClearTextToAProviderIsPlainToo) {
  request("", "http://api.openai.com/v1/models");
  ASSERT_EQ(sink_.connections.size(), 1u);
  EXPECT_EQ(sink_.connections[0].source, Source::kPacket);
  EXPECT_EQ(sink_.connections[0].client.port, 40'000);
}

TEST_F(LlmConnections, OtherHostsAreNotReported) {
  request("example.com", "/v1/chat/completions", "POST");
  request("notapi.openai.com.example", "/");
  request("", "/");
  hello("example.com");
  hello("");
  EXPECT_TRUE(sink_.connections.empty());
}

TEST_F(LlmConnections, NorIsTheServersEnd) {
  probed();
  direction_ = Direction::kBToA;
  request("api.openai.com");
  EXPECT_TRUE(sink_.connections.empty());
}

TEST_F(LlmConnections, AHelloToAProviderIsOpaque) {
  direction_ = Direction::kBToA;
  hello("API.Anthropic.com");
  ASSERT_EQ(sink_.connections.size(), 1u);
  const ConnectionSeen& seen = sink_.connections[0];
  EXPECT_EQ(seen.visibility, Visibility::kOpaque);
  EXPECT_EQ(seen.server_name.view(), "api.anthropic.com");
  EXPECT_EQ(seen.client.port, 443);
  EXPECT_EQ(seen.server.port, 40'000);
  EXPECT_EQ(seen.hello, 9u);
}

TEST_F(LlmConnections, ACallSaysWhoseItIsWhenItOpens) {
  probed();
  request("api.openai.com", "/v1/chat/completions", "POST");
  EXPECT_EQ(sink_.last_opened.pid, 42u);
  EXPECT_EQ(sink_.last_opened.process_start_ns, 77u);
}

}  // namespace
}  // namespace wiretally::llm
