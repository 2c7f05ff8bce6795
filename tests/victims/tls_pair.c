/* Both ends of a TLS connection in one process, over memory BIOs: something to attach probes to.
 *
 *   tls_pair [--ex] STEP...
 *     w:N     the client writes N bytes in one call, the server reads them
 *     r:N     the server writes N bytes in one call, the client reads them
 *     fault:N as w:N (N up to 16384), but the buffer cannot be read any more when the call returns
 *     new     frees both ends and makes new ones (their pointers are often the old ones)
 *     clear   SSL_clear on both ends, then a new handshake
 *     fork    a child goes on with the remaining steps; its parent waits for it and ends
 *     say     prints a line and waits for one on stdin
 *     bench:N N times 200 bytes there; prints the nanoseconds of CPU each took
 *     leave   ends at once, freeing nothing
 *
 * Byte i of a direction is pattern(i, direction), so whoever listens can check every byte. */
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static SSL_CTX* context;
static SSL* ends[2]; /* client, server */
static uint64_t sent[2];
static int extended;

static unsigned char pattern(uint64_t i, int direction) {
  return (unsigned char)(i * 31 + (i >> 8) * 17 + (i >> 16) + (uint64_t)direction * 7);
}

static void fail(const char* what) {
  fprintf(stderr, "tls_pair: %s\n", what);
  exit(1);
}

static void shake_hands(void) {
  for (int i = 0; i < 20; i++) {
    const int client = SSL_do_handshake(ends[0]);
    const int server = SSL_do_handshake(ends[1]);
    if (client == 1 && server == 1) return;
  }
  fail("no handshake");
}

static void make_ends(void) {
  BIO* there = BIO_new(BIO_s_mem());
  BIO* back = BIO_new(BIO_s_mem());
  BIO_up_ref(there);
  BIO_up_ref(back);
  for (int i = 0; i < 2; i++) ends[i] = SSL_new(context);
  SSL_set_bio(ends[0], back, there);
  SSL_set_bio(ends[1], there, back);
  SSL_set_connect_state(ends[0]);
  SSL_set_accept_state(ends[1]);
  sent[0] = sent[1] = 0;
  shake_hands();
}

static void free_ends(void) {
  SSL_free(ends[0]);
  SSL_free(ends[1]);
}

static void clear_ends(void) {
  SSL_clear(ends[0]);
  SSL_clear(ends[1]);
  SSL_set_connect_state(ends[0]);
  SSL_set_accept_state(ends[1]);
  sent[0] = sent[1] = 0;
  shake_hands();
}

static void transfer(int from, uint64_t size) {
  unsigned char* buffer = malloc(size + 1);
  unsigned char piece[16384];
  for (uint64_t i = 0; i < size; i++) buffer[i] = pattern(sent[from] + i, from);
  sent[from] += size;
  size_t written = 0;
  if (extended) {
    if (SSL_write_ex(ends[from], buffer, size, &written) != 1) fail("SSL_write_ex");
  } else if (SSL_write(ends[from], buffer, (int)size) != (int)size) {
    fail("SSL_write");
  }
  while (size > 0) {
    size_t got = 0;
    if (extended) {
      if (SSL_read_ex(ends[!from], piece, sizeof piece, &got) != 1) fail("SSL_read_ex");
    } else {
      const int result = SSL_read(ends[!from], piece, sizeof piece);
      if (result <= 0) fail("SSL_read");
      got = (size_t)result;
    }
    size -= got;
  }
  free(buffer);
}

static void* hidden;
static size_t hidden_size;

/* The record has been made: its plaintext goes out of sight. */
static long hide(BIO* bio, int operation, const char* data, size_t size, int argument, long extra,
                 int result, size_t* processed) {
  (void)bio, (void)data, (void)size, (void)argument, (void)extra, (void)processed;
  if (operation == (BIO_CB_WRITE | BIO_CB_RETURN)) mprotect(hidden, hidden_size, PROT_NONE);
  return result;
}

static void transfer_hidden(uint64_t size) {
  unsigned char piece[16384];
  hidden_size = 16384;
  hidden = mmap(0, hidden_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (uint64_t i = 0; i < size; i++) ((unsigned char*)hidden)[i] = pattern(sent[0] + i, 0);
  sent[0] += size;
  BIO_set_callback_ex(SSL_get_wbio(ends[0]), hide);
  if (SSL_write(ends[0], hidden, (int)size) != (int)size) fail("SSL_write");
  BIO_set_callback_ex(SSL_get_wbio(ends[0]), 0);
  munmap(hidden, hidden_size);
  if (SSL_read(ends[1], piece, sizeof piece) != (int)size) fail("SSL_read");
}

static void bench(long rounds) {
  struct timespec start, end;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  for (long i = 0; i < rounds; i++) transfer(0, 200);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  const double ns = (end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec);
  printf("%.0f\n", ns / rounds);
  fflush(stdout);
}

static void step(const char* text) {
  char line[16];
  if (!strncmp(text, "w:", 2)) {
    transfer(0, strtoull(text + 2, 0, 10));
  } else if (!strncmp(text, "r:", 2)) {
    transfer(1, strtoull(text + 2, 0, 10));
  } else if (!strncmp(text, "fault:", 6)) {
    transfer_hidden(strtoull(text + 6, 0, 10));
  } else if (!strncmp(text, "bench:", 6)) {
    bench(atol(text + 6));
  } else if (!strcmp(text, "new")) {
    free_ends();
    make_ends();
  } else if (!strcmp(text, "clear")) {
    clear_ends();
  } else if (!strcmp(text, "leave")) {
    _exit(0);
  } else if (!strcmp(text, "say")) {
    printf("here\n");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) _exit(0);
  } else if (!strcmp(text, "fork")) {
    const pid_t child = fork();
    if (child > 0) {
      int status = 0;
      waitpid(child, &status, 0);
      _exit(WEXITSTATUS(status));
    }
  } else {
    fail(text);
  }
}

int main(int argc, char** argv) {
  int first = 1;
  if (argc > 1 && !strcmp(argv[1], "--ex")) {
    extended = 1;
    first = 2;
  }
  /* Anonymous key exchange: no certificate is needed. */
  context = SSL_CTX_new(TLS_method());
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, "aNULL:@SECLEVEL=0");
  SSL_CTX_set_dh_auto(context, 1);
  make_ends();
  for (int i = first; i < argc; i++) step(argv[i]);
  free_ends();
  SSL_CTX_free(context);
  return 0;
}
