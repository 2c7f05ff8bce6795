#include "metrics_server.h"

#include <CivetServer.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "wiretally/limits.h"

namespace wiretally::sinks {
namespace {

constexpr const char* kScraperHeader = "X-Prometheus-Scrape-Timeout-Seconds";
constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kTextType = "text/plain; charset=utf-8";

struct Answer {
  int status = 200;
  const char* type = kTextType;
  std::string body;
};

const char* reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

// Whether all of it went out.
bool send(mg_connection* connection, const Answer& answer, bool head_only) {
  std::string text = "HTTP/1.1 " + std::to_string(answer.status) + " " +
                     reason_phrase(answer.status) + "\r\nContent-Type: " + answer.type +
                     "\r\nContent-Length: " + std::to_string(answer.body.size()) +
                     "\r\nCache-Control: no-store\r\nConnection: close\r\n";
  if (answer.status == 405) text += "Allow: GET, HEAD\r\n";
  text += "\r\n";
  // The body is not copied: it may be tens of megabytes.
  const auto write = [&](const std::string& part) {
    return mg_write(connection, part.data(), part.size()) == static_cast<int>(part.size());
  };
  return write(text) && (head_only || answer.body.empty() || write(answer.body));
}

// Debian's CivetWeb is built without IPv6.
bool needs_missing_ipv6(const std::string& listen) {
  return !listen.empty() && listen.front() == '[' && mg_check_feature(MG_FEATURES_IPV6) == 0;
}

// Connects and hangs up; false when nobody listens.
bool knock(const std::string& listen, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const std::string host = listen.substr(0, listen.find(':'));
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 ||
      address.sin_addr.s_addr == htonl(INADDR_ANY)) {
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const int result = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  const bool heard = result == 0 || errno == EINPROGRESS;
  ::close(fd);
  return heard;
}

}  // namespace

std::string metrics_text(PrometheusSink& calls, const AgentMetrics* agent) {
  std::string text = calls.text();
  if (agent != nullptr) text += agent->text();
  return text;
}

class MetricsServer::Impl {
 public:
  Impl(std::function<bool()> ready, PrometheusSink& calls, const AgentMetrics* agent)
      : ready_(std::move(ready)), calls_(calls), agent_(agent) {
    callbacks_.log_message = [](const mg_connection*, const char*) { return 1; };
  }

  // CivetWeb looks for its stop flag only when its accept loop wakes, every two seconds: too late
  // for an agent that is to be gone within two. So somebody knocks while it stops.
  ~Impl() {
    if (server_ == nullptr) return;
    const std::jthread knocker([listen = listen_, port = port()](const std::stop_token& stopped) {
      while (!stopped.stop_requested() && knock(listen, port)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    server_.reset();
  }

  Status start(const std::string& listen) {
    if (needs_missing_ipv6(listen)) {
      return Error{"cannot listen on " + listen +
                   ": the CivetWeb library of this system is built without IPv6; choose an IPv4 "
                   "address with --listen"};
    }
    listen_ = listen;
    const std::vector<std::string> options = {"listening_ports",
                                              listen,
                                              "num_threads",
                                              std::to_string(Limits::scrapes_max),
                                              "request_timeout_ms",
                                              "5000",
                                              "enable_keep_alive",
                                              "no",
                                              "enable_directory_listing",
                                              "no"};
    errno = 0;
    try {
      server_ = std::make_unique<CivetServer>(options, &callbacks_);
    } catch (const CivetException&) {
      const int error = errno;
      return Error{"cannot listen on " + listen +
                   (error != 0 ? std::string(": ") + std::strerror(error) : std::string()) +
                   "; stop what listens there, or choose another address with --listen"};
    }
    mg_set_request_handler(server_context(), "**", &Impl::on_request, this);
    return Done{};
  }

  uint16_t port() const {
    const std::vector<int> ports = server_->getListeningPorts();
    return ports.empty() ? uint16_t{0} : static_cast<uint16_t>(ports.front());
  }

 private:
  mg_context* server_context() { return const_cast<mg_context*>(server_->getContext()); }

  static int on_request(mg_connection* connection, void* self) {
    static_cast<Impl*>(self)->answer(connection);
    return 1;
  }

  void answer(mg_connection* connection) {
    const mg_request_info* request = mg_get_request_info(connection);
    const std::string_view path = request->local_uri != nullptr ? request->local_uri : "";
    const std::string_view method = request->request_method;
    const bool head = method == "HEAD";
    if (path != "/metrics" && path != "/healthz" && path != "/readyz") {
      send(connection, {.status = 404, .body = "not found\n"}, head);
    } else if (method != "GET" && !head) {
      send(connection, {.status = 405, .body = "method not allowed\n"}, false);
    } else if (path == "/metrics") {
      answer_metrics(connection, head);
    } else if (path == "/readyz" && ready_ && !ready_()) {
      send(connection, {.status = 503, .body = "not ready\n"}, head);
    } else {
      send(connection, {.body = "ok\n"}, head);
    }
  }

  void answer_metrics(mg_connection* connection, bool head) {
    // A HEAD shows no values, so it must not use up a series' zero.
    const bool scraper = !head && mg_get_header(connection, kScraperHeader) != nullptr;
    Scrape scrape = calls_.scrape(scraper ? Reader::kPrometheus : Reader::kOther);
    if (agent_ != nullptr) scrape.text += agent_->text();
    const Answer answer{.type = kMetricsType, .body = std::move(scrape.text)};
    if (send(connection, answer, head) && scraper) calls_.delivered(scrape);
  }

  std::string listen_;
  std::function<bool()> ready_;
  PrometheusSink& calls_;
  const AgentMetrics* agent_;
  CivetCallbacks callbacks_;
  std::unique_ptr<CivetServer> server_;
};

MetricsServer::MetricsServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MetricsServer::~MetricsServer() = default;

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const Options& options,
                                                            PrometheusSink& calls,
                                                            const AgentMetrics* agent) {
  auto impl = std::make_unique<Impl>(options.ready, calls, agent);
  const Status started = impl->start(options.listen);
  if (!started) return started.error();
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(impl)));
}

uint16_t MetricsServer::port() const { return impl_->port(); }

}  // namespace wiretally::sinks
