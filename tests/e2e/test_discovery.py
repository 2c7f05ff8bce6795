#!/usr/bin/env python3
"""Libraries and processes that come and go: forked workers, copies, file systems that must be unmountable."""

import glob
import itertools
import os
import shutil
import subprocess
import time
import unittest

from harness import clients
from harness.agent import Agent
from harness.calls import call
from harness.case import Case, main, own_mounts, wait_until
from harness.compare import differences
from harness.neighbours import best_of_three
from harness.server import Server

RUNS = 20
COUNTED_AT_LEAST = 18


def libssl():
    for pattern in ("/usr/lib/*-linux-gnu/libssl.so.3", "/usr/lib64/libssl.so.3", "/usr/lib/libssl.so.3"):
        if found := glob.glob(pattern):
            return found[0]
    raise unittest.SkipTest("no libssl.so.3 to copy")


def copy_libssl(folder):
    """A library never seen before: a new file. Returns the environment that makes a client use it."""
    os.makedirs(folder)
    shutil.copy(libssl(), folder)
    return {"LD_LIBRARY_PATH": folder}


class DiscoveryTest(Case):
    needs = ("openssl", "bpftool", "curl")

    def check(self, server, agent, count):
        server.wait_for_calls(count)
        agent.wait_for_records(count, *server.ports)
        self.assertEqual(agent.stop()[0], 0, agent.said())
        found = differences(server.book(), agent.records(*server.ports))
        self.assertEqual(len(server.book()), count)
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_workers_forked_after_attach(self):
        server = Server(self)
        agent = Agent(self)
        calls = [call("chat", stream=True), call("messages"), call("responses")]
        # The library is mapped and probed, then the workers are forked from it.
        client = clients.HTTP_CLIENT.start(self, server, calls, workers=4, gate="fork")
        client.at_the_gate()
        client.go()
        client.end()
        self.check(server, agent, 12)

    def test_eight_processes(self):
        server = Server(self)
        agent = Agent(self)
        calls = [call("chat", stream=True), call("messages"), call("chat", "gzip")]
        started = [clients.HTTP_CLIENT.start(self, server, calls) for _ in range(8)]
        for client in started:
            client.end()
        self.check(server, agent, 24)

    def test_two_connections_on_one_thread(self):
        server = Server(self)
        agent = Agent(self)
        # Slow enough that the two streams interleave.
        calls = [call(kind, stream=True, **{"x-interval": "0.01"}) for kind in ("chat", "messages")] * 2
        clients.ASYNCIO.start(self, server, calls, connections=2).end()
        self.check(server, agent, 8)

    def test_library_on_a_file_system_of_its_own(self):
        own_mounts()
        server = Server(self)
        agent = Agent(self)
        mount = self.path("tmpfs")
        os.mkdir(mount)
        subprocess.run(["mount", "-t", "tmpfs", "none", mount], check=True)
        environment = copy_libssl(os.path.join(mount, "lib"))
        probed = wait_until(lambda: agent.metric("wiretally_probed_libraries"), "the first libraries")
        started = [clients.Curl(self, server, call(kind, stream=True), environment=environment, gate=True)
                   for kind in ("chat", "messages", "responses")]
        # Held at the gate until their library is probed: what is asked here is the end of its probes.
        wait_until(lambda: agent.metric("wiretally_probed_libraries") > probed, "the copy to be probed")
        for client in started:
            client.go()
        for client in started:
            client.end()
        began = time.monotonic()
        wait_until(lambda: subprocess.run(["umount", mount], capture_output=True).returncode == 0, "umount", 10)
        took = time.monotonic() - began
        print(f"umount {took:.2f} s after the last process")
        self.assertLessEqual(took, 2.0)
        self.check(server, agent, 3)

    def test_library_never_seen_before(self):
        rounds = itertools.count()

        def in_order():
            seen, _ = self.new_libraries(next(rounds))
            return seen >= COUNTED_AT_LEAST

        best_of_three(self, in_order, f"fewer than {COUNTED_AT_LEAST} of {RUNS} calls counted at the client")

    def test_library_never_seen_before_and_slow_probes(self):
        """On a busy machine attaching takes as long as a call, or longer: whichever part of the call the first probes
        meet, it does not pass in silence."""
        slow_links = os.environ["E2E_SLOW_LINKS"]
        for delay in (2, 3, 4, 7):
            with self.subTest(milliseconds=delay):
                self.new_libraries(f"slow-{delay}", {"LD_PRELOAD": slow_links, "SLOW_LINKS_MS": str(delay)})

    def new_libraries(self, number, environment=None):
        """(calls counted at the client, late ones): together at least all, as in no case may a call pass in silence. More
        than all: a client whose answer alone was seen is late, and found its twin all the same."""
        server = Server(self)
        agent = Agent(self, environment=environment)
        for run in range(RUNS):
            environment = copy_libssl(self.path(f"copy-{number}-{run}"))
            clients.Curl(self, server, call("messages"), environment=environment).end()
        server.wait_for_calls(RUNS)
        # The server's library is probed all the time, so each call has a record; what is asked is the client's sight.
        records = agent.wait_for_records(RUNS, *server.ports)
        seen = sum(record["legs"] == 2 for record in records)

        def late():
            return agent.metric("wiretally_late_attach_total", kind="new_library")

        wait_until(lambda: seen + late() >= RUNS, lambda: f"{RUNS} calls: {seen} counted, {late():g} late", 5)
        late_calls = late()
        self.assertEqual(agent.stop()[0], 0, agent.said())
        print(f"{RUNS} new libraries: {seen} calls counted at the client, {late_calls:g} late")
        self.assertEqual(len(agent.records(*server.ports)), RUNS)
        server.stop()
        return seen, late_calls


if __name__ == "__main__":
    main()
