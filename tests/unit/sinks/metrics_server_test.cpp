#include "prometheus/metrics_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "unit/sinks/fixtures.h"

namespace wiretally::sinks {
namespace {

// One request on a connection of its own; everything that came back.
std::string ask(uint16_t port, const std::string& request) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    char buffer[65536];
    for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      answer.append(buffer, static_cast<size_t>(n));
    }
  }
  ::close(fd);
  return answer;
}

std::string get(uint16_t port, const std::string& path, const std::string& headers = "",
                const std::string& method = "GET") {
  return ask(port, method + " " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
}

std::string status_of(const std::string& answer) { return answer.substr(9, 3); }
std::string body_of(const std::string& answer) {
  return answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4));
}

struct Server {
  explicit Server(const std::string& listen = "127.0.0.1:0") {
    auto started = MetricsServer::start(
        {.listen = listen, .ready = [this] { return ready.load(); }}, sink, nullptr);
    if (started) server = std::move(*started);
  }
  std::atomic<bool> ready{false};
  PrometheusSink sink{Limits{}};
  std::unique_ptr<MetricsServer> server;
};

TEST(MetricsServerTest, ServesItsThreePathsAndNothingElse) {
  Server s;
  ASSERT_TRUE(s.server);
  const uint16_t port = s.server->port();
  ASSERT_NE(port, 0);
  EXPECT_EQ(status_of(get(port, "/metrics")), "200");
  EXPECT_EQ(status_of(get(port, "/metrics?x=1")), "200");
  EXPECT_EQ(status_of(get(port, "/healthz")), "200");
  EXPECT_EQ(status_of(get(port, "/")), "404");
  EXPECT_EQ(status_of(get(port, "/etc/passwd")), "404");
  EXPECT_EQ(status_of(get(port, "/metrics/../x")), "404");
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH"}) {
    EXPECT_EQ(status_of(get(port, "/metrics", "Content-Length: 0\r\n", method)), "405") << method;
  }
  const std::string head = get(port, "/metrics", "", "HEAD");
  EXPECT_EQ(status_of(head), "200");
  EXPECT_EQ(body_of(head), "");
}

TEST(MetricsServerTest, IsReadyWhenTheAgentSaysSo) {
  Server s;
  ASSERT_TRUE(s.server);
  EXPECT_EQ(status_of(get(s.server->port(), "/readyz")), "503");
  s.ready = true;
  EXPECT_EQ(status_of(get(s.server->port(), "/readyz")), "200");
}

TEST(MetricsServerTest, AnswersOnlySoManyAtOnceAndTheOthersWait) {
  constexpr size_t kClients = Limits::scrapes_max + 2;
  std::mutex mutex;
  std::condition_variable moved;
  size_t inside = 0, most = 0;
  bool open = false;
  PrometheusSink sink{Limits{}};
  const auto wait_inside = [&] {
    std::unique_lock lock(mutex);
    most = std::max(most, ++inside);
    moved.notify_all();
    moved.wait(lock, [&] { return open; });
    --inside;
    return true;
  };
  auto server =
      MetricsServer::start({.listen = "127.0.0.1:0", .ready = wait_inside}, sink, nullptr);
  ASSERT_TRUE(server);
  const uint16_t port = (*server)->port();
  std::vector<std::string> answers(kClients);
  std::vector<std::jthread> clients;
  for (std::string& answer : answers) {
    clients.emplace_back([&answer, port] { answer = get(port, "/readyz"); });
  }
  {
    std::unique_lock lock(mutex);
    const auto beyond = [&] { return inside > Limits::scrapes_max; };
    EXPECT_TRUE(moved.wait_for(lock, std::chrono::seconds(10),
                               [&] { return inside == Limits::scrapes_max; }));
    // Nothing tells of one more that does not come in.
    EXPECT_FALSE(moved.wait_for(lock, std::chrono::milliseconds(200), beyond));
    open = true;
    moved.notify_all();
  }
  clients.clear();
  EXPECT_EQ(most, Limits::scrapes_max);
  for (const std::string& answer : answers) EXPECT_EQ(status_of(answer), "200");
}

TEST(MetricsServerTest, OnlyAPrometheusIsShownZeros) {
  Server s;
  ASSERT_TRUE(s.server);
  s.sink.on_entry(plain_entry());
  const uint16_t port = s.server->port();
  const std::string scraper = "X-Prometheus-Scrape-Timeout-Seconds: 10\r\n";
  const auto requests = [&](const std::string& headers) {
    for (const auto& [name, value] : samples_of(body_of(get(port, "/metrics", headers)))) {
      if (name.rfind("llm_requests_total{", 0) == 0) return value.substr(0, 1);
    }
    return std::string("absent");
  };
  EXPECT_EQ(requests(""), "1");
  get(port, "/metrics", scraper, "HEAD");
  EXPECT_EQ(requests(scraper), "0");
  EXPECT_EQ(requests(scraper), "1");
  EXPECT_EQ(requests(""), "1");
}

TEST(MetricsServerTest, Ipv6IsServedOrRefusedWithTheReason) {
  PrometheusSink sink{Limits{}};
  const auto server = MetricsServer::start({.listen = "[::1]:0"}, sink, nullptr);
  if (server) {
    EXPECT_NE((*server)->port(), 0);
  } else {
    EXPECT_NE(server.error().message.find("[::1]:0"), std::string::npos);
  }
}

TEST(MetricsServerTest, StopsAtOnce) {
  auto server = std::make_unique<Server>();
  ASSERT_TRUE(server->server);
  get(server->server->port(), "/healthz");
  const auto before = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(1000));
}

TEST(MetricsServerTest, AnAddressInUseIsAnErrorWithARemedy) {
  Server first;
  ASSERT_TRUE(first.server);
  const std::string listen = "127.0.0.1:" + std::to_string(first.server->port());
  PrometheusSink sink{Limits{}};
  const auto second = MetricsServer::start({.listen = listen}, sink, nullptr);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(listen), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().message.find("in use"), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().message.find("--listen"), std::string::npos);
}

TEST(MetricsServerTest, ANonsensicalAddressIsAnError) {
  PrometheusSink sink{Limits{}};
  EXPECT_FALSE(MetricsServer::start({.listen = "nowhere:at:all"}, sink, nullptr));
  EXPECT_FALSE(MetricsServer::start({.listen = ""}, sink, nullptr));
}

}  // namespace
}  // namespace wiretally::sinks
