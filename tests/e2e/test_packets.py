#!/usr/bin/env python3
"""Clear text: what is read off the wire at once and what is read from a capture of it later are the same records."""

import json
import os
import signal
import subprocess
import sys

from harness import clients
from harness.agent import Agent
from harness.calls import BODIES, SCENARIOS, call, calls_of
from harness.case import AGENT, HERE, Case, main, wait_until
from harness.compare import differences
from harness.namespaces import Network
from harness.server import Server

# What differs: the source, what the replay cannot know, and instants, which two sockets stamp apart.
OF_ITS_OWN = {"record_id", "source", "start_time", "duration_s", "ttfb_s", "ttft_s", "pid", "process", "executable",
              "client_address", "client_port", "server_address", "server_port", "node", "legs"}
SERVICE, PORT = "10.99.0.1", 8080


class Tcpdump:
    def __init__(self, case, *expression):
        self.file = case.path("capture.pcap")
        self.process = subprocess.Popen(
            ["tcpdump", "-i", "any", "-s", "0", "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "-w", self.file,
             *expression], stderr=subprocess.PIPE, text=True)
        case.addCleanup(self.stop)
        while "listening on" not in (line := self.process.stderr.readline()):
            if not line:
                raise AssertionError("tcpdump ended")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
        self.process.stderr.close()


class PacketTest(Case):
    needs = ("openssl", "tcpdump", "ip", "nft", "curl", "sysctl")

    def replay(self, file, key_file):
        done = subprocess.run([AGENT, "replay", file, "--format", "ndjson", "--key-secret", key_file],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check(self, server, agent, count):
        server.wait_for_calls(count)
        agent.wait_for_records(count, *server.ports)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        records = agent.records(*server.ports)
        found = differences(server.book(), records, legs=None)
        self.assertFalse(found, "\n" + "\n".join(found))
        return records

    def test_live_packets_and_their_replay(self):
        server = Server(self)
        agent = Agent(self, "--no-tls", "--privacy-subjects", "plain")
        tcpdump = Tcpdump(self, "tcp", "port", str(server.http))
        calls = [asked for scenario in (*SCENARIOS[:-1], "server abort") for asked in calls_of(scenario, scenario)]
        kinds = [kind for kind in (clients.HTTP_CLIENT, clients.ASYNCIO, clients.FETCH_SHARED)
                 if not kind.reason_to_skip()]
        for kind in kinds:
            kind.start(self, server, calls, tls=False).end()
        records = self.check(server, agent, len(kinds) * len(calls))
        wait_until(lambda: len(self.replay(tcpdump.file, agent.key_file)) >= len(records), "tcpdump to write them all")
        tcpdump.stop()
        replayed = self.replay(tcpdump.file, agent.key_file)
        self.assertEqual([self.comparable(record) for record in sorted(replayed, key=self.order)],
                         [self.comparable(record) for record in sorted(records, key=self.order)])
        print(f"{len(records)} records live and replayed")

    @staticmethod
    def order(record):
        return record["request_id"]

    @staticmethod
    def comparable(record):
        """A record's id is its run's own; whether it repeats another is not."""
        return {field: value for field, value in record.items() if field not in OF_ITS_OWN} | {
            "retry_of": record["retry_of"] is not None}

    def test_probes_and_packets_tell_apart_what_is_encrypted(self):
        """Both sources at once, clear and TLS: each call once."""
        server = Server(self)
        agent = Agent(self)
        calls = [call("chat", stream=True), call("messages", "gzip"), call("responses")]
        for tls in (False, True):
            clients.HTTP_CLIENT.start(self, server, calls, tls=tls).end()
        records = self.check(server, agent, 6)
        self.assertEqual(sorted(record["source"] for record in records), ["packet"] * 3 + ["tls"] * 3)

    def test_a_call_that_ends_just_before_sigterm(self):
        """Its packets are still in the kernel's hands then."""
        server = Server(self)
        for _ in range(3):
            before = len(server.book())
            agent = Agent(self, "--no-tls")
            clients.HTTP_CLIENT.start(self, server, [call("chat")], tls=False).end()
            self.assertEqual(agent.stop()[0], 0, agent.said())
            self.assertEqual([record["outcome"] for record in agent.records(*server.ports)], ["ok"], agent.said())
            server.wait_for_calls(before + 1)

    def call_through(self, network, address, *options, at=None):
        """Records of three calls as seen from the middle, or from namespace `at`."""
        server = Server(self, "--address", "0.0.0.0", "--http-port", str(PORT), prefix=network.within(network.server))
        agent = Agent(self, "--no-tls", *options, prefix=network.within(at or network.middle))
        for kind in ("chat", "messages", "responses"):
            path, body = BODIES[kind]
            body = body | {"metadata": {"note": "n" * 6000}}  # several segments
            subprocess.run([*network.within(network.client), "curl", "-sS", "-f", "-o", "/dev/null", "-m", "20",
                            f"http://{address}:{PORT}{path}", "-H", "content-type: application/json",
                            "--data-binary", json.dumps(body)], check=True)
        return self.check(server, agent, 3)

    def test_translated_addresses(self):
        network = Network(self)
        network.route()
        network.translate(SERVICE, PORT)
        records = self.call_through(network, SERVICE)
        print(f"through DNAT and masquerade: legs {[record['legs'] for record in records]}")
        self.assertTrue(all(record["legs"] > 1 for record in records), "nothing was translated")

    def test_translated_server_address(self):
        """DNAT alone: requests under the service's address and the server's, answers too."""
        network = Network(self)
        network.route()
        network.translate(SERVICE, PORT, masquerade=False)
        records = self.call_through(network, SERVICE)
        print(f"through DNAT: legs {[record['legs'] for record in records]}")

    def test_half_translated(self):
        network = Network(self)
        network.route()
        network.translate_half(SERVICE, PORT)
        records = self.call_through(network, SERVICE)
        print(f"half translated: legs {[record['legs'] for record in records]}")

    def test_bridge(self):
        network = Network(self)
        address = network.bridge()
        records = self.call_through(network, address)
        print(f"over veth and bridge: legs {[record['legs'] for record in records]}")

    def test_mirrored_two_milliseconds_later(self):
        network = Network(self)
        network.route()
        network.mirror_port()
        command = [*network.within(network.middle), sys.executable, os.path.join(HERE, "harness", "mirror.py"),
                   "to-client", "mirror", "2"]
        mirror = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (mirror.kill(), mirror.wait(), mirror.stdout.close()))
        self.assertEqual(mirror.stdout.readline(), "ready\n")
        records = self.call_through(network, network.SERVER_ADDRESS)
        print(f"mirrored: legs {[record['legs'] for record in records]}")
        done = subprocess.run(["ip", "-n", network.middle, "-s", "-j", "link", "show", "mirror"], capture_output=True)
        sent = json.loads(done.stdout)[0]["stats64"]["tx"]["packets"]
        self.assertGreater(sent, 20, "the mirror port showed nothing")

    def test_vxlan(self):
        """Where only tunnels pass, and where tunnel and content are both seen; on both ports; also with tunnels that
        need fragments."""
        for port, mtu in ((4789, 1450), (8472, 1450), (4789, 1500)):
            for at in ("middle", "server"):
                with self.subTest(port=port, mtu=mtu, at=at):
                    network = Network(self)
                    network.route()
                    address = network.vxlan(port, mtu)
                    self.call_through(network, address, "--lanes", "2", at=getattr(network, at))
                    self.assertEqual(network.fragments_received() > 0, mtu == 1500)
                    network.remove()


if __name__ == "__main__":
    main()
