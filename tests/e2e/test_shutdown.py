#!/usr/bin/env python3
"""How the agent ends: on SIGTERM orderly and in time, on SIGKILL and SIGSEGV without a trace."""

import glob
import os
import signal
import time

from harness import clients
from harness.agent import Agent, all_links
from harness.calls import call
from harness.case import Case, main, wait_until
from harness.neighbours import best_of_three
from harness.server import Server
from test_discovery import copy_libssl

IN_TIME = 2.0
# Before Linux 6.6 each probe is a link of its own, and the kernel takes so long to remove one.
A_PERF_LINK = 0.15


def in_time(links):
    major, minor = map(int, os.uname().release.split(".")[:2])
    return IN_TIME + (0 if (major, minor) >= (6, 6) else A_PERF_LINK * links)


class ShutdownTest(Case):
    needs = ("openssl", "bpftool", "curl")
    folders = 0

    def open_calls(self, server, agent, libraries, calls):
        """So many clients, each with its own library; the first of them are in the middle of a stream."""
        probed = wait_until(lambda: agent.metric("wiretally_probed_libraries"), "the first libraries")
        started = []
        for number in range(libraries):
            environment = copy_libssl(self.path(f"copy-{self.folders}-{number}"))
            asked = call("messages", "slow", True)
            started.append(clients.Curl(self, server, asked, environment=environment, gate=True))
        for client in started:
            client.at_the_gate()
        wait_until(lambda: agent.metric("wiretally_probed_libraries") >= probed + libraries, "the copies to be probed")
        for client in started[:calls]:
            client.go()
        for client in started[:calls]:
            client.read_events(5)
        return started

    def end_in_time(self, libraries):
        """The kernel removes perf events and tracepoints of all processes one after another (event_mutex): a neighbour
        that takes its own away at this moment delays us. Each must end well, though."""
        def in_order():
            took, links = self.end_with(libraries)
            return took <= in_time(links)

        best_of_three(self, in_order, "longer than it may take")

    def end_with(self, libraries):
        self.folders += 1
        server = Server(self)
        agent = Agent(self)
        started = self.open_calls(server, agent, libraries, calls=3)
        links = agent.links()
        self.assertTrue(links, "bpftool shows no link of the agent's")
        status, took = agent.stop()
        print(f"{libraries} libraries, {len(links)} links: exit {status} after {took:.2f} s")
        self.assertEqual(status, 0, agent.said())
        self.assertFalse(links & all_links())
        records = agent.records(*server.ports)
        self.assertEqual([record["outcome"] for record in records], ["incomplete"] * 3, records)
        self.assertEqual({int(record["request_id"][-8:]) for record in records}, {1, 2, 3})
        for client in started[:3]:
            client.read_events(2)  # unharmed
        for client in started:
            client.kill()
        server.stop()
        return took, len(links)

    def test_sigterm_with_3_open_calls_and_3_libraries(self):
        self.end_in_time(3)

    def test_sigterm_with_10_libraries(self):
        self.end_in_time(10)

    def end_by(self, number):
        server = Server(self)
        agent = Agent(self)
        links = wait_until(agent.links, "links")
        # Each stream goes on for 0.2 s at least, so the load outlasts what is done to the agent.
        calls = [call("chat"), call("messages", stream=True, **{"x-events": "40", "x-interval": "0.005"}),
                 call("chat", "gzip", stream=True)] * 15
        started = [clients.HTTP_CLIENT.start(self, server, calls) for _ in range(2)]
        count = len(calls) * len(started)
        server.wait_for_calls(6)
        agent.process.send_signal(number)
        ended = time.monotonic()
        self.assertLess(len(server.book()), count, "the load was over before the signal")
        wait_until(lambda: not links & all_links(), "the links to go", 5)
        print(f"no link {time.monotonic() - ended:.2f} s after signal {number}")
        for client in started:
            client.end()  # fails if a request did
        self.assertEqual([line["outcome"] for line in server.wait_for_calls(count)], ["ok"] * count)
        self.assertEqual(agent.process.wait(10), -number)
        self.assertEqual(self.cores(agent), [])

    @staticmethod
    def cores(agent):
        """Core files, wherever this kernel would put them in the agent's folder or beside a plain pattern."""
        with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as file:
            pattern = file.read().strip()
        folder = agent.folder if not pattern.startswith("/") else os.path.dirname(pattern)
        return [name for name in glob.glob(os.path.join(folder, "*core*"))
                if os.stat(name).st_mtime >= os.stat(agent.log_file).st_mtime]

    def test_kill(self):
        self.end_by(signal.SIGKILL)

    def test_crash(self):
        self.end_by(signal.SIGSEGV)


if __name__ == "__main__":
    main()
