#include "live_capture.h"

#include <net/if.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "packet_numbers.h"

namespace wiretally::pcap {
namespace {

constexpr int kSnapBytes = 262'144;
constexpr size_t kRingMibMin = 16;
constexpr size_t kRingMibMax = 2047;  // libpcap takes bytes as an int

// See the header. Ports: VXLAN, VXLAN's old one, GENEVE, GTP-U; later fragments show none, and with
// IPv6 no fragment does, so they pass. The first byte of the IP header is looked at too, because
// the kernel can show a tag where it announced an IP packet (see has_leftover_tag() of the
// decoder).
constexpr char kFilter[] =
    "not (arp"
    " or (ip[0] = 0x45 and (icmp or (udp and ip[6:2] & 0x1fff = 0 and"
    " not (port 4789 or port 8472 or port 6081 or port 2152))))"
    " or (ip6[0] & 0xf0 = 0x60 and (icmp6 or (ip6[6] = 17 and"
    " not (port 4789 or port 8472 or port 6081 or port 2152)))))";

std::string known_interfaces() {
  std::string names = "any";
  struct if_nameindex* const all = if_nameindex();
  if (all == nullptr) return names;
  for (const struct if_nameindex* one = all; one->if_index != 0; ++one) {
    names += ", ";
    names += one->if_name;
  }
  if_freenameindex(all);
  return names;
}

// Link types in files have LINKTYPE_ numbers, libpcap speaks DLT_ numbers; they differ in a few.
uint32_t link_type_of(int dlt) { return dlt == DLT_RAW ? kLinkRaw : static_cast<uint32_t>(dlt); }

struct Delivery {
  PacketDecoder& decoder;
  uint64_t& packets;
  uint32_t link_type;
  int64_t ns_per_fraction;
};

void deliver(u_char* user, const struct pcap_pkthdr* header, const u_char* bytes) {
  Delivery& delivery = *reinterpret_cast<Delivery*>(user);
  RawPacket packet;
  packet.time.ns = int64_t{header->ts.tv_sec} * 1'000'000'000 +
                   int64_t{header->ts.tv_usec} * delivery.ns_per_fraction;
  packet.link_type = delivery.link_type;
  packet.bytes = {bytes, header->caplen};
  packet.wire_bytes = std::max(header->len, header->caplen);
  packet.number = ++delivery.packets;
  delivery.decoder.decode(packet);
}

}  // namespace

void LiveCapture::Close::operator()(struct ::pcap* handle) const { pcap_close(handle); }

LiveCapture::LiveCapture(Handle handle, std::string interface)
    : handle_(std::move(handle)), interface_(std::move(interface)) {}

Result<LiveCapture> LiveCapture::open(const LiveOptions& options) {
  char reason[PCAP_ERRBUF_SIZE] = "";
  Handle handle(pcap_create(options.interface.c_str(), reason));
  if (!handle)
    return Error{"interface " + options.interface + ": cannot be opened: " + std::string(reason)};
  LiveCapture capture(std::move(handle), options.interface);
  if (Status status = capture.set_up(options.ring_mib); !status) return status.error();
  return capture;
}

Status LiveCapture::set_up(size_t ring_mib) {
  struct ::pcap* const handle = handle_.get();
  const size_t ring_bytes = std::clamp(ring_mib, kRingMibMin, kRingMibMax) << 20;
  pcap_set_snaplen(handle, kSnapBytes);
  pcap_set_promisc(handle, 0);
  pcap_set_timeout(handle, kBlockMs);
  pcap_set_buffer_size(handle, static_cast<int>(ring_bytes));
  if (pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO) == 0) ns_per_fraction_ = 1;
  if (Status status = activate(); !status) return status;

  const auto failed = [&](const std::string& what) {
    return Error{"interface " + interface_ + ": " + what + ": " + pcap_geterr(handle)};
  };
  // The newer cooked header names the interface. Only "any" has it to offer; elsewhere the link
  // type stays what it is.
  if (pcap_datalink(handle) == DLT_LINUX_SLL) pcap_set_datalink(handle, DLT_LINUX_SLL2);
  link_type_ = link_type_of(pcap_datalink(handle));
  if (!PacketDecoder::knows_link_type(link_type_))
    return Error{"interface " + interface_ + ": link type " + std::to_string(link_type_) +
                 " is not supported; name another interface"};

  struct bpf_program program {};
  if (pcap_compile(handle, &program, kFilter, 1, PCAP_NETMASK_UNKNOWN) == 0) {
    const int set = pcap_setfilter(handle, &program);
    pcap_freecode(&program);
    if (set != 0) return failed("the packet filter cannot be set");
  }  // else: a link type on which one of the filter's words has no meaning; then all packets come

  char reason[PCAP_ERRBUF_SIZE] = "";
  if (pcap_setnonblock(handle, 1, reason) != 0) return failed("cannot be made non-blocking");
  fd_ = pcap_get_selectable_fd(handle);
  if (fd_ < 0) return failed("cannot be waited for");
  return Done{};
}

Status LiveCapture::activate() {
  const int result = pcap_activate(handle_.get());
  if (result >= 0) return Done{};  // a positive one is a warning
  const std::string name = "interface " + interface_ + ": ";
  switch (result) {
    case PCAP_ERROR_NO_SUCH_DEVICE:
      return Error{name + "there is no such interface; there are: " + known_interfaces()};
    case PCAP_ERROR_PERM_DENIED:
      return Error{name + "no permission to capture packets: run as root or with CAP_NET_RAW"};
    case PCAP_ERROR_IFACE_NOT_UP:
      return Error{name + "it is down: ip link set " + interface_ + " up"};
    default:
      return Error{name + "cannot capture: " + pcap_statustostr(result) + ": " +
                   pcap_geterr(handle_.get())};
  }
}

Result<size_t> LiveCapture::poll(size_t packets_max, PacketDecoder& decoder) {
  Delivery delivery{decoder, packets_, link_type_, ns_per_fraction_};
  const size_t count = std::clamp<size_t>(packets_max, 1, std::numeric_limits<int>::max());
  const int got = pcap_dispatch(handle_.get(), static_cast<int>(count), deliver,
                                reinterpret_cast<u_char*>(&delivery));
  if (got < 0)
    return Error{"interface " + interface_ + ": capturing ended: " + pcap_geterr(handle_.get())};
  return static_cast<size_t>(got);
}

LiveStats LiveCapture::stats() {
  struct pcap_stat now {};
  if (pcap_stats(handle_.get(), &now) == 0) {
    stats_.received += now.ps_recv - std::exchange(last_received_, now.ps_recv);
    stats_.ring_dropped += now.ps_drop - std::exchange(last_ring_dropped_, now.ps_drop);
    stats_.interface_dropped +=
        now.ps_ifdrop - std::exchange(last_interface_dropped_, now.ps_ifdrop);
  }
  return stats_;
}

}  // namespace wiretally::pcap
