/* Sends the TCP segments of 100 streamed chat completions out of an interface, at an even pace.
 *
 *   packet_blast INTERFACE EVENTS PER_SECOND
 *
 * Each has a connection of its own: a question, an answer's head, its share of EVENTS, each event a chunk and a segment
 * of 300 bytes, and an end that states as many output tokens. The connections take turns. Prints how many packets were
 * sent, how many of them were events, and the seconds that those took. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { CONNECTIONS = 100, BATCH = 50, HEADERS = 14 + 20 + 20, PAYLOAD = 300, ROOM = 1400 };

static uint32_t next_sequence[CONNECTIONS]; /* of the server */
static unsigned char frames[BATCH][HEADERS + PAYLOAD];
static uint32_t question_bytes;

static void put16(unsigned char* at, unsigned value) {
  at[0] = (unsigned char)(value >> 8);
  at[1] = (unsigned char)value;
}

static void put32(unsigned char* at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value & 0xffff);
}

/* Ethernet, IPv4 and TCP without checksums, as behind an interface that computes them. */
static size_t make_frame(unsigned char* frame, int from_client, const char* payload, size_t bytes) {
  memset(frame, 0, HEADERS);
  memset(frame, 2, 12);
  put16(frame + 12, 0x0800);
  unsigned char* ip = frame + 14;
  ip[0] = 0x45;
  put16(ip + 2, 40 + (unsigned)bytes);
  ip[8] = 64;
  ip[9] = 6;
  put32(ip + 12, from_client ? 0x0a090002 : 0x0a090001);
  put32(ip + 16, from_client ? 0x0a090001 : 0x0a090002);
  unsigned char* tcp = ip + 20;
  put16(tcp + (from_client ? 2 : 0), 80);
  tcp[12] = 5 << 4;
  tcp[13] = 0x18;
  put16(tcp + 14, 65535);
  memcpy(tcp + 20, payload, bytes);
  return HEADERS + bytes;
}

static size_t make_event(unsigned char* frame) {
  char payload[PAYLOAD + 1];
  const int head = snprintf(payload, sizeof payload,
                            "%x\r\ndata: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\","
                            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" ",
                            PAYLOAD - 7);
  memset(payload + head, 'w', sizeof payload - (size_t)head);
  memcpy(payload + PAYLOAD - 9, "\"}}]}\n\n\r\n", 9);
  return make_frame(frame, 0, payload, PAYLOAD);
}

static void aim(unsigned char* frame, unsigned connection, size_t bytes) {
  unsigned char* tcp = frame + 34;
  put16(tcp + 2, 40000 + connection);
  put32(tcp + 4, next_sequence[connection]);
  put32(tcp + 8, question_bytes);
  next_sequence[connection] += (uint32_t)bytes;
}

static void send_one(int fd, const struct sockaddr_ll* to, const unsigned char* frame, size_t bytes) {
  if (sendto(fd, frame, bytes, 0, (const struct sockaddr*)to, sizeof *to) < 0) {
    perror("sendto");
    exit(1);
  }
}

static void ask(int fd, const struct sockaddr_ll* to, unsigned connection) {
  static const char body[] = "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}";
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
  unsigned char frame[HEADERS + ROOM];
  char question[ROOM];
  question_bytes = (uint32_t)snprintf(question, sizeof question,
                                      "POST /v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\n"
                                      "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                                      sizeof body - 1, body);
  const size_t bytes = make_frame(frame, 1, question, question_bytes);
  put16(frame + 34, 40000 + connection);
  send_one(fd, to, frame, bytes);
  make_frame(frame, 0, answer, sizeof answer - 1);
  aim(frame, connection, sizeof answer - 1);
  send_one(fd, to, frame, HEADERS + sizeof answer - 1);
}

static void end_answer(int fd, const struct sockaddr_ll* to, unsigned connection, long events) {
  char text[ROOM / 2], payload[ROOM];
  unsigned char frame[HEADERS + ROOM];
  const int length = snprintf(text, sizeof text,
                              "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\","
                              "\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":%ld,"
                              "\"total_tokens\":%ld}}\n\ndata: [DONE]\n\n",
                              events, events + 1);
  const int bytes = snprintf(payload, sizeof payload, "%x\r\n%s\r\n0\r\n\r\n", (unsigned)length, text);
  make_frame(frame, 0, payload, (size_t)bytes);
  aim(frame, connection, (size_t)bytes);
  send_one(fd, to, frame, HEADERS + (size_t)bytes);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: packet_blast INTERFACE EVENTS PER_SECOND\n");
    return 1;
  }
  const long events = atol(argv[2]) / CONNECTIONS * CONNECTIONS;
  const double per_second = atof(argv[3]);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_halen = 6, .sll_ifindex = (int)if_nametoindex(argv[1])};
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0 || to.sll_ifindex == 0) {
    perror(argv[1]);
    return 1;
  }
  struct mmsghdr messages[BATCH];
  struct iovec pieces[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    make_event(frames[i]);
    pieces[i] = (struct iovec){frames[i], sizeof frames[i]};
    messages[i].msg_hdr =
        (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &pieces[i], .msg_iovlen = 1};
  }
  for (unsigned i = 0; i < CONNECTIONS; i++) ask(fd, &to, i);
  const double start = now();
  long sent = 0;
  unsigned connection = 0;
  while (sent < events) {
    for (int i = 0; i < BATCH; i++) aim(frames[i], connection++ % CONNECTIONS, PAYLOAD);
    for (int done = 0; done < BATCH;) {
      const int result = sendmmsg(fd, messages + done, BATCH - (unsigned)done, 0);
      if (result < 0) {
        perror("sendmmsg");
        return 1;
      }
      done += result;
    }
    sent += BATCH;
    const double ahead = start + sent / per_second - now();
    if (ahead > 0) {
      const struct timespec pause = {0, (long)(ahead * 1e9)};
      nanosleep(&pause, NULL);
    }
  }
  const double took = now() - start;
  for (unsigned i = 0; i < CONNECTIONS; i++) end_answer(fd, &to, i, sent / CONNECTIONS);
  printf("%ld %ld %.3f\n", sent + 3 * CONNECTIONS, sent, took);
  return 0;
}
