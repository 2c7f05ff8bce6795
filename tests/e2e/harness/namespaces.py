"""Network namespaces joined by veth pairs, so that what a test does to addresses and routes touches nobody else."""

import itertools
import os
import subprocess
import unittest


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise unittest.SkipTest(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


class Network:
    """A client and a server namespace, and between them a router or a bridge in a namespace of its own."""

    numbers = itertools.count()
    CLIENT_ADDRESS, SERVER_ADDRESS = "10.77.1.2", "10.77.2.2"

    def __init__(self, case):
        tag = f"wt{os.getpid()}-{next(Network.numbers)}"
        self.client, self.middle, self.server = (f"{tag}-{part}" for part in ("client", "middle", "server"))
        for name in (self.client, self.middle, self.server):
            run("ip", "netns", "add", name)
            case.addCleanup(self.remove)
            self.inside(name, "ip", "link", "set", "lo", "up")
        for name, end in ((self.client, "to-client"), (self.server, "to-server")):
            run("ip", "-n", self.middle, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "-n", self.middle, "link", "set", end, "up")
            run("ip", "-n", name, "link", "set", "eth0", "up")

    def remove(self):
        for name in (self.client, self.middle, self.server):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    @staticmethod
    def within(name):
        return ("ip", "netns", "exec", name)

    def inside(self, name, *command):
        run(*self.within(name), *command)

    def route(self):
        """Two networks with the middle as their router."""
        for name, end, address in ((self.client, "to-client", self.CLIENT_ADDRESS),
                                   (self.server, "to-server", self.SERVER_ADDRESS)):
            gateway = address.rpartition(".")[0] + ".1"
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", self.middle, "address", "add", f"{gateway}/24", "dev", end)
            run("ip", "-n", name, "route", "add", "default", "via", gateway)
        self.inside(self.middle, "sysctl", "-qw", "net.ipv4.ip_forward=1")

    def translate(self, address, port, masquerade=True):
        """As a Kubernetes service does: the client calls `address`; the server sees the router call it. Without
        `masquerade` only the server's address is translated, and the server sees the client."""
        after = 'oifname "to-server" masquerade;' if masquerade else ""
        self.inside(self.middle, "nft", f"""
            table ip service {{
              chain before {{ type nat hook prerouting priority -100;
                ip daddr {address} tcp dport {port} dnat to {self.SERVER_ADDRESS}:{port}; }}
              chain after {{ type nat hook postrouting priority 100; {after} }}
            }}""")

    def translate_half(self, address, port):
        """Stateless and in one direction only: the middle's captures show requests under two addresses, and the
        answers leave the server's side untranslated."""
        self.inside(self.middle, "nft", f"""
            table ip half {{
              chain there {{ type filter hook prerouting priority -300;
                ip daddr {address} tcp dport {port} ip daddr set {self.SERVER_ADDRESS} notrack; }}
              chain back {{ type filter hook postrouting priority 300;
                oifname "to-client" ip saddr {self.SERVER_ADDRESS} tcp sport {port} ip saddr set {address} notrack; }}
            }}""")

    def vxlan(self, port, mtu=1450):
        """On top of route(): a network between client and server in tunnels; the server's address in it."""
        ends = ((self.client, self.CLIENT_ADDRESS, self.SERVER_ADDRESS, 1),
                (self.server, self.SERVER_ADDRESS, self.CLIENT_ADDRESS, 2))
        for name, local, remote, last in ends:
            run("ip", "-n", name, "link", "add", "vxlan0", "type", "vxlan", "id", "7", "local", local,
                "remote", remote, "dstport", str(port))
            run("ip", "-n", name, "address", "add", f"10.66.0.{last}/24", "dev", "vxlan0")
            run("ip", "-n", name, "link", "set", "vxlan0", "mtu", str(mtu), "up")
        return "10.66.0.2"

    def fragments_received(self):
        """By the server, of IPv4 packets."""
        done = subprocess.run([*self.within(self.server), "cat", "/proc/net/snmp"], capture_output=True, text=True)
        names, values = [line.split() for line in done.stdout.splitlines() if line.startswith("Ip:")]
        return int(values[names.index("ReasmReqds")])

    def mirror_port(self):
        """An interface of the middle on which nothing happens by itself."""
        run("ip", "-n", self.middle, "link", "add", "mirror", "type", "veth", "peer", "name", "mirror-end")
        for end in ("mirror", "mirror-end"):
            run("ip", "-n", self.middle, "link", "set", end, "mtu", "65535", "arp", "off", "up")

    def bridge(self):
        """One network."""
        run("ip", "-n", self.middle, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", self.middle, "link", "set", "bridge", "up")
        for end in ("to-client", "to-server"):
            run("ip", "-n", self.middle, "link", "set", end, "master", "bridge")
        for name, last in ((self.client, 2), (self.server, 3)):
            run("ip", "-n", name, "address", "add", f"10.77.1.{last}/24", "dev", "eth0")
        return "10.77.1.3"
