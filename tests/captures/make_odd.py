#!/usr/bin/env python3
"""Captures of odd kinds, made by other hands than ours: scapy, editcap, mergecap and text2pcap.

    make_odd.py FOLDER        needs python3-scapy and wireshark-common

Each holds the same three calls on one connection, unless it says otherwise. They are kept in odd/, so that the tests
need none of these tools; differential_test.py compares what wiretally and tshark find in them.
"""

import json
import os
import random
import subprocess
import sys

from scapy.all import (GRE, IP, TCP, UDP, Ether, Dot1AD, Dot1Q, ICMP, IPv6, LLC, SNAP, CookedLinux, Loopback, Padding, PPP,
                       PPPoE, Raw, fragment, fragment6, raw, wrpcap)
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.inet6 import (IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, Jumbo, PadN)
from scapy.layers.vxlan import VXLAN

START, CLIENT_ISN, SERVER_ISN = 1_780_000_000.0, 0xFFFFFF00, 0x12345678
PATHS = {"/v1/chat/completions": "gpt-4o-mini", "/v1/embeddings": "text-embedding-3-small", "/v1/messages": "claude-opus-4-7"}


def request(path, model):
    body = {"model": model, "messages": [{"role": "user", "content": "q" * 700}], "max_tokens": 9}
    if path.endswith("embeddings"):
        body = {"model": model, "input": "q" * 700}
    text = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: llm.example\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n").encode() + text


