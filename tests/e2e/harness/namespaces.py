"""Network namespaces joined by veth pairs, so that what a test does to addresses and routes touches nobody else."""

import os
import subprocess
import unittest


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise unittest.SkipTest(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


class Network:
    """A client and a server namespace, and between them a router or a bridge in a namespace of its own."""

    CLIENT_ADDRESS, SERVER_ADDRESS = "10.77.1.2", "10.77.2.2"

    def __init__(self, case):
        tag = f"wt{os.getpid()}"
        self.client, self.middle, self.server = (f"{tag}-{part}" for part in ("client", "middle", "server"))
        for name in (self.client, self.middle, self.server):
            run("ip", "netns", "add", name)
            case.addCleanup(subprocess.run, ["ip", "netns", "del", name], capture_output=True)
            self.inside(name, "ip", "link", "set", "lo", "up")
        for name, end in ((self.client, "to-client"), (self.server, "to-server")):
            run("ip", "-n", self.middle, "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "-n", self.middle, "link", "set", end, "up")
            run("ip", "-n", name, "link", "set", "eth0", "up")

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

    def translate(self, address, port):
        """As a Kubernetes service does: the client calls `address`; the server sees the router call it."""
        self.inside(self.middle, "nft", f"""
            table ip service {{
              chain before {{ type nat hook prerouting priority -100;
                ip daddr {address} tcp dport {port} dnat to {self.SERVER_ADDRESS}:{port}; }}
              chain after {{ type nat hook postrouting priority 100; oifname "to-server" masquerade; }}
            }}""")

    def bridge(self):
        """One network."""
        run("ip", "-n", self.middle, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", self.middle, "link", "set", "bridge", "up")
        for end in ("to-client", "to-server"):
            run("ip", "-n", self.middle, "link", "set", end, "master", "bridge")
        for name, last in ((self.client, 2), (self.server, 3)):
            run("ip", "-n", name, "address", "add", f"10.77.1.{last}/24", "dev", "eth0")
        return "10.77.1.3"
