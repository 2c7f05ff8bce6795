/* Sends ready-made TCP segments of a streamed answer out of an interface, at an even pace.
 *
 *   packet_blast INTERFACE PACKETS PER_SECOND
 *
 * They belong to 100 connections, each 300 bytes on, so that the receiver has bytes to put in order and to parse. Prints
 * how many were sent and the seconds that took. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { CONNECTIONS = 100, BATCH = 50, HEADERS = 14 + 20 + 20, PAYLOAD = 300 };

static uint32_t next_sequence[CONNECTIONS];
static unsigned char frames[BATCH][HEADERS + PAYLOAD];

static void put16(unsigned char* at, unsigned value) {
  at[0] = (unsigned char)(value >> 8);
  at[1] = (unsigned char)value;
}

static void put32(unsigned char* at, uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value & 0xffff);
}

static void make_frame(unsigned char* frame) {
  static const char event[] = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"model\":\"m\","
                              "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"}}]}\n\n";
  memset(frame, 0, HEADERS);
  memset(frame, 2, 12);
  put16(frame + 12, 0x0800);
  unsigned char* ip = frame + 14;
  ip[0] = 0x45;
  put16(ip + 2, 40 + PAYLOAD);
  ip[8] = 64;
  ip[9] = 6;
  put32(ip + 12, 0x0a090001);
  put32(ip + 16, 0x0a090002);
  unsigned char* tcp = ip + 20;
  put16(tcp, 80);
  tcp[12] = 5 << 4;
  tcp[13] = 0x18;
  put16(tcp + 14, 65535);
  memset(tcp + 20, ':', PAYLOAD);
  memcpy(tcp + 20, event, sizeof event - 1);
  memcpy(tcp + 20 + PAYLOAD - 2, "\n\n", 2);
}

static void aim(unsigned char* frame, unsigned connection) {
  unsigned char* tcp = frame + 34;
  put16(tcp + 2, 40000 + connection);
  put32(tcp + 4, next_sequence[connection]);
  next_sequence[connection] += PAYLOAD;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: packet_blast INTERFACE PACKETS PER_SECOND\n");
    return 1;
  }
  const long packets = atol(argv[2]);
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
    make_frame(frames[i]);
    pieces[i] = (struct iovec){frames[i], sizeof frames[i]};
    messages[i].msg_hdr =
        (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &pieces[i], .msg_iovlen = 1};
  }
  const double start = now();
  long sent = 0;
  unsigned connection = 0;
  while (sent < packets) {
    for (int i = 0; i < BATCH; i++) aim(frames[i], connection++ % CONNECTIONS);
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
  printf("%ld %.3f\n", sent, now() - start);
  return 0;
}