def answer(path, model):
    body = {"id": "chatcmpl-1", "object": "chat.completion", "model": model,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "a" * 900}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 21, "completion_tokens": 34, "total_tokens": 55}}
    if path.endswith("embeddings"):
        body = {"object": "list", "model": model, "data": [{"object": "embedding", "index": 0, "embedding": [0.5] * 90}],
                "usage": {"prompt_tokens": 8, "total_tokens": 8}}
    if path.endswith("messages"):
        body = {"id": "msg_1", "type": "message", "role": "assistant", "model": model,
                "content": [{"type": "text", "text": "a" * 900}], "stop_reason": "end_turn",
                "usage": {"input_tokens": 21, "output_tokens": 34}}
    text = json.dumps(body).encode()
    return (f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n").encode() + text


class Talk:
    """One connection; `ip(from_client)` makes the packet's network layer."""

    def __init__(self, v6=False, segment=500, syn=True, port=40000, start=START):
        self.v6, self.segment, self.port, self.time = v6, segment, port, start
        self.next = [CLIENT_ISN, SERVER_ISN]
        self.packets = []
        if syn:
            self.add(0, "S", options=[("MSS", 1460), ("WScale", 7), ("Timestamp", (0xFFFFFFFE, 0))])
            self.next[0] += 1
            self.add(1, "SA", options=[("MSS", 1460), ("WScale", 7)])
            self.next[1] += 1
            self.add(0, "A")
        else:
            self.next = [self.next[0] + 1, self.next[1] + 1]
        for path, model in PATHS.items():
            self.say(0, request(path, model))
            self.say(1, answer(path, model))

    def network(self, way):
        ends = (("fd00::10", "fd00::20") if self.v6 else ("10.1.0.10", "10.1.0.20"))
        return (IPv6 if self.v6 else IP)(src=ends[way], dst=ends[1 - way])

    def add(self, way, flags, payload=b"", options=()):
        ports = (self.port, 8080)
        segment = TCP(sport=ports[way], dport=ports[1 - way], seq=self.next[way] & 0xFFFFFFFF, flags=flags,
                      ack=self.next[1 - way] & 0xFFFFFFFF if "A" in flags else 0, window=8192, options=list(options))
        packet = self.network(way) / segment
        if payload:
            packet = packet / Raw(payload)
        if not self.v6:
            packet.id = 1000 + len(self.packets)
        self.time += 0.001
        packet.time = self.time
        self.packets.append(packet)

    def say(self, way, text):
        for at in range(0, len(text), self.segment):
            piece = text[at:at + self.segment]
            self.add(way, "PA" if at + self.segment >= len(text) else "A", piece)
            self.next[way] += len(piece)
        self.add(1 - way, "A")

    def close(self):
        for way in (0, 1):
            self.add(way, "FA")
            self.next[way] += 1
        self.add(0, "A")
        return self


def ethernet(packets):
    return [timed(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet, packet) for packet in packets]


def timed(packet, like):
    packet.time = like.time
    return packet


def inside(make, packets):
    return [timed(make(packet), packet) for packet in packets]


def outer(packet, number=[0]):
    number[0] += 1
    return IP(src="192.168.1.1", dst="192.168.1.2", id=number[0])


def mac(packet):
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet


def shuffled(packets, seed=3):
    """Data segments of one flight in any order."""
    drawn = random.Random(seed)
    result, flight = [], []
    for packet in packets:
        if flight and (not packet[TCP].payload or packet[TCP].sport != flight[0][TCP].sport):
            drawn.shuffle(flight)
            result, flight = result + flight, []
        (flight if packet[TCP].payload else result).append(packet)
    result += flight
    for at, packet in enumerate(result):
        packet.time = START + at * 0.001
    return result


def captures():
    plain, six = Talk().close().packets, Talk(v6=True).close().packets
    yield "ethernet", ethernet(plain)
    yield "ipv6", ethernet(six)
    yield "no_syn", ethernet(Talk(syn=False).packets)
    yield "syn_ack_alone", ethernet(plain[1:])
    yield "vlan", inside(lambda p: Ether() / Dot1Q(vlan=42) / p, plain)
    yield "vlan_one_way", inside(lambda p: Ether() / Dot1Q(vlan=42) / p if p[TCP].dport == 8080 else Ether() / p, plain)
    yield "qinq", inside(lambda p: Ether() / Dot1AD(vlan=7) / Dot1Q(vlan=42) / p, plain)
    yield "mpls", inside(lambda p: Ether() / MPLS(label=17, s=0) / MPLS(label=18, s=1) / p, plain)
    yield "pppoe", inside(lambda p: Ether(type=0x8864) / PPPoE(sessionid=9) / PPP(proto=0x21) / p, plain)
    yield "llc_snap", inside(lambda p: Ether(type=8 + len(p)) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(code=0x800) / p,
                             plain)
    yield "vxlan_4789", ethernet(inside(lambda p: outer(p) / UDP(sport=5555, dport=4789) / VXLAN(vni=7, flags=8) / mac(p), plain))
    yield "vxlan_8472", ethernet(inside(lambda p: outer(p) / UDP(sport=5555, dport=8472) / VXLAN(vni=7, flags=8) / mac(p), six))
    yield "geneve", ethernet(inside(lambda p: outer(p) / UDP(sport=5555, dport=6081) / GENEVE(vni=7) / mac(p), plain))
    yield "gre", ethernet(inside(lambda p: outer(p) / GRE(key_present=1, key=5) / p, plain))
    yield "gre_bridged", ethernet(inside(lambda p: outer(p) / GRE(proto=0x6558) / mac(p), plain))
    yield "ip_in_ip", ethernet(inside(lambda p: outer(p) / p, plain))
    yield "six_in_four", ethernet(inside(lambda p: outer(p) / p, six))
    yield "erspan_1", ethernet(inside(lambda p: outer(p) / GRE(proto=0x88BE) / mac(p), plain))
    yield "erspan_2", ethernet(inside(
        lambda p: outer(p) / GRE(proto=0x88BE, seqnum_present=1, seqence_number=1) / ERSPAN_II(session_id=3) / mac(p), plain))
    yield "erspan_3", ethernet(inside(
        lambda p: outer(p) / GRE(proto=0x22EB, seqnum_present=1, seqence_number=1) / ERSPAN_III(session_id=3) / mac(p), plain))
    yield "gtp", ethernet(inside(lambda p: outer(p) / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=77) / p, plain))
    yield "fragments", ethernet([timed(f, p) for p in plain for f in fragment(p, 200)])
    yield "fragments_backwards", ethernet([timed(f, p) for p in plain for f in reversed(fragment(p, 200))])
    yield "fragments_ipv6", ethernet([timed(f, p) for number, p in enumerate(six) for f in fragment6(
        IPv6(src=p.src, dst=p.dst) / IPv6ExtHdrFragment(id=number) / p.payload, 300)])
    yield "fragments_outer", ethernet([timed(f, p) for p in plain for f in fragment(
        outer(p) / UDP(sport=5555, dport=4789) / VXLAN(vni=7, flags=8) / mac(p), 400)])
    yield "extension_headers", ethernet(inside(
        lambda p: IPv6(src=p.src, dst=p.dst) / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])
        / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]) / p.payload, six))
    yield "atomic_fragments", ethernet(inside(
        lambda p: IPv6(src=p.src, dst=p.dst) / IPv6ExtHdrFragment(id=9) / p.payload, six))
    yield "padding", [timed(p / Padding(b"\x55" * 24), p) for p in ethernet(plain)]
    yield "retransmissions", ethernet([p for packet in plain for p in (packet, packet.copy())])
    yield "reordered", ethernet(shuffled(plain))
    yield "backwards_clock", [timed(p, q) for p, q in zip(ethernet(plain), reversed(plain))]
    checksums = [packet.copy() for packet in plain]
    for packet in checksums:
        packet[TCP].chksum = 0x1234
    yield "bad_checksums", ethernet(checksums)
    length_zero = [packet.copy() for packet in Talk(segment=5000).close().packets]
    for packet in length_zero:
        if packet[TCP].payload:
            packet[IP].len = 0
    yield "length_zero", ethernet(length_zero)
    keep_alive = []
    for packet in plain:
        keep_alive.append(packet)
        if packet[TCP].flags == "A" and not packet[TCP].payload:
            probe = packet.copy()
            probe[TCP].seq = (probe[TCP].seq - 1) & 0xFFFFFFFF
            keep_alive.append(timed(probe / Raw(b"\x5a"), packet))
    yield "keep_alive_probes", ethernet(keep_alive)
    yield "two_connections", ethernet(sorted(plain + Talk(port=40001, start=START + 0.0005).close().packets,
                                             key=lambda p: p.time))
    yield "icmp_between", ethernet([q for p in plain for q in (timed(IP() / ICMP(), p), p)])
    yield "cooked", inside(lambda p: CookedLinux(proto=0x800) / p, plain)
    yield "null", inside(lambda p: Loopback(type=2) / p, plain)
    yield "raw", plain


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)

    def path(name):
        return os.path.join(folder, name)

    for name, packets in captures():
        wrpcap(path(name + ".pcap"), packets)
    # Other writers of files: nanoseconds, pcapng, several interfaces and link types in one file, a snap length.
    for name, options in {"nanoseconds.pcap": ["-F", "nsecpcap"], "pcapng.pcapng": ["-F", "pcapng"],
                          "shifted_time.pcapng": ["-F", "pcapng", "-t", "3000000000"],
                          "other_system.pcap": ["-F", "modpcap"]}.items():
        subprocess.run(["editcap", *options, path("ethernet.pcap"), path(name)], check=True)
    subprocess.run(["mergecap", "-F", "pcapng", "-w", path("two_link_types.pcapng"), path("ethernet.pcap"),
                    path("cooked.pcap")], check=True)
    dump = "".join(f"{START + 0:.0f}.{number:06d}\n" + "\n".join(
        f"{at:06x} " + " ".join(f"{byte:02x}" for byte in frame[at:at + 16]) for at in range(0, len(frame), 16)) + "\n\n"
        for number, frame in enumerate(raw(packet) for packet in ethernet(Talk().close().packets)))
    subprocess.run(["text2pcap", "-q", "-t", "%s.%f", "-", path("from_text.pcapng")], input=dump.encode(), check=True)


if __name__ == "__main__":
    main()
