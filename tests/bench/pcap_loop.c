/* The yardstick: reads a capture file with libpcap and looks at nothing. */
#include <pcap/pcap.h>
#include <stdio.h>

int main(int argc, char** argv) {
  char error[PCAP_ERRBUF_SIZE] = "usage: pcap_loop FILE";
  pcap_t* file = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
  if (file == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  struct pcap_pkthdr* header;
  const unsigned char* bytes;
  unsigned long packets = 0;
  while (pcap_next_ex(file, &header, &bytes) == 1) packets++;
  printf("%lu\n", packets);
  pcap_close(file);
  return 0;
}
