/* Streamed chat completions over TLS at an even pace: a server process and a client process, a thread for each
 * connection in both.
 *
 *   tls_stream CONNECTIONS CHUNKS_PER_SECOND SECONDS CHUNKS_PER_CALL
 *
 * The pace is that of all connections together; every chunk is one SSL_write of one event. Prints what was served: calls,
 * output tokens, chunks, and the seconds it took. */
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64 };

static SSL_CTX* context;
static int sockets[CONNECTIONS_MAX][2]; /* server, client */
static int connections;
static double chunks_per_second, seconds;
static long chunks_per_call;
static atomic_long calls, tokens, chunks;
static pthread_barrier_t all_connected;
static double started;

static void fail(const char* what) {
  fprintf(stderr, "tls_stream: %s\n", what);
  _exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void sleep_until(double when) {
  const double left = when - now();
  if (left <= 0) return;
  const struct timespec pause = {(time_t)left, (long)((left - (time_t)left) * 1e9)};
  nanosleep(&pause, NULL);
}

static void write_all(SSL* ssl, const char* text, size_t size) {
  if (SSL_write(ssl, text, (int)size) != (int)size) fail("SSL_write");
}

static void read_request(SSL* ssl) {
  char buffer[16384];
  if (SSL_read(ssl, buffer, sizeof buffer) <= 0) fail("SSL_read");
}

static size_t chunk(char* out, const char* event) {
  return (size_t)sprintf(out, "%zx\r\n%s\r\n", strlen(event), event);
}

static void serve_call(SSL* ssl, long connection, long number, double* due) {
  static const char head[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  char event[1024], data[1200];
  read_request(ssl);
  write_all(ssl, head, sizeof head - 1);
  for (long i = 0; i < chunks_per_call; i++) {
    sleep_until(*due);
    *due += connections / chunks_per_second;
    sprintf(event,
            "data: {\"id\":\"chatcmpl-%ldx%ld\",\"object\":\"chat.completion.chunk\",\"created\":1763700000,"
            "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},"
            "\"finish_reason\":null}]}\n\n",
            connection, number);
    write_all(ssl, data, chunk(data, event));
  }
  sprintf(event,
          "data: {\"id\":\"chatcmpl-%ldx%ld\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini-2024-07-18\","
          "\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":%ld,\"total_tokens\":%ld}}\n\n"
          "data: [DONE]\n\n",
          connection, number, chunks_per_call, chunks_per_call + 9);
  size_t size = chunk(data, event);
  size += (size_t)sprintf(data + size, "0\r\n\r\n");
  write_all(ssl, data, size);
  calls++;
  tokens += chunks_per_call;
  chunks += chunks_per_call;
}

static void* serve(void* argument) {
  const long connection = (long)argument;
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, sockets[connection][0]);
  if (SSL_accept(ssl) != 1) fail("SSL_accept");
  pthread_barrier_wait(&all_connected);
  const double start = now();
  if (connection == 0) started = start;
  double due = start;
  for (long number = 0; now() < start + seconds; number++) serve_call(ssl, connection, number, &due);
  SSL_shutdown(ssl);
  shutdown(sockets[connection][0], SHUT_RDWR);
  SSL_free(ssl);
  return NULL;
}

static void* ask(void* argument) {
  static const char request[] =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\nContent-Type: application/json\r\n"
      "Content-Length: 37\r\n\r\n{\"model\":\"gpt-4o-mini\",\"stream\":true}";
  const long connection = (long)argument;
  char buffer[16384];
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, sockets[connection][1]);
  if (SSL_connect(ssl) != 1) fail("SSL_connect");
  while (SSL_write(ssl, request, sizeof request - 1) == sizeof request - 1) {
    /* Each write of the server is one TLS record and comes out of one read: the end is never split. */
    int got;
    do {
      got = SSL_read(ssl, buffer, sizeof buffer);
    } while (got > 0 && (got < 5 || memcmp(buffer + got - 5, "0\r\n\r\n", 5)));
    if (got <= 0) break;
  }
  SSL_free(ssl);
  return NULL;
}

static void run(void* (*role)(void*), int end) {
  pthread_t threads[CONNECTIONS_MAX];
  for (int i = 0; i < connections; i++) close(sockets[i][!end]);
  for (long i = 0; i < connections; i++) pthread_create(&threads[i], NULL, role, (void*)i);
  for (int i = 0; i < connections; i++) pthread_join(threads[i], NULL);
}

int main(int argc, char** argv) {
  if (argc != 5) fail("usage: tls_stream CONNECTIONS CHUNKS_PER_SECOND SECONDS CHUNKS_PER_CALL");
  connections = atoi(argv[1]);
  chunks_per_second = atof(argv[2]);
  seconds = atof(argv[3]);
  chunks_per_call = atol(argv[4]);
  if (connections < 1 || connections > CONNECTIONS_MAX) fail("1 to 64 connections");
  signal(SIGPIPE, SIG_IGN); /* a client that asks once more than it is served */
  /* Anonymous key exchange: no certificate is needed. */
  context = SSL_CTX_new(TLS_method());
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, "aNULL:@SECLEVEL=0");
  SSL_CTX_set_dh_auto(context, 1);
  for (int i = 0; i < connections; i++) {
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets[i])) fail("socketpair");
  }
  const pid_t client = fork();
  if (client == 0) {
    run(ask, 1);
    return 0;
  }
  pthread_barrier_init(&all_connected, NULL, (unsigned)connections);
  run(serve, 0);
  printf("%ld %ld %ld %.3f\n", (long)calls, (long)tokens, (long)chunks, now() - started);
  int status = 0;
  waitpid(client, &status, 0);
  return WEXITSTATUS(status);
}
