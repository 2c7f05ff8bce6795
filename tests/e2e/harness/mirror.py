#!/usr/bin/env python3
"""A mirror port: what passes on one interface comes out of another, some time later.

    mirror.py FROM TO MILLISECONDS
"""

import collections
import select
import socket
import sys
import time

ETH_P_ALL = 3


def packet_socket(interface, protocol):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    opened.bind((interface, protocol))
    return opened


def main():
    seen_on, sent_to, delay = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000
    incoming = packet_socket(seen_on, ETH_P_ALL)
    incoming.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    outgoing = packet_socket(sent_to, 0)
    print("ready", flush=True)
    waiting = collections.deque()
    while True:
        timeout = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([incoming], [], [], timeout)[0]:
            waiting.append((time.monotonic() + delay, incoming.recv(1 << 17)))
        while waiting and waiting[0][0] <= time.monotonic():
            frame = waiting.popleft()[1]
            try:
                outgoing.send(frame)
            except OSError as error:
                print(f"{len(frame)} bytes: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
