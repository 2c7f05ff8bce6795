/* The yardstick for coded streams: reads a capture that make_capture wrote with gzip, and inflates the body of each
   packet with zlib alone. A chunk is a packet; nothing else of HTTP or TCP is looked at. */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { kHeaders = 14 + 20 + 20, kStreams = 65536 };

static z_stream* streams[kStreams];

int main(int argc, char** argv) {
  char error[PCAP_ERRBUF_SIZE] = "usage: inflate_loop FILE";
  pcap_t* file = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
  if (file == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  static unsigned char room[65536];
  struct pcap_pkthdr* header;
  const unsigned char* bytes;
  unsigned long inflated = 0;
  while (pcap_next_ex(file, &header, &bytes) == 1) {
    const unsigned char* tcp = bytes + 14 + 20;
    const unsigned char* body = tcp + (tcp[12] >> 4) * 4;
    if ((tcp[0] << 8 | tcp[1]) != 8000 || body + 8 > bytes + header->caplen) continue;
    char* end;
    const unsigned long size = strtoul((const char*)body, &end, 16);
    if (size == 0 || end == (const char*)body || *end != '\r') continue;
    z_stream** stream = &streams[tcp[2] << 8 | tcp[3]];
    if (*stream == NULL) {
      *stream = calloc(1, sizeof **stream);
      if (*stream == NULL || inflateInit2(*stream, 31) != Z_OK) return 1;
    }
    (*stream)->next_in = (unsigned char*)end + 2;
    (*stream)->avail_in = size;
    (*stream)->next_out = room;
    (*stream)->avail_out = sizeof room;
    const int result = inflate(*stream, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END) return 1;
    inflated += sizeof room - (*stream)->avail_out;
    if (result == Z_STREAM_END) inflateReset(*stream);
  }
  printf("%lu\n", inflated);
  pcap_close(file);
  return 0;
}
